"""What the person who holds a code may know: its worth, until when, how many are left. Never where it was used.

A code is a bearer secret; looking at one changes nothing and proves nothing but that it was ours.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.distribution.model import Prescriber
from voucher.issuing.code import Kind
from voucher.issuing.model import Booklet, BookletState, Voucher, VoucherState
from voucher.issuing.recognise_code import find_code, key_is_revoked
from voucher.kernel.calendar import ThreeDates, paris_day
from voucher.kernel.database import Database
from voucher.programme.model import Issuer
from voucher.redemption.batch_cache import BatchFacts, find_batch
from voucher.redemption.check_voucher import remaining_of
from voucher.redemption.model import RedeemedVoucher, Redemption
from voucher.redemption.rules import CounterRefusal, Refusal, end_of_life
from voucher.redemption.tray import read_any_code


class HolderState(StrEnum):
    """What a voucher is for its holder."""

    NOT_HANDED_OVER = "not_handed_over"
    USABLE = "usable"
    USED = "used"
    STOPPED = "stopped"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderView:
    """A voucher, or a booklet by its cover. `used_at` is when, never where; the area is the prescriber's, else the issuer's."""

    is_booklet: bool
    state: HolderState
    serial: int
    booklet_number: int
    booklet_size: int
    remaining_count: int
    face_value_cents: int
    dates: ThreeDates
    is_in_grace: bool
    used_at: datetime | None
    issuer_name: str
    issuer_email: str
    issuer_phone: str
    prescriber_name: str
    area_postcode: str


def look_at(database: Database, text: str, *, now: datetime) -> HolderView | Refusal:
    """Return what a scanned or typed code is worth to its holder, or why it is no good code."""
    code = read_any_code(database, text)
    if isinstance(code, Refusal):
        return code
    unknown = Refusal(CounterRefusal.UNKNOWN_VOUCHER if code.is_signed else CounterRefusal.WRONG_CODE)
    batch = find_batch(database, code.serial)
    if batch is None:
        return unknown
    with database.read() as session:
        found = find_code(session, code)
        if found is None:
            return unknown
        if key_is_revoked(session, found.batch_id):
            return Refusal(CounterRefusal.REVOKED_KEY)
        return _view(session, batch, code.serial, code.kind is Kind.BOOKLET, now)


def _view(session: Session, batch: BatchFacts, serial: int, is_booklet: bool, now: datetime) -> HolderView:
    booklet = session.execute(
        select(Booklet.state, Booklet.prescriber_id).where(Booklet.number == batch.booklet_number(serial))
    ).one()
    issuer = session.execute(
        select(Issuer.name, Issuer.contact_email, Issuer.contact_phone, Issuer.postcode).where(
            Issuer.id == batch.issuer_id
        )
    ).one()
    prescriber = session.execute(
        select(Prescriber.name, Prescriber.postcode).where(Prescriber.id == booklet.prescriber_id)
    ).one_or_none()
    today = paris_day(now)
    is_over = end_of_life(batch.dates, today) is not None
    # After the last day nothing is left to use, whether the nightly job has declared it lapsed or not.
    remaining_count = 0 if is_over else remaining_of(session, batch, serial)
    if is_booklet:
        state = _booklet_state(booklet.state, batch, remaining_count)
        if state is HolderState.USED and is_over and _is_unused(session, batch, serial):
            state = HolderState.ENDED
    else:
        state = _voucher_state(
            session.execute(select(Voucher.state).where(Voucher.serial == serial)).scalar_one(), batch
        )
    if state in (HolderState.USABLE, HolderState.NOT_HANDED_OVER) and is_over:
        state = HolderState.ENDED
    return HolderView(
        is_booklet=is_booklet,
        state=state,
        serial=serial,
        booklet_number=batch.booklet_number(serial),
        booklet_size=batch.booklet_size,
        remaining_count=remaining_count,
        face_value_cents=batch.face_value_cents,
        dates=batch.dates,
        is_in_grace=today > batch.dates.use_by,
        used_at=_used_at(session, serial) if state is HolderState.USED and not is_booklet else None,
        issuer_name=issuer.name,
        issuer_email=issuer.contact_email,
        issuer_phone=issuer.contact_phone,
        prescriber_name=prescriber.name if prescriber else "",
        area_postcode=prescriber.postcode if prescriber else issuer.postcode,
    )


def _voucher_state(state: VoucherState, batch: BatchFacts) -> HolderState:
    match state:
        case VoucherState.ISSUED:
            return HolderState.NOT_HANDED_OVER if batch.is_handover_required else HolderState.USABLE
        case VoucherState.HANDED_OVER:
            return HolderState.USABLE
        case VoucherState.REDEEMED:
            return HolderState.USED
        case VoucherState.STOPPED | VoucherState.VOID:
            return HolderState.STOPPED
        case VoucherState.LAPSED:
            return HolderState.ENDED


def _booklet_state(state: BookletState, batch: BatchFacts, remaining_count: int) -> HolderState:
    if state in (BookletState.STOPPED, BookletState.VOID):
        return HolderState.STOPPED
    if state is BookletState.ISSUED and batch.is_handover_required:
        return HolderState.NOT_HANDED_OVER
    return HolderState.USABLE if remaining_count else HolderState.USED


def _is_unused(session: Session, batch: BatchFacts, serial: int) -> bool:
    """Say whether a booklet has a voucher that nobody used."""
    first_serial = batch.booklet_first_serial(serial)
    of_booklet = Voucher.serial.between(first_serial, first_serial + batch.booklet_size - 1)
    return (
        session.scalar(select(Voucher.serial).where(of_booklet, Voucher.state != VoucherState.REDEEMED).limit(1))
        is not None
    )


def _used_at(session: Session, serial: int) -> datetime | None:
    return session.scalar(
        select(Redemption.redeemed_at)
        .join(RedeemedVoucher, RedeemedVoucher.redemption_id == Redemption.id)
        .where(RedeemedVoucher.serial == serial, RedeemedVoucher.is_live)
    )
