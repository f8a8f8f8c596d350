"""Destroy booklets before hand-over: misprints, leftovers counted on 31 December. Their credit is given back."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from voucher.distribution.booklets import check_range, in_stock
from voucher.distribution.model import StockVoid
from voucher.issuing.model import Booklet, BookletState, IssueBatch, Voucher, VoucherState
from voucher.issuing.shares import amounts_by_agreement, return_credit
from voucher.kernel.clean_input import required_text
from voucher.kernel.database import Database, changed
from voucher.kernel.idempotency import insert_once, is_replay
from voucher.kernel.number_labels import booklet_label
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post_event


@dataclass(frozen=True, slots=True)
class NewStockVoid:
    """A whole range of an issuer's booklets that were not handed over, wherever they are, and why they are destroyed."""

    id: UUID
    issuer_id: UUID
    first_booklet_number: int
    booklet_count: int
    reason: str


def void_stock(database: Database, void: NewStockVoid, *, by: UUID, now: datetime) -> int:
    """Destroy a range of stock and return what it gives back, in cents; the same command again changes nothing.

    Raises Refused, changing nothing, unless every booklet of the range is the issuer's, in stock and of one agreement.
    """
    check_range(void.first_booklet_number, void.booklet_count)
    reason = required_text(void.reason, "reason", 200)
    last = void.first_booklet_number + void.booklet_count - 1
    row: dict[str, object] = {
        "id": void.id,
        "issuer_id": void.issuer_id,
        "first_booklet_number": void.first_booklet_number,
        "booklet_count": void.booklet_count,
        "reason": reason,
    }
    with database.write() as session:
        if is_replay(session, StockVoid, row):
            return session.get_one(StockVoid, void.id).released_cents
        agreement_id = _agreement_of(session, void.first_booklet_number, last)
        destroyed = changed(
            session,
            update(Booklet)
            .where(*in_stock(void.issuer_id, void.first_booklet_number, void.booklet_count))
            .values(state=BookletState.VOID)
            .execution_options(synchronize_session=False),
        )
        if destroyed != void.booklet_count:
            raise Refused(
                "not_all_in_stock",
                f"Sur ces {void.booklet_count} carnets, {destroyed} seulement peuvent être annulés. Les autres sont remis, "
                "bloqués, déjà annulés ou pas encore fabriqués. Rien n’a changé. Vérifiez les numéros.",
                "first_booklet_number",
            )
        # Vouchers of these booklets are void from here on and never before: what is void is what this order gives back.
        session.execute(
            update(Voucher)
            .where(_serials_of(void.first_booklet_number, last), Voucher.state == VoucherState.ISSUED)
            .values(state=VoucherState.VOID)
            .execution_options(synchronize_session=False)
        )
        voided = Booklet.number.between(void.first_booklet_number, last), Voucher.state == VoucherState.VOID
        amounts_cents = {row.funder_id: row.cents for row in session.execute(amounts_by_agreement(*voided))}
        released_cents: int = sum(amounts_cents.values())
        taken = Refused("void_exists", "Cette annulation existe déjà. Ouvrez un nouveau formulaire.")
        told = {"released_cents": released_cents, "voided_at": now, "voided_by": by}
        insert_once(session, StockVoid, row, told, taken)
        if released_cents:
            return_credit(session, agreement_id, amounts_cents)
            narration = f"Destruction des carnets {booklet_label(void.first_booklet_number)} à {booklet_label(last)}"
            event = Event(EventType.STOCK_VOIDED, void.id, now, narration, by)
            post_event(session, event, {Dimension.AGREEMENT: agreement_id}, amounts_cents)
    return released_cents


def _agreement_of(session: Session, first: int, last: int) -> UUID:
    agreement_ids = session.scalars(
        select(IssueBatch.agreement_id)
        .where(
            IssueBatch.first_booklet_number <= last,
            IssueBatch.first_booklet_number + IssueBatch.booklet_count > first,
        )
        .distinct()
    ).all()
    if len(agreement_ids) > 1:
        raise Refused(
            "two_agreements",
            "Ces carnets sont de plusieurs conventions. Annulez-les convention par convention.",
            "booklet_count",
        )
    if not agreement_ids:
        raise Refused("booklet_unknown", "Ces carnets n’existent pas. Vérifiez les numéros.", "first_booklet_number")
    return agreement_ids[0]


def _serials_of(first: int, last: int) -> ColumnElement[bool]:
    """Return the condition on the vouchers of a range of booklets: their serials follow each other."""
    in_range = Booklet.number.between(first, last)
    lowest = select(func.min(Booklet.first_serial)).where(in_range).scalar_subquery()
    highest = select(func.max(Booklet.first_serial + Booklet.size - 1)).where(in_range).scalar_subquery()
    return Voucher.serial.between(lowest, highest)
