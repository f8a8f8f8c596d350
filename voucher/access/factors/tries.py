"""Codes tried after a right password: counted as passwords are (`access.tries`), before they are looked at.

Whoever comes this far knows the password: a person whose codes are tried too often is told so.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from voucher.access.audit import note
from voucher.access.letters import write_to_person
from voucher.access.model import StaffAccount
from voucher.access.tries import Guess, TooManyTries, Try, begin_try
from voucher.access.visits import Visit
from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database
from voucher.kernel.tries import Limit

TOLD_FROM = timedelta(minutes=1)
"""From which wait on a person is told: after five wrong codes, which is more than a mistake."""

_TOLD = Limit("codes/told", count_max=1, window=timedelta(days=1))


def begin_code(database: Database, guess: Guess, account_id: UUID, visit: Visit, now: datetime) -> Try:
    """Count a try of one person's codes. Raises TooManyTries where it may not be made; then the person is told, once a day."""
    try:
        return begin_try(database, guess, str(account_id), visit=visit, account_id=account_id, now=now)
    except TooManyTries as early:
        if early.by_account and early.seconds > TOLD_FROM.total_seconds():
            _tell(database, account_id, now)
        raise


def note_wrong_code(database: Database, account_id: UUID, what: str, now: datetime) -> None:
    """Leave a line in the trail: a code was wrong, after a right password."""
    with database.write() as session:
        note(session, account_id, "code_failed", what, now)


def _tell(database: Database, account_id: UUID, now: datetime) -> None:
    if not _TOLD.take(database, str(account_id), now):
        return
    with database.write() as session:
        person = session.execute(
            select(StaffAccount.email, StaffAccount.name).where(StaffAccount.id == account_id)
        ).one()
        line_id = note(session, account_id, "codes_limited", "", now)
        write_to_person(
            session,
            email=person.email,
            name=person.name,
            about_id=line_id,
            subject="des codes faux sont essayés sur votre compte",
            sentence=(
                f"Quelqu’un a donné votre mot de passe, puis trop de codes faux, le {french_instant(now)}. Si ce n’est pas vous,"
                " changez votre mot de passe avec « Mot de passe oublié »."
            ),
            now=now,
        )
