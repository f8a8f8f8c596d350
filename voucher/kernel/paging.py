"""One page of a query, and how many rows it has in all: what every list asks."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session


def page_of(
    session: Session, query: Select[*tuple[Any, ...]], column: Any, key: Any, descending: bool, limit: int, offset: int
) -> tuple[Sequence[Any], int]:
    """Return the rows of a page sorted by `column`, then by the unique `key`, and the count of all rows."""
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    order = (column.desc(), key.desc()) if descending else (column, key)
    return session.execute(query.order_by(*order).limit(limit).offset(offset)).all(), total
