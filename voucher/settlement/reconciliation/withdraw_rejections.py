"""A transfer that was rejected, and stands after all: the bank debited it (a booked line is what counts, ADR 7), or people took back
their answer that a duplicate's first sending never came.

The rejection is withdrawn, the money is in transit again, and a line pays it as any other. Were it left aside, the next batch
would pay the structure a second time. Where the match of that line is undone, the rejection stands again; once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Row, Select, exists, select, update
from sqlalchemy.orm import Session, aliased

from voucher.kernel.chunks import chunks
from voucher.kernel.database import among
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.model import Entry
from voucher.ledger.post import Event, post_event, reverse_on_its_day
from voucher.settlement.model.bank_reports import DuplicateAnswer
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.words.states import AdviceState


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The first withdrawal of a rejection: its entry and day. `is_of_people`: they took back an answer, no debit denied the rejection.

    `rejected_again_on` is the day from which the rejection stood again, None when it did not.
    """

    entry_id: UUID
    on: date
    is_of_people: bool
    rejected_again_on: date | None

    @property
    def is_reversed(self) -> bool:
        """Whether the rejection stood again since."""
        return self.rejected_again_on is not None


def again_id(advice_id: UUID) -> UUID:
    """Return the id of the second withdrawal of an advice's rejection: the first bears the advice's own."""
    return uuid5(advice_id, "again")


def hold_rejected(session: Session, references: Sequence[str]) -> None:
    """Keep the rejected advices of these references from being taken up by a batch until the end of the transaction."""
    session.execute(
        select(PaymentAdvice.id)
        .where(among(session, PaymentAdvice.reference, references), PaymentAdvice.state == AdviceState.REJECTED)
        .order_by(PaymentAdvice.id)
        .with_for_update()
    )


def withdraw_rejections(session: Session, booked_on: Mapping[UUID, date], *, by: UUID, now: datetime) -> None:
    """Put those of these advices that are rejected back in transit (4670 to 5115); the caller has a debit that pays each.

    `booked_on` gives the day of that debit: the rejection is withdrawn then, or on its own day where the bank told it later.
    """
    withdrawn = _change(session, list(booked_on), AdviceState.REJECTED, AdviceState.IN_FILE)
    before = withdrawals(session, [advice.id for advice in withdrawn])
    rejected_on = _rejected_on(session, [advice.id for advice in withdrawn])
    for advice in withdrawn:
        agreement_id = session.execute(
            select(SettlementBatch.agreement_id).where(SettlementBatch.id == advice.batch_id)
        ).scalar_one()
        earlier = before.get(advice.id)
        event_id = advice.id if earlier is None else again_id(advice.id)
        rejected = rejected_on[advice.id] if earlier is None else earlier.rejected_again_on
        day = max(booked_on[advice.id], rejected or rejected_on[advice.id])
        event = Event(EventType.REJECTION_WITHDRAWN, event_id, now, f"Virement {advice.reference}", by, day)
        dimensions = {Dimension.AGREEMENT: agreement_id, Dimension.STRUCTURE: advice.structure_id}
        post_event(session, event, dimensions, {advice.structure_id: advice.amount_cents})


def reject_again(session: Session, advice_ids: Select[Any], *, by: UUID, now: datetime) -> None:
    """Let the rejections of these advices in transit stand again, where a debit withdrew them: it was not theirs.

    What people took back themselves stays in transit. Raises Refused the second time.
    """
    before = withdrawals(session, advice_ids)
    if any(one.is_reversed for one in before.values()):
        raise Refused(
            "match_rested_on",
            "Ce rapprochement a déjà été défait une fois, et le virement avait été rejeté. Demandez à votre banque ce qu’elle a débité.",
        )
    denied = [one for one, withdrawal in before.items() if not withdrawal.is_of_people]
    for advice in _change(session, denied, AdviceState.IN_FILE, AdviceState.REJECTED):
        event = Event(EventType.MATCH_UNDONE, advice.id, now, f"Rejet rétabli, virement {advice.reference}", by)
        reverse_on_its_day(session, event, before[advice.id].entry_id)


def rejected_twice(session: Session, advice_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these advices whose rejection was withdrawn, stood again, and so cannot stand once more."""
    return {
        one
        for some in chunks(advice_ids)
        for one, withdrawal in withdrawals(session, some).items()
        if withdrawal.is_reversed
    }


def withdrawals(session: Session, advice_ids: Sequence[UUID] | Select[Any]) -> dict[UUID, Withdrawal]:
    """Return the first withdrawal of each of these advices whose rejection was withdrawn."""
    entry, reversal = aliased(Entry), aliased(Entry)
    is_of_people = exists().where(
        DuplicateAnswer.advice_id == entry.event_id, DuplicateAnswer.withdrawn_at == entry.posted_at
    )
    rows = session.execute(
        select(entry.event_id, entry.id, entry.effective_on, is_of_people, reversal.effective_on)
        .outerjoin(reversal, reversal.reverses_id == entry.id)
        .where(entry.event_type == EventType.REJECTION_WITHDRAWN, entry.event_id.in_(advice_ids))
    )
    return {
        advice_id: Withdrawal(entry_id, on, bool(of_people), again_on)
        for advice_id, entry_id, on, of_people, again_on in rows
    }


def _rejected_on(session: Session, advice_ids: Sequence[UUID]) -> dict[UUID, date]:
    """Return the day on which each of these advices was rejected."""
    rows = session.execute(
        select(Entry.event_id, Entry.effective_on).where(
            Entry.event_type == EventType.TRANSFER_REJECTED, Entry.event_id.in_(advice_ids)
        )
    )
    return {row.event_id: row.effective_on for row in rows}


def _change(
    session: Session, advice_ids: Sequence[UUID], before: AdviceState, after: AdviceState
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Change the state of those of these advices that are in one; what the bank said of them stays written."""
    return session.execute(
        update(PaymentAdvice)
        .where(PaymentAdvice.id.in_(advice_ids), PaymentAdvice.state == before)
        .values(state=after)
        .returning(
            PaymentAdvice.id,
            PaymentAdvice.batch_id,
            PaymentAdvice.structure_id,
            PaymentAdvice.reference,
            PaymentAdvice.amount_cents,
        )
        .execution_options(synchronize_session=False)
    ).all()
