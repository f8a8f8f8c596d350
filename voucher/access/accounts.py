"""Open and close staff accounts, give and take roles, change a password."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, update
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.browsers import forget_places, known_browser
from voucher.access.changes import drop_changes
from voucher.access.factors.held import end_factors
from voucher.access.find import (
    ACCOUNT,
    locked_account,
    new_address,
    person_name,
    refuse_known_address,
    take_turn_on_accounts,
)
from voucher.access.grants import holds_on
from voucher.access.letters import write_to_person
from voucher.access.links import end_links, put_password, queue_link
from voucher.access.model import RoleGrant, StaffAccount
from voucher.access.passwords import hash_password, is_password
from voucher.access.provider.identities import end_identity
from voucher.access.rules import ROLE_NAMES, LinkEnd, Origin, Role
from voucher.access.sessions import NOWHERE, Viewer, Visit, end_all, open_session, take_session
from voucher.access.strength import password_weakness
from voucher.access.tries import Guess, begin_try, note_failure, was_right
from voucher.kernel.calendar import french_instant, paris_day
from voucher.kernel.database import Database, changed
from voucher.kernel.idempotency import is_replay
from voucher.kernel.refusals import Refused


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A person who is to work here."""

    id: UUID
    email: str
    name: str


def open_account(database: Database, account: NewAccount, *, by: UUID | None, now: datetime) -> UUID:
    """Open a staff account and invite its person, who chooses the password; the same command again changes nothing.

    Raises Refused for an address already known.

    `by` None is the host, which prints the link itself (`links.print_link`); anybody else's invitation goes by e-mail.
    """
    email = new_address(account.email)
    name = person_name(account.name)
    with database.write() as session:
        row = {"id": account.id, "email": email, "name": name}
        if is_replay(session, StaffAccount, row):
            return account.id
        refuse_known_address(session, email)
        session.execute(insert(StaffAccount).values(**row, created_at=now))
        note(session, by, "account_opened", email, now)
        if by is not None:
            queue_link(session, locked_account(session, account.id), Origin.OFFICE, by, now)
    return account.id


def revoke_role(database: Database, account_id: UUID, role: Role, *, by: UUID, now: datetime) -> None:
    """Take a role away; the person is told, and signed out everywhere."""
    with database.write() as session:
        take_turn_on_accounts(session)
        account = locked_account(session, account_id)
        taken = changed(
            session,
            update(RoleGrant)
            .where(RoleGrant.account_id == account_id, RoleGrant.role == role, holds_on(paris_day(now)))
            .values(revoked_at=now),
        )
        if taken == 0:
            return
        end_all(session, account_id)
        line_id = note(session, by, "role_revoked", f"{account.email} : {ROLE_NAMES[role]}", now)
        sentence = f"Le rôle « {ROLE_NAMES[role]} » vous a été retiré le {french_instant(now)}."
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="un rôle vous a été retiré",
            sentence=sentence,
            now=now,
        )


def close_account(database: Database, account_id: UUID, *, by: UUID, now: datetime) -> None:
    """Close an account for good; its links serve no more, what was asked for it is dropped, the person is told, and signed out everywhere."""
    with database.write() as session:
        take_turn_on_accounts(session)
        account = locked_account(session, account_id)
        if account.closed_at is None:
            shut(session, account, by=by, now=now)


def shut(session: Session, account: Row[*tuple[Any, ...]], *, by: UUID | None, now: datetime, why: str = "") -> None:
    """Close an open account, whose row the caller holds; `why` goes on from « Votre compte a été fermé le … »."""
    session.execute(update(StaffAccount).where(StaffAccount.id == account.id).values(closed_at=now))
    end_links(session, account.id, LinkEnd.CANCELLED, now)
    end_factors(session, account.id, now)
    drop_changes(session, account.id, by, now)
    end_identity(session, account.id, now)
    end_all(session, account.id)
    forget_places(session, account.id)
    line_id = note(session, by, "account_closed", f"{account.email}{why}", now)
    write_to_person(
        session,
        email=account.email,
        name=account.name,
        about_id=line_id,
        subject="votre compte est fermé",
        sentence=f"Votre compte a été fermé le {french_instant(now)}{why}. Vous ne pouvez plus vous connecter.",
        now=now,
    )


def change_password(
    database: Database,
    who: Viewer,
    current: str,
    wanted: str,
    *,
    now: datetime,
    visit: Visit = NOWHERE,
    programme_name: str = "",
) -> str:
    """Change one's own password: every session ends, and the token of the one in place of this one, by the same door, at the same
    counter and as strong, is returned.

    Raises Refused for a wrong current or a weak new password, and where this session has just been ended. Who sits at a screen left open cannot guess at leisure: wrong ones
    make the next wait.
    """
    wrong = Refused("wrong_password", "Ce n’est pas votre mot de passe actuel. Écrivez-le de nouveau.", "current")
    one = begin_try(database, Guess.AGAIN, str(who.account_id), visit=NOWHERE, now=now)
    with database.read() as session:
        account = session.execute(
            ACCOUNT.where(StaffAccount.id == who.account_id, StaffAccount.closed_at.is_(None))
        ).one_or_none()
    if not is_password(account.password_hash if account else None, current) or account is None:
        note_failure(database, who.account_id, now)
        raise wrong
    with database.write() as session:
        was_right(session, one)
    if weakness := password_weakness(wanted, account.email, account.name, programme_name):
        raise Refused("weak_password", weakness, "wanted")
    password_hash = hash_password(wanted)
    with database.write() as session:
        if locked_account(session, account.id).password_hash != account.password_hash:
            raise wrong
        before = take_session(session, who)
        put_password(session, account.id, password_hash, now, but=known_browser(session, account.id, visit))
        line_id = note(session, account.id, "password_changed", account.email, now)
        sentence = f"Vous avez changé votre mot de passe le {french_instant(now)}. Vos autres connexions sont fermées."
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="votre mot de passe a changé",
            sentence=sentence,
            now=now,
        )
        return open_session(session, now=now, is_strong=who.is_strong, visit=visit, **before)
