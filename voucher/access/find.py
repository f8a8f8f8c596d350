"""Find an account by its id or its address, and hold it until the end of the transaction: what is done to one takes turns."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, exists, or_, select
from sqlalchemy.orm import Session

from voucher.access.model import ProviderIdentity, RoleGrant, StaffAccount
from voucher.access.rules import TWO_PEOPLE_ROLES
from voucher.kernel.characters import is_invisible
from voucher.kernel.clean_input import required_text
from voucher.kernel.database import Database, take_turn
from voucher.kernel.refusals import Refused
from voucher.mail.queue import is_address

NOBODY_THERE = "Aucun compte ouvert n’a cette adresse. Ouvrez-en un avec « voucher account open »."
"""What a command says of an address that has no account."""


def take_turn_on_accounts(session: Session) -> None:
    """Wait until nobody else gives roles, changes addresses or closes accounts, and hold that turn until the end."""
    take_turn(session, "accounts")


def has_way_in() -> ColumnElement[bool]:
    """Say whether an account's person can come in: a password was chosen, or a provider's identity opens the account."""
    identity = exists().where(ProviderIdentity.account_id == StaffAccount.id, ProviderIdentity.ended_at.is_(None))
    return or_(StaffAccount.password_hash.is_not(None), identity)


ACCOUNT: Select[*tuple[Any, ...]] = select(
    StaffAccount.id,
    StaffAccount.email,
    StaffAccount.name,
    StaffAccount.password_hash,
    StaffAccount.closed_at,
    has_way_in().label("has_way_in"),
)


def locked_account(session: Session, account_id: UUID) -> Row[*tuple[Any, ...]]:
    """Return an account, open or closed, and lock it. Raises Refused where there is none."""
    row = session.execute(ACCOUNT.where(StaffAccount.id == account_id).with_for_update()).one_or_none()
    if row is None:
        raise Refused("unknown_account", "Ce compte n’existe pas. Choisissez-le dans la liste.")
    return row


def locked_open_account(session: Session, account_id: UUID) -> Row[*tuple[Any, ...]]:
    """Return an open account and lock it. Raises Refused where it is closed, or there is none."""
    row = locked_account(session, account_id)
    if row.closed_at is not None:
        raise Refused("account_closed", "Ce compte est fermé. Ouvrez-en un autre.")
    return row


def locked_account_at(session: Session, email: str) -> Row[*tuple[Any, ...]] | None:
    """Return the open account of an address and lock it, or None."""
    return session.execute(
        ACCOUNT.where(StaffAccount.email == email.strip().lower(), StaffAccount.closed_at.is_(None)).with_for_update()
    ).one_or_none()


def new_address(text: str) -> str:
    """Return the address of an account as it is kept. Raises Refused where no message could reach it."""
    email = required_text(text, "email", 200).lower()
    if not is_address(email):
        raise Refused("bad_address", "Écrivez une adresse électronique complète. Par exemple luce@mairie.fr.", "email")
    return email


def person_name(text: str) -> str:
    """Return the name of a person as it is kept: what no screen shows is taken away. Raises Refused (field `name`)."""
    return required_text("".join(mark for mark in text if not is_invisible(mark)), "name", 120)


def refuse_known_address(session: Session, email: str) -> None:
    """Raise Refused when an account, open or closed, has this address."""
    if session.scalar(select(StaffAccount.id).where(StaffAccount.email == email)) is not None:
        raise Refused("email_taken", "Cette adresse a déjà un compte. Cherchez-la dans la liste.", "email")


def open_account_at(database: Database, email: str) -> UUID:
    """Return the open account of an address. Raises Refused where there is none."""
    with database.read() as session:
        account_id = session.scalar(
            select(StaffAccount.id).where(StaffAccount.email == email.strip().lower(), StaffAccount.closed_at.is_(None))
        )
    if account_id is None:
        raise Refused("unknown_account", NOBODY_THERE)
    return account_id


def counts_among_two(session: Session, account_id: UUID) -> bool:
    """Say whether a person holds, or ever held, a role whose holders count among two people: a name that signed stays that person's."""
    held = exists().where(RoleGrant.account_id == account_id, RoleGrant.role.in_(sorted(TWO_PEOPLE_ROLES)))
    return bool(session.scalar(select(held)))
