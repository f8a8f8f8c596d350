"""Several rows by one statement, made once: SQLAlchemy builds a VALUES of many rows anew each time it is executed."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, bindparam, text

from voucher.kernel.database import Base


@lru_cache(maxsize=256)
def insert_rows(table: type[Base], count: int) -> TextClause:
    """Return the INSERT of `count` whole rows of a table, for the parameters that `row_values` makes."""
    columns = table.__table__.columns
    rows = (f"({', '.join(f':{column.name}_{rank}' for column in columns)})" for rank in range(count))
    names = ", ".join(column.name for column in columns)
    statement = text(f"INSERT INTO {table.__tablename__} ({names}) VALUES {', '.join(rows)}")  # noqa: S608 - names of our own tables
    types = [bindparam(f"{column.name}_{rank}", type_=column.type) for rank in range(count) for column in columns]
    return statement.bindparams(*types)


def row_values(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the parameters of `insert_rows`: each row must give every column of the table."""
    return {f"{name}_{rank}": value for rank, row in enumerate(rows) for name, value in row.items()}
