"""The names of issuers and funders, for choices in forms."""

from voucher.kernel.database import Database
from voucher.kernel.named import Named, names_in
from voucher.programme.model import Funder, Issuer


def issuer_names(database: Database) -> list[Named]:
    """Return all issuers by name."""
    return names_in(database, Issuer)


def funder_names(database: Database) -> list[Named]:
    """Return all funders by name."""
    return names_in(database, Funder)
