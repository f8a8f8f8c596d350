"""One's own second factors: what one has, an application of codes added or removed, recovery codes printed."""

from flask import flash, make_response, redirect, render_template, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired

from issuer_portal.own_account.folder import blueprint
from issuer_portal.sign_in.second_factor import AS_A_CODE
from voucher.access.factors.held import factors_of
from voucher.access.factors.recovery import FEW, new_codes
from voucher.access.factors.totp import begin_totp, begun_totp, confirm_totp, remove_totp
from voucher.issuing.qr import svg
from voucher.kernel.number_labels import fours
from voucher.kernel.refusals import Refused
from voucher.web.access import keep_session, lacks_factor, must_have_factor, staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.services import services
from voucher.web.views import flash_refusal
from voucher.web.visit import visit


class NewTotpForm(HouseForm):
    """The first code of an application that is being added."""

    asks_secrets = True
    token = HiddenField()
    code = StringField("Code à six chiffres", validators=[InputRequired()], render_kw=AS_A_CODE)


@blueprint.get("/deuxieme-preuve")
@staff(before_factor=True)
def factors() -> str:
    """Show what one proves who one is with, beside a password."""
    return render_template(
        "own_account/factors.html",
        held=factors_of(services().database, viewer().account_id),
        must_have=must_have_factor(),
        lacks=lacks_factor(),
        few=FEW,
    )


@blueprint.route("/deuxieme-preuve/application", methods=["GET", "POST"])
@staff(before_factor=True)
@asks_again("ajouter une application de codes")
def totp() -> str | Response:
    """Show the secret of a new application of codes, and take its first code."""
    here, who, form = services(), viewer(), NewTotpForm()
    name, master_secret = here.settings.programme_name, here.settings.master_secret
    if form.validate_on_submit():
        try:
            token = confirm_totp(
                here.database,
                who,
                form.token.data,
                form.code.data,
                master_secret=master_secret,
                now=here.now(),
                visit=visit(),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash("Votre application de codes est ajoutée. Vos autres connexions sont fermées.", "success")
            return keep_session(make_response(redirect(url_for("own_account.recovery_codes"))), token)
    begun, now = form.token.data or "", here.now()
    new = begun_totp(here.database, who, begun, programme_name=name, master_secret=master_secret, now=now)
    new = new or begin_totp(here.database, who, programme_name=name, master_secret=master_secret, now=now)
    form.token.data = new.token
    return render_template(
        "own_account/totp.html",
        form=form,
        drawing=Markup(svg(new.uri, "À scanner avec l’application de codes")),  # noqa: S704 - our own drawing
        uri=new.uri,
        key=" ".join(fours(new.secret)),
        replaces=factors_of(here.database, who.account_id).totp_since is not None,
        now=here.now(),
    )


@blueprint.post("/deuxieme-preuve/application/retirer")
@staff()
@asks_again("retirer votre application de codes")
def without_totp() -> Response:
    """Remove one's application of codes."""
    here = services()
    try:
        token = remove_totp(here.database, viewer(), is_required=must_have_factor(), now=here.now(), visit=visit())
    except Refused as refused:
        flash_refusal(refused)
        return redirect(url_for("own_account.factors"))
    flash("Votre application de codes est retirée. Vos autres connexions sont fermées.", "success")
    return keep_session(make_response(redirect(url_for("own_account.factors"))), token)


@blueprint.route("/codes-de-secours", methods=["GET", "POST"])
@staff(before_factor=True)
@asks_again("faire de nouveaux codes de secours")
def recovery_codes() -> str | Response:
    """Say how many recovery codes are left; make new ones, and show them this once."""
    here, who, form = services(), viewer(), HouseForm()
    if form.validate_on_submit():
        try:
            codes = new_codes(here.database, who, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return render_template("own_account/new_codes.html", codes=codes, now=here.now())
    return render_template("own_account/recovery_codes.html", form=form, held=factors_of(here.database, who.account_id))
