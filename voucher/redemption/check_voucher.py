"""Tester: say what a voucher is worth at this counter, now. Nothing changes, but a wrong typed code is counted."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from voucher.issuing.model import Voucher
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.redemption.answers import Counter, Usable
from voucher.redemption.batch_cache import BatchFacts
from voucher.redemption.replayed_requests import Attempt, fingerprint_of, record_refusal
from voucher.redemption.rules import CounterRefusal, Refusal
from voucher.redemption.tray import read_tray
from voucher.redemption.typing_lock import typing_lock
from voucher.redemption.why_not_redeemed import usable_states, why_not


def check(database: Database, code: str, counter: Counter, *, by: UUID, now: datetime) -> Usable | Refusal:
    """Return what one voucher would bring if it were redeemed now, or the reason why it would be refused."""
    tray = read_tray(database, [code])
    if isinstance(tray, Refusal):
        refusal: Refusal | None = tray
        if tray.reason is CounterRefusal.WRONG_CODE:
            refusal = _refuse_wrong_code(database, code, tray, counter, by, now)
        assert refusal is not None
        return refusal
    serial = tray.codes[0].serial
    # What is typed is looked at and counted in one transaction, so that a wrong code counts before the next is looked at.
    with database.write() if tray.is_typed else database.read() as session:
        refusal = why_not(session, tray, counter, by, now)
        if refusal is None:
            return usable_of(session, tray.batch, serial)
        if refusal.reason is CounterRefusal.WRONG_CODE:
            record_refusal(session, _attempt(code, counter, by, now), refusal)
    return refusal


def usable_of(session: Session, batch: BatchFacts, serial: int) -> Usable:
    """Return what a usable voucher is worth, and what remains of its booklet (itself counted)."""
    first_serial = batch.booklet_first_serial(serial)
    return Usable(
        serial=serial,
        booklet_number=batch.booklet_number(serial),
        rank=serial - first_serial + 1,
        booklet_size=batch.booklet_size,
        face_value_cents=batch.face_value_cents,
        remaining_count=remaining_of(session, batch, serial),
        use_by=batch.dates.use_by,
        grace_until=batch.dates.grace_until,
    )


def remaining_of(session: Session, batch: BatchFacts, serial: int) -> int:
    """Count the vouchers still usable in the booklet of a voucher."""
    first_serial = batch.booklet_first_serial(serial)
    return (
        session.scalar(
            select(func.count())
            .select_from(Voucher)
            .where(Voucher.serial.between(first_serial, first_serial + batch.booklet_size - 1))
            .where(Voucher.state.in_(usable_states(batch.is_handover_required)))
        )
        or 0
    )


def _refuse_wrong_code(
    database: Database, code: str, refusal: Refusal, counter: Counter, by: UUID, now: datetime
) -> Refusal:
    with database.write() as session:
        serials = (refusal.serial,) if refusal.serial is not None else ()
        if (locked := typing_lock(session, by, serials, now)) is not None:
            return locked
        record_refusal(session, _attempt(code, counter, by, now), refusal)
    return refusal


def _attempt(code: str, counter: Counter, by: UUID, now: datetime) -> Attempt:
    return Attempt(new_id(), fingerprint_of(counter, by, "check", [code]), counter, by, now)
