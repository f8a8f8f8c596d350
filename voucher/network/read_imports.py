"""What pages ask of imports: which were made, and the report of one, line by line."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
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
    """An import with the lines of its report that a filter keeps."""

    line: ImportLine
    sha256: str
    report: tuple[ReportLine, ...]


_COLUMNS = (
    PlacesImport.id,
    PlacesImport.file_name,
    PlacesImport.imported_at,
    PlacesImport.taken_count,
    PlacesImport.unchanged_count,
    PlacesImport.refused_count,
)


def imports(database: Database, asked: Asked) -> Page[ImportLine]:
    """Return a page of imports. Sort: imported_at."""
    with database.read() as session:
        sorts = {"imported_at": PlacesImport.imported_at}
        page = page_of(session, select(*_COLUMNS), sorts, [PlacesImport.id], asked)
    return page.of(ImportLine(*row) for row in page.rows)


def import_report(
    database: Database, import_id: UUID, *, outcome: str = "", only_told: bool = False
) -> ImportPage | None:
    """Return an import with its report, or None.

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
    return ImportPage(ImportLine(*row[:6]), row.sha256, tuple(lines))
