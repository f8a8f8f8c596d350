"""What waits for an act of finance: agreements with something to settle, batches to approve or send, failed payments."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.programme.model import Agreement, Issuer
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.settlement.model import BatchState, PaymentAdvice, SettlementBatch
from voucher.settlement.owed import CARRIED_STATES
from voucher.settlement.scope import in_scope


@dataclass(frozen=True, slots=True)
class OpenPeriod:
    """An agreement with something to settle: its open period so far, and what earlier batches could not pay. Cents."""

    agreement_id: UUID
    agreement_number: str
    agreement_name: str
    issuer_name: str
    opened_at: datetime | None
    structure_count: int
    voucher_count: int
    period_cents: int
    carried_cents: int

    @property
    def total_cents(self) -> int:
        """All that is owed and in no batch."""
        return self.period_cents + self.carried_cents


@dataclass(frozen=True, slots=True)
class ToDo:
    """What waits for someone, by who acts: counts, and the cents behind the first three."""

    period_count: int
    period_cents: int
    approve_count: int
    approve_cents: int
    export_count: int
    export_cents: int
    failed_count: int
    failed_cents: int


def open_periods(database: Database, *, issuer_id: UUID | None = None) -> list[OpenPeriod]:
    """Return the agreements that owe something not yet in a batch, the greatest first."""
    with database.read() as session:
        return _open_periods(session, issuer_id)


def _open_periods(session: Session, issuer_id: UUID | None) -> list[OpenPeriod]:
    so_far = (
        select(
            Period.agreement_id,
            Period.opened_at,
            func.count(func.distinct(Redemption.structure_id)).label("structures"),
            func.coalesce(func.sum(Redemption.voucher_count), 0).label("vouchers"),
            func.coalesce(func.sum(Redemption.amount_cents), 0).label("cents"),
        )
        .outerjoin(Redemption, and_(Redemption.period_id == Period.id, Redemption.state == RedemptionState.CONFIRMED))
        .where(Period.closed_at.is_(None))
        .group_by(Period.agreement_id, Period.opened_at)
        .subquery()
    )
    carried = (
        select(SettlementBatch.agreement_id, func.sum(PaymentAdvice.amount_cents).label("cents"))
        .join(PaymentAdvice, PaymentAdvice.batch_id == SettlementBatch.id)
        .where(PaymentAdvice.state.in_(CARRIED_STATES))
        .group_by(SettlementBatch.agreement_id)
        .subquery()
    )
    total = func.coalesce(so_far.c.cents, 0) + func.coalesce(carried.c.cents, 0)
    rows = session.execute(
        select(
            Agreement.id,
            Agreement.number,
            Agreement.name,
            Issuer.name,
            so_far.c.opened_at,
            func.coalesce(so_far.c.structures, 0),
            func.coalesce(so_far.c.vouchers, 0),
            func.coalesce(so_far.c.cents, 0),
            func.coalesce(carried.c.cents, 0),
        )
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .outerjoin(so_far, so_far.c.agreement_id == Agreement.id)
        .outerjoin(carried, carried.c.agreement_id == Agreement.id)
        .where(in_scope(Agreement.issuer_id, issuer_id), total > 0)
        .order_by(total.desc(), Agreement.number)
    )
    return [OpenPeriod(*row[:5], *(int(value) for value in row[5:])) for row in rows]


def to_do(database: Database, *, issuer_id: UUID | None = None) -> ToDo:
    """Return what waits for an act, in the scope."""
    with database.read() as session:
        periods = _open_periods(session, issuer_id)
        batches = {
            row[0]: (row[1], int(row[2]))
            for row in session.execute(
                select(SettlementBatch.state, func.count(), func.sum(SettlementBatch.total_cents))
                .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
                .where(in_scope(Agreement.issuer_id, issuer_id))
                .group_by(SettlementBatch.state)
            )
        }
        failed = session.execute(
            select(func.count(), func.coalesce(func.sum(PaymentAdvice.amount_cents), 0))
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
            .where(in_scope(Agreement.issuer_id, issuer_id), PaymentAdvice.state.in_(CARRIED_STATES))
        ).one()
    return ToDo(
        len(periods),
        sum(one.total_cents for one in periods),
        *batches.get(BatchState.FROZEN, (0, 0)),
        *batches.get(BatchState.APPROVED, (0, 0)),
        failed[0],
        int(failed[1]),
    )
