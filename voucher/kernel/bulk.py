"""Rows by the hundred thousand, in and out of a table: PostgreSQL works on the next ones while Python works on these."""

from collections.abc import Generator, Iterable, Sequence
from typing import Any

from psycopg import sql
from sqlalchemy import Select, insert
from sqlalchemy.orm import Session

from voucher.kernel.chunks import chunks
from voucher.kernel.database import Base, driver_of

ROWS_AT_ONCE = 20_000
_ROWS_A_MESSAGE = 1_000


def streamed_rows(session: Session, query: Select[Any]) -> Generator[Sequence[Any], None, None]:
    """Run a statement and give its rows as the driver reads them, a part at a time: memory does not grow with their number.

    The session takes no other statement until the last row is read; whoever leaves early waits for the rest. The values in
    the statement's conditions must be plain ones (numbers, texts), those of the rows are best texts, numbers or bytes.
    """
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        with connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
            for part in rows.partitions():
                yield from part
        return
    statement = query.compile(connection, compile_kwargs={"render_postcompile": True})
    # Not a cursor of the server: it would stop at the end of each part until asked for the next, and never share its work
    # among processes.
    with driver_of(connection).cursor() as cursor:
        rows_read = cursor.stream(str(statement).encode(), statement.params, size=_ROWS_A_MESSAGE)
        try:
            for row in rows_read:  # noqa: UP028 - `yield from` would close it too
                yield row
        finally:
            # A statement cut short would take its transaction with it.
            for _ in rows_read:
                pass


def copy_rows(session: Session, table: type[Base], rows: Iterable[Sequence[object]]) -> None:
    """Insert many rows, each with a value for every column in the table's order: by COPY on PostgreSQL."""
    columns = table.__table__.columns
    if session.get_bind().dialect.name != "postgresql":
        for part in chunks(rows, ROWS_AT_ONCE):
            session.execute(insert(table), [dict(zip(columns.keys(), row, strict=True)) for row in part])
        return
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.__tablename__), sql.SQL(", ").join(map(sql.Identifier, columns.keys()))
    )
    with driver_of(session.connection()).cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
