"""How Alembic reaches the database: one transaction for each migration, on both engines, and never two at once."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url

import voucher.models  # noqa: F401 — every room's tables enter Base.metadata
from voucher.kernel.database import Base, Instant, bounded_engine
from voucher.kernel.settings import WrongSettings, read_database_url
from voucher.kernel.time_limits import TimeLimits

# A migration that waits longer for a lock would hold the counters up behind it: it gives up and is run again later.
LIMITS = TimeLimits(statement=600.0, long_statement=600.0, lock_max=5.0)
# Any number will do, provided every migrator asks for the same one.
ADVISORY_LOCK = 20_190_101


def database_url() -> str:
    """Where to migrate: what the caller put in the configuration, else PASS_DATABASE_URL, else the embedded default."""
    asked = context.config.attributes.get("url") or context.config.get_main_option("sqlalchemy.url")
    return str(asked or read_database_url())


def migration_engine(url: str) -> Engine:
    """An engine for migrations alone: time-outs on PostgreSQL, DDL inside transactions on SQLite."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return bounded_engine(parsed, LIMITS, poolclass=NullPool)

    if parsed.database and parsed.database != ":memory:":
        folder = Path(parsed.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            raise WrongSettings([f"PASS_DATABASE_URL : le dossier {folder} ne peut pas être créé"]) from None
    # isolation_level None: the driver begins nothing by itself, we say when. Foreign keys stay off (the engine's default),
    # since a table that is rebuilt must not cascade; they are checked as a whole at the end.
    engine = create_engine(parsed, poolclass=NullPool, connect_args={"isolation_level": None, "timeout": 30})

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def number_revision(_: MigrationContext, __: Any, directives: list[MigrationScript]) -> None:
    """Name a new revision by the number after the head's: 0001, 0002…"""
    head = ScriptDirectory.from_config(context.config).get_current_head()
    for directive in directives:
        directive.rev_id = f"{int(head or 0) + 1:04d}"


def render_item(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Write our own column type as what it is in the database: a migration must outlive the class."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Instant) else False


def migrate(connection: Connection) -> None:
    """Run what the command asked for over `connection`; where it is in a transaction, the caller ends it."""
    is_postgresql = connection.dialect.name == "postgresql"
    is_callers = connection.in_transaction()
    if is_postgresql and is_callers:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
    elif is_postgresql:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
        connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transaction_per_migration=True,
        transactional_ddl=True,
        render_as_batch=not is_postgresql,
        render_item=render_item,
        process_revision_directives=number_revision,
    )
    with context.begin_transaction():
        context.run_migrations()
    if not is_postgresql:
        refuse_broken_references(connection.exec_driver_sql("PRAGMA foreign_key_check").all())
        if not is_callers:
            connection.rollback()


def refuse_broken_references(rows: Iterable[Any]) -> None:
    """Stop when a rebuilt SQLite table left a row pointing at nothing; `rows` come from `PRAGMA foreign_key_check`."""
    broken = [f"{table} row {rowid} → {parent}" for table, rowid, parent, _ in rows]
    if broken:
        raise RuntimeError("The migration broke references: " + "; ".join(broken))


def write_sql() -> None:
    """Print the statements instead of running them (`alembic upgrade head --sql`)."""
    url = database_url()
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    write_sql()
elif (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    engine = migration_engine(database_url())
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()
