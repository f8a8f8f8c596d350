"""What pages ask of distribution: where an issuer's stock is, its prescribers, its booklets one by one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from voucher.distribution.booklets import UNUSED
from voucher.distribution.model import Handover, Prescriber, StockSlip, StopOrder
from voucher.issuing.model import Booklet, BookletState, IssueBatch, Voucher, VoucherState
from voucher.kernel.database import Database
from voucher.programme.model import Agreement

STILL_DAYS = 30  # stock that has not moved for so long is said on the issuer's first page


@dataclass(frozen=True, slots=True)
class Stock:
    """Where an issuer's vouchers are, in vouchers and cents. What is ordered is the sum of all the rest."""

    ordered_count: int
    unmade_count: int
    here_count: int
    entrusted_count: int
    handed_over_count: int
    redeemed_count: int
    ended_count: int  # stopped, destroyed or lapsed


@dataclass(frozen=True, slots=True)
class PrescriberStock:
    """A prescriber, the booklets it holds and those it handed over."""

    id: UUID
    name: str
    kind: str
    city: str
    stock_count: int
    handed_over_count: int
    last_handover_at: datetime | None
    last_entrusted_at: datetime | None


@dataclass(frozen=True, slots=True)
class PrescriberFacts:
    """Who a prescriber is."""

    id: UUID
    issuer_id: UUID
    name: str
    kind: str
    address: str
    postcode: str
    city: str
    contact_email: str


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Slip:
    """A movement of stock."""

    id: UUID
    first_booklet_number: int
    booklet_count: int
    from_name: str | None
    to_name: str | None
    made_at: datetime


@dataclass(frozen=True, slots=True)
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


def handovers(database: Database, prescriber_id: UUID, limit: int = 10) -> list[HandoverView]:
    """Return a prescriber's last hand-overs, the newest first."""
    statement = _handovers().where(Handover.prescriber_id == prescriber_id)
    with database.read() as session:
        rows = session.execute(statement.order_by(Handover.handed_over_at.desc()).limit(limit))
        return [HandoverView(**row._asdict()) for row in rows]


def stock(database: Database, issuer_id: UUID, agreement_id: UUID | None = None) -> Stock:
    """Return where an issuer's vouchers are, over all its agreements or one."""
    scope = [Agreement.issuer_id == issuer_id]
    if agreement_id is not None:
        scope.append(Agreement.id == agreement_id)
    with database.read() as session:
        ordered, made = session.execute(
            select(
                func.coalesce(func.sum(IssueBatch.voucher_count), 0),
                func.coalesce(func.sum(IssueBatch.made_booklet_count * IssueBatch.booklet_size), 0),
            )
            .join(Agreement, Agreement.id == IssueBatch.agreement_id)
            .where(*scope)
        ).one()
        is_entrusted = case((Booklet.prescriber_id.is_not(None), 1), else_=0)
        rows = session.execute(
            select(Voucher.state, is_entrusted, func.count())
            .join(Booklet, Booklet.number == Voucher.booklet_number)
            .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
            .join(Agreement, Agreement.id == IssueBatch.agreement_id)
            .where(*scope)
            .group_by(Voucher.state, is_entrusted)
        ).all()
    counts = {(state, bool(entrusted)): count for state, entrusted, count in rows}

    def of(*states: VoucherState) -> int:
        return sum(count for (state, _), count in counts.items() if state in states)

    return Stock(
        ordered_count=int(ordered),
        unmade_count=int(ordered) - int(made),
        here_count=counts.get((VoucherState.ISSUED, False), 0),
        entrusted_count=counts.get((VoucherState.ISSUED, True), 0),
        handed_over_count=of(VoucherState.HANDED_OVER),
        redeemed_count=of(VoucherState.REDEEMED),
        ended_count=of(VoucherState.STOPPED, VoucherState.VOID, VoucherState.LAPSED),
    )


def prescribers(database: Database, issuer_id: UUID, filters: Mapping[str, str] | None = None) -> list[PrescriberStock]:
    """Return an issuer's prescribers with their stock, by name. Filter: `nom` (name or city)."""
    statement = _prescribers().where(Prescriber.issuer_id == issuer_id).order_by(Prescriber.name)
    if text := (filters or {}).get("nom"):
        statement = statement.where(
            or_(Prescriber.name.icontains(text, autoescape=True), Prescriber.city.icontains(text, autoescape=True))
        )
    with database.read() as session:
        return [PrescriberStock(**row._asdict()) for row in session.execute(statement)]


def still_stock(database: Database, issuer_id: UUID, *, now: datetime) -> list[PrescriberStock]:
    """Return the prescribers that hold booklets and neither received nor handed one over for thirty days."""
    before = now - timedelta(days=STILL_DAYS)
    return [
        held
        for held in prescribers(database, issuer_id)
        if held.stock_count and all(at is None or at < before for at in (held.last_handover_at, held.last_entrusted_at))
    ]


