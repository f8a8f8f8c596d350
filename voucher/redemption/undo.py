"""Annuler: give back what was redeemed by mistake, while its period is open and the delay is not over."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from voucher.issuing.model import Booklet, BookletState, IssueBatch
from voucher.kernel.database import Database
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.ledger.post import Event, reverse
from voucher.redemption.answers import Counter, Undone
from voucher.redemption.model import Period, RedeemedVoucher, Redemption, RedemptionState
from voucher.redemption.period import lock_periods_shared
from voucher.redemption.reverse import STATE_BEFORE, restore_vouchers
from voucher.redemption.rules import CounterRefusal, Refusal, undo_limit

_Found = Row[UUID, str, datetime | None, datetime, int, datetime | None, str, datetime | None]


def undo(
    database: Database, redemption_id: UUID, counter: Counter, *, undo_minutes: int, by: UUID, now: datetime
) -> Undone | Refusal:
    """Undo a whole redemption of this place; undone before, it answers the same again.

    Its vouchers go back to the state they had, its entry is reversed, and its structure is no longer owed. Refused once the
    period is closed or `undo_minutes` have passed, when the booklet was stopped since, and while it is disputed.
    """
    with database.write() as session:
        agreement_id = session.scalar(
            select(Redemption.agreement_id).where(
                Redemption.id == redemption_id,
                Redemption.place_id == counter.place_id,
                Redemption.structure_id == counter.structure_id,
            )
        )
        if agreement_id is None:
            return Refusal(CounterRefusal.UNDO_UNKNOWN)
        lock_periods_shared(session, agreement_id)
        found = _lock(session, redemption_id)
        if found.state in (RedemptionState.DISPUTED, RedemptionState.REVERSED):
            return Refusal(CounterRefusal.UNDO_DISPUTED)
        if found.state == RedemptionState.CONFIRMED:
            if (refusal := _why_not(found, undo_minutes, now)) is not None:
                return refusal
            _give_back(session, found, by, now)
        serials = session.scalars(
            select(RedeemedVoucher.serial)
            .where(RedeemedVoucher.redemption_id == redemption_id)
            .order_by(RedeemedVoucher.serial)
        )
        undone_at = found.undone_at if found.state == RedemptionState.UNDONE else now
        return Undone(redemption_id, tuple(serials), found.amount_cents, undone_at)


def _lock(session: Session, redemption_id: UUID) -> _Found:
    """Read the redemption and keep it, its booklet and its batch as they are until the end of the transaction."""
    session.execute(select(Redemption.id).where(Redemption.id == redemption_id).with_for_update())
    return session.execute(
        select(
            Redemption.id,
            Redemption.state,
            Redemption.undone_at,
            Redemption.redeemed_at,
            Redemption.amount_cents,
            Period.closed_at.label("period_closed_at"),
            Booklet.state.label("booklet_state"),
            IssueBatch.lapsed_at,
        )
        .join(Period, Period.id == Redemption.period_id)
        .join(Booklet, Booklet.number == Redemption.booklet_number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .where(Redemption.id == redemption_id)
        .with_for_update(read=True, of=[Booklet, IssueBatch])
    ).one()


def _why_not(found: _Found, undo_minutes: int, now: datetime) -> Refusal | None:
    # A period that is closed is closed, even for a request that was sent before.
    for ended_at in (found.period_closed_at, found.lapsed_at):
        if ended_at is not None:
            return Refusal(CounterRefusal.UNDO_TOO_LATE, at=ended_at)
    if now >= (limit := undo_limit(found.redeemed_at, undo_minutes)):
        return Refusal(CounterRefusal.UNDO_TOO_LATE, at=limit)
    if found.booklet_state in (BookletState.STOPPED, BookletState.VOID):
        return Refusal(CounterRefusal.UNDO_STOPPED)
    return None


def _give_back(session: Session, found: _Found, by: UUID, now: datetime) -> None:
    entry = session.execute(
        select(Entry.id, Entry.event_type).where(Entry.event_id == found.id, Entry.event_type.in_(STATE_BEFORE))
    ).one()
    restore_vouchers(session, found.id, STATE_BEFORE[EventType(entry.event_type)])
    session.execute(
        update(Redemption)
        .where(Redemption.id == found.id)
        .values(state=RedemptionState.UNDONE, undone_at=now, undone_by=by)
        .execution_options(synchronize_session=False)
    )
    reverse(session, Event(EventType.REDEMPTION_UNDONE, found.id, now, "Annulation au comptoir", by), entry.id)
