"""Open and close staff accounts, give and take roles, change a password."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.find import locked_account, locked_open_account
from voucher.access.letters import tell
from voucher.access.links import end_links, put_password, queue_link
from voucher.access.model import RoleGrant, StaffAccount, StaffSession
from voucher.access.passwords import hash_password, is_password
from voucher.access.rules import ROLE_NAMES, SCOPED_ROLES, UNSCOPED_ROLES, LinkEnd, Origin, Role, incompatible_with
from voucher.access.sessions import open_session
from voucher.access.strength import password_weakness
from voucher.access.tries import AFTER_FIVE, forget_tries, take_try
from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.kernel.typed import required_text
from voucher.mail.queue import is_address


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A person who is to work here."""

    id: UUID
    email: str
    name: str


def open_account(database: Database, account: NewAccount, *, by: UUID | None, now: datetime) -> UUID:
    """Open a staff account and invite its person, who chooses the password. Raises Refused for an address already known.

    `by` None is the host, which prints the link itself (`links.print_link`); anybody else's invitation goes by e-mail.
    """
    email = new_address(account.email)
    name = required_text(account.name, "name", 120)
    with database.write() as session:
        refuse_known_address(session, email)
        session.execute(insert(StaffAccount).values(id=account.id, email=email, name=name, created_at=now))
        note(session, by, "account_opened", email, now)
        if by is not None:
            queue_link(session, locked_account(session, account.id), Origin.OFFICE, by, now)
    return account.id


def new_address(text: str) -> str:
    """Return the address of an account as it is kept. Raises Refused where no message could reach it."""
    email = required_text(text, "email", 200).lower()
    if not is_address(email):
        raise Refused("bad_address", "Écrivez une adresse électronique complète. Par exemple luce@mairie.fr.", "email")
    return email


def refuse_known_address(session: Session, email: str) -> None:
    """Raise Refused when an account, open or closed, has this address."""
    if session.scalar(select(StaffAccount.id).where(StaffAccount.email == email)) is not None:
        raise Refused("email_taken", "Cette adresse a déjà un compte. Cherchez-la dans la liste.", "email")


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
        account = locked_open_account(session, account_id)
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
        line_id = note(session, by, "role_granted", f"{account.email} : {ROLE_NAMES[role]}", now)
        sentence = f"Le rôle « {ROLE_NAMES[role]} » vous a été donné le {french_instant(now)}."
        tell(session, account.email, account.name, line_id, "un rôle vous est donné", sentence, now)


def revoke_role(database: Database, account_id: UUID, role: Role, *, by: UUID, now: datetime) -> None:
    """Take a role away; the person is told, and signed out everywhere."""
    with database.write() as session:
        account = locked_account(session, account_id)
        taken = changed(
            session,
            update(RoleGrant)
            .where(RoleGrant.account_id == account_id, RoleGrant.role == role, RoleGrant.revoked_at.is_(None))
            .values(revoked_at=now),
        )
        if taken == 0:
            return
        session.execute(delete(StaffSession).where(StaffSession.account_id == account_id))
        line_id = note(session, by, "role_revoked", f"{account.email} : {ROLE_NAMES[role]}", now)
        sentence = f"Le rôle « {ROLE_NAMES[role]} » vous a été retiré le {french_instant(now)}."
        tell(session, account.email, account.name, line_id, "un rôle vous a été retiré", sentence, now)


def close_account(database: Database, account_id: UUID, *, by: UUID, now: datetime) -> None:
    """Close an account for good; its links serve no more, the person is told, and signed out everywhere."""
    with database.write() as session:
        account = locked_account(session, account_id)
        close = update(StaffAccount).where(StaffAccount.id == account_id, StaffAccount.closed_at.is_(None))
        if changed(session, close.values(closed_at=now)) == 0:
            return
        end_links(session, account_id, LinkEnd.CANCELLED, now)
        session.execute(delete(StaffSession).where(StaffSession.account_id == account_id))
        line_id = note(session, by, "account_closed", account.email, now)
        sentence = f"Votre compte a été fermé le {french_instant(now)}. Vous ne pouvez plus vous connecter."
        tell(session, account.email, account.name, line_id, "votre compte est fermé", sentence, now)


def change_password(
    database: Database,
    account_id: UUID,
    current: str,
    wanted: str,
    *,
    now: datetime,
    place_id: UUID | None = None,
    programme_name: str = "",
) -> str:
    """Change one's own password: every session ends, and the token of a new one, at the same counter, is returned.

    Raises Refused for a wrong current or a weak new password. A wrong current one counts as a failed sign-in: who sits at a
    screen left open cannot guess at leisure.
    """
    wrong = Refused(
        "wrong_password", f"Ce n'est pas votre mot de passe actuel. Écrivez-le de nouveau. {AFTER_FIVE}", "current"
    )
    account = take_try(database, StaffAccount.id == account_id, now)
    if not is_password(account.password_hash if account else None, current) or account is None:
        raise wrong
    if weakness := password_weakness(wanted, account.email, account.name, programme_name):
        with database.write() as session:
            forget_tries(session, account_id)
        raise Refused("weak_password", weakness, "wanted")
    password_hash = hash_password(wanted)
    with database.write() as session:
        if locked_account(session, account_id).password_hash != account.password_hash:
            raise wrong
        put_password(session, account_id, password_hash, now)
        line_id = note(session, account_id, "password_changed", account.email, now)
        sentence = f"Vous avez changé votre mot de passe le {french_instant(now)}. Vos autres connexions sont fermées."
        tell(session, account.email, account.name, line_id, "votre mot de passe a changé", sentence, now)
        return open_session(session, account_id, place_id, now)


def _roles_held(session: Session, account_id: UUID) -> list[Role]:
    rows = session.scalars(
        select(RoleGrant.role).where(RoleGrant.account_id == account_id, RoleGrant.revoked_at.is_(None))
    )
    return [Role(role) for role in rows]
