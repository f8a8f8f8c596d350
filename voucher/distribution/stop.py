"""Stop a booklet: lost, stolen or misprinted. Its unused vouchers can no longer be used, and their credit is given back."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from voucher.distribution.booklets import BookletFacts, amounts_of, booklet_facts, change_vouchers
from voucher.distribution.model import StopOrder, StopReason
from voucher.issuing.model import Booklet, BookletState, VoucherState
from voucher.issuing.shares import return_credit
from voucher.kernel.clean_input import member
from voucher.kernel.database import Database
from voucher.kernel.idempotency import insert_once, is_replay
from voucher.kernel.number_labels import booklet_label
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post_event

_STAGES = (
    (VoucherState.ISSUED, EventType.STOCK_STOPPED),
    (VoucherState.HANDED_OVER, EventType.VOUCHERS_STOPPED),
)


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stop order stopped, and what it gave back to the agreement, in cents."""

    stop_id: UUID
    booklet_number: int
    stopped_count: int
    released_cents: int


def stop_booklet(
    database: Database,
    stop_id: UUID,
    booklet_number: int,
    reason: str,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> Stopped:
    """Stop a booklet's unused vouchers, handed over or not; the same `stop_id` again changes nothing.

    `issuer_id` is the scope of who asks: another issuer's booklet does not exist for them. Raises Refused: unknown booklet,
    stopped or destroyed already, nothing left to stop.
    """
    why = member(StopReason, reason, "reason")
    with database.write() as session:
        booklet = booklet_facts(session, booklet_number, is_locked=True)
        if booklet is None or issuer_id not in (None, booklet.issuer_id):
            raise Refused("booklet_unknown", "Ce carnet n’existe pas. Vérifiez son numéro.", "booklet_number")
        row: dict[str, object] = {"id": stop_id, "booklet_number": booklet_number, "reason": why}
        if is_replay(session, StopOrder, row):
            earlier = session.get_one(StopOrder, stop_id)
            return Stopped(stop_id, booklet_number, earlier.stopped_count, earlier.released_cents)
        if booklet.state not in (BookletState.ISSUED, BookletState.HANDED_OVER):
            raise Refused("already_ended", "Ce carnet est déjà bloqué ou annulé. Il n’y a rien à faire.")
        stopped_count, released_cents = 0, 0
        for state, event_type in _STAGES:
            count, cents = _stop_stage(session, booklet, state, Event(event_type, stop_id, now, "", by))
            stopped_count += count
            released_cents += cents
        if stopped_count == 0:
            raise Refused(
                "nothing_to_stop",
                "Ce carnet n’a plus de chèque utilisable : tous sont utilisés ou périmés. Rien n’a changé.",
            )
        session.execute(update(Booklet).where(Booklet.number == booklet_number).values(state=BookletState.STOPPED))
        told = {"stopped_count": stopped_count, "released_cents": released_cents, "stopped_at": now, "stopped_by": by}
        taken = Refused("already_stopped", "Ce carnet vient d’être bloqué. Il n’y a rien à faire.")
        insert_once(session, StopOrder, row, told, taken)
    return Stopped(stop_id, booklet_number, stopped_count, released_cents)


def _stop_stage(session: Session, booklet: BookletFacts, state: VoucherState, event: Event) -> tuple[int, int]:
    serials = change_vouchers(session, booklet, state, VoucherState.STOPPED)
    if not serials:
        return 0, 0
    amounts_cents = amounts_of(session, booklet, serials)
    return_credit(session, booklet.agreement_id, amounts_cents)
    told = Event(
        event.event_type,
        event.event_id,
        event.at,
        f"Opposition sur le carnet {booklet_label(booklet.number)}",
        event.by,
    )
    post_event(session, told, {Dimension.AGREEMENT: booklet.agreement_id}, amounts_cents)
    return len(serials), sum(amounts_cents.values())
