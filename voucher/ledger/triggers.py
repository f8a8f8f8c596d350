"""What the database itself holds of the ledger: an entry is whole and closed at birth (used by migrations)."""


def ledger_triggers(dialect: str) -> list[str]:
    """Return the DDL: an entry's count and total are its movements', and no movement joins an entry that stands."""
    sums = (
        "SELECT count(*) FROM movement WHERE entry_id = NEW.id",
        "SELECT sum(amount_cents) FROM movement WHERE entry_id = NEW.id",
    )
    if dialect == "sqlite":
        return [
            (
                "CREATE TRIGGER entry_is_whole BEFORE INSERT ON entry "
                f"WHEN NEW.movement_count <> ({sums[0]}) OR NEW.total_cents IS NOT ({sums[1]}) "
                "BEGIN SELECT RAISE(ABORT, 'an entry must count and sum its movements'); END"
            ),
            (
                "CREATE TRIGGER entry_is_closed BEFORE INSERT ON movement "
                "WHEN EXISTS (SELECT 1 FROM entry WHERE id = NEW.entry_id) "
                "BEGIN SELECT RAISE(ABORT, 'an entry is closed at birth'); END"
            ),
        ]
    return [
        (
            "CREATE FUNCTION entry_is_whole() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "DECLARE counted bigint; summed bigint; BEGIN "
            "SELECT count(*), sum(amount_cents) INTO counted, summed FROM movement WHERE entry_id = NEW.id; "
            "IF NEW.movement_count <> counted OR NEW.total_cents IS DISTINCT FROM summed THEN "
            "RAISE EXCEPTION 'an entry must count and sum its movements' USING ERRCODE = 'check_violation'; END IF; "
            "RETURN NEW; END $$"
        ),
        "CREATE TRIGGER entry_is_whole BEFORE INSERT ON entry FOR EACH ROW EXECUTE FUNCTION entry_is_whole()",
        (
            "CREATE FUNCTION entry_is_closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF EXISTS (SELECT 1 FROM entry WHERE id = NEW.entry_id) THEN "
            "RAISE EXCEPTION 'an entry is closed at birth' USING ERRCODE = 'check_violation'; END IF; "
            "RETURN NEW; END $$"
        ),
        "CREATE TRIGGER entry_is_closed BEFORE INSERT ON movement FOR EACH ROW EXECUTE FUNCTION entry_is_closed()",
    ]


def year_triggers(dialect: str) -> list[str]:
    """Return the DDL: no entry takes effect in a closed year, and a closed year stays as it was closed."""
    is_late = "NEW.effective_on < (SELECT max(following_on) FROM fiscal_year WHERE closed_at IS NOT NULL)"
    late, shut = "this fiscal year is closed", "a closed fiscal year never changes"
    if dialect == "sqlite":
        return [
            (
                f"CREATE TRIGGER entry_in_open_year BEFORE INSERT ON entry WHEN {is_late} "
                f"BEGIN SELECT RAISE(ABORT, '{late}'); END"
            ),
            *(
                f"CREATE TRIGGER fiscal_year_never_{verb.lower()}d BEFORE {verb} ON fiscal_year "
                f"WHEN OLD.closed_at IS NOT NULL BEGIN SELECT RAISE(ABORT, '{shut}'); END"
                for verb in ("UPDATE", "DELETE")
            ),
        ]
    return [
        (
            "CREATE FUNCTION entry_in_open_year() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {is_late} THEN RAISE EXCEPTION '{late}' USING ERRCODE = 'check_violation'; END IF; "
            "RETURN NEW; END $$"
        ),
        "CREATE TRIGGER entry_in_open_year BEFORE INSERT ON entry FOR EACH ROW EXECUTE FUNCTION entry_in_open_year()",
        (
            "CREATE FUNCTION fiscal_year_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF OLD.closed_at IS NOT NULL THEN RAISE EXCEPTION '{shut}' USING ERRCODE = 'restrict_violation'; END IF; "
            "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
        ),
        (
            "CREATE TRIGGER fiscal_year_stays BEFORE UPDATE OR DELETE ON fiscal_year "
            "FOR EACH ROW EXECUTE FUNCTION fiscal_year_stays()"
        ),
    ]
