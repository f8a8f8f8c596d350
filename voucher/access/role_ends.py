"""Roles whose last day is over end, and their people are told, a week before and then: job `role_ends`."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.find import take_turn_on_accounts
from voucher.access.grants import end, holds_on
from voucher.access.letters import write_to_person
from voucher.access.model import RoleGrant, StaffAccount
from voucher.access.rules import ROLE_NAMES
from voucher.access.sessions import end_all
from voucher.kernel.calendar import french_date, paris_day, start_of_day
from voucher.kernel.database import Database
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.queue import is_told

TOLD_BEFORE = timedelta(days=7)
"""How long before its last day a role's person is told; not of a role that was given for less: its letter has just said so."""


@dataclass(frozen=True, slots=True)
class RolesOver:
    """What a turn did."""

    told_count: int
    ended_count: int


def end_roles(database: Database, now: datetime) -> RolesOver:
    """Tell those whose role ends soon, and end the roles whose last day is over, dated at its midnight; what was done is not done again."""
    today = paris_day(now)
    with database.read() as session:
        if not _soon(session, today) and not _over(session, today):
            return RolesOver(0, 0)
    with database.write() as session:
        take_turn_on_accounts(session)
        soon, over = _soon(session, today), _over(session, today)
        for row in soon:
            said = (
                f"Le rôle « {ROLE_NAMES[row.role]} » est à vous jusqu’au {french_date(row.until_on)} compris. Pour le garder, "
                "demandez à la personne qui gère le programme de le prolonger."
            )
            _tell(session, row, row.id, "un de vos rôles prend fin bientôt", said, now)
        for row in over:
            end(session, row.id, row.until_on, now)
            end_all(session, row.account_id)
            what = f"{row.email} : {ROLE_NAMES[row.role]}, dernier jour le {french_date(row.until_on)}"
            line_id = note(session, None, "role_over", what, now)
            said = f"Le rôle « {ROLE_NAMES[row.role]} » était à vous jusqu’au {french_date(row.until_on)} compris. Il est fini."
            if row.closed_at is None:
                _tell(session, row, line_id, "un de vos rôles a pris fin", said, now)
    return RolesOver(len(soon), len(over))


_GRANT = select(
    RoleGrant.id,
    RoleGrant.account_id,
    RoleGrant.role,
    RoleGrant.granted_at,
    RoleGrant.until_on,
    StaffAccount.email,
    StaffAccount.name,
    StaffAccount.closed_at,
).join(StaffAccount, StaffAccount.id == RoleGrant.account_id)


def _soon(session: Session, today: date) -> list[Row[*tuple[Any, ...]]]:
    told = is_told(LetterKind.ACCOUNT_NEWS, RoleGrant.id)
    ends_soon = _GRANT.where(holds_on(today), RoleGrant.until_on <= today + TOLD_BEFORE, ~told)
    rows = session.execute(ends_soon.where(StaffAccount.closed_at.is_(None)).order_by(RoleGrant.id))
    return [row for row in rows if row.granted_at < start_of_day(row.until_on - TOLD_BEFORE)]


def _over(session: Session, today: date) -> list[Row[*tuple[Any, ...]]]:
    over = _GRANT.where(RoleGrant.revoked_at.is_(None), RoleGrant.until_on < today)
    return list(session.execute(over.order_by(RoleGrant.id)))


def _tell(session: Session, row: Row[*tuple[Any, ...]], about_id: UUID, subject: str, said: str, now: datetime) -> None:
    write_to_person(session, email=row.email, name=row.name, about_id=about_id, subject=subject, sentence=said, now=now)
