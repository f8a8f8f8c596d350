"""Which roles hold, and how one is given, prolonged and ended.

A grant holds until it is taken away, or until its last day is over (`until_on`, in Paris, that day included). Every reader of
roles asks `holds_on`: what is over opens nothing, whether the job `role_ends` has been by or not.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Row, insert, or_, select, update
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.letters import write_to_person
from voucher.access.model import RoleGrant
from voucher.access.rules import ROLE_NAMES, Role, incompatible_with
from voucher.kernel.calendar import end_of_day, french_date, french_instant, paris_day
from voucher.kernel.database import changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused


def holds_on(day: date | BindParameter[date], grant: type[RoleGrant] = RoleGrant) -> ColumnElement[bool]:
    """Say, of a grant, that it was not taken away and that its last day is not over on this day, which is today in Paris."""
    return grant.revoked_at.is_(None) & or_(grant.until_on.is_(None), grant.until_on >= day)


def until(day: date | None) -> str:
    """Return « , jusqu’au 31 mars 2027 compris », or nothing for a role without an end."""
    return f", jusqu’au {french_date(day)} compris" if day else ""


def refuse_grant(
    session: Session, account_id: UUID, role: Role, scope_id: UUID | None, until_on: date | None, now: datetime
) -> None:
    """Raise Refused unless a role may be given: its last day is not past, no role held excludes it, and it is not held already.

    One that is held until a day may be given again for the same organisation until a later one, or without an end.
    """
    today = paris_day(now)
    if until_on is not None and until_on < today:
        raise Refused(
            "until_past",
            f"Le {french_date(until_on)} est passé. Choisissez le dernier jour du rôle, aujourd’hui ou plus tard.",
            "until_on",
        )
    held = session.execute(
        select(RoleGrant.role, RoleGrant.scope_id, RoleGrant.until_on)
        .where(RoleGrant.account_id == account_id, holds_on(today))
    ).all()  # fmt: skip
    for one in held:
        if one.role is not role:
            continue
        if one.until_on is None or one.scope_id != scope_id:
            raise Refused(
                "role_held",
                "Cette personne a déjà ce rôle. Retirez-le d’abord pour en changer l’organisme ou le dernier jour.",
                "role",
            )
        if until_on is not None and until_on <= one.until_on:
            raise Refused(
                "role_held",
                f"Cette personne a déjà ce rôle jusqu’au {french_date(one.until_on)}. Choisissez un jour plus tardif, ou retirez-le.",
                "until_on",
            )
    if (other := incompatible_with(role, [one.role for one in held])) is not None:
        raise Refused(
            "roles_incompatible",
            f"« {ROLE_NAMES[role]} » et « {ROLE_NAMES[other]} » ne vont pas ensemble : une même personne ne peut pas tenir"
            " les deux côtés de l’argent. Donnez ce rôle à quelqu’un d’autre.",
            "role",
        )


def give(
    session: Session,
    account: Row[*tuple[Any, ...]],
    *,
    role: Role,
    scope_id: UUID | None,
    until_on: date | None,
    change_id: UUID | None,
    by: UUID | None,
    now: datetime,
) -> None:
    """Give a role that `refuse_grant` let pass, in place of the same one that was to end, and tell its person."""
    stands = RoleGrant.account_id == account.id, RoleGrant.role == role, RoleGrant.revoked_at.is_(None)
    before = session.execute(select(RoleGrant.id, RoleGrant.until_on).where(*stands)).one_or_none()
    if before is not None:
        end(session, before.id, before.until_on, now)
    values = {"role": role, "scope_id": scope_id, "until_on": until_on, "change_id": change_id}
    session.execute(
        insert(RoleGrant).values(id=new_id(), account_id=account.id, granted_at=now, granted_by=by, **values)
    )
    line_id = note(session, by, "role_granted", f"{account.email} : {ROLE_NAMES[role]}{until(until_on)}", now)
    write_to_person(
        session,
        email=account.email,
        name=account.name,
        about_id=line_id,
        subject="un rôle vous est donné",
        sentence=f"Le rôle « {ROLE_NAMES[role]} » vous a été donné le {french_instant(now)}{until(until_on)}.",
        now=now,
    )


def end(session: Session, grant_id: UUID, until_on: date | None, now: datetime) -> bool:
    """End a grant now, or when its last day was over where that came first; say whether it still stood."""
    at = now if until_on is None else min(now, end_of_day(until_on))
    ended = update(RoleGrant).where(RoleGrant.id == grant_id, RoleGrant.revoked_at.is_(None))
    return changed(session, ended.values(revoked_at=at)) == 1
