"""What a person does and sees alone on their own account: the name, and what they did lately.

The address is asked for, and takes somebody of the programme (`changes.change_address`).
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from voucher.access.audit import note
from voucher.access.find import locked_open_account, person_name
from voucher.access.model import StaffAccount
from voucher.access.words import said
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.trail.model import AuditLine


@dataclass(frozen=True, slots=True)
class OwnAct:
    """A line of the trail that bears one's own name. `action` is French."""

    at: datetime
    action: str
    subject: str


def rename(database: Database, account_id: UUID, name: str, *, now: datetime) -> None:
    """Change one's own name; the trail keeps the one before, under which earlier acts were read. Raises Refused (field `name`).

    The name of somebody else is not one's own to take: pages say by a name who asked, prepared and signed.
    """
    wanted = person_name(name)
    with database.write() as session:
        account = locked_open_account(session, account_id)
        if wanted == account.name:
            return
        others = session.scalars(select(StaffAccount.name).where(StaffAccount.id != account_id))
        if _letters(wanted) in {_letters(other) for other in others}:
            raise Refused(
                "name_taken", "Une autre personne porte ce nom ici. Ajoutez ce qui vous distingue d’elle.", "name"
            )
        session.execute(update(StaffAccount).where(StaffAccount.id == account_id).values(name=wanted))
        note(session, account_id, "name_changed", f"{account.name} : {wanted}", now)


def _letters(name: str) -> str:
    """Return what one reads of a name at a glance: its letters, without capitals, accents, spaces and dashes."""
    return "".join(mark for mark in unicodedata.normalize("NFKD", name.casefold()) if mark.isalnum())


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
