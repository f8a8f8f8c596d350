"""Periods of an agreement: opened by the first redemption that needs one, closed by settlement.

Closing takes a lock that every redemption and undo shares (PostgreSQL; SQLite has one writer), so none falls between two
periods: what holds the lock before the closing is in the closed period, what waits for it goes to the next.
"""

from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from voucher.kernel.identifiers import derived_number, new_id
from voucher.redemption.model import Period, Redemption

_SHARE = select(func.pg_advisory_xact_lock_shared(bindparam("key")))
_TAKE = select(func.pg_advisory_xact_lock(bindparam("key")))
_OPEN = select(Period.id).where(Period.agreement_id == bindparam("agreement_id"), Period.closed_at.is_(None))


@lru_cache(maxsize=4096)
def period_lock_key(agreement_id: UUID) -> int:
    """Return the advisory lock of an agreement's periods."""
    return derived_number(f"period {agreement_id}")


def share_open_period(session: Session, agreement_id: UUID, now: datetime) -> UUID:
    """Return the agreement's open period, opened if none is; it cannot close before the caller's transaction ends."""
    share_period(session, agreement_id)
    found = session.scalar(_OPEN, {"agreement_id": agreement_id})
    return found if found is not None else open_period(session, agreement_id, now)


def share_period(session: Session, agreement_id: UUID) -> None:
    """Keep the agreement's periods as they are until the end of the caller's transaction."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_SHARE, {"key": period_lock_key(agreement_id)})


def hold_periods(session: Session, agreement_id: UUID) -> None:
    """Wait for the redemptions under way and keep new ones waiting until the end of the caller's transaction."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_TAKE, {"key": period_lock_key(agreement_id)})


def open_period(session: Session, agreement_id: UUID, now: datetime) -> UUID:
    """Open the agreement's next period, unless another transaction just did; return the open one.

    The caller shares the lock of the agreement's periods.
    """
    last = select(func.coalesce(func.max(Period.number), 0) + 1).where(Period.agreement_id == agreement_id)
    values = {"id": new_id(), "agreement_id": agreement_id, "number": last.scalar_subquery(), "opened_at": now}
    if session.get_bind().dialect.name == "postgresql":
        session.execute(postgresql.insert(Period).values(values).on_conflict_do_nothing())
    else:
        session.execute(insert(Period).values(values))
    return session.execute(_OPEN, {"agreement_id": agreement_id}).scalar_one()


def close_period(session: Session, agreement_id: UUID, by: UUID, now: datetime) -> UUID | None:
    """Close the agreement's open period inside the caller's transaction; return it, or None when none is open.

    It waits for the redemptions under way. The closing is dated after the last act it holds, whatever the clocks say.
    """
    hold_periods(session, agreement_id)
    period_id = session.scalar(_OPEN, {"agreement_id": agreement_id})
    if period_id is None:
        return None
    last_at = session.execute(
        select(func.max(Redemption.redeemed_at), func.max(Redemption.undone_at)).where(
            Redemption.period_id == period_id
        )
    ).one()
    closed_at = max(at for at in (now, *last_at) if at is not None)
    session.execute(
        update(Period)
        .where(Period.id == period_id, Period.closed_at.is_(None))
        .values(closed_at=closed_at, closed_by=by)
    )
    return period_id
