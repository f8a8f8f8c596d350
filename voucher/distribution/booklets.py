"""What the verbs of distribution share: a booklet with what it is worth, and ranges of an issuer's stock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from voucher.issuing.model import Booklet, BookletState, IssueBatch, Voucher, VoucherState
from voucher.issuing.shares import shares_of_batch
from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement

UNUSED = (VoucherState.ISSUED, VoucherState.HANDED_OVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookletFacts:
    """A booklet and what its batch and agreement say of it."""

    number: int
    first_serial: int
    size: int
    state: str
    prescriber_id: UUID | None
    batch_id: UUID
    agreement_id: UUID
    issuer_id: UUID
    face_value_cents: int
    first_rank: int
    use_by: date
    present_by: date


def booklet_facts(session: Session, number: int, *, is_locked: bool = False) -> BookletFacts | None:
    """Return a booklet's facts, None when there is none; `is_locked` keeps others from changing it until the commit."""
    # SQLite has one writer anyway: it ignores the lock.
    statement = _facts().where(Booklet.number == number)
    row = session.execute(
        statement.with_for_update(of=Booklet, key_share=True) if is_locked else statement
    ).one_or_none()
    return BookletFacts(**row._asdict()) if row else None


def _facts() -> Any:
    return (
        select(
            Booklet.number,
            Booklet.first_serial,
            Booklet.size,
            Booklet.state,
            Booklet.prescriber_id,
            IssueBatch.id.label("batch_id"),
            IssueBatch.agreement_id,
            Agreement.issuer_id,
            IssueBatch.face_value_cents,
            (Booklet.first_serial - IssueBatch.first_serial).label("first_rank"),
            IssueBatch.use_by,
            IssueBatch.present_by,
        )
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .join(Agreement, Agreement.id == IssueBatch.agreement_id)
    )


def change_vouchers(
    session: Session, booklet: BookletFacts, from_state: VoucherState, to_state: VoucherState
) -> list[int]:
    """Move the booklet's vouchers that are in `from_state`, in one statement; return their serials."""
    return list(
        session.scalars(
            update(Voucher)
            .where(
                Voucher.serial.between(booklet.first_serial, booklet.first_serial + booklet.size - 1),
                Voucher.state == from_state,
            )
            .values(state=to_state)
            .returning(Voucher.serial)
            .execution_options(synchronize_session=False)
        )
    )


def amounts_of(session: Session, booklet: BookletFacts, serials: Sequence[int]) -> Mapping[UUID, int]:
    """Return what each funder pays, in cents, of some of a booklet's vouchers."""
    ranks = [booklet.first_rank + serial - booklet.first_serial for serial in serials]
    return shares_of_batch(session, booklet.batch_id).amounts_of(ranks)


def in_stock(issuer_id: UUID, first_number: int, count: int) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on Booklet: an issuer's booklets of a range that were not handed over, stopped nor destroyed."""
    of_issuer = (
        select(IssueBatch.id)
        .join(Agreement, Agreement.id == IssueBatch.agreement_id)
        .where(Agreement.issuer_id == issuer_id)
    )
    return (
        Booklet.number.between(first_number, first_number + count - 1),
        Booklet.state == BookletState.ISSUED,
        Booklet.batch_id.in_(of_issuer),
    )


def check_range(first_number: int, count: int) -> None:
    """Raise Refused when a range of booklets makes no sense."""
    if first_number < 1:
        raise Refused("bad_number", "Écrivez le numéro du premier carnet.", "first_booklet_number")
    if not 1 <= count <= 1_000_000:
        raise Refused("bad_count", "Écrivez un nombre de carnets entre 1 et 1 000 000.", "booklet_count")
