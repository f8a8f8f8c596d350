"""The numbered migrations and the tables in code say the same thing."""

import re

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

import voucher.models  # noqa: F401 — every room's tables enter Base.metadata
from voucher.kernel.database import Base, Database
from voucher.kernel.migrations import alembic_config, upgrade


def test_the_tables_in_code_are_those_of_the_last_migration(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_there_is_one_last_migration() -> None:
    assert len(ScriptDirectory.from_config(alembic_config("sqlite://")).get_heads()) == 1


def test_migrations_are_numbered_without_a_gap_and_files_bear_their_number() -> None:
    script = ScriptDirectory.from_config(alembic_config("sqlite://"))
    revisions = list(script.walk_revisions())[::-1]
    numbers = [revision.revision for revision in revisions]
    assert numbers == [f"{place:04d}" for place in range(1, len(numbers) + 1)]
    for revision in revisions:
        assert re.fullmatch(rf".*/{revision.revision}_[a-z0-9_]+\.py", revision.path), revision.path


def test_migrating_a_database_that_is_up_to_date_changes_nothing(database: Database) -> None:
    before = set(inspect(database.engine).get_table_names())
    upgrade(database.url)
    assert set(inspect(database.engine).get_table_names()) == before


def test_a_new_migration_from_these_tables_would_be_empty(database_url: str) -> None:
    command.check(alembic_config(database_url))
