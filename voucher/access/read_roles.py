"""What pages ask of roles over time: those of a person with their dates, and who had which on a day."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, case, or_, select
from sqlalchemy.orm import aliased

from voucher.access.model import AccountChange, RoleGrant, StaffAccount
from voucher.access.rules import ROLE_NAMES, ChangeOutcome, Role
from voucher.kernel.calendar import end_of_day, start_of_day
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.search import contains


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleHeld:
    """A role that a person has or had. `until_on` is the last day that was decided; `ended_at`, when it ended, if it did or will.

    Who gave or confirmed it is a name, None for the host; `is_confirmed` says that a second person, or the host, did.
    """

    account_id: UUID
    name: str
    email: str
    role: Role
    scope_id: UUID | None
    granted_at: datetime
    granted_by_name: str | None
    is_confirmed: bool
    confirmed_by_name: str | None
    until_on: date | None
    ended_at: datetime | None

    def holds_at(self, now: datetime) -> bool:
        """Say whether the person has it at an instant after it was given."""
        return self.ended_at is None or self.ended_at > now


def roles_of(database: Database, account_id: UUID) -> list[RoleHeld]:
    """Return every role that a person has or had, the last given first."""
    query = _held().where(RoleGrant.account_id == account_id)
    with database.read() as session:
        rows = session.execute(query.order_by(RoleGrant.granted_at.desc(), RoleGrant.id)).all()
    return [_role_held(row) for row in rows]


def roles_held_on(database: Database, day: date, asked: Asked) -> Page[RoleHeld]:
    """Return a page of the roles that somebody had at a moment of a day in Paris: given by its end, not over at its beginning.

    What ended an account ended its roles. Sorts: name, email, role, granted_at. Filters: `name` (name or address), `role`.
    """
    begins, ends = start_of_day(day), end_of_day(day)
    query = _held().where(
        RoleGrant.granted_at < ends,
        or_(RoleGrant.revoked_at.is_(None), RoleGrant.revoked_at > begins),
        or_(RoleGrant.until_on.is_(None), RoleGrant.until_on >= day),
        or_(StaffAccount.closed_at.is_(None), StaffAccount.closed_at > begins),
    )
    if text := asked.filters.get("name"):
        query = query.where(or_(contains(StaffAccount.name, text), contains(StaffAccount.email, text)))
    if role := asked.filters.get("role"):
        query = query.where(RoleGrant.role == role)
    sorts = {
        "name": StaffAccount.name,
        "email": StaffAccount.email,
        "role": _ROLE_NAME,
        "granted_at": RoleGrant.granted_at,
    }
    with database.read() as session:
        page = page_of(session, query, sorts, [RoleGrant.id], asked)
    return page.of(_role_held(row) for row in page.rows)


_ROLE_NAME = case(*((RoleGrant.role == role, name) for role, name in ROLE_NAMES.items()))
_GIVER, _CONFIRMER = aliased(StaffAccount), aliased(StaffAccount)


def _held() -> Select[*tuple[Any, ...]]:
    return (
        select(
            RoleGrant.account_id,
            StaffAccount.name,
            StaffAccount.email,
            RoleGrant.role,
            RoleGrant.scope_id,
            RoleGrant.granted_at,
            _GIVER.name.label("granted_by_name"),
            AccountChange.outcome,
            _CONFIRMER.name.label("confirmed_by_name"),
            RoleGrant.until_on,
            RoleGrant.revoked_at,
            StaffAccount.closed_at,
        )
        .join(StaffAccount, StaffAccount.id == RoleGrant.account_id)
        .outerjoin(AccountChange, AccountChange.id == RoleGrant.change_id)
        .outerjoin(_GIVER, _GIVER.id == RoleGrant.granted_by)
        .outerjoin(_CONFIRMER, _CONFIRMER.id == AccountChange.decided_by)
    )


def _role_held(row: Row[*tuple[Any, ...]]) -> RoleHeld:
    until = end_of_day(row.until_on) if row.until_on else None
    return RoleHeld(
        account_id=row.account_id,
        name=row.name,
        email=row.email,
        role=row.role,
        scope_id=row.scope_id,
        granted_at=row.granted_at,
        granted_by_name=row.granted_by_name,
        is_confirmed=row.outcome == ChangeOutcome.CONFIRMED,
        confirmed_by_name=row.confirmed_by_name,
        until_on=row.until_on,
        ended_at=min((at for at in (row.revoked_at, row.closed_at, until) if at is not None), default=None),
    )
