"""What pages ask of links and of changes that take two people: where an invitation stands, what waits, what was decided."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.orm import aliased

from voucher.access.factors.reset import RESET
from voucher.access.grants import until
from voucher.access.model import AccountChange, AccountLink, LinkSecret, RoleGrant, StaffAccount
from voucher.access.rules import ROLE_NAMES, ChangeKind, ChangeOutcome, LinkPurpose, Role
from voucher.kernel.database import Database


@dataclass(frozen=True, slots=True)
class LinkState:
    """The newest link of an account that was neither used nor cancelled: when it was asked, sent, and ends."""

    purpose: LinkPurpose
    asked_at: datetime
    sent_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that takes two people. `what` is French; who asked or decided is a name, None for the host.

    A name is its person's own to change: whoever confirms reads the address of who asked.
    """

    id: UUID
    account_id: UUID
    name: str
    known_email: str
    new_email: str
    what: str
    is_reset: bool
    scope_id: UUID | None
    asked_by: UUID | None
    asked_by_name: str | None
    asked_by_email: str | None
    asked_at: datetime
    outcome: str | None
    decided_by_name: str | None
    decided_at: datetime | None


def links_of(database: Database, account_ids: Collection[UUID]) -> dict[UUID, LinkState]:
    """Return the newest link of each account that has one."""
    query = (
        select(
            AccountLink.account_id,
            AccountLink.purpose,
            AccountLink.asked_at,
            func.max(LinkSecret.made_at).label("sent_at"),
            func.max(LinkSecret.ends_at).label("ends_at"),
        )
        .outerjoin(LinkSecret, LinkSecret.link_id == AccountLink.id)
        .where(AccountLink.account_id.in_(account_ids), AccountLink.ended_at.is_(None))
        .group_by(AccountLink.id, AccountLink.account_id, AccountLink.purpose, AccountLink.asked_at)
        .order_by(AccountLink.asked_at, AccountLink.id)
    )
    with database.read() as session:
        return {
            row.account_id: LinkState(row.purpose, row.asked_at, row.sent_at, row.ends_at)
            for row in session.execute(query)
        }


def waiting_changes(database: Database) -> list[Change]:
    """Return what waits for a second person, the oldest first."""
    return _changes(database, _changes_query().where(AccountChange.outcome.is_(None)).order_by(AccountChange.asked_at))


def changes_of(database: Database, account_id: UUID) -> list[Change]:
    """Return every change of an account that took two people, the newest first."""
    query = _changes_query().where(AccountChange.account_id == account_id)
    return _changes(database, query.order_by(AccountChange.asked_at.desc(), AccountChange.id))


def waiting_address(database: Database, account_id: UUID) -> Change | None:
    """Return the address that was asked for an account and waits for somebody of the programme, or None."""
    query = _changes_query().where(AccountChange.account_id == account_id, AccountChange.kind == ChangeKind.ADDRESS)
    return next(iter(_changes(database, query.where(AccountChange.outcome.is_(None)))), None)


def change(database: Database, change_id: UUID) -> Change | None:
    """Return one change, or None."""
    return next(iter(_changes(database, _changes_query().where(AccountChange.id == change_id))), None)


def had_hand_in(database: Database, account_id: UUID, by: UUID) -> bool:
    """Say whether somebody invited a person, sent them a link, gave them a role or changed their address.

    Such a person may be the other one under a second name: an act of which one of the two holds a role that one person gives
    (a place manager records a RIB) asks this of the second.
    """
    hands = (
        select(AccountLink.id).where(AccountLink.account_id == account_id, AccountLink.asked_by == by),
        select(RoleGrant.id).where(RoleGrant.account_id == account_id, RoleGrant.granted_by == by),
        select(AccountChange.id).where(
            AccountChange.account_id == account_id,
            AccountChange.kind == ChangeKind.ADDRESS,
            AccountChange.outcome.in_((ChangeOutcome.CONFIRMED, ChangeOutcome.ALONE)),
            or_(AccountChange.asked_by == by, AccountChange.decided_by == by),
        ),
    )
    with database.read() as session:
        return any(session.scalar(hand.limit(1)) is not None for hand in hands)


_ASKER, _DECIDER = aliased(StaffAccount), aliased(StaffAccount)


def _changes_query() -> Select[*tuple[Any, ...]]:
    return (
        select(
            *AccountChange.__table__.columns,
            StaffAccount.name,
            _ASKER.name.label("asked_by_name"),
            _ASKER.email.label("asked_by_email"),
            _DECIDER.name.label("decided_by_name"),
        )
        .join(StaffAccount, StaffAccount.id == AccountChange.account_id)
        .outerjoin(_ASKER, _ASKER.id == AccountChange.asked_by)
        .outerjoin(_DECIDER, _DECIDER.id == AccountChange.decided_by)
    )


def _changes(database: Database, query: Select[*tuple[Any, ...]]) -> list[Change]:
    with database.read() as session:
        rows = session.execute(query).all()
    return [
        Change(
            id=row.id,
            account_id=row.account_id,
            name=row.name,
            known_email=row.known_email,
            new_email=row.new_email,
            what=_what(row),
            is_reset=row.kind == ChangeKind.FACTORS,
            scope_id=row.scope_id,
            asked_by=row.asked_by,
            asked_by_name=row.asked_by_name,
            asked_by_email=row.asked_by_email,
            asked_at=row.asked_at,
            outcome=row.outcome,
            decided_by_name=row.decided_by_name,
            decided_at=row.decided_at,
        )
        for row in rows
    ]


def _what(row: Row[*tuple[Any, ...]]) -> str:
    match row.kind:
        case ChangeKind.ROLE:
            return f"le rôle « {ROLE_NAMES[Role(row.role)]} »{until(row.until_on)}"
        case ChangeKind.ADDRESS:
            return f"l’adresse {row.new_email}"
    return RESET
