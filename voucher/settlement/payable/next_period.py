"""Which period the next batch of an agreement settles: the oldest that is closed and in no batch, else the open one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.settlement.model.batches import SettlementBatch

IN_A_BATCH = exists().where(SettlementBatch.period_id == Period.id)
"""The condition that a period (of the outer query) is settled."""

_IS_USED = exists().where(Redemption.period_id == Period.id, Redemption.state == RedemptionState.CONFIRMED)


def next_period(session: Session, agreement_id: UUID) -> Row[Any] | None:
    """Return the id, number, opened_at, ends_at and closed_at of the period to settle next, or None when there is none.

    A closed one whose redemptions were all undone owes nothing: it is passed over.
    """
    query: Select[*tuple[Any, ...]] = (
        select(Period.id, Period.number, Period.opened_at, Period.ends_at, Period.closed_at)
        .where(Period.agreement_id == agreement_id, or_(Period.closed_at.is_(None), and_(~IN_A_BATCH, _IS_USED)))
        .order_by(Period.number)
        .limit(1)
    )
    return session.execute(query).one_or_none()


def is_over(period: Row[Any], now: datetime) -> bool:
    """Say whether a period takes no redemption more: it is closed, or its month is over."""
    return period.closed_at is not None or (period.ends_at is not None and period.ends_at <= now)
