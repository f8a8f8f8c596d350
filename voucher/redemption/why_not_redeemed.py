"""Find out why vouchers cannot be redeemed: asked by *tester*, and by *encaisser* once its one statement has missed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.issuing.model import IssuerKey, KeyState, Voucher, VoucherState
from voucher.kernel.calendar import paris_day
from voucher.network.model import Place, Structure, StructureState
from voucher.redemption.answers import Counter
from voucher.redemption.model import RedeemedVoucher, Redemption
from voucher.redemption.rules import (
    CounterRefusal,
    Refusal,
    end_of_life,
)
from voucher.redemption.tray import Tray
from voucher.redemption.typing_lock import typing_lock

_REFUSED_STATES = {
    VoucherState.VOID: CounterRefusal.VOID,
    VoucherState.STOPPED: CounterRefusal.STOPPED,
    VoucherState.LAPSED: CounterRefusal.LAPSED,
}


def why_not(session: Session, tray: Tray, counter: Counter, by: UUID, now: datetime) -> Refusal | None:
    """Return the first reason, in the order of CounterRefusal, not to redeem these vouchers; None when they may be."""
    if (closed := _about_the_counter(session, counter)) is not None:
        return Refusal(closed)
    if tray.is_typed and (locked := typing_lock(session, by, tray.serials, now)) is not None:
        return locked
    rows = session.execute(
        select(Voucher.serial, Voucher.tag, Voucher.state).where(Voucher.serial.in_(tray.serials))
    ).all()
    standing = {row.serial: row for row in rows}
    is_many = len(tray.codes) > 1
    for code in tray.codes:
        row = standing.get(code.serial)
        if row is None or row.tag != code.tag:
            reason = CounterRefusal.UNKNOWN_VOUCHER if code.is_signed else CounterRefusal.WRONG_CODE
            return Refusal(reason, code.serial, is_many)
    if session.scalar(select(IssuerKey.state).where(IssuerKey.id == tray.batch.key_id)) == KeyState.REVOKED:
        return Refusal(CounterRefusal.REVOKED_KEY, tray.codes[0].serial, is_many)
    for code in tray.codes:
        state = standing[code.serial].state
        if (refusal := _about_a_voucher(session, tray, code.serial, state, counter, now)) is not None:
            return refusal if not is_many else _one_of_several(refusal)
    if len({standing[serial].state for serial in tray.serials}) > 1:
        return Refusal(CounterRefusal.ONE_BY_ONE)
    return None


def tags_are_right(session: Session, tray: Tray) -> bool:
    """Say whether each code's secret tag is its voucher's."""
    rows = session.execute(select(Voucher.serial, Voucher.tag).where(Voucher.serial.in_(tray.serials)))
    standing = {row.serial: row.tag for row in rows}
    return all(standing.get(code.serial) == code.tag for code in tray.codes)


def usable_states(is_handover_required: bool) -> tuple[VoucherState, ...]:
    """Return the states from which a voucher may be redeemed, as its agreement says."""
    return (VoucherState.HANDED_OVER,) if is_handover_required else (VoucherState.HANDED_OVER, VoucherState.ISSUED)


def _about_the_counter(session: Session, counter: Counter) -> CounterRefusal | None:
    row = session.execute(
        select(Place.is_open, Structure.state)
        .join(Structure, Structure.id == Place.structure_id)
        .where(Place.id == counter.place_id, Place.structure_id == counter.structure_id)
    ).one_or_none()
    if row is None or not row.is_open:
        return CounterRefusal.PLACE_CLOSED
    return None if row.state == StructureState.QUALIFIED else CounterRefusal.STRUCTURE_SUSPENDED


def _about_a_voucher(
    session: Session, tray: Tray, serial: int, state: VoucherState, counter: Counter, now: datetime
) -> Refusal | None:
    if state == VoucherState.REDEEMED:
        return _redeemed_before(session, serial, counter)
    if (reason := _REFUSED_STATES.get(state)) is not None:
        return Refusal(reason, serial, on=tray.batch.dates.present_by)
    if (ended := end_of_life(tray.batch.dates, paris_day(now))) is not None:
        return Refusal(ended[0], serial, on=ended[1])
    if state not in usable_states(tray.batch.is_handover_required):
        return Refusal(CounterRefusal.NOT_HANDED_OVER, serial)
    return None


def _redeemed_before(session: Session, serial: int, counter: Counter) -> Refusal | None:
    row = session.execute(
        select(Redemption.redeemed_at, Redemption.place_id)
        .join(RedeemedVoucher, RedeemedVoucher.redemption_id == Redemption.id)
        .where(RedeemedVoucher.serial == serial, RedeemedVoucher.is_live)
    ).one_or_none()
    if row is None:  # undone between two of our questions
        return None
    is_here = row.place_id == counter.place_id
    reason = CounterRefusal.REDEEMED_HERE if is_here else CounterRefusal.REDEEMED_ELSEWHERE
    return Refusal(reason, serial, at=row.redeemed_at)


def _one_of_several(refusal: Refusal) -> Refusal:
    return Refusal(refusal.reason, refusal.serial, True, refusal.at, refusal.on, refusal.detail)
