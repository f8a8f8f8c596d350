"""Pure decisions of access: which roles exclude each other, which need a scope."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from voucher.kernel.idle_limits import IdleLimits


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

TWO_PEOPLE_ROLES = frozenset({Role.PROGRAMME, Role.ISSUER, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER})
"""Roles whose holders count among the two people that an act takes (a batch, an abandonment, a dispute, a close, a stock count, and
these roles themselves): nobody gives one alone, nor takes over the address of who holds or held one.
"""

SLEEPS_FOR_DEPUTIES = Role.FINANCE_PREPARER
"""The one role that whoever stands in for an approver may hold beside: it sleeps while they do. Any other stands on another side."""

_MONEY_SIDES = (
    {Role.FINANCE_PREPARER},
    {Role.FINANCE_APPROVER},
    {Role.AUDITOR},
    {Role.MEDIATOR, Role.PLACE_MANAGER},
    {Role.PROGRAMME},
    {Role.ISSUER, Role.PRESCRIBER},
)
"""One person stands on one side of the money: who uses vouchers, prepares, approves, controls or hands out."""


class Door(StrEnum):
    """How a person came in: by a password (and a code, where they have one), a passkey, or an identity provider."""

    PASSWORD = "password"  # noqa: S105 - the name of a door
    PASSKEY = "passkey"
    PROVIDER = "provider"


class SessionStage(StrEnum):
    """A session whose password was right waits for the second factor; only an open one shows pages."""

    WAITING = "waiting"
    OPEN = "open"


class StepPurpose(StrEnum):
    """What a step that a browser has begun will end: its challenge, or its state, serves for nothing else."""

    PASSKEY_SIGN_IN = "passkey_sign_in"
    PASSKEY_REGISTRATION = "passkey_registration"
    PASSKEY_CONFIRMATION = "passkey_confirmation"
    TOTP_REGISTRATION = "totp_registration"
    PROVIDER_SIGN_IN = "provider_sign_in"
    PROVIDER_CONFIRMATION = "provider_confirmation"


class LinkPurpose(StrEnum):
    """What a one-time link is for: a first password, or a new one."""

    INVITATION = "invitation"
    RESET = "reset"


class Origin(StrEnum):
    """Where something was asked from: a page of the office, the person's own « mot de passe oublié », a command on the host."""

    OFFICE = "office"
    PERSON = "person"
    HOST = "host"


class LinkEnd(StrEnum):
    """How a link ended before its time: used, or not to be used any more."""

    USED = "used"
    CANCELLED = "cancelled"


class ChangeKind(StrEnum):
    """What takes a second person: a role that is given, an address that changes, second factors that are taken off a lost phone."""

    ROLE = "role"
    ADDRESS = "address"
    FACTORS = "factors"


class ChangeOutcome(StrEnum):
    """What became of it; `dropped`: the account is no more what was asked about; `before`: given when one person still could;
    `alone`: an address that takes one person, kept since it tells who had a hand in the account.
    """

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    DROPPED = "dropped"
    BEFORE = "before"
    ALONE = "alone"


LINK_LIVES: dict[LinkPurpose, timedelta] = {
    # Long enough for somebody who is away for the week.
    LinkPurpose.INVITATION: timedelta(days=7),
    # CNIL 2022-100: what renews a password is good for 24 hours at most, and once.
    LinkPurpose.RESET: timedelta(hours=24),
}
"""How long a link is good from its sending; asked for longer ago than that, it is not made any more."""

RESETS_ASKED_MAX = 3
"""How many links « mot de passe oublié » sends to a person within the life of one: nobody fills somebody's mailbox."""

SECOND_FACTOR_ROLES = TWO_PEOPLE_ROLES
"""Who must show a second factor in production: whose act counts among two is not to be had for a password."""

STEP_DURATION = timedelta(minutes=10)
"""How long a step begun is good, and how long a session waits for its second factor."""

PROOF_DURATION = timedelta(minutes=5)
"""How long a proof of who is there is good for the acts that take one."""

SESSION_DURATION = timedelta(hours=12)
"""After which everybody signs in again, however busy."""

PAYING_ROLES = frozenset({Role.FINANCE_PREPARER, Role.FINANCE_APPROVER})
COUNTER_ROLES = frozenset({Role.MEDIATOR, Role.PLACE_MANAGER})


def idle_limit(roles: Iterable[Role], limits: IdleLimits) -> timedelta:
    """Return how long a session of a person with these roles may stay without a page: the strictest of what each may."""
    minutes = {
        limits.finance_minutes
        if role in PAYING_ROLES
        else limits.counter_minutes
        if role in COUNTER_ROLES
        else limits.other_minutes
        for role in roles
    }
    return timedelta(minutes=min(minutes, default=limits.other_minutes))


def is_fresh(confirmed_at: datetime, now: datetime) -> bool:
    """Say whether who proved at `confirmed_at` who they are may still act without proving it again."""
    return now - confirmed_at <= PROOF_DURATION


def incompatible_with(role: Role, held: Iterable[Role]) -> Role | None:
    """Return a role already held that excludes `role`, or None."""
    side = next(side for side in _MONEY_SIDES if role in side)
    return next((other for other in held if other not in side), None)
