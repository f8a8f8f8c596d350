"""How many wrong codes may be typed before typing is locked: by one mediator, and for one voucher."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from voucher.kernel.database import take_turn
from voucher.redemption.model import RefusedAttempt
from voucher.redemption.rules import (
    WRONG_CODES_BY_MEDIATOR_MAX,
    WRONG_CODES_BY_VOUCHER_MAX,
    WRONG_CODES_WINDOW,
    CounterRefusal,
    Refusal,
)


def typing_lock(session: Session, by: UUID, serials: tuple[int, ...], now: datetime) -> Refusal | None:
    """Say whether too many wrong codes were typed, by this mediator or for one of these vouchers.

    Codes typed by one mediator, or for one voucher, are looked at one after the other: until the end of this transaction, which
    must record a wrong one, nobody else's is looked at, so that of many sent together no more are evaluated than may be.
    """
    take_turn(session, f"typing by {by}", *(f"typing of {serial}" for serial in sorted(serials)))
    wrong = session.execute(
        select(RefusedAttempt.mediator_id, RefusedAttempt.serial, RefusedAttempt.attempted_at).where(
            or_(RefusedAttempt.mediator_id == by, RefusedAttempt.serial.in_(serials)),
            RefusedAttempt.attempted_at > now - WRONG_CODES_WINDOW,
            RefusedAttempt.refusal == CounterRefusal.WRONG_CODE,
        )
    ).all()
    own = [row.attempted_at for row in wrong if row.mediator_id == by]
    if len(own) >= WRONG_CODES_BY_MEDIATOR_MAX:
        return Refusal(CounterRefusal.TYPING_LOCKED, at=min(own) + WRONG_CODES_WINDOW)
    for serial in serials:
        for_it = [row.attempted_at for row in wrong if row.serial == serial]
        if len(for_it) >= WRONG_CODES_BY_VOUCHER_MAX:
            return Refusal(CounterRefusal.VOUCHER_LOCKED, serial, len(serials) > 1, at=min(for_it) + WRONG_CODES_WINDOW)
    return None
