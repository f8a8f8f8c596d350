"""What must be true of second factors: one person alone takes none off somebody else's account."""

from functools import cache
from typing import Any

from sqlalchemy import Select, and_, exists, func, not_, or_, select
from sqlalchemy.orm import Session

from voucher.access.factors.recovery import CODE_COUNT
from voucher.access.model import (
    AccountChange,
    Passkey,
    ProviderIdentity,
    RecoveryCode,
    StaffAccount,
    StaffSession,
    TotpDevice,
)
from voucher.access.rules import ChangeKind, ChangeOutcome
from voucher.kernel.calendar import french_instant
from voucher.kernel.checks import Check, Violation

ROWS_MAX = 100
_BY_ONE = (ChangeOutcome.ALONE, ChangeOutcome.BEFORE)


@cache
def _query_factors_reset_by_two() -> Select[*tuple[Any, ...]]:
    same = AccountChange.decided_by == AccountChange.asked_by
    own = or_(AccountChange.decided_by == AccountChange.account_id, AccountChange.asked_by == AccountChange.account_id)
    confirmed = AccountChange.outcome == ChangeOutcome.CONFIRMED
    return (
        select(StaffAccount.email, AccountChange.decided_at)
        .join(StaffAccount, StaffAccount.id == AccountChange.account_id)
        .where(AccountChange.kind == ChangeKind.FACTORS)
        .where(or_(AccountChange.outcome.in_(_BY_ONE), and_(confirmed, or_(same, own))))
        .order_by(AccountChange.id)
    )


def check_factors_reset_by_two(session: Session) -> list[Violation]:
    """Une deuxième preuve remise à zéro l’a été par deux personnes, dont aucune n’est celle du compte."""
    return [
        Violation(
            "factors_reset_by_two",
            f"compte {row.email}",
            f"remise à zéro le {french_instant(row.decided_at)}, que deux autres personnes n’ont pas demandée et confirmée",
        )
        for row in session.execute(_query_factors_reset_by_two()).fetchmany(ROWS_MAX)
    ]


@cache
def _queries_resets_end_factors() -> dict[str, Select[*tuple[Any, ...]]]:
    since = AccountChange.decided_at
    # What began before a reset and serves still.
    outlives = {
        "une clé d’accès": exists().where(
            Passkey.account_id == StaffAccount.id, Passkey.removed_at.is_(None), Passkey.created_at < since
        ),
        "une application de codes": exists().where(
            TotpDevice.account_id == StaffAccount.id, TotpDevice.removed_at.is_(None), TotpDevice.created_at < since
        ),
        "un code de secours": exists().where(
            RecoveryCode.account_id == StaffAccount.id,
            RecoveryCode.used_at.is_(None),
            RecoveryCode.ended_at.is_(None),
            RecoveryCode.made_at < since,
        ),
        "un compte ProConnect": exists().where(
            ProviderIdentity.account_id == StaffAccount.id,
            ProviderIdentity.ended_at.is_(None),
            ProviderIdentity.linked_at < since,
        ),
        "une connexion": exists().where(StaffSession.account_id == StaffAccount.id, StaffSession.started_at < since),
    }
    return {
        words: select(StaffAccount.email, func.max(since).label("reset_at"))
        .join(AccountChange, AccountChange.account_id == StaffAccount.id)
        .where(AccountChange.kind == ChangeKind.FACTORS, AccountChange.outcome == ChangeOutcome.CONFIRMED, serves)
        .group_by(StaffAccount.email)
        for words, serves in outlives.items()
    }


def check_resets_end_factors(session: Session) -> list[Violation]:
    """Rien de ce qui ouvrait un compte avant la remise à zéro de sa deuxième preuve ne sert encore, sauf le mot de passe."""
    return [
        Violation(
            "resets_end_factors",
            f"compte {row.email}",
            f"{words} d’avant le {french_instant(row.reset_at)}, jour de la remise à zéro, sert encore",
        )
        for words, query in _queries_resets_end_factors().items()
        for row in session.execute(query).fetchmany(ROWS_MAX)
    ]


@cache
def _query_codes_stand_beside_a_factor() -> Select[*tuple[Any, ...]]:
    serves = and_(RecoveryCode.used_at.is_(None), RecoveryCode.ended_at.is_(None))
    passkey = exists().where(Passkey.account_id == StaffAccount.id, Passkey.removed_at.is_(None))
    totp = exists().where(TotpDevice.account_id == StaffAccount.id, TotpDevice.removed_at.is_(None))
    count = func.count(RecoveryCode.id)
    return (
        select(StaffAccount.email, count.label("code_count"))
        .join(RecoveryCode, RecoveryCode.account_id == StaffAccount.id)
        .where(serves)
        .group_by(StaffAccount.id, StaffAccount.email)
        .having(or_(count > CODE_COUNT, not_(or_(passkey, totp))))
    )


def check_codes_stand_beside_a_factor(session: Session) -> list[Violation]:
    """Les codes de secours remplacent une deuxième preuve qui existe, et sont dix au plus."""
    return [
        Violation(
            "codes_stand_beside_a_factor",
            f"compte {row.email}",
            f"{row.code_count} codes de secours servent, pour {CODE_COUNT} au plus et une deuxième preuve au moins",
        )
        for row in session.execute(_query_codes_stand_beside_a_factor()).fetchmany(ROWS_MAX)
    ]


CHECKS: tuple[Check, ...] = (
    check_factors_reset_by_two,
    check_resets_end_factors,
    check_codes_stand_beside_a_factor,
)
