"""The organisations for which a role may be held: issuers, prescribers, structures."""

from uuid import UUID

from voucher.access.rules import Role
from voucher.distribution.names import prescriber_names
from voucher.kernel.database import Database
from voucher.network.names import structure_names
from voucher.programme.names import issuer_names


def scope_names(database: Database) -> dict[UUID, str]:
    """Return each organisation's name by its id."""
    return {
        **{issuer.id: issuer.name for issuer in issuer_names(database)},
        **{prescriber.id: prescriber.name for prescriber in prescriber_names(database)},
        **{structure.id: structure.name for structure in structure_names(database)},
    }


def scope_word(names: dict[UUID, str], scope_id: UUID | None) -> str:
    """Return for what a role is held, of the names that `scope_names` gave."""
    return names.get(scope_id, "") if scope_id else "tout le programme"


_HELD_FOR = {
    Role.ISSUER: ("une collectivité", issuer_names),
    Role.FINANCE_PREPARER: ("une collectivité", issuer_names),
    Role.FINANCE_APPROVER: ("une collectivité", issuer_names),
    Role.PRESCRIBER: ("un prescripteur", prescriber_names),
    Role.MEDIATOR: ("une structure", structure_names),
    Role.PLACE_MANAGER: ("une structure", structure_names),
}


def misfit(database: Database, role: Role, scope_id: UUID) -> str | None:
    """Return a French sentence when a role is not held for such an organisation, or None when it may be."""
    kind, names = _HELD_FOR.get(role, ("", None))
    if names is None or any(name.id == scope_id for name in names(database)):
        return None
    return f"Ce rôle se tient pour {kind}. Cherchez dans la liste l’organisme de cette sorte."


def scope_choices(database: Database) -> list[tuple[str, str]]:
    """Return the same as choices of a form, each under the word for what it is."""
    kinds = (
        ("Collectivité", issuer_names(database)),
        ("Prescripteur", prescriber_names(database)),
        ("Structure", structure_names(database)),
    )
    return [(str(one.id), f"{kind} : {one.name}") for kind, found in kinds for one in found]
