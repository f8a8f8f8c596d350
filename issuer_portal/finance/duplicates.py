"""Duplicates that a bank announces: which wait, what two people answer, for a whole batch or for one transfer."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from issuer_portal.finance.folder import READERS, batch_or_404, blueprint, scope
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.settlement.batches.read_advice import advice
from voucher.settlement.reports.answer_duplicates import (
    REASON_LENGTH_MAX,
    NewAnswer,
    answer_duplicates,
    withdraw_answer,
)
from voucher.settlement.reports.read_duplicates import OUTCOMES, DuplicatePage, duplicate_batches, duplicates_of
from voucher.settlement.words.payment_sentences import still_owed
from voucher.settlement.words.states import DuplicateOutcome
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.filters import plural
from voucher.web.forms import HouseForm, RadioField, SeenNumberField, show_refusal
from voucher.web.services import services
from voucher.web.views import id_of

SHOWN_MAX = 100
OUTCOME_CHOICES = [
    (str(DuplicateOutcome.STANDS), "La première tient : la banque a le premier envoi, son débit est attendu"),
    (
        str(DuplicateOutcome.NEVER_CAME),
        "La première n’existe pas : la banque n’a rien, la somme est à payer de nouveau",
    ),
]


class AnswerForm(HouseForm):
    """What a person found of the first sending, and how; it carries what the person saw, and an id for a double click."""

    id = HiddenField()
    seen_count = SeenNumberField(validators=[InputRequired()])
    outcome = RadioField("Votre réponse", choices=OUTCOME_CHOICES, validators=[InputRequired()])
    reason = StringField("Ce qui le montre", validators=[InputRequired(), Length(max=REASON_LENGTH_MAX)])


class WithdrawForm(HouseForm):
    """Why an answer is withdrawn."""

    reason = StringField("Pourquoi la retirer", validators=[InputRequired(), Length(max=REASON_LENGTH_MAX)])


@blueprint.get("/doublons")
@staff(*READERS, deputies=True)
def duplicates() -> str:
    """List the batches of which duplicates wait for an answer."""
    return render_template(
        "finance/duplicate_batches.html", rows=duplicate_batches(services().database, issuer_id=scope())
    )


@blueprint.route("/lots/<uuid:batch_id>/doublons", methods=["GET", "POST"])
@staff(*READERS, deputies=True)
@asks_again("répondre de doublons")
def batch_duplicates(batch_id: UUID) -> str | Response:
    """Show the duplicates of a batch; a person of finance answers for all those that wait."""
    batch_or_404(batch_id)
    return _page(batch_id, None)


@blueprint.route("/reglements/<uuid:advice_id>/doublon", methods=["GET", "POST"])
@staff(*READERS, deputies=True)
@asks_again("répondre d’un doublon")
def advice_duplicate(advice_id: UUID) -> str | Response:
    """Show one transfer that the bank called a duplicate; a person of finance answers for it alone."""
    found = advice(services().database, advice_id, now=services().now(), issuer_id=scope())
    if found is None:
        abort(404)
    return _page(found.batch_id, advice_id)


@blueprint.route("/lots/<uuid:batch_id>/doublons/<uuid:answer_id>/retirer", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)
@asks_again("retirer une réponse sur un doublon")
def withdraw_duplicate_answer(batch_id: UUID, answer_id: UUID) -> str | Response:
    """Withdraw an answer, with a reason."""
    here = services()
    page = duplicates_of(here.database, batch_id, limit=SHOWN_MAX, issuer_id=scope())
    row = next((answer for answer in page.answers if answer.id == answer_id), None) if page else None
    if row is None:
        abort(404)
    form: Any = WithdrawForm()
    if form.validate_on_submit():
        by, reason = viewer().account_id, form.reason.data
        try:
            withdraw_answer(here.database, answer_id, reason, by=by, now=here.now(), issuer_id=scope())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash("La réponse est retirée. Ses virements attendent de nouveau une réponse.", "success")
            return redirect(url_for("finance.batch_duplicates", batch_id=batch_id))
    who = names_of(here.database, {row.answered_by}).get(row.answered_by)
    return render_template(
        "finance/withdraw_answer.html", page=page, row=row, form=form, who=who, outcome=OUTCOMES[row.outcome]
    )


def _page(batch_id: UUID, advice_id: UUID | None) -> str | Response:
    here = services()
    page = duplicates_of(here.database, batch_id, advice_id=advice_id, limit=SHOWN_MAX, issuer_id=scope())
    if page is None:
        abort(404)
    form: Any = AnswerForm(id=str(new_id()), seen_count=page.open_count)
    if form.validate_on_submit():
        if not viewer().may(Role.FINANCE_PREPARER, Role.FINANCE_APPROVER):
            abort(403)
        new = NewAnswer(id_of(form), batch_id, advice_id, form.outcome.data, form.reason.data, form.seen_count.data)
        try:
            decided = answer_duplicates(here.database, new, by=viewer().account_id, now=here.now(), issuer_id=scope())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(_answered(decided, page), "success")
            return redirect(request.path)
    people = {one for row in page.answers for one in (row.answered_by, row.withdrawn_by) if one is not None}
    names = names_of(here.database, people)
    return render_template(
        "finance/duplicates.html",
        page=page,
        form=form,
        events=_events(page, names),
        names=names,
        outcomes=OUTCOMES,
        may_answer=viewer().may(Role.FINANCE_PREPARER, Role.FINANCE_APPROVER),
        has_answered=any(row.answered_by == viewer().account_id and row.withdrawn_at is None for row in page.answers),
    )


def _answered(decided: DuplicateOutcome | None, page: DuplicatePage) -> str:
    if decided is None:
        return "Votre réponse est écrite. Une autre personne doit répondre à son tour : rien ne change d’ici là."
    if decided is DuplicateOutcome.STANDS:
        return "La première tient. Le débit de la banque est attendu, comme avant."
    return f"La première n’existe pas : {plural(page.open_count, 'virement')} à payer de nouveau. {still_owed(page.open_count)}"


def _events(page: DuplicatePage, names: dict[UUID, str]) -> list[dict[str, object]]:
    """Return the answers as they were given and withdrawn, the first one first."""
    events: list[dict[str, object]] = []
    for row in page.answers:
        what = f"« {OUTCOMES[row.outcome]} », pour {plural(row.advice_count, 'virement')}"
        events.append({"what": what, "at": row.answered_at, "who": names.get(row.answered_by), "detail": row.reason})
        if row.withdrawn_at is not None:
            who = names.get(row.withdrawn_by) if row.withdrawn_by else None
            events.append(
                {
                    "what": f"Réponse « {OUTCOMES[row.outcome]} » retirée",
                    "at": row.withdrawn_at,
                    "who": who,
                    "detail": row.withdrawn_reason,
                }
            )
    return sorted(events, key=lambda one: str(one["at"]))
