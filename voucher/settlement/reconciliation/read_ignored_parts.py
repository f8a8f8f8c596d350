"""What bank files held that is counted nowhere, with its line and why."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, exists, select, true

from voucher.kernel.database import Database
from voucher.programme.model import PayingAccount
from voucher.settlement.model.bank import IgnoredPart
from voucher.settlement.model.batches import BankFile, BankLine, BankStatement
from voucher.settlement.model.issuer_scope import account_in_scope


@dataclass(frozen=True, slots=True)
class IgnoredRow:
    """A part of a file that is counted nowhere: the file, the line in it, why."""

    file_name: str
    imported_at: datetime
    line: int
    reason: str


def ignored_parts(database: Database, *, limit: int, issuer_id: UUID | None = None) -> list[IgnoredRow]:
    """Return the newest parts set aside, of files that speak of an account of the scope."""
    query = (
        select(BankFile.name, BankFile.imported_at, IgnoredPart.line, IgnoredPart.reason)
        .join(BankFile, BankFile.sha256 == IgnoredPart.bank_file)
        .where(true() if issuer_id is None else speaks_of_scope(issuer_id))
        .order_by(BankFile.imported_at.desc(), IgnoredPart.bank_file, IgnoredPart.rank)
        .limit(limit)
    )
    with database.read() as session:
        return [IgnoredRow(*row) for row in session.execute(query)]


def speaks_of_scope(issuer_id: UUID) -> ColumnElement[bool]:
    """Return the condition that a bank file brought a statement or a line of an account of the scope."""
    of_statement, of_line = (
        exists().where(
            table.bank_file == BankFile.sha256,
            table.paying_account_id == PayingAccount.id,
            account_in_scope(issuer_id),
        )
        for table in (BankStatement, BankLine)
    )
    return of_statement | of_line
