"""One's own name, which one changes alone; one's address, which one asks for and somebody of the programme confirms."""

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import EmailField, StringField
from wtforms.validators import InputRequired

from issuer_portal.own_account.folder import blueprint
from voucher.access import changes
from voucher.access.own import rename
from voucher.access.read_changes import waiting_address
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.services import services
from voucher.web.views import flash_refusal


class NameForm(HouseForm):
    """One's name."""

    name = StringField("Prénom et nom", validators=[InputRequired()])


class AddressForm(HouseForm):
    """The address that one asks for."""

    email = EmailField("Nouvelle adresse électronique", validators=[InputRequired()])


@blueprint.route("/nom", methods=["GET", "POST"])
@staff()
def change_name() -> str | Response:
    """Change one's own name."""
    form, here = NameForm(), services()
    if form.validate_on_submit():
        try:
            rename(here.database, viewer().account_id, form.name.data, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash("Votre nom est changé.", "success")
            return redirect(url_for("staff.me"))
    elif not form.is_submitted():
        form.name.data = viewer().name
    return render_template("own_account/name.html", form=form)


@blueprint.route("/adresse", methods=["GET", "POST"])
@staff()
@asks_again("demander une autre adresse")
def ask_address() -> str | Response:
    """Ask for another address; show what was asked and waits."""
    form, here, who = AddressForm(), services(), viewer()
    if form.validate_on_submit():
        try:
            changes.change_address(here.database, who.account_id, form.email.data, by=who.account_id, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(
                f"L’adresse {form.email.data} est demandée. Prévenez une personne du programme : elle confirme.",
                "success",
            )
            return redirect(url_for("staff.me"))
    waiting = waiting_address(here.database, who.account_id)
    is_mine = waiting is not None and waiting.asked_by == who.account_id
    return render_template("own_account/address.html", form=form, who=who, waiting=waiting, is_mine=is_mine)


@blueprint.post("/adresse/retirer")
@staff()
def withdraw_address() -> Response:
    """Take back the address that one asked for."""
    here, who = services(), viewer()
    waiting = waiting_address(here.database, who.account_id)
    if waiting is None or waiting.asked_by != who.account_id:
        flash("Aucune demande de vous n’attend. Rien n’a changé.", "info")
        return redirect(url_for("staff.me"))
    try:
        changes.refuse_change(here.database, waiting.id, by=who.account_id, now=here.now())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash("Votre demande est retirée. Votre adresse reste la même.", "success")
    return redirect(url_for("staff.me"))
