"""What a person does and sees alone on their own account: the name, and what they did lately.

The address is asked for, and takes somebody of the programme (`changes.change_address`).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from voucher.access.audit import note
from voucher.access.find import locked_open_account, person_name
from voucher.access.model import StaffAccount
from voucher.access.words import said
from voucher.kernel.database import Database
from voucher.trail.model import AuditLine


@dataclass(frozen=True, slots=True)
class OwnAct:
    """A line of the trail that bears one's own name. `action` is French."""

    at: datetime
    action: str
    subject: str


def rename(database: Database, account_id: UUID, name: str, *, now: datetime) -> None:
    """Change one's own name; the trail keeps the one before, under which earlier acts were read. Raises Refused (field `name`)."""
    wanted = person_name(name)
    with database.write() as session:
        account = locked_open_account(session, account_id)
        if wanted == account.name:
            return
        session.execute(update(StaffAccount).where(StaffAccount.id == account_id).values(name=wanted))
        note(session, account_id, "name_changed", f"{account.name} : {wanted}", now)


def did_lately(database: Database, account_id: UUID, count_max: int) -> list[OwnAct]:
    """Return the last lines of the trail that bear a person's name, the last first."""
    query = (
        select(AuditLine.at, AuditLine.action, AuditLine.subject)
        .where(AuditLine.account_id == account_id)
        .order_by(AuditLine.at.desc(), AuditLine.id.desc())
        .limit(count_max)
    )
    with database.read() as session:
        return [OwnAct(row.at, said(row.action), row.subject) for row in session.execute(query)]
