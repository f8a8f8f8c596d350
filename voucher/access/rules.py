"""Pure decisions of access: which roles exclude each other, which need a scope, what a good password is."""

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum


class Role(StrEnum):
    """What a person may do."""

    PROGRAMME = "programme"
    ISSUER = "issuer"
    PRESCRIBER = "prescriber"
    MEDIATOR = "mediator"
    PLACE_MANAGER = "place_manager"
    FINANCE_PREPARER = "finance_preparer"
    FINANCE_APPROVER = "finance_approver"
    AUDITOR = "auditor"


ROLE_NAMES: dict[Role, str] = {
    Role.PROGRAMME: "Programme",
    Role.ISSUER: "Collectivité émettrice",
    Role.PRESCRIBER: "Prescripteur",
    Role.MEDIATOR: "Médiation",
    Role.PLACE_MANAGER: "Responsable de lieu",
    Role.FINANCE_PREPARER: "Finances, préparation",
    Role.FINANCE_APPROVER: "Finances, validation",
    Role.AUDITOR: "Contrôle",
}

SCOPED_ROLES = frozenset({Role.ISSUER, Role.PRESCRIBER, Role.MEDIATOR, Role.PLACE_MANAGER})
"""Roles that are held for one issuer, one prescriber or one structure. Finance may be; programme and auditor never are."""

UNSCOPED_ROLES = frozenset({Role.PROGRAMME, Role.AUDITOR})

_MONEY_SIDES = (
    {Role.FINANCE_PREPARER},
    {Role.FINANCE_APPROVER},
    {Role.AUDITOR},
    {Role.MEDIATOR, Role.PLACE_MANAGER},
    {Role.PROGRAMME},
    {Role.ISSUER, Role.PRESCRIBER},
)
"""One person stands on one side of the money: who uses vouchers, prepares, approves, controls or hands out."""

PASSWORD_LENGTH_MIN = 12
"""CNIL 2022-100, case 2: 50 bits or more with a lock-out; twelve characters of letters and digits are 62."""

FAILURES_BEFORE_LOCK = 5
LOCK_DURATION = timedelta(minutes=15)
SESSION_DURATION = timedelta(hours=10)


def incompatible_with(role: Role, held: Iterable[Role]) -> Role | None:
    """Return a role already held that excludes `role`, or None."""
    side = next(side for side in _MONEY_SIDES if role in side)
    return next((other for other in held if other not in side), None)


def password_weakness(password: str, email: str, name: str) -> str | None:
    """Return a French sentence that says what to change in a password, or None when it is good."""
    if len(password) < PASSWORD_LENGTH_MIN:
        return f"Ce mot de passe est trop court. Écrivez au moins {PASSWORD_LENGTH_MIN} caractères."
    if len(set(password)) < PASSWORD_LENGTH_MIN // 2:
        return "Ce mot de passe répète les mêmes caractères. Mélangez plusieurs mots."
    plain = password.casefold()
    if email.split("@")[0].casefold() in plain or any(
        len(word) > 3 and word.casefold() in plain for word in name.split()
    ):
        return "Ce mot de passe contient votre nom. Choisissez d'autres mots."
    return None
