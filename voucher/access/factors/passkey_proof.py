"""A passkey proves who is there: it opens a session, ends the wait of one whose password was right, or confirms one that is open.

Each answers a challenge that serves once. A key that counts its uses and comes with a count that is not greater may have been copied:
it is refused, and its person told.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from voucher.access import steps
from voucher.access.audit import note
from voucher.access.factors.passkey_answers import Use, WrongAnswer, ask_key, named_key, read_use
from voucher.access.factors.passkeys import STEP_ENDED, Step, known_ids
from voucher.access.find import locked_account
from voucher.access.letters import write_to_person
from voucher.access.model import Passkey
from voucher.access.rules import Door, StepPurpose
from voucher.access.sessions import (
    WAITING_OVER,
    Viewer,
    Visit,
    confirm_now,
    open_session,
    open_waiting,
    waiting_account,
)
from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database, changed
from voucher.kernel.refusals import Refused
from voucher.kernel.relying_party import RelyingParty

NOT_KNOWN = "Cette clé d’accès n’ouvre pas de compte ici. Choisissez une autre clé, ou un autre moyen d’entrer."
COPIED = (
    "Cette clé d’accès compte moins d’usages que nous : elle a peut-être été copiée. Elle est refusée. Utilisez un autre moyen, "
    "puis retirez cette clé."
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A passkey whose signature is true."""

    passkey_id: UUID
    account_id: UUID
    label: str
    use: Use

    @property
    def how(self) -> str:
        """How its person came in, for the trail."""
        return f"clé d’accès « {self.label} »"


def begin_sign_in(database: Database, party: RelyingParty, *, now: datetime) -> Step:
    """Ask whoever is there for a passkey that they have for us."""
    with database.write() as session:
        return _begin(session, party, StepPurpose.PASSKEY_SIGN_IN, None, now)


def begin_second_factor(database: Database, party: RelyingParty, waiting: str, *, now: datetime) -> Step:
    """Ask the person whose session waits, by its token, for one of their passkeys. Raises Refused."""
    account_id = waiting_account(database, waiting, now=now)
    if account_id is None:
        raise Refused("waiting_over", WAITING_OVER)
    with database.write() as session:
        return _begin(session, party, StepPurpose.PASSKEY_SIGN_IN, account_id, now)


def begin_confirmation(database: Database, party: RelyingParty, account_id: UUID, *, now: datetime) -> Step:
    """Ask who is signed in for one of their passkeys."""
    with database.write() as session:
        return _begin(session, party, StepPurpose.PASSKEY_CONFIRMATION, account_id, now)


def sign_in(database: Database, party: RelyingParty, token: str, answer: str, *, now: datetime, visit: Visit) -> str:
    """Open a session and return its token. Raises Refused, in the same words for a key that we do not know and for one that is not true."""
    shown = _shown(database, party, StepPurpose.PASSKEY_SIGN_IN, None, token, answer, now=now)
    opened = None
    with database.write() as session:
        if _counted(session, shown, now):
            note(session, shown.account_id, "signed_in", shown.how, now)
            opened = open_session(session, shown.account_id, now=now, door=Door.PASSKEY, is_strong=True, visit=visit)
    if opened is None:
        raise Refused("passkey_copied", COPIED)
    return opened


def end_wait(
    database: Database, party: RelyingParty, waiting: str, token: str, answer: str, *, now: datetime, visit: Visit
) -> str:
    """Open the session that waits, by its token, and return the token that replaces it. Raises Refused."""
    account_id = waiting_account(database, waiting, now=now)
    if account_id is None:
        raise Refused("waiting_over", WAITING_OVER)
    shown = _shown(database, party, StepPurpose.PASSKEY_SIGN_IN, account_id, token, answer, now=now)
    with database.write() as session:
        is_new = _counted(session, shown, now)
        opened = open_waiting(session, waiting, shown.how, now=now, visit=visit) if is_new else None
    if not is_new:
        raise Refused("passkey_copied", COPIED)
    if opened is None:
        raise Refused("waiting_over", WAITING_OVER)
    return opened


