"""When the structures of an agreement are paid, from how much, and within how many days."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms.validators import InputRequired

from issuer_portal.programme.folder import blueprint
from voucher.access.rules import Role
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.programme import read
from voucher.programme.change_payment_terms import PaymentTerms, change_payment_terms
from voucher.web.access import staff, viewer
from voucher.web.acts import note_act
from voucher.web.asks_again import asks_again
from voucher.web.filters import plural
from voucher.web.forms import CountField, EurosField, HouseForm, SelectField, show_refusal
from voucher.web.services import services


class TermsForm(HouseForm):
    """The payment terms of an agreement."""

    settlement_rhythm = SelectField("Rythme", choices=list(read.RHYTHMS.items()), validators=[InputRequired()])
    cut_off_day = CountField("Dernier jour compté dans le mois", validators=[InputRequired()])
    minimum_payment_cents = EurosField("Montant minimum d’un règlement", may_be_zero=True, validators=[InputRequired()])
    payment_days = CountField("Délai de paiement, en jours", validators=[InputRequired()])


@blueprint.route("/conventions/<uuid:agreement_id>/paiement", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("changer les conditions de paiement")
def payment_terms(agreement_id: UUID) -> str | Response:
    """Change an agreement's payment terms."""
    here = services()
    page = read.agreement(here.database, agreement_id)
    if page is None:
        abort(404)
    form: Any = TermsForm(
        settlement_rhythm=page.settlement_rhythm,
        cut_off_day=page.cut_off_day,
        minimum_payment_cents=page.minimum_payment_cents,
        payment_days=page.payment_days,
    )
    if form.validate_on_submit():
        terms = PaymentTerms(
            form.settlement_rhythm.data,
            form.minimum_payment_cents.data,
            form.payment_days.data,
            form.cut_off_day.data,
        )
        try:
            change_payment_terms(here.database, agreement_id, terms, by=viewer().account_id, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            said = (
                f"{page.line.number} : {read.RHYTHMS[terms.settlement_rhythm]}, jusqu’au {terms.cut_off_day}, "
                f"dès {format_euros(terms.minimum_payment_cents)}, en {plural(terms.payment_days, 'jour')}"
            )
            note_act(said)
            flash("Les conditions de paiement sont changées.", "success")
            return redirect(url_for("programme.agreement", agreement_id=agreement_id))
    return render_template("programme/payment_terms.html", page=page, form=form)
