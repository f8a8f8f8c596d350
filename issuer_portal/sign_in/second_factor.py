"""The second step of a sign-in, after the password: a code of the person's application, or a recovery code."""

from collections.abc import Callable
from http import HTTPStatus

from flask import flash, render_template, request
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired

from issuer_portal.sign_in.folder import blueprint, enter
from voucher.access.factors.held import factors_of
from voucher.access.factors.recovery import FEW, show_recovery_code
from voucher.access.factors.totp import show_totp
from voucher.access.tries import TooManyTries
from voucher.kernel.refusals import Refused
from voucher.web.access import public, second_step, waiting
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.headers import passkey_page
from voucher.web.limits import too_early
from voucher.web.services import services
from voucher.web.visit import visit

AS_A_CODE = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
"""How telephones know a field of a code: its keyboard has digits, and the code that has just come is offered."""


class CodeForm(HouseForm):
    """A code of six digits."""

    asks_secrets = True
    code = StringField("Code à six chiffres", validators=[InputRequired()], render_kw=AS_A_CODE)


class RecoveryForm(HouseForm):
    """A recovery code."""

    asks_secrets = True
    code = StringField(
        "Code de secours", validators=[InputRequired()], render_kw={"autocomplete": "off", "spellcheck": "false"}
    )


@blueprint.route("/deuxieme-preuve", methods=["GET", "POST"])
@second_step
@passkey_page
def second_factor() -> str | Response:
    """Take the code of six digits of who has just given a password."""
    here, who, form = services(), waiting(), CodeForm()

    def show() -> str:
        return show_totp(
            here.database,
            who.account_id,
            who.token,
            form.code.data,
            master_secret=here.settings.master_secret,
            now=here.now(),
            visit=visit(),
        )

    held = factors_of(here.database, who.account_id)
    return _step(form, "sign_in/second_factor.html", show, held=held, now=here.now())


@blueprint.route("/code-de-secours", methods=["GET", "POST"])
@second_step
def recovery_code() -> str | Response:
    """Take a recovery code of who has just given a password, and say how many are left."""
    here, who, form = services(), waiting(), RecoveryForm()
    left = 0

    def show() -> str:
        nonlocal left
        token, left = show_recovery_code(
            here.database, who.account_id, who.token, form.code.data, now=here.now(), visit=visit()
        )
        return token

    answer = _step(form, "sign_in/recovery_code.html", show)
    if isinstance(answer, Response) and answer.status_code == HTTPStatus.FOUND:
        more = " Imprimez-en de nouveaux dans « Mon compte »." if left <= FEW else ""
        flash(f"Ce code de secours ne sert plus. Il vous en reste {left}.{more}", "warn" if more else "success")
    return answer


@blueprint.get("/telephone-perdu")
@public
def lost_phone() -> str:
    """Say what to do, and whom to call, when a phone is lost."""
    return render_template("sign_in/lost_phone.html", settings=services().settings)


def _step(form: HouseForm, template: str, show: Callable[[], str], **more: object) -> str | Response:
    """Show a code and let the person in; or show the page again, with why not."""
    wanted = request.args.get("suite", "")
    if form.validate_on_submit():
        try:
            return enter(show(), wanted)
        except TooManyTries as refused:
            show_refusal(form, refused)
            return too_early(refused, render_template(template, form=form, suite=wanted or None, **more))
        except Refused as refused:
            show_refusal(form, refused)
    return render_template(template, form=form, suite=wanted or None, **more)
