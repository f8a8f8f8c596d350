"""Before an act that cannot be taken back: the person who is signed in proves again who they are."""

from datetime import datetime

from voucher.access.model import StaffAccount
from voucher.access.passwords import is_password
from voucher.access.sessions import Viewer, confirm_now
from voucher.access.tries import AFTER_FIVE, count_try, forget_tries, note_failure
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused


def confirm_password(database: Database, who: Viewer, password: str, act: str, *, now: datetime) -> None:
    """Note that a person has proved again who they are, to do `act`; raise Refused (field `password`) unless this is their password.

    A wrong one counts as a failed sign-in: who sits at a screen left open cannot guess at leisure.
    """
    if not password:
        raise Refused("missing", "Écrivez votre mot de passe. Rien n’a changé.", "password")
    account = count_try(database, StaffAccount.id == who.account_id, now)
    if not is_password(account.password_hash if account else None, password) or account is None:
        if account is not None:
            note_failure(database, account.id, now)
        raise Refused(
            "wrong_password",
            f"Ce n’est pas votre mot de passe. Rien n’a changé. Écrivez-le de nouveau. {AFTER_FIVE}",
            "password",
        )
    with database.write() as session:
        forget_tries(session, account.id)
        confirm_now(session, who, act, now)
