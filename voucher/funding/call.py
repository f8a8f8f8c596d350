"""Call funds: ask a funder for its part of what was used, or for an advance. A number is never skipped nor given twice.

Each funder's part of each voucher was fixed at issue; the ledger holds what it owes for uses in 4430. A call takes the
entries behind that figure, each once for ever, so that the list behind a call is exact whatever is posted meanwhile.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Select, exists, func, insert, literal, select, union_all
from sqlalchemy.orm import Session

from voucher.funding.accounts import (
    NOT_USED,
    account,
    advance_ceiling_cents,
    balance_cents,
    funder_of,
    take_funding_turn,
)
from voucher.funding.model import CallKind, CallState, FundingClose, FundsCall, FundsCallUse
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database
from voucher.kernel.idempotency import is_replay
from voucher.kernel.money import format_euros, sum_cents
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Code, Dimension, EventType, Journal
from voucher.ledger.model import Entry, Movement
from voucher.ledger.post import Event, post_event

DUE_DAYS = 30  # the State's and most collectivités' own delay of payment (domain.md §2)


@dataclass(frozen=True, slots=True)
class Called:
    """A call that was made, in cents: `used_cents` is paid by `advance_used_cents` and, for the rest, by `called_cents`."""

    call_id: UUID
    reference: str
    used_cents: int
    advance_used_cents: int
    called_cents: int
    due_on: date


def call_funds(
    database: Database,
    call_id: UUID,
    agreement_id: UUID,
    funder_id: UUID,
    until: date | None = None,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
    seen_cents: int | None = None,
) -> Called:
    """Call from a funder its part of what was used and not called yet (up to the day `until`); the same call again changes nothing.

    An advance is used first; the call is for the rest, perhaps nothing. `seen_cents` is the figure that the person saw: where
    it has changed meanwhile the call is refused. Raises Refused (nothing to call, unknown parties, closed account).
    """
    command: dict[str, Any] = {
        "id": call_id,
        "agreement_id": agreement_id,
        "funder_id": funder_id,
        "kind": CallKind.USE,
        "used_until": until,
    }
    with database.write() as session:
        take_funding_turn(session, agreement_id, funder_id)
        if is_replay(session, FundsCall, command):
            return called(session.get_one(FundsCall, call_id))
        refuse_closed(session, agreement_id, funder_id)
        return call_every_use(session, command, by=by, now=now, issuer_id=issuer_id, seen_cents=seen_cents)


def call_advance(
    database: Database,
    call_id: UUID,
    agreement_id: UUID,
    funder_id: UUID,
    amount_cents: int,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> Called:
    """Call money in advance of uses; the same call again changes nothing.

    Raises Refused: amount out of range or above what the funder's commitment leaves, last day of presentation passed,
    unknown parties, closed account.
    """
    command: dict[str, Any] = {
        "id": call_id,
        "agreement_id": agreement_id,
        "funder_id": funder_id,
        "kind": CallKind.ADVANCE,
        "called_cents": amount_cents,
    }
    with database.write() as session:
        take_funding_turn(session, agreement_id, funder_id)
        if is_replay(session, FundsCall, command):
            return called(session.get_one(FundsCall, call_id))
        refuse_closed(session, agreement_id, funder_id)
        agreement, _ = funder_of(session, agreement_id, funder_id, issuer_id)
        ceiling_cents = _ceiling_cents(session, agreement_id, funder_id)
        refuse_advance(amount_cents, ceiling_cents, agreement.present_by, paris_day(now))
        call = _keep(session, {**command, "used_cents": 0, "advance_used_cents": 0}, by, now, issuer_id)
        event = Event(EventType.ADVANCE_CALLED, call_id, now, f"Avance demandée, appel {call.reference}", by)
        post_event(session, event, {Dimension.AGREEMENT: agreement_id}, {funder_id: amount_cents})
    return call


def call_every_use(
    session: Session,
    command: dict[str, Any],
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None,
    seen_cents: int | None = None,
) -> Called:
    """Take the uses not called yet into a new call; the caller has the funder's turn. Raises Refused where there is none."""
    agreement_id, funder_id, call_id = command["agreement_id"], command["funder_id"], command["id"]
    funder_of(session, agreement_id, funder_id, issuer_id)
    uses = uncalled_uses(agreement_id, funder_id, command["used_until"]).subquery()
    account_id = account(Code.TO_CALL, agreement_id, funder_id).id
    columns = ["account_id", "entry_id", "call_id", "cents"]
    taken = select(
        literal(account_id, FundsCallUse.account_id.type),
        uses.c.entry_id,
        literal(call_id, FundsCallUse.call_id.type),
        uses.c.cents,
    )
    session.execute(insert(FundsCallUse).from_select(columns, taken))
    used_cents = sum_cents(session.scalar(select(func.sum(FundsCallUse.cents)).where(FundsCallUse.call_id == call_id)))
    _refuse_nothing(used_cents)
    if seen_cents is not None and seen_cents != used_cents:
        raise Refused(
            "figure_changed",
            f"Le montant à appeler est maintenant de {format_euros(used_cents)}. Vérifiez-le, puis recommencez.",
        )
    advance_cents = -balance_cents(session, account(Code.ADVANCES, agreement_id, funder_id))
    advance_used_cents = min(used_cents, max(advance_cents, 0))
    amounts = {
        "used_cents": used_cents,
        "advance_used_cents": advance_used_cents,
        "called_cents": used_cents - advance_used_cents,
    }
    call = _keep(session, {**command, **amounts}, by, now, issuer_id)
    dimensions = {Dimension.AGREEMENT: agreement_id}
    if advance_used_cents:
        narration = f"Avance imputée, appel {call.reference}"
        event = Event(EventType.ADVANCE_USED, advance_use_of(call_id), now, narration, by)
        post_event(session, event, dimensions, {funder_id: advance_used_cents})
    if call.called_cents:
        event = Event(EventType.FUNDS_CALLED, call_id, now, f"Appel de fonds {call.reference}", by)
        post_event(session, event, dimensions, {funder_id: call.called_cents})
    return call


