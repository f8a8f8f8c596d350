"""The names of structures, for choices in forms and for lists of rooms that do not know them."""

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.kernel.named import Named, names_in
from voucher.network.model import Structure


def structure_names(database: Database) -> list[Named]:
    """Return all structures by name."""
    return names_in(database, Structure)


def names_of_structures(session: Session, structure_ids: Collection[UUID]) -> Mapping[UUID, tuple[str, str]]:
    """Return the SIRET (or RNA) and the name of some structures."""
    rows = session.execute(select(Structure.id, Structure.pivot, Structure.name).where(Structure.id.in_(structure_ids)))
    return {row.id: (row.pivot, row.name) for row in rows}
