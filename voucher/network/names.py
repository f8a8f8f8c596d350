"""The names of structures, for choices in forms."""

from voucher.kernel.database import Database
from voucher.kernel.named import Named, names_in
from voucher.network.model import Structure


def structure_names(database: Database) -> list[Named]:
    """Return all structures by name."""
    return names_in(database, Structure)
