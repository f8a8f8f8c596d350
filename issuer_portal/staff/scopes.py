"""The organisations for which a role may be held: issuers, prescribers, structures."""

from uuid import UUID

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


def scope_choices(database: Database) -> list[tuple[str, str]]:
    """Return the same as choices of a form, each under the word for what it is."""
    kinds = (
        ("Collectivité", issuer_names(database)),
        ("Prescripteur", prescriber_names(database)),
        ("Structure", structure_names(database)),
    )
    return [(str(one.id), f"{kind} : {one.name}") for kind, found in kinds for one in found]
