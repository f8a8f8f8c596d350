"""Periods of an agreement: opened by the first redemption that needs one, closed at the end of their Paris month (at its cut-off day, where the
agreement has one), or by
settlement before.

Closing takes a lock that every redemption and undo shares (PostgreSQL; SQLite has one writer), so none falls between two
periods: what holds the lock before the closing is in the closed period, what waits for it goes to the next. A period of a
month that is over takes no redemption more, whoever comes first, the job `periods` that closes it or a counter.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from voucher.kernel.calendar import end_of_month, not_before, paris_day
from voucher.kernel.database import Database
from voucher.kernel.identifiers import derived_number, new_id
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.programme.model import Agreement, SettlementRhythm
from voucher.redemption.model import Period, Redemption

_INSTANT = timedelta(microseconds=1)  # the smallest that both engines keep
_SHARE = select(func.pg_advisory_xact_lock_shared(bindparam("key")))
_TAKE = select(func.pg_advisory_xact_lock(bindparam("key")))
_OPEN = select(Period.id).where(Period.agreement_id == bindparam("agreement_id"), Period.closed_at.is_(None))


# What was done in a period after an instant: few rows, or none, by the index on the hour of entries.
_LAST_ACT_AFTER = (
    select(func.max(Entry.posted_at))
    .join(Redemption, Redemption.id == Entry.event_id)
    .where(
        Entry.posted_at > bindparam("cut_off", type_=Entry.__table__.c.posted_at.type),
        Entry.event_type.in_(
            (EventType.VOUCHERS_REDEEMED, EventType.VOUCHERS_REDEEMED_FROM_STOCK, EventType.REDEMPTION_UNDONE)
        ),
        Redemption.period_id == bindparam("period_id"),
    )
)


@lru_cache(maxsize=4096)
def period_lock_key(agreement_id: UUID) -> int:
    """Return the advisory lock of an agreement's periods."""
    return derived_number(f"period {agreement_id}")


def lock_periods_shared(session: Session, agreement_id: UUID) -> None:
    """Keep the agreement's periods as they are until the end of the caller's transaction."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_SHARE, {"key": period_lock_key(agreement_id)})


def lock_periods(session: Session, agreement_id: UUID) -> None:
    """Wait for the redemptions under way and keep new ones waiting until the end of the caller's transaction."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_TAKE, {"key": period_lock_key(agreement_id)})


def open_period(session: Session, agreement_id: UUID, now: datetime) -> UUID:
    """Open the agreement's next period, unless another transaction just did; return the open one.

    The caller shares the lock of the agreement's periods. A clock that is late never opens a month that another closed.
    """
    agreement = session.execute(
        select(
            Agreement.settlement_rhythm,
            Agreement.cut_off_day,
            func.coalesce(func.max(Period.number), 0),
            func.max(Period.closed_at),
        )
        .outerjoin(Period, Period.agreement_id == Agreement.id)
        .where(Agreement.id == agreement_id)
        .group_by(Agreement.settlement_rhythm, Agreement.cut_off_day)
    ).one()
    rhythm, cut_off_day, last_number, last_closed_at = agreement
    begins_at = not_before(now, last_closed_at and last_closed_at + _INSTANT)
    values = {
        "id": new_id(),
        "agreement_id": agreement_id,
        "number": last_number + 1,
        "opened_at": now,
        "ends_at": end_of_month(begins_at, cut_off_day) if rhythm == SettlementRhythm.MONTHLY else None,
    }
    if session.get_bind().dialect.name == "postgresql":
        session.execute(postgresql.insert(Period).values(values).on_conflict_do_nothing())
    elif session.scalar(_OPEN, {"agreement_id": agreement_id}) is None:
        session.execute(insert(Period).values(values))
    return session.execute(_OPEN, {"agreement_id": agreement_id}).scalar_one()


def close_period(session: Session, agreement_id: UUID, by: UUID | None, now: datetime) -> UUID | None:
    """Close the agreement's open period inside the caller's transaction; return it, or None when none is open.

    It waits for the redemptions under way. The closing of a month that is over is dated at its last instant, however late it
    comes; and any closing after the last act that the period holds, whatever the clocks say.
    """
    lock_periods(session, agreement_id)
    period = session.execute(_OPEN.add_columns(Period.ends_at), {"agreement_id": agreement_id}).one_or_none()
    if period is None:
        return None
    period_id, ends_at = period
    cut_off = now if ends_at is None else min(now, ends_at - _INSTANT)
    closed_at = session.scalar(_LAST_ACT_AFTER, {"period_id": period_id, "cut_off": cut_off}) or cut_off
    session.execute(
        update(Period)
        .where(Period.id == period_id, Period.closed_at.is_(None))
        .values(closed_at=closed_at, closed_by=by)
    )
    return cast("UUID", period_id)


def close_ended_period(database: Database, agreement_id: UUID, now: datetime) -> bool:
    """Close the agreement's open period if its month is over, and say whether it was; again, it changes nothing."""
    with database.write() as session:
        lock_periods(session, agreement_id)
        ended = _OPEN.where(Period.ends_at <= bindparam("now", type_=Period.__table__.c.ends_at.type))
        if session.scalar(ended, {"agreement_id": agreement_id, "now": now}) is None:
            return False
        close_period(session, agreement_id, None, now)
        return True


def close_ended_periods(database: Database, now: datetime) -> int:
    """Close every open period whose month is over; return how many. An agreement at a time: counters wait for no other."""
    with database.read() as session:
        ended = session.scalars(
            select(Period.agreement_id)
            .where(Period.closed_at.is_(None), Period.ends_at <= now)
            .order_by(Period.agreement_id)
        ).all()
    return sum(close_ended_period(database, agreement_id, now) for agreement_id in ended)


def last_day(opened_at: datetime, ends_at: datetime | None, closed_at: datetime | None) -> date:
    """Return the last Paris day of a period: of its month, or the day it was closed before.

    An open period that no month ends counts from the day it was opened: where nobody closes it, that shows.
    """
    if ends_at is None:
        return paris_day(closed_at or opened_at)
    month_end = paris_day(ends_at) - timedelta(days=1)
    return min(month_end, paris_day(closed_at)) if closed_at else month_end
