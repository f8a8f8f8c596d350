"""What pages ask of booklets: in a list, one by one, handed over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from voucher.distribution.booklets import UNUSED
from voucher.distribution.model import Handover, Prescriber, StopOrder
from voucher.issuing.model import Booklet, BookletState, IssueBatch, Voucher
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.typed_numbers import serial_asked
from voucher.programme.model import Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class BookletLine:
    """A booklet in a list."""

    number: int
    state: str
    size: int
    face_value_cents: int
    agreement_number: str
    batch_id: UUID
    prescriber_id: UUID | None
    prescriber_name: str | None
    use_by: date

    @property
    def may_be_stopped(self) -> bool:
        """Whether a stop order may still block it."""
        return self.state in (BookletState.ISSUED, BookletState.HANDED_OVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookletView:
    """A booklet with the life of its vouchers: how many in each state, and what happened to it."""

    line: BookletLine
    issuer_id: UUID
    first_serial: int
    made_of: Mapping[str, int]
    handed_over_at: datetime | None
    stopped_at: datetime | None
    stop_reason: str | None

    @property
    def unused_count(self) -> int:
        """Count the vouchers that a stop order would stop."""
        return sum(self.made_of.get(state, 0) for state in UNUSED)

    @property
    def unused_cents(self) -> int:
        """What a stop order would give back, in cents."""
        return self.unused_count * self.line.face_value_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverView:
    """A hand-over, for its receipt and the letter that goes with the booklet."""

    id: UUID
    booklet_number: int
    voucher_count: int
    face_value_cents: int
    use_by: date
    handed_over_at: datetime
    prescriber_id: UUID
    prescriber_name: str
    postcode: str

    @property
    def value_cents(self) -> int:
        """What the whole booklet is worth, in cents."""
        return self.voucher_count * self.face_value_cents


def handover(database: Database, handover_id: UUID, prescriber_id: UUID) -> HandoverView | None:
    """Return a hand-over; None when there is none or it is another prescriber's."""
    statement = _handovers().where(Handover.id == handover_id, Handover.prescriber_id == prescriber_id)
    with database.read() as session:
        row = session.execute(statement).one_or_none()
    return HandoverView(**row._asdict()) if row else None


HANDOVERS_SHOWN_MAX = 10


def handovers(database: Database, prescriber_id: UUID, limit: int = HANDOVERS_SHOWN_MAX) -> list[HandoverView]:
    """Return a prescriber's last hand-overs, the newest first."""
    statement = _handovers().where(Handover.prescriber_id == prescriber_id)
    with database.read() as session:
        rows = session.execute(statement.order_by(Handover.handed_over_at.desc()).limit(limit))
        return [HandoverView(**row._asdict()) for row in rows]


def booklets(
    database: Database, asked: Asked, *, issuer_id: UUID | None = None, prescriber_id: UUID | None = None
) -> Page[BookletLine]:
    """Return a page of booklets by number.

    Filters: `number`, `state` (of BookletState), `agreement` (its number), `prescriber` (an id).
    """
    statement = _booklets()
    if issuer_id is not None:
        statement = statement.where(Agreement.issuer_id == issuer_id)
    if prescriber_id is not None:
        statement = statement.where(Booklet.prescriber_id == prescriber_id)
    statement = _filtered(statement, asked.filters)
    with database.read() as session:
        page = page_of(session, statement, {"number": Booklet.number}, [], asked)
        return page.of(BookletLine(**row._asdict()) for row in page.rows)


def booklet(
    database: Database, number: int, *, issuer_id: UUID | None = None, prescriber_id: UUID | None = None
) -> BookletView | None:
    """Return one booklet; None when there is none, or it is outside the scope of who asks."""
    with database.read() as session:
        row = session.execute(
            _booklets().add_columns(Agreement.issuer_id, Booklet.first_serial).where(Booklet.number == number)
        ).one_or_none()
        if row is None or issuer_id not in (None, row.issuer_id) or prescriber_id not in (None, row.prescriber_id):
            return None
        facts = row._asdict()
        owner, first_serial = facts.pop("issuer_id"), facts.pop("first_serial")
        line = BookletLine(**facts)
        handed_over_at = session.scalar(select(Handover.handed_over_at).where(Handover.booklet_number == number))
        stopped = session.execute(
            select(StopOrder.stopped_at, StopOrder.reason).where(StopOrder.booklet_number == number)
        ).one_or_none()
        return BookletView(
            line=line,
            issuer_id=owner,
            first_serial=first_serial,
            made_of=_states(session, first_serial, line.size),
            handed_over_at=handed_over_at,
            stopped_at=stopped.stopped_at if stopped else None,
            stop_reason=stopped.reason if stopped else None,
        )


def stock_range(
    database: Database, issuer_id: UUID, first_number: int, count: int, prescriber_id: UUID | None = None
) -> tuple[int, int]:
    """Return how many booklets of a range stand in stock there, and what they are worth, in cents: the consequence of an act."""
    with database.read() as session:
        row = session.execute(
            select(func.count(), func.coalesce(func.sum(Booklet.size * IssueBatch.face_value_cents), 0))
            .select_from(Booklet)
            .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
            .join(Agreement, Agreement.id == IssueBatch.agreement_id)
            .where(
                Agreement.issuer_id == issuer_id,
                Booklet.number.between(first_number, first_number + count - 1),
                Booklet.state == BookletState.ISSUED,
                *([Booklet.prescriber_id == prescriber_id] if prescriber_id else []),
            )
        ).one()
    return row[0], int(row[1])


def _states(session: Session, first_serial: int, size: int) -> Mapping[str, int]:
    rows = session.execute(
        select(Voucher.state, func.count())
        .where(Voucher.serial.between(first_serial, first_serial + size - 1))
        .group_by(Voucher.state)
    )
    return {row.state: row[1] for row in rows}


def _handovers() -> Any:
    return (
        select(
            Handover.id,
            Handover.booklet_number,
            Booklet.size.label("voucher_count"),
            IssueBatch.face_value_cents,
            IssueBatch.use_by,
            Handover.handed_over_at,
            Handover.prescriber_id,
            Prescriber.name.label("prescriber_name"),
            Prescriber.postcode,
        )
        .join(Booklet, Booklet.number == Handover.booklet_number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .join(Prescriber, Prescriber.id == Handover.prescriber_id)
    )


def _booklets() -> Any:
    return (
        select(
            Booklet.number,
            Booklet.state,
            Booklet.size,
            IssueBatch.face_value_cents,
            Agreement.number.label("agreement_number"),
            Booklet.batch_id,
            Booklet.prescriber_id,
            Prescriber.name.label("prescriber_name"),
            IssueBatch.use_by,
        )
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .join(Agreement, Agreement.id == IssueBatch.agreement_id)
        .outerjoin(Prescriber, Prescriber.id == Booklet.prescriber_id)
    )


def _filtered(statement: Any, filters: Mapping[str, str]) -> Any:
    if text := filters.get("number"):
        statement = statement.where(Booklet.number == serial_asked(text))
    if state := filters.get("state"):
        statement = statement.where(Booklet.state == state)
    if number := filters.get("agreement"):
        statement = statement.where(Agreement.number == number)
    if prescriber_id := filters.get("prescriber"):
        try:
            statement = statement.where(Booklet.prescriber_id == UUID(prescriber_id))
        except ValueError:
            statement = statement.where(Booklet.number == -1)
    return statement
