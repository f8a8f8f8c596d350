"""The terms of a paying account: whose it is, which file its bank takes, how many transfers a file holds."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms.validators import InputRequired, Optional

from issuer_portal.programme.folder import blueprint
from voucher.access.rules import Role
from voucher.kernel.refusals import Refused
from voucher.programme.paying_account import SCHEMA_WORDS, PayingTerms, change_paying_terms, paying_account
from voucher.programme.read import CHANNELS
from voucher.web.access import staff, viewer
from voucher.web.acts import note_act
from voucher.web.asks_again import asks_again
from voucher.web.forms import CountField, HouseForm, SelectField, SirenField, show_refusal
from voucher.web.services import services


class TermsForm(HouseForm):
    """What may change of a paying account. Its IBAN never does: another account is another record."""

    siren = SirenField("SIREN du titulaire", validators=[Optional()])
    transfer_schema = SelectField("Version du fichier de virements", choices=list(SCHEMA_WORDS.items()))
    transfers_per_file = CountField("Virements par fichier, au plus", validators=[InputRequired()])


@blueprint.route("/comptes-payeurs/<uuid:account_id>", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("changer les conditions d’un compte payeur")
def paying_terms(account_id: UUID) -> str | Response:
    """Show and change the terms of a paying account; the trail keeps what they become."""
    here = services()
    account = paying_account(here.database, account_id)
    if account is None:
        abort(404)
    form: Any = TermsForm(obj=account.terms)
    if form.validate_on_submit():
        terms = PayingTerms(form.siren.data or None, form.transfer_schema.data, form.transfers_per_file.data)
        try:
            change_paying_terms(here.database, account_id, terms, by=viewer().account_id, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            said = f"{account.name} : SIREN {terms.siren or 'inconnu'}, {terms.transfer_schema}, {terms.transfers_per_file} par fichier"
            note_act(said)
            flash(
                f"Les conditions du compte « {account.name} » sont enregistrées. Elles valent pour les prochains lots.",
                "success",
            )
            return redirect(url_for("programme.paying_accounts"))
    return render_template("programme/paying_terms.html", form=form, account=account, channels=CHANNELS)
