"""The names of prescribers, for choices in forms."""

from voucher.distribution.model import Prescriber
from voucher.kernel.database import Database
from voucher.kernel.named import Named, names_in


def prescriber_names(database: Database) -> list[Named]:
    """Return all prescribers by name."""
    return names_in(database, Prescriber)