def uncalled_uses(agreement_id: UUID, funder_id: UUID, until: date | None = None) -> Select[*tuple[Any, ...]]:
    """Return the statement (entry_id, cents) of what no call has taken: uses, and what was undone or clawed back below zero."""
    account_id = account(Code.TO_CALL, agreement_id, funder_id).id
    sides = union_all(
        select(Movement.entry_id, Movement.amount_cents.label("cents")).where(Movement.debit_account_id == account_id),
        select(Movement.entry_id, -Movement.amount_cents).where(Movement.credit_account_id == account_id),
    ).subquery()
    is_called = exists().where(FundsCallUse.account_id == account_id, FundsCallUse.entry_id == sides.c.entry_id)
    uses = (
        select(sides.c.entry_id, func.sum(sides.c.cents).label("cents"))
        .join(Entry, Entry.id == sides.c.entry_id)
        # What funding itself posts on the account are the calls.
        .where(Entry.journal != Journal.FUNDING, ~is_called)
        .group_by(sides.c.entry_id)
    )
    return uses if until is None else uses.where(Entry.effective_on <= until)


def advance_use_of(call_id: UUID) -> UUID:
    """Return the id of the fact that a call used an advance."""
    return uuid5(call_id, "advance used")


def called(call: FundsCall) -> Called:
    """Return what a stored call says."""
    return Called(call.id, call.reference, call.used_cents, call.advance_used_cents, call.called_cents, call.due_on)


def refuse_closed(session: Session, agreement_id: UUID, funder_id: UUID) -> None:
    """Refuse to call anything once the final balance is drawn up."""
    closed = session.scalar(
        select(FundingClose.id).where(FundingClose.agreement_id == agreement_id, FundingClose.funder_id == funder_id)
    )
    if closed is not None:
        raise Refused("funding_closed", "Le décompte final de ce financeur est fait. Il n’y a plus rien à appeler.")


def refuse_advance(amount_cents: int, ceiling_cents: int, present_by: date, today: date) -> None:
    """Refuse an advance of nothing, on an agreement that is over, or beyond what the funder's commitment leaves to be used."""
    if amount_cents <= 0:
        raise Refused("amount_out_of_range", "Écrivez un montant au-dessus de zéro.", "amount_cents")
    if today > present_by:
        raise Refused(
            "agreement_over",
            f"Cette convention est terminée depuis le {french_date(present_by)} : une avance n’y paierait plus rien. "
            "Appelez ce qui est utilisé, puis faites le décompte final.",
        )
    if amount_cents > ceiling_cents:
        what_next = "Demandez ce montant ou moins." if ceiling_cents else "Appelez ce qui est utilisé."
        raise Refused(
            "advance_too_high",
            f"Ce financeur peut encore avancer {format_euros(ceiling_cents)} au plus sur cette convention. {what_next}",
            "amount_cents",
        )


def _ceiling_cents(session: Session, agreement_id: UUID, funder_id: UUID) -> int:
    codes = (*NOT_USED, Code.TO_CALL, Code.ADVANCES)
    cents = {code: balance_cents(session, account(code, agreement_id, funder_id)) for code in codes}
    return advance_ceiling_cents(sum(cents[code] for code in NOT_USED), cents[Code.TO_CALL], -cents[Code.ADVANCES])


def _refuse_nothing(used_cents: int) -> None:
    if used_cents < 0:
        raise Refused(
            "credit_for_funder",
            f"Des reprises dépassent les usages : ce financeur a un crédit de {format_euros(-used_cents)}. "
            "Il viendra en moins du prochain appel. Attendez de nouveaux usages.",
        )
    if used_cents == 0:
        raise Refused("nothing_to_call", "Rien n’a été utilisé depuis le dernier appel. Il n’y a rien à appeler.")


def _keep(session: Session, command: dict[str, Any], by: UUID, now: datetime, issuer_id: UUID | None) -> Called:
    """Store a call under the next number of its funder; the caller has the funder's turn."""
    agreement_id, funder_id = command["agreement_id"], command["funder_id"]
    agreement, rank = funder_of(session, agreement_id, funder_id, issuer_id)
    last = session.scalar(
        select(func.max(FundsCall.number)).where(
            FundsCall.agreement_id == agreement_id, FundsCall.funder_id == funder_id
        )
    )
    number, today = (last or 0) + 1, paris_day(now)
    call = FundsCall(
        **command,
        number=number,
        reference=f"AF-{agreement.number}-{rank}-{number}",
        received_cents=0,
        state=CallState.CALLED if command["called_cents"] else CallState.PAID,
        called_on=today,
        due_on=today + timedelta(days=DUE_DAYS),
        called_at=now,
        called_by=by,
    )
    session.add(call)
    session.flush()
    return called(call)
