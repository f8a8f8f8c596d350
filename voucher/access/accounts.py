"""Open and close staff accounts, give and take roles, change a password."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.model import RoleGrant, StaffAccount, StaffSession
from voucher.access.passwords import hash_password, is_password
from voucher.access.rules import (
    ROLE_NAMES,
    SCOPED_ROLES,
    UNSCOPED_ROLES,
    Role,
    incompatible_with,
    password_weakness,
)
from voucher.access.tries import AFTER_FIVE, forget_tries, take_try
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.kernel.typed import required_text


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A person who is to work here."""

    id: UUID
    email: str
    name: str
    password: str


def open_account(database: Database, account: NewAccount, *, by: UUID | None, now: datetime) -> UUID:
    """Open a staff account. Raises Refused for a weak password or an address already known."""
    email = required_text(account.email, "email", 200).lower()
    name = required_text(account.name, "name", 120)
    if weakness := password_weakness(account.password, email, name):
        raise Refused("weak_password", weakness, "password")
    password_hash = hash_password(account.password)  # slow on purpose: nobody waits for it with the writer's turn
    with database.write() as session:
        if session.scalar(select(StaffAccount.id).where(StaffAccount.email == email)) is not None:
            raise Refused("email_taken", "Cette adresse a déjà un compte. Cherchez-la dans la liste.", "email")
        session.execute(
            insert(StaffAccount).values(
                id=account.id,
                email=email,
                name=name,
                password_hash=password_hash,
                created_at=now,
            )
        )
        note(session, by, "account_opened", email, now)
    return account.id


def grant_role(
    database: Database, account_id: UUID, role: Role, scope_id: UUID | None, *, by: UUID | None, now: datetime
) -> None:
    """Give a role within a scope. Raises Refused when it excludes one already held, or the scope does not fit."""
    if role in SCOPED_ROLES and scope_id is None:
        raise Refused("scope_missing", f"Le rôle « {ROLE_NAMES[role]} » demande un organisme. Choisissez-le.", "scope")
    if role in UNSCOPED_ROLES and scope_id is not None:
        raise Refused("scope_unwanted", f"Le rôle « {ROLE_NAMES[role]} » vaut pour tout le programme.", "scope")
    with database.write() as session:
        # The account's row is locked, so that two incompatible roles given at once meet each other.
        open_now = session.scalar(
            select(StaffAccount.id)
            .where(StaffAccount.id == account_id, StaffAccount.closed_at.is_(None))
            .with_for_update()
        )
        if open_now is None:
            raise Refused("account_closed", "Ce compte est fermé. Ouvrez-en un autre.")
        held = _roles_held(session, account_id)
        if role in held:
            raise Refused(
                "role_held", "Cette personne a déjà ce rôle. Retirez-le d'abord pour en changer l'organisme.", "role"
            )
        if (other := incompatible_with(role, held)) is not None:
            raise Refused(
                "roles_incompatible",
                f"« {ROLE_NAMES[role]} » et « {ROLE_NAMES[other]} » ne vont pas ensemble : une même personne ne peut pas tenir"
                " les deux côtés de l'argent. Donnez ce rôle à quelqu'un d'autre.",
                "role",
            )
        session.execute(
            insert(RoleGrant).values(
                id=new_id(), account_id=account_id, role=role, scope_id=scope_id, granted_at=now, granted_by=by
            )
        )
        note(session, by, "role_granted", f"{account_id} {role} {scope_id or ''}", now)


def revoke_role(database: Database, account_id: UUID, role: Role, *, by: UUID, now: datetime) -> None:
    """Take a role away; the person is signed out everywhere."""
    with database.write() as session:
        session.execute(
            update(RoleGrant)
            .where(RoleGrant.account_id == account_id, RoleGrant.role == role, RoleGrant.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        session.execute(delete(StaffSession).where(StaffSession.account_id == account_id))
        note(session, by, "role_revoked", f"{account_id} {role}", now)


def close_account(database: Database, account_id: UUID, *, by: UUID, now: datetime) -> None:
    """Close an account for good; the person is signed out everywhere."""
    with database.write() as session:
        session.execute(update(StaffAccount).where(StaffAccount.id == account_id).values(closed_at=now))
        session.execute(delete(StaffSession).where(StaffSession.account_id == account_id))
        note(session, by, "account_closed", str(account_id), now)


def change_password(database: Database, account_id: UUID, current: str, wanted: str, *, now: datetime) -> None:
    """Change one's own password, and sign out everywhere. Raises Refused for a wrong current or a weak new password.

    A wrong current one counts as a failed sign-in: who sits at a screen left open cannot guess at leisure.
    """
    account = take_try(database, StaffAccount.id == account_id, now)
    if not is_password(account.password_hash if account else None, current) or account is None:
        raise Refused(
            "wrong_password",
            f"Ce n'est pas votre mot de passe actuel. Écrivez-le de nouveau. {AFTER_FIVE}",
            "current",
        )
    if weakness := password_weakness(wanted, account.email, account.name):
        with database.write() as session:
            forget_tries(session, account_id)
        raise Refused("weak_password", weakness, "wanted")
    password_hash = hash_password(wanted)
    with database.write() as session:
        forget_tries(session, account_id)
        session.execute(update(StaffAccount).where(StaffAccount.id == account_id).values(password_hash=password_hash))
        session.execute(delete(StaffSession).where(StaffSession.account_id == account_id))
        note(session, account_id, "password_changed", account.email, now)


def set_password(database: Database, account_id: UUID, wanted: str, *, by: UUID, now: datetime) -> None:
    """Give a person a new password (they lost theirs), unlock the account, sign it out everywhere. Raises Refused if weak."""
    with database.read() as session:
        account = session.execute(
            select(StaffAccount.email, StaffAccount.name).where(StaffAccount.id == account_id)
        ).one()
    if weakness := password_weakness(wanted, account.email, account.name):
        raise Refused("weak_password", weakness, "password")
    password_hash = hash_password(wanted)
    with database.write() as session:
        forget_tries(session, account_id)
        session.execute(update(StaffAccount).where(StaffAccount.id == account_id).values(password_hash=password_hash))
        session.execute(delete(StaffSession).where(StaffSession.account_id == account_id))
        note(session, by, "password_set", account.email, now)


def _roles_held(session: Session, account_id: UUID) -> list[Role]:
    rows = session.scalars(
        select(RoleGrant.role).where(RoleGrant.account_id == account_id, RoleGrant.revoked_at.is_(None))
    )
    return [Role(role) for role in rows]
