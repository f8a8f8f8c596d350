"""Codes tried after a right password: whoever comes this far knows it, so the person is told where codes are tried in a row."""

from datetime import datetime, timedelta
from uuid import UUID

from voucher.access.audit import note
from voucher.access.find import locked_account
from voucher.access.letters import write_to_person
from voucher.access.tries import Guess, TooManyTries, Try, begin_try
from voucher.access.visits import Visit
from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database
from voucher.kernel.tries import Limit

TOLD_FROM_SECONDS = 60
"""From which wait on: who mistypes twice and waits a second is not told of it."""

_TOLD = Limit("codes told", count_max=1, window=timedelta(days=1))


def begin_code(database: Database, guess: Guess, account_id: UUID, *, visit: Visit, now: datetime) -> Try:
    """Count the try of a code. Raises TooManyTries where it comes too early; after several, the person is told, once a day."""
    try:
        return begin_try(database, guess, str(account_id), visit=visit, account_id=account_id, now=now)
    except TooManyTries as refused:
        if refused.seconds > TOLD_FROM_SECONDS:
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
        account = locked_account(session, account_id)
        line_id = note(session, account_id, "codes_limited", "", now)
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="des codes faux sont essayés sur votre compte",
            sentence=(
                f"Quelqu’un a donné votre mot de passe, puis plusieurs codes faux, le {french_instant(now)}. Si ce n’est pas vous,"
                " changez votre mot de passe avec « Mot de passe oublié »."
            ),
            now=now,
        )
