"""What pages ask of the network: structures, places near somebody, the standard out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Select, case, or_, select

from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.search import contains
from voucher.network.lieux_standard import write_places
from voucher.network.model import Place, Structure, StructureState
from voucher.network.opening_hours import opening_hours_in_french
from voucher.network.place_row import line_of, values_of
from voucher.network.services import Service
from voucher.programme.territories import DEPARTMENTS, department_of_postcode, territory_name

DEPARTMENT_NAMES: Mapping[str, str] = {department.code: department.name for department in DEPARTMENTS}
SERVICE_NAMES: Mapping[str, str] = {service.value: service.label for service in Service}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceLine:
    """A place in a list. `opening_hours` is French where it could be read; `services` are French words."""

    id: UUID
    structure_id: UUID
    structure_name: str
    external_id: str
    name: str
    address: str
    address_complement: str
    postcode: str
    city: str
    department_code: str | None
    department_name: str
    phone: str
    emails: tuple[str, ...]
    websites: tuple[str, ...]
    opening_hours: str
    services: tuple[str, ...]
    latitude: float | None
    longitude: float | None
    is_open: bool
    updated_on: date


@dataclass(frozen=True, slots=True)
class PlacePage:
    """A place whole: its line, and what its form takes as it was typed."""

    line: PlaceLine
    insee_code: str
    raw_opening_hours: str
    summary: str
    service_codes: tuple[str, ...]


def places_near(
    database: Database, *, postcode: str = "", insee_code: str = "", department_code: str = "", limit: int = 20
) -> list[PlaceLine]:
    """Return open places of qualified structures: those of the commune first, then those around, then the département's.

    Any of the three is enough; empty when none names a territory. Sorted by nearness of postcode, then by town and name.
    """
    department = department_code or department_of_postcode(postcode, insee_code or None)
    if department is None:
        return []
    nearness = case(
        (Place.insee_code == insee_code, 0),
        (Place.postcode == postcode, 0),
        (Place.postcode.startswith(postcode[:3], autoescape=True), 1),
        else_=2,
    )
    query = places_query().where(
        or_(Place.department_code == department, Place.postcode == postcode),
        Place.is_open.is_(True),
        Structure.state == StructureState.QUALIFIED,
    )
    with database.read() as session:
        rows = session.execute(query.order_by(nearness, Place.city, Place.name, Place.id).limit(limit)).all()
        return [place_line(place, name) for place, name in rows]


def places(database: Database, asked: Asked, *, structure_id: UUID | None = None) -> Page[PlaceLine]:
    """Return a page of places. Sorts: name, city, updated_on.

    Filters: `name` (name, town or structure), `department` (code), `state` (open, closed), `service` (code).
    """
    query = places_query()
    if structure_id is not None:
        query = query.where(Place.structure_id == structure_id)
    if text := asked.filters.get("name"):
        query = query.where(or_(*(contains(column, text) for column in (Place.name, Place.city, Structure.name))))
    if code := asked.filters.get("department"):
        query = query.where(Place.department_code == code)
    if state := asked.filters.get("state"):
        query = query.where(Place.is_open.is_(state == "open"))
    if service := asked.filters.get("service"):
        query = query.where(("|" + Place.services + "|").contains(f"|{service}|", autoescape=True))
    sorts = {"name": Place.name, "city": Place.city, "updated_on": Place.updated_on}
    with database.read() as session:
        page = page_of(session, query, sorts, [Place.id], asked)
        return page.of(place_line(place, name) for place, name in page.rows)


def place(database: Database, place_id: UUID, structure_id: UUID | None = None) -> PlacePage | None:
    """Return a place, or None; with a `structure_id`, only one of that structure."""
    query = places_query().where(Place.id == place_id)
    if structure_id is not None:
        query = query.where(Place.structure_id == structure_id)
    with database.read() as session:
        found = session.execute(query).one_or_none()
        if found is None:
            return None
        row, structure_name = found
        return PlacePage(
            place_line(row, structure_name),
            row.insee_code or "",
            row.opening_hours,
            row.summary,
            values_of(row.services),
        )


def places_in_the_standard(database: Database, structure_id: UUID | None = None) -> Iterator[bytes]:
    """Return the open places as a file of the standard v1.0.2, a line at a time."""
    query = (
        select(Place, Structure.pivot)
        .join(Structure, Structure.id == Place.structure_id)
        .where(Place.is_open.is_(True))
    )
    if structure_id is not None:
        query = query.where(Place.structure_id == structure_id)
    query = query.order_by(Place.external_id).execution_options(yield_per=1_000)
    # Whoever leaves in the middle of the file leaves no cursor open.
    with database.read() as session, session.execute(query) as rows:
        yield from write_places(line_of(place, pivot) for place, pivot in rows)


def places_query() -> Select[Place, str]:
    """Return the statement that every list of places starts from: a place and its structure's name."""
    return select(Place, Structure.name).join(Structure, Structure.id == Place.structure_id)


def place_line(row: Place, structure_name: str) -> PlaceLine:
    """Return a place as lists show it."""
    return PlaceLine(
        id=row.id,
        structure_id=row.structure_id,
        structure_name=structure_name,
        external_id=row.external_id,
        name=row.name,
        address=row.address,
        address_complement=row.address_complement,
        postcode=row.postcode,
        city=row.city,
        department_code=row.department_code,
        department_name=territory_name(row.department_code) if row.department_code else "",
        phone=row.phone,
        emails=values_of(row.email),
        websites=values_of(row.website),
        opening_hours=opening_hours_in_french(row.opening_hours) if row.opening_hours else "",
        services=tuple(Service(code).label for code in values_of(row.services)),
        latitude=row.latitude,
        longitude=row.longitude,
        is_open=row.is_open,
        updated_on=row.updated_on,
    )
