"""What pages ask of imports: which were made, and the report of one, line by line."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from voucher.kernel.database import Database
from voucher.network.import_report import Outcome, ReportLine, read_report
from voucher.network.model import PlacesImport


@dataclass(frozen=True, slots=True)
class ImportLine:
    """An import in a list; counts are lines of its file."""

    id: UUID
    file_name: str
    imported_at: datetime
    taken_count: int
    unchanged_count: int
    refused_count: int


@dataclass(frozen=True, slots=True)
class ImportPage:
    """An import with a page of its report; `line_count` counts the lines that the filter keeps."""

    line: ImportLine
    sha256: str
    report: tuple[ReportLine, ...]
    line_count: int


_COLUMNS = (
    PlacesImport.id,
    PlacesImport.file_name,
    PlacesImport.imported_at,
    PlacesImport.taken_count,
    PlacesImport.unchanged_count,
    PlacesImport.refused_count,
)


def imports(database: Database, *, limit: int, offset: int) -> tuple[list[ImportLine], int]:
    """Return a page of imports, the newest first, and how many there are."""
    with database.read() as session:
        total = session.scalar(select(func.count()).select_from(PlacesImport)) or 0
        newest = (PlacesImport.imported_at.desc(), PlacesImport.id.desc())
        rows = session.execute(select(*_COLUMNS).order_by(*newest).limit(limit).offset(offset)).all()
    return [ImportLine(*row) for row in rows], total


def import_report(
    database: Database, import_id: UUID, *, limit: int, offset: int, outcome: str = "", only_told: bool = False
) -> ImportPage | None:
    """Return an import with a page of its report, or None.

    `outcome` keeps the lines that ended so; `only_told` those of which something is said (refused, or with a warning).
    """
    with database.read() as session:
        row = session.execute(
            select(*_COLUMNS, PlacesImport.sha256, PlacesImport.report).where(PlacesImport.id == import_id)
        ).one_or_none()
    if row is None:
        return None
    lines = read_report(row.report)
    if outcome in set(Outcome):
        lines = [line for line in lines if line.outcome == outcome]
    if only_told:
        lines = [line for line in lines if line.sentences]
    return ImportPage(ImportLine(*row[:6]), row.sha256, tuple(lines[offset : offset + limit]), len(lines))
