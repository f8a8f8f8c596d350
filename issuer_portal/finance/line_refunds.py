"""Send a credit that nobody can identify back to its sender: asked by one person, confirmed by another, then a file to give away."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.settlement.reconciliation import read as read_bank
from voucher.settlement.reconciliation.read_proposals import proposals_of, refund_file
from voucher.settlement.reconciliation.refund_line import REASON_LENGTH_MAX, NewRefund, propose_refund
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import EurosField, HouseForm, IbanField, show_refusal
from voucher.web.services import services
from voucher.web.views import download, id_of


class RefundForm(HouseForm):
    """To whom, on which account, how much, why; it carries the proposal's id, so that a double click makes one."""

    id = HiddenField()
    amount_cents = EurosField("Somme à renvoyer", validators=[InputRequired()])
    holder_name = StringField("Titulaire du compte", validators=[InputRequired()])
    iban = IbanField("IBAN de l’expéditeur", validators=[InputRequired()])
    reason = StringField("Pourquoi renvoyer cet argent", validators=[InputRequired(), Length(max=REASON_LENGTH_MAX)])


@blueprint.route("/banque/lignes/<uuid:line_id>/renvoi", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER)
@asks_again("demander un renvoi d’argent")
def refund_line(line_id: UUID) -> str | Response:
    """Ask to send back what waits of a line."""
    here = services()
    found = read_bank.line(here.database, line_id, issuer_id=scope())
    if found is None:
        abort(404)
    line, _ = found
    if line.counterparty_iban:
        note_access(here.database, viewer().account_id, "Lecture d’un IBAN", f"ligne de banque {line.id}", here.now())
    form: Any = RefundForm(
        id=str(new_id()), amount_cents=line.left_cents, holder_name=line.counterparty, iban=line.counterparty_iban
    )
    if form.validate_on_submit():
        new = NewRefund(
            id=id_of(form),
            line_id=line_id,
            amount_cents=form.amount_cents.data,
            holder_name=form.holder_name.data,
            iban=form.iban.data,
            reason=form.reason.data,
        )
        try:
            propose_refund(here.database, new, by=viewer().account_id, now=here.now(), issuer_id=scope())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash("C’est demandé. Une autre personne doit confirmer : rien ne part avant.", "success")
            return redirect(url_for("finance.line", line_id=line_id))
    return render_template("finance/refund_line.html", line=line, form=form)


@blueprint.get("/banque/lignes/<uuid:line_id>/renvois/<uuid:proposal_id>/fichier")
@staff(*READERS)
def line_refund_file(line_id: UUID, proposal_id: UUID) -> Response:
    """Download what asks for a refund: a payment file, or a request to the accountant; the trail keeps who took it."""
    here = services()
    known = {one.id for one in proposals_of(here.database, line_id, issuer_id=scope())}
    found = refund_file(here.database, proposal_id, issuer_id=scope()) if proposal_id in known else None
    if found is None:
        abort(404)
    name, content = found
    note_access(here.database, viewer().account_id, "Fichier de renvoi téléchargé", name, here.now())
    return download(name, content, "application/xml" if name.endswith(".xml") else "text/csv; charset=utf-8")
