"""What waits for an act of finance: agreements with something to settle, batches to approve or send, failed payments."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.kernel.rows import columns_of
from voucher.programme.model import Agreement, Issuer
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.settlement.batches.waiting_batches import waiting_batches
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.payable.next_period import IN_A_BATCH
from voucher.settlement.payable.owed import CARRIED_STATES
from voucher.settlement.recoveries.net_overpayments import released_unpaid
from voucher.settlement.words.states import AdviceState


@dataclass(frozen=True, slots=True, kw_only=True)
class ToSettle:
    """An agreement with something to settle: its periods in no batch, and what earlier batches could not pay or disputes freed since. Cents.

    `closed_cents` is of periods that are over, `open_cents` of the one still open, which began at `opened_at` and whose
    month ends at `ends_at` (None: whenever finance decides).
    """

    agreement_id: UUID
    agreement_number: str
    agreement_name: str
    issuer_name: str
    opened_at: datetime | None
    ends_at: datetime | None
    structure_count: int
    voucher_count: int
    closed_cents: int
    open_cents: int
    carried_cents: int

    @property
    def total_cents(self) -> int:
        """All that is owed and in no batch."""
        return self.closed_cents + self.open_cents + self.carried_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDo:
    """What waits for someone, by who acts, in counts and cents. `held` was never sent, `failed` was rejected or came back."""

    period_count: int
    period_cents: int
    approve_count: int
    approve_cents: int
    export_count: int
    export_cents: int
    held_count: int
    held_cents: int
    failed_count: int
    failed_cents: int


def to_settle(database: Database, *, issuer_id: UUID | None = None) -> list[ToSettle]:
    """Return the agreements that owe something not yet in a batch, the greatest first."""
    with database.read() as session:
        return _to_settle(session, issuer_id)


def _to_settle(session: Session, issuer_id: UUID | None) -> list[ToSettle]:
    is_open = Period.closed_at.is_(None)
    cents = func.coalesce(func.sum(Redemption.amount_cents), 0)
    periods = (
        select(
            Period.agreement_id,
            func.min(Period.opened_at).label("opened_at"),
            func.max(Period.ends_at).filter(is_open).label("ends_at"),
            func.count(func.distinct(Redemption.structure_id)).label("structures"),
            func.coalesce(func.sum(Redemption.voucher_count), 0).label("vouchers"),
            (cents - func.coalesce(func.sum(Redemption.amount_cents).filter(is_open), 0)).label("closed_cents"),
            func.coalesce(func.sum(Redemption.amount_cents).filter(is_open), 0).label("open_cents"),
        )
        .outerjoin(Redemption, and_(Redemption.period_id == Period.id, Redemption.state == RedemptionState.CONFIRMED))
        .where(~IN_A_BATCH)
        .group_by(Period.agreement_id)
        .subquery()
    )
    carried = (
        select(SettlementBatch.agreement_id, func.sum(PaymentAdvice.amount_cents).label("cents"))
        .join(PaymentAdvice, PaymentAdvice.batch_id == SettlementBatch.id)
        .where(PaymentAdvice.state.in_(CARRIED_STATES))
        .group_by(SettlementBatch.agreement_id)
        .subquery()
    )
    freed = released_unpaid().subquery()
    released = (
        select(freed.c.agreement_id, func.sum(freed.c.cents).label("cents")).group_by(freed.c.agreement_id).subquery()
    )
    closed = func.coalesce(periods.c.closed_cents, 0)
    still_open = func.coalesce(periods.c.open_cents, 0)
    brought = func.coalesce(carried.c.cents, 0) + func.coalesce(released.c.cents, 0)
    figures = (
        func.coalesce(periods.c.structures, 0).label("structure_count"),
        func.coalesce(periods.c.vouchers, 0).label("voucher_count"),
        closed.label("closed_cents"),
        still_open.label("open_cents"),
        brought.label("carried_cents"),
    )
    total = closed + still_open + brought
    rows = session.execute(
        select(
            Agreement.id.label("agreement_id"),
            Agreement.number.label("agreement_number"),
            Agreement.name.label("agreement_name"),
            Issuer.name.label("issuer_name"),
            periods.c.opened_at,
            periods.c.ends_at,
            *figures,
        )
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .outerjoin(periods, periods.c.agreement_id == Agreement.id)
        .outerjoin(carried, carried.c.agreement_id == Agreement.id)
        .outerjoin(released, released.c.agreement_id == Agreement.id)
        .where(in_scope(Agreement.issuer_id, issuer_id), total > 0)
        .order_by(total.desc(), Agreement.number)
    )
    return [ToSettle(**columns_of(row, *(figure.name for figure in figures))) for row in rows]


def to_do(database: Database, *, issuer_id: UUID | None = None) -> ToDo:
    """Return what waits for an act, in the scope."""
    with database.read() as session:
        periods = _to_settle(session, issuer_id)
        waits = waiting_batches(session, in_scope(Agreement.issuer_id, issuer_id))
        carried = {
            row[0]: (row[1], int(row[2]))
            for row in session.execute(
                select(PaymentAdvice.state, func.count(), func.sum(PaymentAdvice.amount_cents))
                .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
                .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
                .where(in_scope(Agreement.issuer_id, issuer_id), PaymentAdvice.state.in_(CARRIED_STATES))
                .group_by(PaymentAdvice.state)
            )
        }
    held = carried.pop(AdviceState.HELD, (0, 0))
    return ToDo(
        period_count=len(periods),
        period_cents=sum(period.total_cents for period in periods),
        approve_count=waits.approve_count,
        approve_cents=waits.approve_cents,
        export_count=waits.export_count,
        export_cents=waits.export_cents,
        held_count=held[0],
        held_cents=held[1],
        failed_count=sum(count for count, _ in carried.values()),
        failed_cents=sum(cents for _, cents in carried.values()),
    )
