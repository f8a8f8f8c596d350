"""A transfer that was rejected, and stands after all: the bank debited it (a booked line is what counts, ADR 7), or people took back
their answer that a duplicate's first sending never came.

The rejection is withdrawn, the money is in transit again, and a line pays it as any other. Were it left aside, the next batch
would pay the structure a second time. Where the match of that line is undone, the rejection stands again; as often as needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.chunks import chunks
from voucher.kernel.database import among
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.model import Entry
from voucher.ledger.post import Event, post_event, reverse_on_its_day
from voucher.settlement.model.bank_reports import DuplicateAnswer
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.states import Cause, PaymentEvent, change, locked_in
from voucher.settlement.words.states import AdviceState
from voucher.settlement.words.transitions import PaymentWhy


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The withdrawal of a rejection that stands: its entry, with the id of its event (its reversal bears the same) and its day.

    `is_of_people`: no debit denied the rejection.
    """

    entry_id: UUID
    event_id: UUID
    on: date
    is_of_people: bool


@dataclass(frozen=True, slots=True)
class Rejection:
    """The last rejection of an advice: since when it stands, and the last reason given for it."""

    on: date
    reason: str


def lock_rejected(session: Session, references: Sequence[str]) -> None:
    """Keep the rejected advices of these references from being taken up by a batch until the end of the transaction."""
    session.execute(
        select(PaymentAdvice.id)
        .where(among(session, PaymentAdvice.reference, references), PaymentAdvice.state == AdviceState.REJECTED)
        .order_by(PaymentAdvice.id)
        .with_for_update()
    )


def withdraw_rejections(
    session: Session,
    booked_on: Mapping[UUID, date],
    *,
    by: UUID,
    now: datetime,
    why: PaymentWhy = PaymentWhy.DEBITED_AFTER_ALL,
) -> None:
    """Put those of these advices that are rejected back in transit (4670 to 5115); the caller has a debit that pays each.

    `booked_on` gives the day of that debit: the rejection is withdrawn then, or on its own day where the bank told it later.
    """
    rejected = locked_in(session, list(booked_on), AdviceState.REJECTED)
    for some in chunks(rejected):
        before = _rejections(session, PaymentEvent.advice_id.in_(some))
        advices = session.execute(
            select(
                PaymentAdvice.id,
                PaymentAdvice.structure_id,
                PaymentAdvice.reference,
                PaymentAdvice.amount_cents,
                SettlementBatch.agreement_id,
            )
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .where(PaymentAdvice.id.in_(some))
            .order_by(PaymentAdvice.id)
        ).all()
        for advice in advices:
            day = max(booked_on[advice.id], before[advice.id].on)
            event = Event(EventType.REJECTION_WITHDRAWN, new_id(), now, f"Virement {advice.reference}", by, day)
            dimensions = {Dimension.AGREEMENT: advice.agreement_id, Dimension.STRUCTURE: advice.structure_id}
            entry_id = post_event(session, event, dimensions, {advice.structure_id: advice.amount_cents})
            cause = Cause(why=why, by=by, at=now, effective_on=day, entry_id=entry_id)
            change(session, [advice.id], AdviceState.REJECTED, AdviceState.IN_FILE, cause)


def reject_again(session: Session, advice_ids: Select[Any], *, by: UUID, now: datetime) -> None:
    """Let the rejections of these advices in transit stand again, where a debit withdrew them: it was not theirs.

    What people took back themselves stays in transit.
    """
    withdrawn = _withdrawals(session, PaymentEvent.advice_id.in_(advice_ids))
    before = _rejections(session, PaymentEvent.advice_id.in_(advice_ids))
    for advice_id, withdrawal in sorted(withdrawn.items()):
        if withdrawal.is_of_people:
            continue
        advice = session.execute(
            select(PaymentAdvice.reference, PaymentAdvice.state_reason).where(PaymentAdvice.id == advice_id)
        ).one()
        event = Event(
            EventType.MATCH_UNDONE, withdrawal.event_id, now, f"Rejet rétabli, virement {advice.reference}", by
        )
        cause = Cause(
            why=PaymentWhy.REJECTED_AGAIN,
            by=by,
            at=now,
            effective_on=withdrawal.on,
            reason=before[advice_id].reason if advice_id in before else advice.state_reason,
            entry_id=reverse_on_its_day(session, event, withdrawal.entry_id),
        )
        change(session, [advice_id], AdviceState.IN_FILE, AdviceState.REJECTED, cause)


def standing_withdrawals(session: Session, advice_ids: Sequence[UUID]) -> dict[UUID, Withdrawal]:
    """Return the withdrawal that stands of each of these advices whose rejection was withdrawn."""
    return {
        advice_id: withdrawal
        for some in chunks(advice_ids)
        for advice_id, withdrawal in _withdrawals(session, PaymentEvent.advice_id.in_(some)).items()
    }


def _withdrawals(session: Session, is_asked: Any) -> dict[UUID, Withdrawal]:
    reversal = aliased(Entry)
    # A history that opened after such a withdrawal says it by its entry alone.
    is_of_people = exists().where(
        DuplicateAnswer.advice_id == PaymentEvent.advice_id, DuplicateAnswer.withdrawn_at == Entry.posted_at
    )
    rows = session.execute(
        select(
            PaymentEvent.advice_id,
            Entry.id,
            Entry.event_id,
            Entry.effective_on,
            or_(PaymentEvent.why == PaymentWhy.ANSWER_WITHDRAWN, is_of_people),
        )
        .join(Entry, Entry.id == PaymentEvent.entry_id)
        .where(
            is_asked,
            Entry.event_type == EventType.REJECTION_WITHDRAWN,
            ~exists().where(reversal.reverses_id == Entry.id),
        )
    )
    return {row[0]: Withdrawal(*row[1:4], bool(row[4])) for row in rows}


def _rejections(session: Session, is_asked: Any) -> dict[UUID, Rejection]:
    """Return the last rejection of each of these advices that was ever rejected since its history began."""
    rows = session.execute(
        select(
            PaymentEvent.advice_id,
            PaymentEvent.why,
            PaymentEvent.effective_on,
            PaymentEvent.reason,
        )
        .where(is_asked, PaymentEvent.to_state == AdviceState.REJECTED)
        .order_by(PaymentEvent.advice_id, PaymentEvent.rank)
    )
    found: dict[UUID, Rejection] = {}
    for advice_id, why, on, reason in rows:
        is_same = why == PaymentWhy.REASON_GIVEN
        found[advice_id] = Rejection(found[advice_id].on if is_same else on, reason)
    return found
