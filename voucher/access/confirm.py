"""Before an act that cannot be taken back: the person who is signed in types the password again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from voucher.access.model import StaffAccount
from voucher.access.passwords import is_password
from voucher.access.tries import Guess, begin_try, note_failure, was_right
from voucher.access.visits import NOWHERE
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused


def confirm_password(database: Database, account_id: UUID, password: str, *, now: datetime) -> None:
    """Raise Refused (field `password`) unless this is the account's password.

    Who sits at a screen left open cannot guess at leisure: wrong ones make the next wait, here and not at the sign-in.
    """
    one = begin_try(database, Guess.AGAIN, str(account_id), visit=NOWHERE, now=now)
    with database.read() as session:
        stored_hash = session.scalar(
            select(StaffAccount.password_hash).where(StaffAccount.id == account_id, StaffAccount.closed_at.is_(None))
        )
    if not is_password(stored_hash, password):
        note_failure(database, account_id, now)
        raise Refused(
            "wrong_password", "Ce n’est pas votre mot de passe. Rien n’a changé. Écrivez-le de nouveau.", "password"
        )
    with database.write() as session:
        was_right(session, one)
