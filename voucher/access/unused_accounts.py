"""Accounts that nobody uses for a year are closed, a month after a letter; a sign-in saves them: job `unused_accounts`.

The last person who holds a role, for its organisation where it has one, is never closed: somebody must be able to come back to it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from voucher.access.accounts import shut
from voucher.access.audit import note
from voucher.access.find import locked_account, take_turn_on_accounts
from voucher.access.grants import holds_on
from voucher.access.letters import write_to_person
from voucher.access.model import RoleGrant, StaffAccount
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.queue import has_left

CLOSED_AFTER = timedelta(days=365)
TOLD_BEFORE = timedelta(days=30)
"""How long the letter leaves, from the day it goes out or is given up: a server of e-mails that is down closes nobody's account."""


class Unused(StrEnum):
    """What happens to an open account that is not used: its letter has gone into the outbox, or it stays, the last to hold a role."""

    TOLD = "told"
    STAYS = "stays"


@dataclass(frozen=True, slots=True)
class UnusedClosed:
    """What a turn did."""

    told_count: int
    closed_count: int


def unused(database: Database, account_id: UUID, *, now: datetime) -> Unused | None:
    """Return what happens to an account that is not used, or None for one that is, or that is closed."""
    told = StaffAccount.closing_letter_id.is_not(None)
    stays = is_last_holder(now) & (_last_used <= now - (CLOSED_AFTER - TOLD_BEFORE))
    query = select(stays.label("stays"), told.label("is_told")).where(
        StaffAccount.id == account_id, StaffAccount.closed_at.is_(None)
    )
    with database.read() as session:
        row = session.execute(query).one_or_none()
    if row is None or not (row.stays or row.is_told):
        return None
    return Unused.STAYS if row.stays else Unused.TOLD


def close_unused(database: Database, now: datetime) -> UnusedClosed:
    """Tell those whose account will be closed, and close those who were told a month ago; what was done is not done again."""
    with database.read() as session:
        to_tell = session.scalars(_to_tell(now)).all()
        to_close = session.scalars(_to_close(now)).all()
    if not to_tell and not to_close:
        return UnusedClosed(0, 0)
    with database.write() as session:
        take_turn_on_accounts(session)
        told = [_tell(session, account_id, now) for account_id in to_tell]
        # One after the other, the longest unused first: of two who hold the same role alone, the second is then the last.
        closed = [_close(session, account_id, now) for account_id in to_close]
    return UnusedClosed(sum(told), sum(closed))


_last_used = func.coalesce(StaffAccount.used_at, StaffAccount.created_at)
_OTHER, _OTHERS_GRANT = aliased(StaffAccount), aliased(RoleGrant)


def is_last_holder(now: datetime) -> ColumnElement[bool]:
    """Say, of an account, that nobody else who ever came in holds one of its roles for the same organisation."""
    today = paris_day(now)
    another = exists().where(
        _OTHERS_GRANT.role == RoleGrant.role,
        _OTHERS_GRANT.scope_id.is_not_distinct_from(RoleGrant.scope_id),
        _OTHERS_GRANT.account_id != RoleGrant.account_id,
        holds_on(today, _OTHERS_GRANT),
        _OTHER.id == _OTHERS_GRANT.account_id,
        _OTHER.closed_at.is_(None),
        _OTHER.used_at.is_not(None),
    )
    return exists().where(RoleGrant.account_id == StaffAccount.id, holds_on(today), ~another)


def _to_tell(now: datetime) -> Select[UUID]:
    return _unused(now - (CLOSED_AFTER - TOLD_BEFORE), now).where(StaffAccount.closing_letter_id.is_(None))


def _to_close(now: datetime) -> Select[UUID]:
    told = has_left(LetterKind.ACCOUNT_NEWS, StaffAccount.closing_letter_id, now - TOLD_BEFORE)
    return _unused(now - CLOSED_AFTER, now).where(told)


def _unused(since: datetime, now: datetime) -> Select[UUID]:
    return (
        select(StaffAccount.id)
        .where(StaffAccount.closed_at.is_(None), _last_used <= since, ~is_last_holder(now))
        .order_by(_last_used, StaffAccount.id)
    )


def _tell(session: Session, account_id: UUID, now: datetime) -> bool:
    account = locked_account(session, account_id)
    # Somebody may have signed in, or closed it, since it was read.
    if session.scalar(_to_tell(now).where(StaffAccount.id == account_id)) is None:
        return False
    used_at: Any = session.scalar(select(StaffAccount.used_at).where(StaffAccount.id == account_id))
    since = f"n’a pas servi depuis le {french_date(paris_day(used_at))}" if used_at else "n’a jamais servi"
    line_id = note(session, None, "closing_told", account.email, now)
    session.execute(update(StaffAccount).where(StaffAccount.id == account_id).values(closing_letter_id=line_id))
    write_to_person(
        session,
        email=account.email,
        name=account.name,
        about_id=line_id,
        subject="votre compte va être fermé",
        sentence=f"Votre compte {since}. Un compte qui ne sert pas pendant un an est fermé. Pour garder le vôtre, connectez-vous dans le mois qui vient. "
        "Si vous n’avez plus votre mot de passe, demandez un lien avec « Mot de passe oublié ».",
        now=now,
    )
    return True


def _close(session: Session, account_id: UUID, now: datetime) -> bool:
    account = locked_account(session, account_id)
    if session.scalar(_to_close(now).where(StaffAccount.id == account_id)) is None:
        return False
    shut(session, account, by=None, now=now, why=" : il n’a pas servi pendant un an")
    return True
