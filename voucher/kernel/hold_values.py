"""How a migration lets the database hold the values of columns: a new list, or one more value of a list (ADR 29)."""

from collections.abc import Mapping, Sequence

from alembic import op
from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text

from voucher.kernel.known_values import known_values
from voucher.kernel.refusals import Refused


def hold_values(table: str, columns: Mapping[str, Sequence[str]], instead_of: Sequence[str] = ()) -> None:
    """Give columns of a table a CHECK each, in place of the one that stands; a migration writes the values out.

    `instead_of`: constraints that said the same by another name. SQLite makes the table anew by one INSERT … SELECT, with its
    indexes and constraints; its triggers are put back. Raises Refused, naming table, column and value, where a row holds another.
    """
    connection = op.get_bind()
    _refuse_unknown(connection, table, columns)
    stands = {str(constraint["name"]) for constraint in inspect(connection).get_check_constraints(table)}
    named = {f"ck_{table}_{column}_is_known": known_values(column, values) for column, values in columns.items()}
    triggers = _triggers(connection, table)
    _check_deferred_references(connection)
    with op.batch_alter_table(table, reflect_kwargs={"resolve_fks": False}) as changes:
        for name in sorted(stands & {*named, *instead_of}):
            changes.drop_constraint(op.f(name), type_="check")
        for name, condition in named.items():
            changes.create_check_constraint(op.f(name), condition)
    for trigger in triggers:
        connection.exec_driver_sql(trigger)


def _refuse_unknown(connection: Connection, table: str, columns: Mapping[str, Sequence[str]]) -> None:
    rows = Table(table, MetaData(), *(Column(name, String) for name in columns))
    for name, values in columns.items():
        unknown = connection.scalar(select(rows.c[name]).where(rows.c[name].not_in(values)).limit(1))
        if unknown is not None:
            raise Refused(
                "unknown_value",
                f"La table « {table} » a dans sa colonne « {name} » une valeur inconnue : « {unknown} ». "
                "La base reste comme elle était. Corrigez cette valeur, puis recommencez.",
            )


def _check_deferred_references(connection: Connection) -> None:
    """Let PostgreSQL check now what it would check at the commit: it changes no table that has such checks to come."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))


def _triggers(connection: Connection, table: str) -> Sequence[str]:
    """Return the statements that made a table's triggers, which SQLite drops with the table it makes anew."""
    if connection.dialect.name != "sqlite":
        return ()
    made = text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table ORDER BY rowid")
    return connection.scalars(made, {"table": table}).all()
