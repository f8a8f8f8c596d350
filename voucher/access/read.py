"""What pages ask of access: people, their roles."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, or_, select

from voucher.access.find import has_way_in
from voucher.access.grants import holds_on
from voucher.access.model import AccountLink, RoleGrant, StaffAccount
from voucher.access.rules import SLEEPS_FOR_DEPUTIES, LinkEnd, Role
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Nullable, Page, page_of
from voucher.kernel.search import contains


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A staff account with the roles it holds."""

    id: UUID
    name: str
    email: str
    roles: tuple[tuple[Role, UUID | None], ...]
    closed_at: datetime | None
    used_at: datetime | None
    has_password: bool
    has_way_in: bool  # a password, or an identity at a provider


_PERSON = (
    StaffAccount.id,
    StaffAccount.name,
    StaffAccount.email,
    StaffAccount.closed_at,
    StaffAccount.used_at,
    StaffAccount.password_hash.is_not(None).label("has_password"),
    has_way_in().label("has_way_in"),
)


def people(database: Database, asked: Asked, *, now: datetime) -> Page[Person]:
    """Return a page of staff accounts. Sorts: name, email, used_at. Filters: `name` (name or address), `role`."""
    query = select(*_PERSON)
    if text := asked.filters.get("name"):
        query = query.where(or_(contains(StaffAccount.name, text), contains(StaffAccount.email, text)))
    if role := asked.filters.get("role"):
        held = select(RoleGrant.account_id).where(RoleGrant.role == role, holds_on(paris_day(now)))
        query = query.where(StaffAccount.id.in_(held))
    with database.read() as session:
        sorts = {
            "name": StaffAccount.name,
            "email": StaffAccount.email,
            "used_at": Nullable(StaffAccount.__table__.c.used_at),
        }
        page = page_of(session, query, sorts, [StaffAccount.id], asked)
        granted = session.execute(
            select(RoleGrant.account_id, RoleGrant.role, RoleGrant.scope_id)
            .where(RoleGrant.account_id.in_([row.id for row in page.rows]), holds_on(paris_day(now)))
            .order_by(RoleGrant.granted_at)
        ).all()
    roles: dict[UUID, list[tuple[Role, UUID | None]]] = {}
    for grant in granted:
        roles.setdefault(grant.account_id, []).append((grant.role, grant.scope_id))
    return page.of(
        Person(
            id=row.id,
            name=row.name,
            email=row.email,
            roles=tuple(roles.get(row.id, ())),
            closed_at=row.closed_at,
            used_at=row.used_at,
            has_password=row.has_password,
            has_way_in=row.has_way_in,
        )
        for row in page.rows
    )


def person(database: Database, account_id: UUID, *, now: datetime) -> Person | None:
    """Return one staff account, or None."""
    with database.read() as session:
        row = session.execute(select(*_PERSON).where(StaffAccount.id == account_id)).one_or_none()
        granted = session.execute(
            select(RoleGrant.role, RoleGrant.scope_id)
            .where(RoleGrant.account_id == account_id, holds_on(paris_day(now)))
            .order_by(RoleGrant.granted_at)
        ).all()
    if row is None:
        return None
    roles = tuple((grant.role, grant.scope_id) for grant in granted)
    return Person(
        id=row.id,
        name=row.name,
        email=row.email,
        roles=roles,
        closed_at=row.closed_at,
        used_at=row.used_at,
        has_password=row.has_password,
        has_way_in=row.has_way_in,
    )


def holders(database: Database, role: Role, *, now: datetime) -> list[Person]:
    """Return the people with an open account that they can enter and this role."""
    with database.read() as session:
        ids = session.scalars(
            select(StaffAccount.id)
            .join(RoleGrant, RoleGrant.account_id == StaffAccount.id)
            .where(RoleGrant.role == role, holds_on(paris_day(now)))
            .where(StaffAccount.closed_at.is_(None), has_way_in())
            .order_by(StaffAccount.name, StaffAccount.id)
        ).all()
    return [found for each_id in ids if (found := person(database, each_id, now=now)) is not None]


def may_be_deputies(database: Database, *, now: datetime) -> list[Person]:
    """Return the people whom an approver may name: an open account that they can enter alone, no role but a preparer's."""
    other = exists().where(
        RoleGrant.account_id == StaffAccount.id, RoleGrant.role != SLEEPS_FOR_DEPUTIES, holds_on(paris_day(now))
    )
    used = exists().where(AccountLink.account_id == StaffAccount.id, AccountLink.ended_how == LinkEnd.USED)
    with database.read() as session:
        ids = session.scalars(
            select(StaffAccount.id)
            .where(StaffAccount.closed_at.is_(None), has_way_in(), used, ~other)
            .order_by(StaffAccount.name, StaffAccount.id)
        ).all()
    return [found for each_id in ids if (found := person(database, each_id, now=now)) is not None]


def names_of(database: Database, account_ids: set[UUID]) -> dict[UUID, str]:
    """Return the names of staff, for pages that say who did what."""
    with database.read() as session:
        rows = session.execute(select(StaffAccount.id, StaffAccount.name).where(StaffAccount.id.in_(account_ids))).all()
    return {row.id: row.name for row in rows}
