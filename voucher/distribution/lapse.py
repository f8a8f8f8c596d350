"""The end of a batch: after its last day of presentation, unused vouchers are lost and their credit is given back.

Definitive (art. R.1611-13 CGCT as domain.md §2 reads it). The job `lapse` does it, after midnight in Paris; running it twice changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from voucher.distribution.model import Lapse
from voucher.issuing.model import IssueBatch, Voucher, VoucherState
from voucher.issuing.shares import amounts_by_agreement, return_credit
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database, changed
from voucher.kernel.number_labels import booklet_label
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post_event


@dataclass(frozen=True, slots=True)
class LapsedBatch:
    """What lapsed of a batch: vouchers never handed over, vouchers held by people, and the credit given back."""

    batch_id: UUID
    stock_count: int
    held_count: int
    released_cents: int


def lapse(database: Database, *, by: UUID | None, now: datetime) -> list[LapsedBatch]:
    """Declare lapsed the unused vouchers of every batch whose last day of presentation passed; one transaction a batch.

    A batch that is ordered and not made yet waits until it is (job `making`).
    """
    with database.read() as session:
        batch_ids = session.scalars(
            select(IssueBatch.id)
            .where(
                IssueBatch.present_by < paris_day(now),
                IssueBatch.lapsed_at.is_(None),
                IssueBatch.finished_at.is_not(None),
            )
            .order_by(IssueBatch.first_serial)
        ).all()
    lapsed = (_lapse_batch(database, batch_id, by, now) for batch_id in batch_ids)
    return [batch for batch in lapsed if batch is not None]


def _lapse_batch(database: Database, batch_id: UUID, by: UUID | None, now: datetime) -> LapsedBatch | None:
    with database.write() as session:
        mark = update(IssueBatch).where(IssueBatch.id == batch_id, IssueBatch.lapsed_at.is_(None)).values(lapsed_at=now)
        if changed(session, mark) == 0:
            return None  # another run is doing it
        batch = session.get_one(IssueBatch, batch_id)
        stock_count, stock_cents = _lapse_stage(session, batch, VoucherState.ISSUED, {})
        held_count, all_cents = _lapse_stage(session, batch, VoucherState.HANDED_OVER, stock_cents)
        held_cents = {funder_id: cents - stock_cents.get(funder_id, 0) for funder_id, cents in all_cents.items()}
        for event_type, amounts_cents in (
            (EventType.STOCK_LAPSED, stock_cents),
            (EventType.VOUCHERS_LAPSED, held_cents),
        ):
            if sum(amounts_cents.values()):
                narration = f"Caducité du lot {booklet_label(batch.first_booklet_number)}"
                event = Event(event_type, batch_id, now, narration, by)
                post_event(session, event, {Dimension.AGREEMENT: batch.agreement_id}, amounts_cents)
        return_credit(session, batch.agreement_id, all_cents)
        released_cents = sum(all_cents.values())
        session.execute(
            insert(Lapse).values(
                batch_id=batch_id,
                present_by=batch.present_by,
                stock_count=stock_count,
                held_count=held_count,
                released_cents=released_cents,
                lapsed_at=now,
                lapsed_by=by,
            )
        )
    return LapsedBatch(batch_id, stock_count, held_count, released_cents)


def _lapse_stage(
    session: Session, batch: IssueBatch, state: VoucherState, before_cents: Mapping[UUID, int]
) -> tuple[int, Mapping[UUID, int]]:
    """Lapse the vouchers in one state; return how many, and what all lapsed vouchers of the batch are worth by funder."""
    serials = Voucher.serial.between(batch.first_serial, batch.first_serial + batch.voucher_count - 1)
    count = changed(
        session,
        update(Voucher)
        .where(serials, Voucher.state == state)
        .values(state=VoucherState.LAPSED)
        .execution_options(synchronize_session=False),
    )
    if count == 0:
        return 0, before_cents
    rows = session.execute(amounts_by_agreement(serials, Voucher.state == VoucherState.LAPSED))
    return count, {row.funder_id: row.cents for row in rows}
