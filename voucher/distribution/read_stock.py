"""What pages ask of stock: where an issuer's vouchers are, its prescribers, the slips between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, or_, select

from voucher.distribution.model import Handover, Prescriber, StockSlip
from voucher.issuing.model import Booklet, BookletState, IssueBatch, Voucher, VoucherState
from voucher.kernel.database import Database
from voucher.kernel.search import contains
from voucher.programme.model import Agreement

STILL_DAYS = 30  # stock that has not moved for so long is said on the issuer's first page


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """Where an issuer's vouchers are, in vouchers and cents. What is ordered is the sum of all the rest."""

    ordered_count: int
    unmade_count: int
    here_count: int
    entrusted_count: int
    handed_over_count: int
    redeemed_count: int
    ended_count: int  # stopped, destroyed or lapsed


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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
class Slip:
    """A movement of stock."""

    id: UUID
    first_booklet_number: int
    booklet_count: int
    from_name: str | None
    to_name: str | None
    made_at: datetime


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
    """Return an issuer's prescribers with their stock, by name. Filter: `name` (name or city)."""
    statement = _prescribers().where(Prescriber.issuer_id == issuer_id).order_by(Prescriber.name)
    if text := (filters or {}).get("name"):
        statement = statement.where(or_(contains(Prescriber.name, text), contains(Prescriber.city, text)))
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
            id=found.id,
            issuer_id=found.issuer_id,
            name=found.name,
            kind=found.kind,
            address=found.address,
            postcode=found.postcode,
            city=found.city,
            contact_email=found.contact_email,
        )


def prescriber_stock(database: Database, prescriber_id: UUID) -> PrescriberStock:
    """Return what a prescriber holds and handed over. Raises NoResultFound."""
    with database.read() as session:
        row = session.execute(_prescribers().where(Prescriber.id == prescriber_id)).one()
    return PrescriberStock(**row._asdict())


SLIPS_SHOWN_MAX = 20


def slips(database: Database, prescriber_id: UUID, limit: int = SLIPS_SHOWN_MAX) -> list[Slip]:
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
