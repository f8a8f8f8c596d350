"""Bring a database to the newest schema, or an empty one to that of an earlier version."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from voucher.kernel.database import Database

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for one database."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> None:
    """Run every migration that this database has not seen yet."""
    command.upgrade(alembic_config(url), "head")


def upgrade_within(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to a revision inside the caller's transaction: they are kept if it is committed, or not at all."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@cache
def revisions() -> tuple[str, ...]:
    """Return every revision this version knows, the first one first, the head last."""
    script = ScriptDirectory(str(MIGRATIONS))
    return tuple(revision.revision for revision in script.walk_revisions())[::-1]


@contextmanager
def schema_transaction(database: Database) -> Iterator[Connection]:
    """Give a connection for one transaction that makes tables, fills them and migrates them: all of it is kept, or nothing.

    On SQLite foreign keys are not enforced in it (a table that is rebuilt must not cascade): `broken_references` finds them.
    """
    if database.is_postgresql:
        with database.engine.connect() as connection, connection.begin():
            yield connection
        return
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            connection.rollback()


def broken_references(connection: Connection) -> list[str]:
    """Return the tables with a row that points at nothing, where the engine did not refuse it at once (SQLite)."""
    if connection.dialect.name != "sqlite":
        return []
    return sorted({str(row[0]) for row in connection.execute(text("PRAGMA foreign_key_check"))})
