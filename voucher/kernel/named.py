"""A thing by its name: for choices in forms and for lists that only need to say who is who."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from voucher.kernel.database import Base, Database


@dataclass(frozen=True, slots=True)
class Named:
    """An id and the name that people know it by."""

    id: UUID
    name: str


def names_in(database: Database, table: type[Base]) -> list[Named]:
    """Return every row of a table that has an `id` and a `name`, by name."""
    columns: Any = table
    with database.read() as session:
        rows = session.execute(select(columns.id, columns.name).order_by(columns.name)).all()
    return [Named(row.id, row.name) for row in rows]
