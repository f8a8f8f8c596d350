"""The filled demonstration of revision 0017 comes to today's head: no row lost, nothing that guards it gone, its books right."""

import re
from collections.abc import Iterator, Mapping
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

_BY_THE_COLUMN = "its values are held by the check that bears the column's name (0029)"
REPLACED: Mapping[str, str] = {
    "uq_bank_details_current": "a RIB is used once it is confirmed (0023)",
    "ck_account_link_origin_is_known": _BY_THE_COLUMN,
    "ck_agreement_rhythm_is_known": _BY_THE_COLUMN,
    "ck_paying_account_schema_is_known": _BY_THE_COLUMN,
}
"""Triggers, indexes and constraints that a migration takes away on purpose, each with its reason."""

GUARDS = {
    "sqlite": "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_autoindex_%'",
    "postgresql": "SELECT 'trigger', tgname, tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    " UNION ALL SELECT 'index', indexname, tablename::regclass, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    " UNION ALL SELECT 'constraint', conname, conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid <> 0",
}
"""What stands on tables: kind, name, table, and the SQL that says it."""


def test_a_filled_database_of_an_earlier_revision_comes_to_the_head_with_its_rows_its_guards_and_right_books(
    empty_database: Database,
) -> None:
    old = empty_database
    tables = load_dump(old.url, DUMP)
    before = _guards(old)
    assert {guard.split()[0] for guard in before} == {"trigger", "index", "constraint"}
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
    """Return « trigger account_never_updated on account: … » for each trigger, index and constraint, with what it says."""
    with database.engine.connect() as connection:
        rows = connection.execute(text(GUARDS[connection.dialect.name])).all()
    return {
        f"{kind} {name} on {table}: {' '.join(said.replace(chr(34), '').split())}"
        for row in rows
        for kind, name, table, said in (_constraints(*row) if row[0] == "table" else (row,))
    }


def _constraints(_: str, __: str, table: str, sql: str) -> Iterator[tuple[str, str, str, str]]:
    """Give the constraints of a table as SQLite keeps them: in the statement that makes it, one a line."""
    for name, said in re.findall(r"^\s*CONSTRAINT (\w+) (.*?),?\s*$", sql, re.MULTILINE):
        yield "constraint", name, table, said


def _assert_refuses_change(database: Database, table: DumpedTable) -> None:
    column = table.columns[0][0]
    for change in (f'UPDATE "{table.name}" SET "{column}" = "{column}"', f'DELETE FROM "{table.name}"'):
        with pytest.raises(DBAPIError, match=r"only grows|never changes"), database.engine.begin() as connection:
            connection.exec_driver_sql(change)
