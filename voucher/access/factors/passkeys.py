"""The passkeys of a person: added, named, removed by themselves alone, while they are signed in. Each is told to them by e-mail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, insert, select, update
from sqlalchemy.orm import Session

from voucher.access import steps
from voucher.access.audit import note
from voucher.access.factors.held import ALONE, after_removal, live_passkey, refuse_without_proof
from voucher.access.factors.passkey_answers import WrongAnswer, ask_new_key, read_new_key
from voucher.access.find import locked_open_account
from voucher.access.letters import write_to_person
from voucher.access.model import Passkey
from voucher.access.rules import StepPurpose
from voucher.access.sessions import Viewer, Visit, renew_session
from voucher.kernel.calendar import french_instant
from voucher.kernel.clean_input import required_text
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.kernel.relying_party import RelyingParty

LABEL_LENGTH_MAX = 60
PASSKEYS_MAX = 20

STEP_ENDED = "Cette page est restée ouverte trop longtemps. Rechargez-la, puis recommencez."
_GONE = "Cette clé d’accès n’est plus sur votre compte. Voyez la liste."


@dataclass(frozen=True, slots=True)
class Step:
    """What a browser is given to go on with: the token of its step, and the options for its passkey."""

    token: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OwnPasskey:
    """A passkey of a person, as they see it."""

    id: UUID
    label: str
    is_synced: bool
    created_at: datetime
    used_at: datetime | None


def begin_passkey(
    database: Database, party: RelyingParty, viewer: Viewer, label: str, *, programme_name: str, now: datetime
) -> Step:
    """Ask a person's device for a new key that they call `label`. Raises Refused before any key is made."""
    label = required_text(label, "label", LABEL_LENGTH_MAX)
    with database.write() as session:
        locked_open_account(session, viewer.account_id)
        refuse_without_proof(session, viewer.account_id, door=viewer.door, is_strong=viewer.is_strong)
        held = known_ids(session, viewer.account_id)
        if len(held) >= PASSKEYS_MAX:
            raise Refused(
                "too_many_passkeys", f"Vous avez {PASSKEYS_MAX} clés d’accès. Retirez-en une d’abord.", "label"
            )
        asked = ask_new_key(party, programme_name, viewer.account_id, viewer.email, viewer.name, held)
        content = {"challenge": asked.challenge, "label": label}
        token = steps.begin(session, StepPurpose.PASSKEY_REGISTRATION, viewer.account_id, content, now)
    return Step(token, asked.options)


def add_passkey(
    database: Database, party: RelyingParty, viewer: Viewer, token: str, answer: str, *, now: datetime, visit: Visit
) -> str:
    """Keep the key that a device has made and tell its person; return the token of the session that goes on.

    The step has served, whatever the answer. Other sessions end: they were opened without this key. Raises Refused.
    """
    with database.write() as session:
        step = steps.end(session, StepPurpose.PASSKEY_REGISTRATION, token, now)
    if step is None or step.account_id != viewer.account_id:
        raise Refused("step_ended", STEP_ENDED)
    try:
        key = read_new_key(party, step.content["challenge"], answer)
    except WrongAnswer:
        raise Refused("wrong_passkey", "Votre appareil n’a pas fait de clé qui convienne. Recommencez.") from None
    label = step.content["label"]
    with database.write() as session:
        account = locked_open_account(session, viewer.account_id)
        refuse_without_proof(session, account.id, door=viewer.door, is_strong=viewer.is_strong)
        row = {"account_id": account.id, "label": label, "created_at": now, "credential_id": key.credential_id}
        kept = {"public_key": key.public_key, "sign_count": key.sign_count, "is_synced": key.is_synced}
        if session.scalar(select(exists().where(Passkey.credential_id == key.credential_id))):
            raise Refused("known_passkey", "Cette clé d’accès est déjà connue. Faites-en une autre.")
        session.execute(insert(Passkey).values(id=new_id(), **row, **kept))
        line_id = note(session, account.id, "passkey_added", label, now)
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="une clé d’accès ouvre votre compte",
            sentence=f"Vous avez ajouté la clé d’accès « {label} » le {french_instant(now)}. Elle ouvre votre compte.",
            now=now,
        )
        return renew_session(session, viewer, now=now, visit=visit, is_strong=True)


def own_passkeys(database: Database, account_id: UUID) -> list[OwnPasskey]:
    """Return a person's passkeys, the oldest first."""
    with database.read() as session:
        rows = session.execute(
            select(Passkey.id, Passkey.label, Passkey.is_synced, Passkey.created_at, Passkey.used_at)
            .where(live_passkey(account_id))
            .order_by(Passkey.created_at, Passkey.id)
        ).all()
    return [OwnPasskey(**row._asdict()) for row in rows]


def rename_passkey(database: Database, account_id: UUID, passkey_id: UUID, label: str, *, now: datetime) -> None:
    """Call one's own passkey otherwise. Raises Refused."""
    label = required_text(label, "label", LABEL_LENGTH_MAX)
    with database.write() as session:
        before = _own(session, account_id, passkey_id)
        if before == label:
            return
        session.execute(update(Passkey).where(Passkey.id == passkey_id).values(label=label))
        note(session, account_id, "passkey_renamed", f"{before} : {label}", now)


def remove_passkey(
    database: Database, viewer: Viewer, passkey_id: UUID, *, keeps_one: bool, now: datetime, visit: Visit
) -> str:
    """Take one's own passkey off and tell its person; return the token of the session that goes on.

    `keeps_one`: the person must show a second factor, so the last one stays. Other sessions end: that key may have opened them.
    Raises Refused.
    """
    with database.write() as session:
        account = locked_open_account(session, viewer.account_id)
        refuse_without_proof(session, account.id, door=viewer.door, is_strong=viewer.is_strong)
        label = _own(session, viewer.account_id, passkey_id)
        session.execute(update(Passkey).where(Passkey.id == passkey_id).values(removed_at=now))
        is_held = after_removal(session, account.id, now, is_required=keeps_one)
        line_id = note(session, account.id, "passkey_removed", label, now)
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="une clé d’accès n’ouvre plus votre compte",
            sentence=f"Vous avez retiré la clé d’accès « {label} » le {french_instant(now)}. Vos autres connexions sont fermées.{'' if is_held else ALONE}",
            now=now,
        )
        return renew_session(session, viewer, now=now, visit=visit, is_strong=viewer.is_strong and is_held)


def known_ids(session: Session, account_id: UUID) -> list[bytes]:
    """Return the ids, for browsers, of a person's passkeys."""
    return list(session.scalars(select(Passkey.credential_id).where(live_passkey(account_id))))


def _own(session: Session, account_id: UUID, passkey_id: UUID) -> str:
    """Return the label of a passkey that is the person's, locked. Raises Refused."""
    label = session.scalar(
        select(Passkey.label).where(Passkey.id == passkey_id, live_passkey(account_id)).with_for_update()
    )
    if label is None:
        raise Refused("unknown_passkey", _GONE)
    return label
