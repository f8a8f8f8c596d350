"""A whole database in one small file, the same for both engines: rows only, the schema comes from the numbered migrations.

The file is JSON lines, compressed by xz: first the revision, then for each table its name and columns with their kinds, and its
rows in the order that loads them. Identifiers and instants are text, bytes base64.

    python -m tests.migrations.dump sqlite:///var/demo/pass.sqlite3 tests/migrations/demonstration_0017.jsonl.xz
"""

import base64
import json
import lzma
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from alembic import command
from alembic.migration import MigrationContext
from sqlalchemy import Boolean, Connection, Date, LargeBinary, Uuid, create_engine, make_url, select, text
from sqlalchemy.types import TypeEngine

import voucher.models  # noqa: F401 — every room's tables enter Base.metadata
from voucher.kernel.database import Base, Instant
from voucher.kernel.migrations import alembic_config
from voucher.takeover.tables import carried_tables

ROWS_AT_ONCE = 500
KINDS: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (Instant, "instant"),
    (Uuid, "uuid"),
    (Boolean, "boolean"),
    (Date, "date"),
    (LargeBinary, "bytes"),
)


@dataclass(frozen=True, slots=True)
class DumpedTable:
    """A table of a dump: its columns with their kinds, and its rows as JSON gives them."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]


def write_dump(url: str, path: Path) -> None:
    """Write all rows of a database that stands at this code's head."""
    engine = create_engine(url)
    carried = list(carried_tables())  # entries after their movements, closed years after their entries
    tables = [*(table for table in Base.metadata.sorted_tables if table not in carried), *carried]
    with engine.connect() as connection, lzma.open(path, "wt", preset=9 | lzma.PRESET_EXTREME, encoding="utf-8") as out:
        revision = MigrationContext.configure(connection).get_current_revision()
        out.write(json.dumps({"revision": revision}) + "\n")
        for table in tables:
            kinds = [(column.name, _kind(column.type)) for column in table.columns]
            rows = connection.execute(select(table).order_by(*table.primary_key.columns)).all()
            out.write(json.dumps({"table": table.name, "columns": kinds, "count": len(rows)}) + "\n")
            for row in rows:
                cells = [dumped(value, kind) for value, (_, kind) in zip(row, kinds, strict=True)]
                out.write(json.dumps(cells, ensure_ascii=False) + "\n")
    engine.dispose()


def read_dump(path: Path) -> tuple[str, list[DumpedTable]]:
    """Return a dump's revision and its tables, in the order that loads them."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        revision = json.loads(next(lines))["revision"]
        return revision, list(_tables(lines))


def load_dump(url: str, path: Path) -> list[DumpedTable]:
    """Bring an empty database to the dump's revision, put its rows there, and return its tables."""
    revision, tables = read_dump(path)
    command.upgrade(alembic_config(url), revision)
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in tables:
            if table.name == "serial_counter":  # a migration gave it its one row
                connection.execute(text("DELETE FROM serial_counter"))
            _insert(connection, table, is_sqlite=is_sqlite)
    engine.dispose()
    return tables


def _insert(connection: Connection, table: DumpedTable, *, is_sqlite: bool) -> None:
    names = [name for name, _ in table.columns]
    marks = ", ".join("?" if is_sqlite else "%s" for _ in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    statement = f'INSERT INTO "{table.name}" ({quoted}) VALUES ({marks})'
    kinds = [kind for _, kind in table.columns]
    for at in range(0, len(table.rows), ROWS_AT_ONCE):
        rows = [
            tuple(stored(value, kind, is_sqlite=is_sqlite) for value, kind in zip(row, kinds, strict=True))
            for row in table.rows[at : at + ROWS_AT_ONCE]
        ]
        connection.exec_driver_sql(statement, rows)


def stored(value: Any, kind: str, *, is_sqlite: bool) -> Any:
    """Return a dumped value as the driver of an engine takes it."""
    if value is None:
        return None
    if kind == "bytes":
        return base64.b64decode(value)
    if is_sqlite and kind == "uuid":
        return value.replace("-", "")
    if is_sqlite and kind == "instant":
        return datetime.fromisoformat(value).strftime("%Y-%m-%d %H:%M:%S.%f")
    if is_sqlite and kind == "boolean":
        return int(value)
    return value


def dumped(value: Any, kind: str) -> Any:
    """Return a value that a driver gave in the form that a dump has it: the inverse of `stored`."""
    match value:
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case date():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case int() if kind == "boolean":
            return bool(value)
        case str() if kind == "uuid":
            return str(UUID(value))
        case str() if kind == "instant":
            return datetime.fromisoformat(value).replace(tzinfo=UTC).isoformat()
    return value


def _tables(lines: Iterator[str]) -> Iterator[DumpedTable]:
    for line in lines:
        head = json.loads(line)
        rows = tuple(tuple(json.loads(next(lines))) for _ in range(head["count"]))
        yield DumpedTable(head["table"], tuple((name, kind) for name, kind in head["columns"]), rows)


def _kind(kind: TypeEngine[Any]) -> str:
    return next((name for form, name in KINDS if isinstance(kind, form)), "plain")


if __name__ == "__main__":
    write_dump(sys.argv[1], Path(sys.argv[2]))
