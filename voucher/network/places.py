"""Places where people are received: added by hand, described by their structure, closed and opened again; never deleted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database, changed, take_turn
from voucher.kernel.idempotency import insert_once
from voucher.kernel.refusals import Refused
from voucher.network.lieux_line import PlaceLine, RefusedLine, read_line
from voucher.network.lieux_schema import SEPARATOR
from voucher.network.model import Place, Structure
from voucher.network.place_row import row_of
from voucher.network.services import Service
from voucher.network.structures import NETWORK_TURN


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceDescription:
    """What a person types of a place. `services` are codes of `Service`; several addresses or sites are joined by `|`."""

    name: str
    address: str
    postcode: str
    city: str
    address_complement: str = ""
    insee_code: str = ""
    latitude: str = ""
    longitude: str = ""
    phone: str = ""
    email: str = ""
    website: str = ""
    opening_hours: str = ""
    summary: str = ""
    services: tuple[str, ...] = ()


# The standard's column of each field: its rules are the file's and the form's alike.
_COLUMNS = {
    "name": "nom", "address": "adresse", "postcode": "code_postal", "city": "commune", "address_complement": "complement_adresse",
    "insee_code": "code_insee", "latitude": "latitude", "longitude": "longitude", "phone": "telephone", "email": "courriels",
    "website": "site_web", "opening_hours": "horaires", "summary": "presentation_resume",
}  # fmt: skip
_FIELDS = {column: name for name, column in _COLUMNS.items()}


def add_place(
    database: Database,
    place_id: UUID,
    structure_id: UUID,
    description: PlaceDescription,
    *,
    by: UUID,  # noqa: ARG001 - a use case says who acts
    now: datetime,
    external_id: str = "",
) -> UUID:
    """Add an open place to a structure and return its id; the same command again changes nothing. Raises Refused at a field.

    `external_id` is the standard's id; without one the place takes its own.
    """
    with database.write() as session:
        take_turn(session, NETWORK_TURN)
        pivot = session.execute(select(Structure.pivot).where(Structure.id == structure_id)).scalar_one_or_none()
        if pivot is None:
            raise Refused("unknown_structure", "Cette structure n’existe pas. Cherchez-la dans la liste.")
        line = _judged(description, external_id or f"pass-{place_id}", pivot, now)
        row = {"id": place_id, "structure_id": structure_id, **row_of(line)}
        taken = Refused("place_exists", "Un lieu porte déjà cet identifiant. Cherchez-le dans la liste.", "external_id")
        insert_once(session, Place, row, {"is_open": True, "created_at": now}, taken)
    return place_id


def describe_place(
    database: Database,
    place_id: UUID,
    description: PlaceDescription,
    *,
    structure_id: UUID | None = None,
    by: UUID,  # noqa: ARG001 - a use case says who acts
    now: datetime,
) -> None:
    """Correct what is said of a place; what only the standard's file says of it is kept. Raises Refused at a field.

    With a `structure_id`, only a place of that structure.
    """
    with database.write() as session:
        take_turn(session, NETWORK_TURN)
        place = _place(session, place_id, structure_id)
        pivot = session.execute(select(Structure.pivot).where(Structure.id == place.structure_id)).scalar_one()
        row = row_of(_judged(description, place.external_id, pivot, now))
        del row["other_columns"]
        session.execute(update(Place).where(Place.id == place_id).values(**row))


def close_place(
    database: Database,
    place_id: UUID,
    *,
    structure_id: UUID | None = None,
    by: UUID,  # noqa: ARG001 - a use case says who acts
    now: datetime,
) -> None:
    """Close a place: it is no longer shown to citizens and its counter takes no more vouchers. Raises Refused."""
    _set_open(database, place_id, structure_id, now, is_open=False)


def reopen_place(
    database: Database,
    place_id: UUID,
    *,
    structure_id: UUID | None = None,
    by: UUID,  # noqa: ARG001 - a use case says who acts
    now: datetime,
) -> None:
    """Open a closed place again. Raises Refused."""
    _set_open(database, place_id, structure_id, now, is_open=True)


def _set_open(database: Database, place_id: UUID, structure_id: UUID | None, now: datetime, *, is_open: bool) -> None:
    with database.write() as session:
        take_turn(session, NETWORK_TURN)
        _place(session, place_id, structure_id)
        change = (
            update(Place)
            .where(Place.id == place_id, Place.is_open.is_not(is_open))
            .values(is_open=is_open, updated_on=paris_day(now))
        )
        if changed(session, change) == 0:
            state = "ouvert" if is_open else "fermé"
            raise Refused("nothing_to_change", f"Ce lieu est déjà {state}. Il n’y a rien à faire.")


def _place(session: Session, place_id: UUID, structure_id: UUID | None) -> Place:
    place = session.get(Place, place_id)
    if place is None or (structure_id is not None and place.structure_id != structure_id):
        raise Refused("unknown_place", "Ce lieu n’existe pas. Cherchez-le dans la liste.")
    return place


def _judged(description: PlaceDescription, external_id: str, pivot: str, now: datetime) -> PlaceLine:
    """Judge a typed place by the rules of the standard; what a file would leave out with a warning is refused at its field."""
    cells = {column: getattr(description, name) for name, column in _COLUMNS.items()}
    cells |= {
        "id": external_id,
        "pivot": pivot,
        "date_maj": paris_day(now).isoformat(),
        "services": _labels(description),
    }
    line = read_line(0, cells)
    if isinstance(line, RefusedLine):
        reason = line.reasons[0]
        raise Refused("bad_place", reason.sentence, _FIELDS.get(reason.column, "external_id"))
    kept: Mapping[str, object] = {
        "telephone": line.phone,
        "courriels": line.emails,
        "site_web": line.websites,
        "horaires": line.opening_hours,
        "latitude": line.latitude is not None,
    }
    for column, value in kept.items():
        if cells[column].strip() and not value:
            raise Refused("bad_place", _warning(line, column), _FIELDS[column])
    return line


def _labels(description: PlaceDescription) -> str:
    try:
        return SEPARATOR.join(Service(code).label for code in description.services)
    except ValueError:
        raise Refused("unknown_choice", "Choisissez des services de la liste.", "services") from None


def _warning(line: PlaceLine, column: str) -> str:
    told = [text.partition(" : ")[2] for text in line.warnings if text.startswith(column)]
    return told[0] if told else "Corrigez ce champ, ou laissez-le vide."
