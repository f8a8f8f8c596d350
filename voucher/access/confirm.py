"""Before an act that cannot be taken back: the person who is signed in proves again who they are."""

from datetime import datetime

from sqlalchemy import select

from voucher.access.model import StaffAccount
from voucher.access.passwords import is_password
from voucher.access.sessions import Viewer, confirm_now
from voucher.access.tries import Guess, begin_try, note_failure, was_right
from voucher.access.visits import NOWHERE
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused


def confirm_password(database: Database, who: Viewer, password: str, act: str, *, now: datetime) -> None:
    """Note that a person has proved again who they are, to do `act`; raise Refused (field `password`) unless this is their password.

    Who sits at a screen left open cannot guess at leisure: wrong ones make the next wait, here and not at the sign-in.
    """
    if not password:
        raise Refused("missing", "Écrivez votre mot de passe. Rien n’a changé.", "password")
    one = begin_try(database, Guess.AGAIN, str(who.account_id), visit=NOWHERE, now=now)
    with database.read() as session:
        stored_hash = session.scalar(
            select(StaffAccount.password_hash).where(
                StaffAccount.id == who.account_id, StaffAccount.closed_at.is_(None)
            )
        )
    if not is_password(stored_hash, password):
        note_failure(database, who.account_id, now)
        raise Refused(
            "wrong_password", "Ce n’est pas votre mot de passe. Rien n’a changé. Écrivez-le de nouveau.", "password"
        )
    with database.write() as session:
        was_right(session, one)
        confirm_now(session, who, act, now)
