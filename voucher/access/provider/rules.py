"""Pure decisions on an identity provider: who somebody is there, and for whom its word must be of a high level."""

from dataclasses import dataclass

from voucher.access.rules import Role

LEVEL_ROLES = frozenset({Role.FINANCE_PREPARER, Role.FINANCE_APPROVER})
"""For whom a provider's word must be of a high level (`acr`): the others may show a second factor of ours beside a lower one."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a person is: a `sub` is one person's at one identity provider of one federation, and nobody's elsewhere."""

    issuer: str
    idp_id: str
    subject: str
