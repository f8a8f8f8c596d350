"""One's own passkeys: the list, a new one, its name, its removal."""

from uuid import UUID

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired

from issuer_portal.own_account.folder import blueprint
from voucher.access.factors import passkeys as own
from voucher.access.factors.held import factors_of
from voucher.access.factors.passkeys import OwnPasskey
from voucher.kernel.refusals import Refused
from voucher.web.access import keep_session, must_have_factor, staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.passkey_steps import answer_step, passkey_answer
from voucher.web.services import services
from voucher.web.views import flash_refusal
from voucher.web.visit import visit


class LabelForm(HouseForm):
    """What a person calls a passkey."""

    label = StringField("Nom de cette clé", validators=[InputRequired()])


@blueprint.get("/cles-d-acces")
@staff(before_factor=True)
def passkeys() -> str:
    """Show one's passkeys, and where to add one."""
    return render_template(
        "own_account/passkeys.html",
        form=LabelForm(formdata=None),
        keys=own.own_passkeys(services().database, viewer().account_id),
    )


@blueprint.post("/cles-d-acces/debut")
@staff(before_factor=True)
def begin_passkey() -> Response:
    """Ask this person's device for a new key."""
    here = services()
    return answer_step(
        lambda: own.begin_passkey(
            here.database,
            here.settings.relying_party,
            viewer(),
            request.form.get("label", ""),
            programme_name=here.settings.programme_name,
            now=here.now(),
        )
    )


@blueprint.post("/cles-d-acces")
@staff(before_factor=True)
@asks_again("ajouter une clé d’accès")
def add_passkey() -> Response:
    """Keep the key that the device has made."""
    here = services()
    step, answer = passkey_answer()
    try:
        token = own.add_passkey(
            here.database, here.settings.relying_party, viewer(), step, answer, now=here.now(), visit=visit()
        )
    except Refused as refused:
        flash_refusal(refused)
        return redirect(url_for("own_account.passkeys"))
    flash("Votre clé d’accès est ajoutée. Vos autres connexions sont fermées.", "success")
    # The first one: the day it is lost, codes that were printed open the account.
    has_codes = factors_of(here.database, viewer().account_id).codes_left > 0
    there = "own_account.passkeys" if has_codes else "own_account.recovery_codes"
    return keep_session(make_response(redirect(url_for(there))), token)


@blueprint.route("/cles-d-acces/<uuid:passkey_id>", methods=["GET", "POST"])
@staff()
def rename_passkey(passkey_id: UUID) -> str | Response:
    """Call a passkey otherwise."""
    key, form, here = _own(passkey_id), LabelForm(), services()
    if form.validate_on_submit():
        try:
            own.rename_passkey(here.database, viewer().account_id, key.id, form.label.data, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash("Le nom de votre clé d’accès est changé.", "success")
            return redirect(url_for("own_account.passkeys"))
    elif not form.is_submitted():
        form.label.data = key.label
    return render_template("own_account/passkey.html", form=form, key=key)


@blueprint.route("/cles-d-acces/<uuid:passkey_id>/retirer", methods=["GET", "POST"])
@staff()
@asks_again("retirer une clé d’accès")
def remove_passkey(passkey_id: UUID) -> str | Response:
    """Take a passkey off, once its consequences were shown."""
    key, form, here = _own(passkey_id), HouseForm(), services()
    if form.validate_on_submit():
        try:
            token = own.remove_passkey(
                here.database, viewer(), key.id, keeps_one=must_have_factor(), now=here.now(), visit=visit()
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"La clé d’accès « {key.label} » est retirée. Vos autres connexions sont fermées.", "success")
            return keep_session(make_response(redirect(url_for("own_account.passkeys"))), token)
    held = factors_of(here.database, viewer().account_id)
    is_last = held.passkey_count == 1 and held.totp_since is None
    return render_template(
        "own_account/remove_passkey.html", form=form, key=key, is_last=is_last, stays=is_last and must_have_factor()
    )


def _own(passkey_id: UUID) -> OwnPasskey:
    """Return one of this person's passkeys, or stop with 404."""
    mine = own.own_passkeys(services().database, viewer().account_id)
    return next((one for one in mine if one.id == passkey_id), None) or abort(404)
