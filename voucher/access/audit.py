"""The audit trail: who saw or changed what. It only grows."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.trail.model import AuditLine


def note(session: Session, account_id: UUID | None, action: str, subject: str, now: datetime) -> UUID:
    """Add a line inside the caller's transaction: a change and its trace are kept together or not at all. Return its id."""
    line_id = new_id()
    session.execute(
        insert(AuditLine).values(id=line_id, at=now, account_id=account_id, action=action, subject=subject[:200])
    )
    return line_id


def note_access(database: Database, account_id: UUID | None, action: str, subject: str, now: datetime) -> None:
    """Add a line in a transaction of its own: for pages that show codes, bank details or contacts."""
    with database.write() as session:
        note(session, account_id, action, subject, now)
