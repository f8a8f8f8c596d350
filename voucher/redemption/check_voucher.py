"""Tester: say what a voucher is worth at this counter, now. Nothing changes, but a wrong typed code is counted."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from voucher.issuing.code import Kind
from voucher.issuing.model import Voucher, VoucherState
from voucher.issuing.recognise_code import Recognised
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.redemption.answers import Counter, Usable, UsableCover
from voucher.redemption.batch_cache import BatchFacts, find_batch
from voucher.redemption.replayed_requests import Attempt, fingerprint_of, record_refusal
from voucher.redemption.rules import CounterRefusal, Refusal
from voucher.redemption.tray import CoverPart, Tray, read_any_code, read_tray
from voucher.redemption.typing_lock import typing_lock
from voucher.redemption.why_not_redeemed import usable_states, why_not

_USED = (CounterRefusal.REDEEMED_HERE, CounterRefusal.REDEEMED_ELSEWHERE)
_ALL_USED = "Tous les chèques de ce carnet ont déjà été encaissés. Demandez un autre carnet."


def check(
    database: Database, code: str, counter: Counter, *, by: UUID, now: datetime
) -> Usable | UsableCover | Refusal:
    """Return what one voucher, or a booklet by its cover, would bring now; or the reason why it would be refused."""
    read = read_any_code(database, code)
    is_cover = not isinstance(read, Refusal) and read.kind is Kind.BOOKLET
    tray = read_tray(database, [_whole_booklet(database, code, read) if is_cover else code])
    if isinstance(tray, Refusal):
        refusal: Refusal | None = tray
        if tray.reason is CounterRefusal.WRONG_CODE:
            refusal = _refuse_wrong_code(database, code, tray, counter, by, now)
        assert refusal is not None
        return refusal
    serial = tray.codes[0].serial
    # What is typed is looked at and counted in one transaction, so that a wrong code counts before the next is looked at.
    with database.write() if tray.is_typed else database.read() as session:
        if is_cover:
            return _usable_cover(session, tray, counter, by, now)
        refusal = why_not(session, tray, counter, by, now)
        if refusal is None:
            return usable_of(session, tray.batch, serial)
        if refusal.reason is CounterRefusal.WRONG_CODE:
            record_refusal(session, _attempt(code, counter, by, now), refusal)
    return refusal


def _whole_booklet(database: Database, code: str, cover: Recognised | Refusal) -> CoverPart:
    assert isinstance(cover, Recognised)
    batch = find_batch(database, cover.serial)
    return CoverPart(code, tuple(range(1, batch.booklet_size + 1)) if batch is not None else ())


def _usable_cover(session: Session, tray: Tray, counter: Counter, by: UUID, now: datetime) -> UsableCover | Refusal:
    """Say which vouchers of a booklet may be redeemed together; where none may, why the first may not."""
    rows = session.execute(select(Voucher.serial, Voucher.state).where(Voucher.serial.in_(tray.serials))).all()
    for state in usable_states(tray.batch.is_handover_required):
        usable = {row.serial for row in rows if row.state == state}
        if usable:
            part = Tray(tray.batch, tuple(code for code in tray.codes if code.serial in usable))
            refusal = why_not(session, part, counter, by, now)
            first_serial = tray.batch.booklet_first_serial(tray.serials[0])
            return refusal or UsableCover(
                first_serial=first_serial,
                booklet_number=tray.booklet_number,
                ranks=tuple(serial - first_serial + 1 for serial in part.serials),
                face_value_cents=tray.batch.face_value_cents,
            )
    refusal = why_not(session, tray, counter, by, now) or Refusal(CounterRefusal.BUSY)
    is_used = all(row.state == VoucherState.REDEEMED for row in rows) and refusal.reason in _USED
    return Refusal(CounterRefusal.UNREADABLE, detail=_ALL_USED) if is_used else refusal


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
