"""Rows in: several by one statement, made once (SQLAlchemy builds a VALUES of many rows anew each time). Rows out: by name."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, String, TextClause, bindparam, text
from sqlalchemy.dialects import postgresql, sqlite

from voucher.kernel.database import Base
from voucher.kernel.known_values import OneOf


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


def insert_many(
    connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]], *, or_leave: bool = False
) -> None:
    """Insert thousands of rows that give the same columns; `or_leave`: those whose key stands already are left as they are.

    PostgreSQL takes them as one JSON text, read by the server itself: a row costs no message and no parameter of its own.
    Instants must be aware; bytes are not taken.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        content = json.dumps([dict(row) for row in rows], default=str, ensure_ascii=False)
        connection.execute(_insert_json(table, tuple(rows[0]), or_leave), {"rows": content})
        return
    statement = sqlite.insert(table)
    connection.execute(statement.on_conflict_do_nothing() if or_leave else statement, [dict(row) for row in rows])


def columns_of(row: Row[*tuple[Any, ...]], *sums: str) -> dict[str, Any]:
    """Return a row's columns by name, for a dataclass whose fields have these names.

    `sums` are those that PostgreSQL adds up as numeric: they come back as int.
    """
    return {name: int(value) if name in sums else value for name, value in row._asdict().items()}


@lru_cache(maxsize=64)
def _insert_json(table: type[Base], names: tuple[str, ...], or_leave: bool) -> TextClause:
    columns = table.__table__.columns
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    # Texts are taken as they are: one that is too long is refused by its column, not cut here.
    types = (
        "text" if isinstance(columns[name].type, String | OneOf) else columns[name].type.compile(dialect)
        for name in names
    )
    taken = ", ".join(f"{name} {kind}" for name, kind in zip(names, types, strict=True))
    listed, conflict = ", ".join(names), " ON CONFLICT DO NOTHING" if or_leave else ""
    return text(
        f"INSERT INTO {table.__tablename__} ({listed}) "  # noqa: S608 - names of our own tables
        f"SELECT {listed} FROM json_to_recordset(CAST(:rows AS json)) AS given ({taken}){conflict}"
    )
