"""The filled demonstration of revision 0017 comes to today's head: no row lost, nothing that guards it gone, its books right."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.migrations.dump import DumpedTable, dumped, load_dump
from voucher.kernel.database import Database
from voucher.kernel.migrations import upgrade
from voucher.reporting.verify import verify

DUMP = Path(__file__).with_name("demonstration_0017.jsonl.xz")

CHANGED: Mapping[tuple[str, str], str] = {}
"""Columns whose values a migration changes on purpose, each with its reason."""

REPLACED: Mapping[str, str] = {}
"""Triggers and indexes that a migration takes away on purpose, each with its reason."""

GUARDS = {
    "sqlite": "SELECT type || ' ' || name || ' on ' || tbl_name FROM sqlite_master"
    " WHERE type IN ('trigger', 'index') AND name NOT LIKE 'sqlite_autoindex_%'",
    "postgresql": "SELECT 'trigger ' || tgname || ' on ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal"
    " UNION ALL SELECT 'index ' || indexname || ' on ' || tablename FROM pg_indexes WHERE schemaname = 'public'",
}


def test_a_filled_database_of_an_earlier_revision_comes_to_the_head_with_its_rows_its_guards_and_right_books(
    empty_database: Database,
) -> None:
    old = empty_database
    tables = load_dump(old.url, DUMP)
    before = _guards(old)
    upgrade(old.url)

    for table in tables:
        assert _rows_now(old, table) == _rows_loaded(table), table.name
    assert {guard for guard in before - _guards(old) if guard.split()[1] not in REPLACED} == set()
    for table in tables:
        if any(guard.startswith(f"trigger {table.name}_never_") for guard in before) and table.rows:
            _assert_refuses_change(old, table)
    found = [(result.sentence, result.violations) for result in verify(old) if result.violations]
    assert found == []


def _kept(table: DumpedTable) -> list[tuple[int, str, str]]:
    return [
        (place, name, kind) for place, (name, kind) in enumerate(table.columns) if (table.name, name) not in CHANGED
    ]


def _rows_loaded(table: DumpedTable) -> list[str]:
    return sorted(repr([row[place] for place, _, _ in _kept(table)]) for row in table.rows)


def _rows_now(database: Database, table: DumpedTable) -> list[str]:
    kept = _kept(table)
    names = ", ".join(f'"{name}"' for _, name, _ in kept)
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(f'SELECT {names} FROM "{table.name}"').all()
    return sorted(repr([dumped(value, kind) for value, (_, _, kind) in zip(row, kept, strict=True)]) for row in rows)


def _guards(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return set(connection.execute(text(GUARDS[connection.dialect.name])).scalars())


def _assert_refuses_change(database: Database, table: DumpedTable) -> None:
    column = table.columns[0][0]
    for change in (f'UPDATE "{table.name}" SET "{column}" = "{column}"', f'DELETE FROM "{table.name}"'):
        with pytest.raises(DBAPIError, match=r"only grows|never changes"), database.engine.begin() as connection:
            connection.exec_driver_sql(change)