def prescriber(database: Database, prescriber_id: UUID, issuer_id: UUID | None = None) -> PrescriberFacts | None:
    """Return a prescriber; None when there is none or it is another issuer's."""
    with database.read() as session:
        found = session.get(Prescriber, prescriber_id)
        if found is None or issuer_id not in (None, found.issuer_id):
            return None
        return PrescriberFacts(
            found.id,
            found.issuer_id,
            found.name,
            found.kind,
            found.address,
            found.postcode,
            found.city,
            found.contact_email,
        )


def prescriber_stock(database: Database, prescriber_id: UUID) -> PrescriberStock:
    """Return what a prescriber holds and handed over. Raises NoResultFound."""
    with database.read() as session:
        row = session.execute(_prescribers().where(Prescriber.id == prescriber_id)).one()
    return PrescriberStock(**row._asdict())


def slips(database: Database, prescriber_id: UUID, limit: int = 20) -> list[Slip]:
    """Return the last movements of a prescriber's stock, the newest first."""
    giver, taker = _named("giver"), _named("taker")
    with database.read() as session:
        rows = session.execute(
            select(
                StockSlip.id,
                StockSlip.first_booklet_number,
                StockSlip.booklet_count,
                giver.c.name.label("from_name"),
                taker.c.name.label("to_name"),
                StockSlip.made_at,
            )
            .outerjoin(giver, giver.c.id == StockSlip.from_prescriber_id)
            .outerjoin(taker, taker.c.id == StockSlip.to_prescriber_id)
            .where(or_(StockSlip.from_prescriber_id == prescriber_id, StockSlip.to_prescriber_id == prescriber_id))
            .order_by(StockSlip.made_at.desc())
            .limit(limit)
        )
        return [Slip(**row._asdict()) for row in rows]


def booklets(
    database: Database,
    *,
    issuer_id: UUID | None = None,
    prescriber_id: UUID | None = None,
    filters: Mapping[str, str] | None = None,
    descending: bool = False,
    limit: int,
    offset: int = 0,
) -> tuple[list[BookletLine], int]:
    """Return a page of booklets by number, and how many there are.

    Filters: `numero`, `etat` (of BookletState), `convention` (its number), `prescripteur` (an id).
    """
    statement = _booklets()
    if issuer_id is not None:
        statement = statement.where(Agreement.issuer_id == issuer_id)
    if prescriber_id is not None:
        statement = statement.where(Booklet.prescriber_id == prescriber_id)
    statement = _filtered(statement, filters or {})
    order = Booklet.number.desc() if descending else Booklet.number
    with database.read() as session:
        total = session.scalar(select(func.count()).select_from(statement.subquery())) or 0
        rows = session.execute(statement.order_by(order).limit(limit).offset(offset))
        return [BookletLine(**row._asdict()) for row in rows], total


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
            line,
            owner,
            first_serial,
            _states(session, first_serial, line.size),
            handed_over_at,
            stopped.stopped_at if stopped else None,
            stopped.reason if stopped else None,
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


def _named(name: str) -> Any:
    return select(Prescriber.id, Prescriber.name).subquery(name)


def _prescribers() -> Any:
    held = (
        select(Booklet.prescriber_id, func.count().label("held"))
        .where(Booklet.state == BookletState.ISSUED, Booklet.prescriber_id.is_not(None))
        .group_by(Booklet.prescriber_id)
        .subquery()
    )
    given = (
        select(Handover.prescriber_id, func.count().label("given"), func.max(Handover.handed_over_at).label("last_at"))
        .group_by(Handover.prescriber_id)
        .subquery()
    )
    received = (
        select(StockSlip.to_prescriber_id, func.max(StockSlip.made_at).label("last_at"))
        .group_by(StockSlip.to_prescriber_id)
        .subquery()
    )
    return (
        select(
            Prescriber.id,
            Prescriber.name,
            Prescriber.kind,
            Prescriber.city,
            func.coalesce(held.c.held, 0).label("stock_count"),
            func.coalesce(given.c.given, 0).label("handed_over_count"),
            given.c.last_at.label("last_handover_at"),
            received.c.last_at.label("last_entrusted_at"),
        )
        .outerjoin(held, held.c.prescriber_id == Prescriber.id)
        .outerjoin(given, given.c.prescriber_id == Prescriber.id)
        .outerjoin(received, received.c.to_prescriber_id == Prescriber.id)
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
    if text := filters.get("numero"):
        digits = "".join(text.split())
        is_number = digits.isascii() and digits.isdigit() and len(digits) < 12
        statement = statement.where(Booklet.number == (int(digits) if is_number else -1))
    if state := filters.get("etat"):
        statement = statement.where(Booklet.state == state)
    if number := filters.get("convention"):
        statement = statement.where(Agreement.number == number)
    if prescriber_id := filters.get("prescripteur"):
        try:
            statement = statement.where(Booklet.prescriber_id == UUID(prescriber_id))
        except ValueError:
            statement = statement.where(Booklet.number == -1)
    return statement
