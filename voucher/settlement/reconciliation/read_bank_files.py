"""The files that came from banks and accountants: their name, their format read from their first bytes, when, and what they brought."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, true

from voucher.kernel.database import Database
from voucher.settlement.formats_in.recognise_file import HEAD_BYTES, format_of
from voucher.settlement.model.batches import BankFile, BankLine
from voucher.settlement.reconciliation.read_ignored_parts import speaks_of_scope


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file that was kept; `line_count` are the bank's lines that it brought first."""

    name: str
    format: str
    imported_at: datetime
    line_count: int


def imported_files(database: Database, *, limit: int, issuer_id: UUID | None = None) -> list[ImportedFile]:
    """Return the newest files, of those that speak of an account of the scope. No more of each than its beginning is read."""
    lines = select(func.count()).select_from(BankLine).where(BankLine.bank_file == BankFile.sha256).scalar_subquery()
    query = (
        select(BankFile.name, func.substr(BankFile.content, 1, HEAD_BYTES), BankFile.imported_at, lines)
        .where(true() if issuer_id is None else speaks_of_scope(issuer_id))
        .order_by(BankFile.imported_at.desc(), BankFile.name)
        .limit(limit)
    )
    with database.read() as session:
        return [
            ImportedFile(name, format_of(bytes(head)), at, count) for name, head, at, count in session.execute(query)
        ]
