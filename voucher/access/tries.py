"""Passwords tried: counted before they are looked at, so that tries sent together are all counted."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, or_, update
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.model import StaffAccount
from voucher.access.rules import FAILURES_BEFORE_LOCK, LOCK_DURATION
from voucher.kernel.database import Database

AFTER_FIVE = "Après cinq essais manqués, un compte attend quinze minutes."


def count_try(database: Database, whose: ColumnElement[bool], now: datetime) -> Row[*tuple[Any, ...]] | None:
    """Count a try of the open account that `whose` names and return its row (id, email, name, password_hash).

    Return None where there is no such account, or it waits: after five failures, fifteen minutes, whatever is typed
    (CNIL 2022-100). The caller says the same words in both cases, and calls `forget_tries` when the password is right.
    """
    with database.write() as session:
        row = session.execute(
            update(StaffAccount)
            .where(whose, StaffAccount.closed_at.is_(None))
            .where(or_(StaffAccount.locked_until.is_(None), StaffAccount.locked_until <= now))
            .values(failed_count=StaffAccount.failed_count + 1)
            .returning(
                StaffAccount.id,
                StaffAccount.email,
                StaffAccount.name,
                StaffAccount.password_hash,
                StaffAccount.failed_count,
            )
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if row is not None and row.failed_count % FAILURES_BEFORE_LOCK == 0:
            session.execute(
                update(StaffAccount)
                .where(StaffAccount.id == row.id)
                .values(locked_until=now + LOCK_DURATION)
                .execution_options(synchronize_session=False)
            )
            note(session, row.id, "account_locked", "", now)
    return row


def forget_tries(session: Session, account_id: UUID) -> None:
    """Start counting again, and open the account if it waits: its password was right, or is a new one."""
    session.execute(update(StaffAccount).where(StaffAccount.id == account_id).values(failed_count=0, locked_until=None))


def note_failure(database: Database, account_id: UUID, now: datetime) -> None:
    """Leave a line in the trail: a password was wrong."""
    with database.write() as session:
        note(session, account_id, "sign_in_failed", "", now)
