"""One line of the bank: what it could be and why, matched by a person with what they choose, undone with a reason."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from issuer_portal.finance.folder import READERS, blueprint, scope
from issuer_portal.finance.line_notes import note_form
from voucher.access.audit import note_access
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.kernel.typed_numbers import rank_number
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.reconciliation import read as read_bank
from voucher.settlement.reconciliation.line_notes import notes_of
from voucher.settlement.reconciliation.match_by_hand import match_line, match_with_file
from voucher.settlement.reconciliation.match_opposite_lines import match_with_opposite
from voucher.settlement.reconciliation.match_other_money import (
    match_with_call,
    match_with_charges,
    match_with_overpayment,
    match_with_refund,
)
from voucher.settlement.reconciliation.proposals import propose_undo
from voucher.settlement.reconciliation.read_proposals import proposals_of
from voucher.settlement.reconciliation.refund_line import match_with_sent_refund
from voucher.settlement.reconciliation.suggest import matches, suggestions
from voucher.settlement.reconciliation.undo_match import REASON_LENGTH_MAX, undo_match
from voucher.settlement.words.labels import MATCH_KINDS, REFUND_STATES
from voucher.settlement.words.states import MatchKind
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.services import services
from voucher.web.views import flash_refusal, posted_id

DONE = "La ligne est rapprochée."
ASKED = "C’est demandé. Une autre personne doit confirmer : rien n’est défait avant."


class UndoForm(HouseForm):
    """Why a match was wrong."""

    reason = StringField(
        "Pourquoi ce rapprochement est faux",
        validators=[DataRequired("Dites pourquoi."), Length(max=REASON_LENGTH_MAX)],
    )


@blueprint.get("/banque/lignes/<uuid:line_id>")
@staff(*READERS, deputies=True)
def line(line_id: UUID) -> str:
    """Show a line, what it could be, and what it was matched with."""
    return _page(line_id)


def _page(line_id: UUID, *, match_id: UUID | None = None, form: Any = None) -> str:
    """Write the page of a line, whose every match has its own form; `form` is that of `match_id`, refused."""
    here, issuer_id = services(), scope()
    found = read_bank.line(here.database, line_id, issuer_id=issuer_id)
    if found is None:
        abort(404)
    one, candidates = found
    if one.counterparty_iban:
        note_access(here.database, viewer().account_id, "Lecture d’un IBAN", f"ligne de banque {one.id}", here.now())
    made = matches(here.database, line_id, issuer_id=issuer_id)
    proposals = proposals_of(here.database, line_id, issuer_id=issuer_id)
    people = {match.made_by for match in made} | {match.undone_by for match in made if match.undone_by}
    people |= {proposal.proposed_by for proposal in proposals}
    notes = notes_of(here.database, line_id, issuer_id=issuer_id)
    people |= {note.written_by for note in notes} | {note.assignee_id for note in notes if note.assignee_id}
    if any(proposal.refund for proposal in proposals):
        note_access(here.database, viewer().account_id, "Lecture d’un IBAN", f"renvoi de la ligne {one.id}", here.now())
    undoings = {match.id: UndoForm(formdata=None, prefix=str(match.id)) for match in made}
    return render_template(
        "finance/line.html",
        line=one,
        candidates=candidates,
        candidates_max=read_bank.CANDIDATES_MAX,
        others=suggestions(here.database, line_id, issuer_id=issuer_id),
        matches=made,
        waiting=[proposal for proposal in proposals if proposal.is_waiting],
        proposed={proposal.id: proposal for proposal in proposals},
        is_asked={proposal.undoes_id for proposal in proposals if proposal.is_waiting and proposal.undoes_id},
        me=viewer().account_id,
        refund_words=REFUND_STATES,
        notes=notes,
        note_form=note_form(notes[0] if notes else None),
        people=names_of(here.database, people),
        match_words={str(kind): word for kind, word in MATCH_KINDS.items()},
        match_id=new_id(),
        form=form,
        confirmed_undoings={one.undoes_id: one for one in proposals if one.undoes_id and one.confirmed_at},
        undoings=undoings if form is None else undoings | {match_id: form},
        why=explain(one.return_reason) if one.return_reason else None,
    )


@blueprint.post("/banque/lignes/<uuid:line_id>/rapprocher")
@staff(Role.FINANCE_PREPARER)
@asks_again("rapprocher une ligne de banque")
def match(line_id: UUID) -> Response:
    """Match a line with a payment, or with what else the form says, by hand."""
    here = services()
    if read_bank.line(here.database, line_id, issuer_id=scope()) is None:
        abort(404)
    try:
        _match(line_id)
    except Refused as refused:
        flash_refusal(refused)
        return redirect(url_for("finance.line", line_id=line_id))
    flash(DONE, "success")
    after = read_bank.line(here.database, line_id, issuer_id=scope())
    if after is not None and not after[0].is_matched:
        return redirect(url_for("finance.line", line_id=line_id))
    return redirect(url_for("finance.reconciliation"))


def _match(line_id: UUID) -> None:
    here = services()
    common: dict[str, Any] = {"by": viewer().account_id, "now": here.now(), "issuer_id": scope()}
    kind = request.form.get("kind", "")
    match_id = posted_id("match_id") if request.form.get("match_id") else new_id()
    if not kind:
        match_line(here.database, line_id, posted_id("advice_id"), match_id=match_id, **common)
    elif kind == MatchKind.PAYMENT:
        part = rank_number(request.form.get("part", ""))
        if part is None:
            abort(400)
        match_with_file(here.database, match_id, line_id, posted_id("target_id"), part, **common)
    elif kind == MatchKind.CHARGE:
        match_with_charges(here.database, match_id, line_id, **common)
    elif kind in _OTHERS:
        _OTHERS[kind](here.database, match_id, line_id, posted_id("target_id"), **common)
    else:
        abort(400)


_OTHERS: dict[str, Callable[..., Any]] = {
    MatchKind.FUNDS: match_with_call,
    MatchKind.ADVANCE_REFUND: match_with_refund,
    MatchKind.OVERPAYMENT: match_with_overpayment,
    MatchKind.OFFSET: match_with_opposite,
    MatchKind.REFUND_DEBIT: match_with_sent_refund,
}


@blueprint.post("/banque/lignes/<uuid:line_id>/rapprochements/<uuid:match_id>/defaire")
@staff(Role.FINANCE_PREPARER)
@asks_again("défaire un rapprochement")
def undo(line_id: UUID, match_id: UUID) -> Response | str:
    """Undo a match, with its reason: the line waits again. What two people made is undone by two."""
    here = services()
    try:
        known = {one.id for one in matches(here.database, line_id, issuer_id=scope())}
    except Refused:
        abort(404)
    if match_id not in known:
        abort(404)
    form: Any = UndoForm(prefix=str(match_id))
    is_by_two = match_id in {one.id for one in proposals_of(here.database, line_id, issuer_id=scope())}
    if form.validate_on_submit():
        act: dict[str, Any] = {"by": viewer().account_id, "now": here.now(), "issuer_id": scope()}
        try:
            if is_by_two:
                propose_undo(here.database, posted_id("id"), match_id, form.reason.data, **act)
            else:
                undo_match(here.database, match_id, form.reason.data, **act)
        except Refused as refused:
            if refused.field:
                show_refusal(form, refused)
                return _page(line_id, match_id=match_id, form=form)
            flash_refusal(refused)
        else:
            flash(ASKED if is_by_two else "Le rapprochement est défait. La ligne attend de nouveau.", "success")
        return redirect(url_for("finance.line", line_id=line_id))
    return _page(line_id, match_id=match_id, form=form)
