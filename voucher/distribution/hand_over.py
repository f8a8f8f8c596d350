"""Hand a booklet over: from then on its vouchers may be used. Nothing is asked about the person."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from voucher.distribution.booklets import BookletFacts, amounts_of, booklet_facts, change_vouchers
from voucher.distribution.model import Handover, Prescriber
from voucher.issuing.code import Kind, UnreadableCode
from voucher.issuing.model import Booklet, BookletState, VoucherState
from voucher.issuing.recognise_code import (
    Distrust,
    DistrustedCode,
    find_code,
    key_is_revoked,
    recognise,
    refusal_sentence,
)
from voucher.kernel.calendar import french_date, french_instant, paris_day
from voucher.kernel.database import Database
from voucher.kernel.idempotency import insert_once, is_replay
from voucher.kernel.number_labels import booklet_label
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.model import Entry
from voucher.ledger.post import Event, post_event


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A booklet that was handed over. `is_new` is False when the same command had done it before."""

    handover_id: UUID
    booklet_number: int
    voucher_count: int
    value_cents: int
    handed_over_at: datetime
    is_new: bool


@dataclass(frozen=True, slots=True)
class ReadyBooklet:
    """A booklet that its prescriber may hand over now, for the page that shows it before the act."""

    booklet_number: int
    voucher_count: int
    value_cents: int


def hand_over(
    database: Database, handover_id: UUID, booklet_number: int, prescriber_id: UUID, *, by: UUID, now: datetime
) -> HandedOver:
    """Hand a booklet of a prescriber's stock over; the same `handover_id` again changes nothing.

    Raises Refused: another's booklet, handed over before (when, by whom), stopped, destroyed, revoked key, last day passed.
    """
    row: dict[str, object] = {"id": handover_id, "booklet_number": booklet_number, "prescriber_id": prescriber_id}
    with database.write() as session:
        if is_replay(session, Handover, row):
            return _done_before(session, handover_id)
        booklet = _ready(session, booklet_number, prescriber_id, now, is_locked=True)
        session.execute(update(Booklet).where(Booklet.number == booklet_number).values(state=BookletState.HANDED_OVER))
        serials = change_vouchers(session, booklet, VoucherState.ISSUED, VoucherState.HANDED_OVER)
        if not serials:
            raise Refused(
                "all_used", "Tous les chèques de ce carnet sont déjà utilisés. Prenez un autre carnet.", "code"
            )
        taken = Refused("handed_over_before", "Ce carnet vient d’être remis. Prenez un autre carnet.", "code")
        insert_once(session, Handover, row, {"handed_over_at": now, "handed_over_by": by}, taken)
        amounts_cents = amounts_of(session, booklet, serials)
        event = Event(
            EventType.BOOKLET_HANDED_OVER, handover_id, now, f"Remise du carnet {booklet_label(booklet_number)}", by
        )
        post_event(session, event, {Dimension.AGREEMENT: booklet.agreement_id}, amounts_cents)
    value_cents = len(serials) * booklet.face_value_cents
    return HandedOver(handover_id, booklet_number, len(serials), value_cents, now, is_new=True)


def look_up(database: Database, code: str, prescriber_id: UUID, *, now: datetime) -> ReadyBooklet:
    """Return the booklet whose cover was scanned or typed, if this prescriber may hand it over now; change nothing.

    A voucher's code gives its booklet too. Raises Refused with what to do instead.
    """
    try:
        recognised = recognise(database, code)
    except (UnreadableCode, DistrustedCode) as problem:
        raise Refused(problem.reason, refusal_sentence(problem), "code") from problem
    with database.read() as session:
        found = find_code(session, recognised)
        if found is None:
            raise Refused(Distrust.UNKNOWN_CODE, Distrust.UNKNOWN_CODE.sentence, "code")
        booklet = _ready(session, found.booklet_number, prescriber_id, now)
    if recognised.kind is Kind.VOUCHER and booklet.size > 1:
        raise Refused(
            "voucher_scanned", "Ce code est celui d’un seul chèque. Scannez le grand code de la couverture.", "code"
        )
    return ReadyBooklet(booklet.number, booklet.size, booklet.size * booklet.face_value_cents)


def _ready(
    session: Session, number: int, prescriber_id: UUID, now: datetime, *, is_locked: bool = False
) -> BookletFacts:
    booklet = booklet_facts(session, number, is_locked=is_locked)
    # Another prescriber's booklets are only told apart from what does not exist where that helps the person at the desk.
    if booklet is None or not _same_issuer(session, booklet, prescriber_id):
        raise Refused("booklet_unknown", "Ce carnet n’est pas dans votre stock. Vérifiez son numéro.", "code")
    if booklet.state == BookletState.HANDED_OVER:
        raise Refused("handed_over_before", _told_before(session, booklet.number, prescriber_id), "code")
    if booklet.state == BookletState.STOPPED:
        raise Refused("booklet_stopped", "Ce carnet est bloqué. Mettez-le de côté et prenez un autre carnet.", "code")
    if booklet.state == BookletState.VOID:
        raise Refused("booklet_void", "Ce carnet a été annulé. Jetez-le et prenez un autre carnet.", "code")
    if booklet.prescriber_id != prescriber_id:
        raise Refused(
            "not_in_stock",
            "Ce carnet n’est pas dans votre stock. Demandez à la collectivité de vous le confier, ou prenez un autre carnet.",
            "code",
        )
    if paris_day(now) > booklet.use_by:
        raise Refused(
            "use_by_passed",
            f"Ces chèques étaient à utiliser jusqu’au {french_date(booklet.use_by)}. Rendez ce carnet à la collectivité.",
            "code",
        )
    if key_is_revoked(session, booklet.batch_id):
        raise Refused(Distrust.REVOKED_KEY, Distrust.REVOKED_KEY.sentence, "code")
    return booklet


def _same_issuer(session: Session, booklet: BookletFacts, prescriber_id: UUID) -> bool:
    issuer_id = session.scalar(select(Prescriber.issuer_id).where(Prescriber.id == prescriber_id))
    return issuer_id == booklet.issuer_id


def _told_before(session: Session, number: int, prescriber_id: UUID) -> str:
    row = session.execute(
        select(Handover.handed_over_at, Handover.prescriber_id, Prescriber.name)
        .join(Prescriber, Prescriber.id == Handover.prescriber_id)
        .where(Handover.booklet_number == number)
    ).one()
    whom = "par vos services" if row.prescriber_id == prescriber_id else f"par {row.name}"
    return f"Ce carnet a déjà été remis le {french_instant(row.handed_over_at)}, {whom}. Prenez un autre carnet."


def _done_before(session: Session, handover_id: UUID) -> HandedOver:
    handover = session.get_one(Handover, handover_id)
    booklet = booklet_facts(session, handover.booklet_number)
    assert booklet is not None
    # Not all of the booklet, where vouchers may be used before hand-over: the entry says what was handed over.
    value_cents = session.execute(
        select(Entry.total_cents).where(
            Entry.event_type == EventType.BOOKLET_HANDED_OVER, Entry.event_id == handover_id
        )
    ).scalar_one()
    count = value_cents // booklet.face_value_cents
    return HandedOver(handover_id, booklet.number, count, value_cents, handover.handed_over_at, is_new=False)
