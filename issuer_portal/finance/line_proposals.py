"""Put a part of a line on an account of the chart: one person proposes with a reason, another confirms; either withdraws."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from issuer_portal.finance.folder import blueprint, scope
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.settlement.reconciliation import read as read_bank
from voucher.settlement.reconciliation.match_with_account import AccountChoice, account_choices
from voucher.settlement.reconciliation.proposals import (
    REASON_LENGTH_MAX,
    confirm_proposal,
    propose_account,
    withdraw_proposal,
)
from voucher.settlement.reconciliation.read_proposals import proposals_of
from voucher.settlement.words.states import ProposalKind
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line
from voucher.web.asks_again import asks_again
from voucher.web.forms import EurosField, HouseForm, SelectField, show_refusal
from voucher.web.services import services
from voucher.web.views import flash_refusal, id_of

CONFIRMED = {
    ProposalKind.ACCOUNT: "C’est fait. La ligne est rapprochée de ce compte.",
    ProposalKind.REFUND: "C’est fait. Le renvoi est prêt : téléchargez son fichier, puis donnez-le à la banque ou au comptable.",
    ProposalKind.UNDO: "C’est défait. L’argent de la ligne attend de nouveau.",
}


class AccountForm(HouseForm):
    """Which account, how much of the line, why; it carries the proposal's id, so that a double click makes one."""

    id = HiddenField()
    account = SelectField("Compte", validators=[InputRequired()])
    amount_cents = EurosField("Part de la ligne", validators=[InputRequired()])
    reason = StringField("Pourquoi ce compte", validators=[InputRequired(), Length(max=REASON_LENGTH_MAX)])


@blueprint.route("/banque/lignes/<uuid:line_id>/compte", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER)
@asks_again("proposer un compte pour une ligne de banque")
def line_account(line_id: UUID) -> str | Response:
    """Propose an account for a part of a line."""
    here = services()
    found = read_bank.line(here.database, line_id, issuer_id=scope())
    if found is None:
        abort(404)
    line, _ = found
    choices = account_choices(here.database, line_id, issuer_id=scope())
    form: Any = AccountForm(id=str(new_id()), amount_cents=line.left_cents)
    form.account.choices = [
        (_key(choice), f"{choice.name} : {format_euros(choice.limit_cents)} au plus") for choice in choices
    ]
    if form.validate_on_submit():
        account = next(choice.account for choice in choices if _key(choice) == form.account.data)
        act: dict[str, Any] = {"by": viewer().account_id, "now": here.now(), "issuer_id": scope()}
        try:
            propose_account(
                here.database, id_of(form), line_id, account, form.amount_cents.data, form.reason.data, **act
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash("C’est proposé. Une autre personne doit confirmer : rien n’est rapproché avant.", "success")
            return redirect(url_for("finance.line", line_id=line_id))
    return render_template("finance/line_account.html", line=line, form=form, choices=choices)


def _key(choice: AccountChoice) -> str:
    """Return how a form names an account: its code, then what it is kept by."""
    account = choice.account
    kept_by = (account.agreement_id, account.structure_id, account.funder_id)
    return " ".join([account.code, *(str(one) for one in kept_by if one is not None)])


@blueprint.post("/banque/lignes/<uuid:line_id>/propositions/<uuid:proposal_id>/confirmer")
@staff(Role.FINANCE_APPROVER)
@asks_again("confirmer une proposition sur une ligne de banque")
def confirm_line(line_id: UUID, proposal_id: UUID) -> Response:
    """Do what another person proposed: money may leave by it."""
    here = services()
    _known_or_404(line_id, proposal_id)
    try:
        kind = confirm_proposal(here.database, proposal_id, by=viewer().account_id, now=here.now(), issuer_id=scope())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash(CONFIRMED[kind], "success")
    return redirect(url_for("finance.line", line_id=line_id))


@blueprint.post("/banque/lignes/<uuid:line_id>/propositions/<uuid:proposal_id>/retirer")
@staff(Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)
@leaves_line("retirer une proposition sur une ligne de banque")
def withdraw_line(line_id: UUID, proposal_id: UUID) -> Response:
    """Withdraw what nobody confirmed."""
    here = services()
    _known_or_404(line_id, proposal_id)
    try:
        withdraw_proposal(here.database, proposal_id, by=viewer().account_id, now=here.now(), issuer_id=scope())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash("La proposition est retirée. Rien n’a été rapproché.", "success")
    return redirect(url_for("finance.line", line_id=line_id))


def _known_or_404(line_id: UUID, proposal_id: UUID) -> None:
    known = proposals_of(services().database, line_id, issuer_id=scope())
    if proposal_id not in {one.id for one in known}:
        abort(404)
