"""Tables that only grow: triggers that refuse UPDATE, DELETE and TRUNCATE, on both engines (used by migrations)."""


def append_only_statements(table: str, dialect: str) -> list[str]:
    """Return the DDL that makes `table` refuse every change but INSERT."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_never_{verb.lower()}d BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        (
            f"CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} only grows' USING ERRCODE = 'restrict_violation'; END $$"
        ),
        (
            f"CREATE TRIGGER {table}_never_changed BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_only_grows()"
        ),
        (
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_only_grows()"
        ),
    ]
