"""Batches that wait to be approved or sent: the one reader of them, for finance's first page and for the programme's board."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from voucher.programme.model import Agreement
from voucher.settlement.model.batches import SettlementBatch
from voucher.settlement.words.states import BatchState


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingBatches:
    """How many batches wait, for how many cents, by what they wait for; since when the oldest of them does, and was frozen."""

    approve_count: int
    approve_cents: int
    export_count: int
    export_cents: int
    oldest_wait_at: datetime | None
    oldest_frozen_at: datetime | None

    @property
    def count(self) -> int:
        """All that wait."""
        return self.approve_count + self.export_count

    @property
    def cents(self) -> int:
        """What all that wait would pay."""
        return self.approve_cents + self.export_cents


def waiting_batches(session: Session, *conditions: ColumnElement[bool]) -> WaitingBatches:
    """Return the batches that wait and meet these conditions, on batches and on agreements."""
    waits_since = case(
        (SettlementBatch.state == BatchState.FROZEN, SettlementBatch.frozen_at), else_=SettlementBatch.approved_at
    )
    rows = session.execute(
        select(
            SettlementBatch.state,
            func.count(),
            func.sum(SettlementBatch.total_cents),
            func.min(waits_since),
            func.min(SettlementBatch.frozen_at),
        )
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(SettlementBatch.state.in_((BatchState.FROZEN, BatchState.APPROVED)), *conditions)
        .group_by(SettlementBatch.state)
    ).all()
    found = {row[0]: (row[1], int(row[2])) for row in rows}
    approve, export = found.get(BatchState.FROZEN, (0, 0)), found.get(BatchState.APPROVED, (0, 0))
    return WaitingBatches(
        approve_count=approve[0],
        approve_cents=approve[1],
        export_count=export[0],
        export_cents=export[1],
        oldest_wait_at=min((row[3] for row in rows), default=None),
        oldest_frozen_at=min((row[4] for row in rows), default=None),
    )
