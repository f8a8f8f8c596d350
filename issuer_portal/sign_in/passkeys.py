"""Sign in with a passkey, alone or after a password, or prove who is there again.

Each begins by a challenge, which the page's script asks for, and ends by the device's answer, sent as a form.
"""

from datetime import timedelta
from http import HTTPStatus

from flask import abort, redirect, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.sign_in.folder import blueprint, enter
from voucher.access.factors import passkey_proof
from voucher.kernel.refusals import Refused
from voucher.web.access import public, second_step, staff, viewer, waiting
from voucher.web.limits import Limiter, client_address
from voucher.web.passkey_steps import answer_step, passkey_answer
from voucher.web.services import services
from voucher.web.views import flash_refusal
from voucher.web.visit import visit

ASKED_MAX = 60
passkeys_asked = Limiter("passkeys", count_max=ASKED_MAX, window=timedelta(minutes=10))
"""By address of the network. No key is guessed: it bounds what strangers make us remember and prove."""


@blueprint.post("/cle-d-acces/debut")
@public
def begin_passkey() -> Response:
    """Ask whoever is there for a passkey."""
    here = services()
    if not passkeys_asked.allows(client_address(), here.now()):
        abort(HTTPStatus.TOO_MANY_REQUESTS)
    return answer_step(lambda: passkey_proof.begin_sign_in(here.database, here.settings.relying_party, now=here.now()))


@blueprint.post("/cle-d-acces")
@public
def passkey() -> Response:
    """Let in the person of a passkey."""
    here, wanted = services(), request.args.get("suite", "")
    step, answer = passkey_answer()
    try:
        token = passkey_proof.sign_in(
            here.database, here.settings.relying_party, step, answer, now=here.now(), visit=visit()
        )
    except Refused as refused:
        flash_refusal(refused)
        return redirect(url_for("staff.sign_in", suite=wanted or None))
    passkeys_asked.uncount(client_address(), here.now())
    return enter(token, wanted)


@blueprint.post("/deuxieme-preuve/cle-d-acces/debut")
@second_step
def begin_second_passkey() -> Response:
    """Ask who has just given a password for one of their passkeys."""
    here = services()
    return answer_step(
        lambda: passkey_proof.begin_second_factor(
            here.database, here.settings.relying_party, waiting().token, now=here.now()
        )
    )


@blueprint.post("/deuxieme-preuve/cle-d-acces")
@second_step
def second_passkey() -> Response:
    """Let in who has just given a password, with a passkey of theirs."""
    here, wanted = services(), request.args.get("suite", "")
    step, answer = passkey_answer()
    try:
        token = passkey_proof.end_wait(
            here.database, here.settings.relying_party, waiting().token, step, answer, now=here.now(), visit=visit()
        )
    except Refused as refused:
        flash_refusal(refused)
        return redirect(url_for("sign_in.second_factor", suite=wanted or None))
    return enter(token, wanted)


@blueprint.post("/qui-est-la/cle-d-acces")
@staff()
def begin_confirmation() -> Response:
    """Ask who is signed in for one of their passkeys; the page « Qui est là ? » takes the answer."""
    here = services()
    return answer_step(
        lambda: passkey_proof.begin_confirmation(
            here.database, here.settings.relying_party, viewer().account_id, now=here.now()
        )
    )
