"""Import a file of the « lieux de médiation numérique » standard: all its good lines in one transaction, or none.

A structure is known by its SIRET or RNA (a new one is proposed); a place by the standard's id. A place is written when the
file says something else and is not older; nothing is ever deleted, and a place that was closed here stays closed.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date
from voucher.kernel.chunks import chunks
from voucher.kernel.database import Database, take_turn
from voucher.kernel.idempotency import is_replay
from voucher.kernel.identifiers import new_id
from voucher.network.import_report import Outcome, ReportLine, counts_of, written_report
from voucher.network.lieux_standard import PlaceLine, RefusedLine, read_places
from voucher.network.model import Place, PlacesImport, Structure, StructureState
from voucher.network.place_row import row_of
from voucher.network.structures import NETWORK_TURN


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What an import did, in lines of the file."""

    taken_count: int
    unchanged_count: int
    refused_count: int


def import_places(
    database: Database, import_id: UUID, file_name: str, content: bytes, *, by: UUID, now: datetime
) -> ImportCounts:
    """Import a file and keep its report; the same import again, or the same file, changes no place.

    Raises UnreadableFile (a Refused) when the file as a whole cannot be read: then nothing of it is kept.
    """
    row = {"id": import_id, "file_name": file_name[-200:], "sha256": hashlib.sha256(content).hexdigest()}
    lines = list(read_places(BytesIO(content)))
    with database.write() as session:
        take_turn(session, NETWORK_TURN)
        if is_replay(session, PlacesImport, row):
            return _counts(session, import_id)
        report = _written(session, lines, now)
        taken_count, unchanged_count, refused_count = counts_of(report)
        session.execute(
            insert(PlacesImport).values(
                **row,
                imported_by=by,
                imported_at=now,
                taken_count=taken_count,
                unchanged_count=unchanged_count,
                refused_count=refused_count,
                report=written_report(report),
            )
        )
    return ImportCounts(taken_count, unchanged_count, refused_count)


def _counts(session: Session, import_id: UUID) -> ImportCounts:
    row = session.execute(
        select(PlacesImport.taken_count, PlacesImport.unchanged_count, PlacesImport.refused_count).where(
            PlacesImport.id == import_id
        )
    ).one()
    return ImportCounts(*row)


def _written(session: Session, lines: Sequence[PlaceLine | RefusedLine], now: datetime) -> list[ReportLine]:
    """Write the places that changed; return the report of every line."""
    good = [line for line in lines if isinstance(line, PlaceLine)]
    structure_ids = _structures(session, good, now)
    stored = _stored(session, [line.external_id for line in good])
    created: list[dict[str, Any]] = []
    updated: list[dict[str, Any]] = []
    report: list[ReportLine] = []
    for line in lines:
        if isinstance(line, RefusedLine):
            report.append(_refused(line))
            continue
        row = row_of(line) | {"structure_id": structure_ids[line.pivot]}
        place = stored.get(line.external_id)
        outcome, notes = _outcome(row, place)
        if outcome == Outcome.CREATED:
            created.append(row | {"id": new_id(), "is_open": True, "created_at": now})
        elif outcome == Outcome.UPDATED and place is not None:
            updated.append(row | {"id": place["id"]})
        report.append(ReportLine(line.line_number, line.external_id, line.name, outcome, (*line.warnings, *notes)))
    if created:
        session.execute(insert(Place), created)
    if updated:
        session.execute(update(Place), updated)
    return report


def _outcome(row: Mapping[str, Any], place: Mapping[str, Any] | None) -> tuple[Outcome, tuple[str, ...]]:
    """Decide what to do with a line that is good in itself, and what to say of it."""
    if place is None:
        return Outcome.CREATED, ()
    if all(place[name] == value for name, value in row.items()):
        return Outcome.UNCHANGED, ()
    if row["updated_on"] < place["updated_on"]:
        since = french_date(place["updated_on"])
        return Outcome.UNCHANGED, (f"La fiche d’ici est plus récente ({since}). Elle a été gardée.",)
    notes = []
    if row["structure_id"] != place["structure_id"]:
        notes.append("Ce lieu change de structure : les prochains chèques seront payés à la nouvelle. Vérifiez-le.")
    if not place["is_open"]:
        notes.append("Ce lieu est fermé ici. Sa fiche est à jour, il reste fermé.")
    return Outcome.UPDATED, tuple(notes)


def _refused(line: RefusedLine) -> ReportLine:
    sentences = (
        f"{reason.column} : {reason.sentence}" if reason.column else reason.sentence for reason in line.reasons
    )
    return ReportLine(line.line_number, line.external_id or "", "", Outcome.REFUSED, tuple(sentences))


def _structures(session: Session, lines: Sequence[PlaceLine], now: datetime) -> dict[str, UUID]:
    """Return the structure of each number, proposing those that are new under the name of their first place."""
    first = {line.pivot: line for line in reversed(lines)}
    known = _structure_ids(session, first)
    new = [
        {
            "id": new_id(),
            "pivot": pivot,
            "name": line.name,
            "state": StructureState.PROPOSED,
            "contact_email": line.emails[0] if line.emails and len(line.emails[0]) <= 200 else "",
            "created_at": now,
            "state_changed_at": now,
        }
        for pivot, line in first.items()
        if pivot not in known
    ]
    if new:
        session.execute(insert(Structure), new)
    return known | {str(row["pivot"]): row["id"] for row in new if isinstance(row["id"], UUID)}


def _structure_ids(session: Session, pivots: Iterable[str]) -> dict[str, UUID]:
    found: dict[str, UUID] = {}
    for part in chunks(pivots):
        rows = session.execute(select(Structure.pivot, Structure.id).where(Structure.pivot.in_(part)))
        found |= {row.pivot: row.id for row in rows}
    return found


def _stored(session: Session, external_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for part in chunks(external_ids):
        rows = session.execute(select(Place.__table__).where(Place.external_id.in_(part))).mappings()
        found |= {row["external_id"]: row for row in rows}
    return found
