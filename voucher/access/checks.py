"""What must be true of accounts: one person alone makes no second one."""

from functools import cache
from typing import Any

from sqlalchemy import Row, Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from voucher.access.factors import checks as factors
from voucher.access.model import (
    AccountChange,
    AccountLink,
    Passkey,
    ProviderIdentity,
    RoleGrant,
    StaffAccount,
    StaffBrowser,
    StaffSession,
    TotpDevice,
)
from voucher.access.rules import ROLE_NAMES, TWO_PEOPLE_ROLES, ChangeKind, ChangeOutcome, LinkEnd, Origin
from voucher.kernel.calendar import end_of_day, french_date, french_instant
from voucher.kernel.checks import Check, Violation

ROWS_MAX = 100
_GIVEN = (ChangeOutcome.CONFIRMED, ChangeOutcome.BEFORE)


@cache
def _query_two_people_gave_roles() -> Select[*tuple[Any, ...]]:
    same = and_(
        AccountChange.account_id == RoleGrant.account_id,
        AccountChange.kind == ChangeKind.ROLE,
        AccountChange.role == RoleGrant.role,
        AccountChange.scope_id.is_not_distinct_from(RoleGrant.scope_id),
        AccountChange.until_on.is_not_distinct_from(RoleGrant.until_on),
    )
    alone = and_(AccountChange.decided_by.is_not(None), AccountChange.decided_by == AccountChange.asked_by)
    return (
        select(StaffAccount.email, RoleGrant.role, AccountChange.outcome)
        .join(StaffAccount, StaffAccount.id == RoleGrant.account_id)
        .outerjoin(AccountChange, AccountChange.id == RoleGrant.change_id)
        .where(RoleGrant.role.in_(sorted(TWO_PEOPLE_ROLES)))
        .where(
            or_(
                AccountChange.id.is_(None),
                AccountChange.outcome.is_(None),
                AccountChange.outcome.not_in(_GIVEN),
                ~same,
                alone,
            )
        )
    )


def check_two_people_gave_roles(session: Session) -> list[Violation]:
    """Un rôle qui compte parmi deux personnes a été demandé par l’une et confirmé par une autre, ou par le serveur."""
    rows = session.execute(_query_two_people_gave_roles())
    return [
        Violation(
            "two_people_gave_roles",
            f"compte {row.email}, rôle « {ROLE_NAMES[row.role]} »",
            "aucune demande confirmée par une autre personne ne le donne",
        )
        for row in rows.fetchmany(ROWS_MAX)
    ]


@cache
def _query_addresses_seen_by_two() -> Select[*tuple[Any, ...]]:
    return (
        select(
            StaffAccount.email,
            AccountChange.account_id,
            AccountChange.kind,
            AccountChange.known_email,
            AccountChange.new_email,
        )
        .join(StaffAccount, StaffAccount.id == AccountChange.account_id)
        .where(AccountChange.outcome.in_(_GIVEN))
        .order_by(AccountChange.decided_at, AccountChange.id)
    )


def check_addresses_seen_by_two(session: Session) -> list[Violation]:
    """L’adresse de qui tient un tel rôle est celle que deux personnes ont vue."""
    rows = session.execute(_query_addresses_seen_by_two()).all()
    last: dict[object, Row[str, object, str, str, str]] = {row.account_id: row for row in rows}
    return [
        Violation("addresses_seen_by_two", f"compte {row.email}", f"deux personnes ont vu l’adresse {seen}")
        for row in last.values()
        if row.email != (seen := row.new_email if row.kind == ChangeKind.ADDRESS else row.known_email)
    ][:ROWS_MAX]


def check_closed_accounts_open_nothing(session: Session) -> list[Violation]:
    """Un compte fermé n’a ni connexion, ni lien qui sert, ni deuxième preuve, ni demande qui attend, ni compte ProConnect qui l’ouvre."""
    still = {
        "une connexion ouverte": exists().where(StaffSession.account_id == StaffAccount.id),
        "un navigateur connu": exists().where(StaffBrowser.account_id == StaffAccount.id),
        "un lien qui sert": exists().where(AccountLink.account_id == StaffAccount.id, AccountLink.ended_at.is_(None)),
        "une clé d’accès": exists().where(Passkey.account_id == StaffAccount.id, Passkey.removed_at.is_(None)),
        "une application de codes": exists().where(
            TotpDevice.account_id == StaffAccount.id, TotpDevice.removed_at.is_(None)
        ),
        "une demande qui attend": exists().where(
            AccountChange.account_id == StaffAccount.id, AccountChange.outcome.is_(None)
        ),
        "un compte ProConnect qui l’ouvre": exists().where(
            ProviderIdentity.account_id == StaffAccount.id, ProviderIdentity.ended_at.is_(None)
        ),
    }
    return [
        Violation("closed_accounts_open_nothing", f"compte {email}", f"fermé, il a encore {words}")
        for words, condition in still.items()
        for email in session.scalars(
            select(StaffAccount.email).where(StaffAccount.closed_at.is_not(None), condition).limit(ROWS_MAX)
        )
    ]


@cache
def _query_identities_come_from_links() -> Select[*tuple[Any, ...]]:
    return (
        select(StaffAccount.email)
        .select_from(ProviderIdentity)
        .join(StaffAccount, StaffAccount.id == ProviderIdentity.account_id)
        .outerjoin(AccountLink, AccountLink.id == ProviderIdentity.link_id)
        .where(
            or_(
                AccountLink.id.is_(None),
                AccountLink.account_id != ProviderIdentity.account_id,
                AccountLink.ended_how.is_distinct_from(LinkEnd.USED),
                AccountLink.asked_from == Origin.PERSON,
            )
        )
        .limit(ROWS_MAX)
    )


def check_identities_come_from_links(session: Session) -> list[Violation]:
    """Un compte ProConnect ouvre un compte parce qu’un lien envoyé à sa personne, et qui a servi, les a reliés."""
    return [
        Violation(
            "identities_come_from_links",
            f"compte {email}",
            "aucun lien que le programme a envoyé ne relie son ProConnect",
        )
        for email in session.scalars(_query_identities_come_from_links())
    ]


@cache
def _query_roles_end_on_their_day() -> Select[*tuple[Any, ...]]:
    return (
        select(StaffAccount.email, RoleGrant.role, RoleGrant.until_on, RoleGrant.revoked_at)
        .join(StaffAccount, StaffAccount.id == RoleGrant.account_id)
        .where(RoleGrant.until_on.is_not(None), RoleGrant.revoked_at.is_not(None))
        .order_by(RoleGrant.id)
    )


def check_roles_end_on_their_day(session: Session) -> list[Violation]:
    """Un rôle donné jusqu’à un jour a pris fin ce jour-là au plus tard."""
    rows = session.execute(_query_roles_end_on_their_day())
    return [
        Violation(
            "roles_end_on_their_day",
            f"compte {row.email}, rôle « {ROLE_NAMES[row.role]} »",
            f"donné jusqu’au {french_date(row.until_on)}, il a fini le {french_instant(row.revoked_at)}",
        )
        for row in rows
        if row.revoked_at > end_of_day(row.until_on)
    ][:ROWS_MAX]


CHECKS: tuple[Check, ...] = (
    check_two_people_gave_roles,
    check_roles_end_on_their_day,
    check_addresses_seen_by_two,
    check_closed_accounts_open_nothing,
    check_identities_come_from_links,
    *factors.CHECKS,
)
