"""What pages ask of structures: their state, their RIB (masked) and their places."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.characters import compact
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.number_labels import masked_iban
from voucher.kernel.search import contains
from voucher.network.model import BankDetails, Place, Structure, StructureState
from voucher.network.read import PlaceLine, place_line, places_query

STATE_NAMES: Mapping[str, str] = {
    StructureState.PROPOSED: "Proposée",
    StructureState.QUALIFIED: "Qualifiée",
    StructureState.SUSPENDED: "Suspendue",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureLine:
    """A structure in a list."""

    id: UUID
    pivot: str
    name: str
    state: str
    place_count: int
    has_bank_details: bool
    is_rib_waiting: bool
    state_changed_at: datetime

    @property
    def is_qualified(self) -> bool:
        """Whether it may take vouchers."""
        return self.state == StructureState.QUALIFIED

    @property
    def is_suspended(self) -> bool:
        """Whether it was stopped from taking vouchers."""
        return self.state == StructureState.SUSPENDED


@dataclass(frozen=True, slots=True)
class BankDetailsLine:
    """A RIB as pages show it: the end of its IBAN only.

    `ended_at` is None for the one in use and for one that waits; `confirmed_at` is None for one that waits or was never confirmed.
    """

    holder_name: str
    masked_iban: str
    bic: str | None
    recorded_at: datetime
    ended_at: datetime | None
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StructurePage:
    """A structure whole, the RIB that waits first, then the one in use."""

    line: StructureLine
    contact_email: str
    vat_regime: str
    state_reason: str
    created_at: datetime
    bank_details: tuple[BankDetailsLine, ...]
    places: tuple[PlaceLine, ...]


def structures(database: Database, asked: Asked) -> Page[StructureLine]:
    """Return a page of structures. Sorts: name, state_changed_at.

    Filters: `name` (name or number), `state` (state), `bank_details` (with, without, waiting). One that waits is a RIB; `has_bank_details` is of the one in use.
    """
    sorts = {"name": Structure.name, "state_changed_at": Structure.state_changed_at}
    with database.read() as session:
        page = page_of(session, _filtered(asked.filters), sorts, [Structure.id], asked)
    return page.of(_structure_line(row) for row in page.rows)


def structure_count(database: Database, filters: Mapping[str, str]) -> int:
    """Return how many structures a list has; the filters are those of `structures`."""
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(_filtered(filters).subquery())) or 0


def _filtered(filters: Mapping[str, str]) -> Select[*tuple[Any, ...]]:
    query = _structures()
    if text := filters.get("name"):
        plain = compact(text) or text
        query = query.where(or_(contains(Structure.name, text), contains(Structure.pivot, plain)))
    if state := filters.get("state"):
        query = query.where(Structure.state == state)
    if rib := filters.get("bank_details"):
        has_one = exists().where(BankDetails.structure_id == Structure.id, BankDetails.ended_at.is_(None))
        waits = exists().where(BankDetails.structure_id == Structure.id, BankDetails.is_waiting())
        query = query.where({"with": has_one, "waiting": waits}.get(rib, ~has_one))
    return query


def structure(database: Database, structure_id: UUID) -> StructurePage | None:
    """Return a structure with its RIBs (masked) and its places, or None."""
    with database.read() as session:
        row = session.execute(_structures().where(Structure.id == structure_id)).one_or_none()
        if row is None:
            return None
        whole = session.get_one(Structure, structure_id)
        found = session.execute(
            places_query().where(Place.structure_id == structure_id).order_by(Place.name, Place.id)
        ).all()
        return StructurePage(
            line=_structure_line(row),
            contact_email=whole.contact_email,
            vat_regime=whole.vat_regime,
            state_reason=whole.state_reason,
            created_at=whole.created_at,
            bank_details=_bank_details(session, structure_id),
            places=tuple(place_line(place, name) for place, name in found),
        )


def _structures() -> Select[*tuple[Any, ...]]:
    place_count = (
        select(func.count()).where(Place.structure_id == Structure.id, Place.is_open.is_(True)).scalar_subquery()
    )
    own = BankDetails.structure_id == Structure.id
    return select(
        Structure.id,
        Structure.pivot,
        Structure.name,
        Structure.state,
        place_count.label("place_count"),
        exists().where(own, BankDetails.is_in_use()).label("has_bank_details"),
        exists().where(own, BankDetails.is_waiting()).label("is_rib_waiting"),
        Structure.state_changed_at,
    )


def _structure_line(row: Any) -> StructureLine:
    return StructureLine(
        id=row.id,
        pivot=row.pivot,
        name=row.name,
        state=row.state,
        place_count=row.place_count,
        has_bank_details=bool(row.has_bank_details),
        is_rib_waiting=bool(row.is_rib_waiting),
        state_changed_at=row.state_changed_at,
    )


def _bank_details(session: Session, structure_id: UUID) -> tuple[BankDetailsLine, ...]:
    rows = session.scalars(
        select(BankDetails)
        .where(BankDetails.structure_id == structure_id)
        .order_by(
            BankDetails.ended_at.is_not(None),
            BankDetails.confirmed_at.is_not(None),
            BankDetails.recorded_at.desc(),
            BankDetails.id.desc(),
        )
    )
    return tuple(
        BankDetailsLine(
            row.holder_name, masked_iban(row.iban), row.bic, row.recorded_at, row.ended_at, row.confirmed_at
        )
        for row in rows
    )