def confirm(
    database: Database, party: RelyingParty, who: Viewer, token: str, answer: str, act: str, *, now: datetime
) -> None:
    """Note that who is signed in has just proved who they are, to do `act`. Raises Refused."""
    shown = _shown(database, party, StepPurpose.PASSKEY_CONFIRMATION, who.account_id, token, answer, now=now)
    with database.write() as session:
        is_new = _counted(session, shown, now)
        if is_new:
            confirm_now(session, who, act, now)
    if not is_new:
        raise Refused("passkey_copied", COPIED)


def _begin(session: Session, party: RelyingParty, purpose: StepPurpose, account_id: UUID | None, now: datetime) -> Step:
    asked = ask_key(party, known_ids(session, account_id) if account_id else ())
    return Step(steps.begin(session, purpose, account_id, {"challenge": asked.challenge}, now), asked.options)


def _shown(
    database: Database,
    party: RelyingParty,
    purpose: StepPurpose,
    account_id: UUID | None,
    token: str,
    answer: str,
    *,
    now: datetime,
) -> _Shown:
    """Return the passkey that answers; of `account_id`, where the step was begun for one. The step has served, whatever the answer."""
    with database.write() as session:
        step = steps.end(session, purpose, token, now)
    if step is None or step.account_id != account_id:
        raise Refused("step_ended", STEP_ENDED)
    refused = Refused("wrong_passkey", NOT_KNOWN)
    try:
        credential_id, user_handle = named_key(answer)
    except WrongAnswer:
        raise refused from None
    with database.read() as session:
        row = session.execute(
            select(Passkey.id, Passkey.account_id, Passkey.label, Passkey.public_key).where(
                Passkey.credential_id == credential_id
            )
        ).one_or_none()
    if row is None or not _is_for(row.account_id, account_id, user_handle):
        raise refused
    try:
        use = read_use(party, step.content["challenge"], answer, row.public_key)
    except WrongAnswer:
        with database.write() as session:
            note(session, row.account_id, "passkey_refused", row.label, now)
        raise refused from None
    return _Shown(row.id, row.account_id, row.label, use)


def _is_for(found: UUID, wanted: UUID | None, user_handle: bytes | None) -> bool:
    """Say whether a key of the account `found` answers for `wanted`. Where nobody was named, the key says whose it is (WebAuthn, § 7.2)."""
    if wanted is None:
        return user_handle == found.bytes
    return found == wanted and (not user_handle or user_handle == found.bytes)


def _counted(session: Session, shown: _Shown, now: datetime) -> bool:
    """Count the use of a passkey, inside the caller's transaction.

    False where its counter goes back: the trail and the person are told, and the caller must open nothing. Raises Refused for a key
    that was removed and for an account that is closed.
    """
    account = locked_account(session, shown.account_id)
    count = shown.use.sign_count
    live = (Passkey.id == shown.passkey_id, Passkey.removed_at.is_(None))
    # A key that never counted may go on so.
    greater = Passkey.sign_count < count if count else Passkey.sign_count == 0
    used = {"sign_count": count, "is_synced": shown.use.is_synced, "used_at": now}
    if account.closed_at is not None or session.scalar(select(Passkey.id).where(*live)) is None:
        raise Refused("wrong_passkey", NOT_KNOWN)
    if changed(session, update(Passkey).where(*live, greater).values(**used)):
        return True
    line_id = note(session, account.id, "passkey_copied", shown.label, now)
    write_to_person(
        session,
        email=account.email,
        name=account.name,
        about_id=line_id,
        subject="une clé d’accès a été refusée",
        sentence=f"La clé d’accès « {shown.label} » a été refusée le {french_instant(now)} : elle compte moins d’usages que nous, "
        "donc elle a peut-être été copiée. Retirez-la de votre compte, et faites-en une autre.",
        now=now,
    )
    return False
