"""The filled demonstration of revision 0017 comes to today's head: no row lost, nothing that guards it gone, its books right."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from tests.migrations.dump import DumpedTable, dumped, load_dump
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.migrations import upgrade
from voucher.ledger.chart import RULES, EventType
from voucher.ledger.model import Entry, Movement
from voucher.reporting.verify import verify
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, PaymentAdvice
from voucher.settlement.model.states import PaymentEvent
from voucher.settlement.payable.payment_history import histories
from voucher.settlement.words.states import LineOrigin
from voucher.settlement.words.transitions import PaymentWhy

LATER = datetime(2027, 1, 4, 9, tzinfo=UTC)
DUMP = Path(__file__).with_name("demonstration_0017.jsonl.xz")

_WAITS = "a wrong password makes the next one wait, counted in try_count: nobody is locked out (0035)"
CHANGED: Mapping[tuple[str, str], str] = {
    ("staff_account", "failed_count"): _WAITS,
    ("staff_account", "locked_until"): _WAITS,
}
"""Columns that a migration takes away, or whose values it changes, on purpose, each with its reason."""

_BY_THE_COLUMN = "its values are held by the check that bears the column's name (0030)"
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
    denied = _deny_rejections(old)
    upgrade(old.url)

    for table in tables:
        now, loaded = Counter(_rows_now(old, table)), Counter(_rows_loaded(table))
        assert loaded - now == Counter(), table.name
        assert (now - loaded).total() == (len(denied) if table.name in ("entry", "movement") else 0), table.name
    assert {guard for guard in before - _guards(old) if guard.split()[1] not in REPLACED} == set()
    for table in tables:
        if any(guard.startswith(f"trigger {table.name}_never_") for guard in before) and table.rows:
            _assert_refuses_change(old, table)
    found = [(result.sentence, result.violations) for result in verify(old) if result.violations]
    assert found == []
    _assert_histories_open(old, denied)
    _assert_columns_say_what_marks_said(old)


def _deny_rejections(old: Database) -> dict[str, UUID]:
    """Let a paid transfer have been rejected, debited, undone and debited again, as entries told it before payments had histories.

    Return its entries: the second withdrawal bore an id made of the payment's.
    """
    ids = {name: new_id() for name in ("rejected", "withdrawn", "undone", "withdrawn again")}
    with old.write() as session:
        paid = session.execute(
            select(PaymentAdvice.id, PaymentAdvice.amount_cents)
            .where(PaymentAdvice.state == "paid")
            .order_by(PaymentAdvice.reference)
            .limit(1)
        ).one()
        rejection = session.execute(
            select(Movement.book, Movement.debit_account_id, Movement.credit_account_id)
            .join(Entry, Entry.id == Movement.entry_id)
            .where(Entry.event_type == EventType.TRANSFER_REJECTED)
        ).one()
        sides = (rejection.debit_account_id, rejection.credit_account_id)
        again = uuid5(paid.id, "again")
        for name, event_type, event_id, (debit, credit), reverses_id in (
            ("rejected", EventType.TRANSFER_REJECTED, paid.id, sides, None),
            ("withdrawn", EventType.REJECTION_WITHDRAWN, paid.id, sides[::-1], None),
            ("undone", EventType.MATCH_UNDONE, paid.id, sides, ids["withdrawn"]),
            ("withdrawn again", EventType.REJECTION_WITHDRAWN, again, sides[::-1], None),
        ):
            cents = paid.amount_cents
            session.execute(
                insert(Movement).values(
                    entry_id=ids[name], rank=1, book=rejection.book, debit_account_id=debit, credit_account_id=credit, amount_cents=cents
                )
            )  # fmt: skip
            session.execute(
                insert(Entry).values(
                    id=ids[name], event_type=event_type, event_id=event_id, journal=RULES[event_type].journal, posted_at=LATER,
                    effective_on=LATER.date(), narration="Virement", movement_count=1, total_cents=cents, reverses_id=reverses_id,
                )
            )  # fmt: skip
    return ids


def _assert_histories_open(now: Database, denied: Mapping[str, UUID]) -> None:
    """Each payment has one event, with what its lines and entries prove of the state it is in."""
    with now.read() as session:
        advice_ids = list(session.scalars(select(PaymentAdvice.id)))
        found = histories(session, advice_ids)
        assert [len(found[one]) for one in advice_ids] == [1] * len(advice_ids)
        for one in session.scalars(select(PaymentAdvice)):
            (event,) = found[one.id]
            assert (event.before, event.after, event.why) == (None, one.state, PaymentWhy.RESUMED)
            assert (event.line_id is not None) == (one.state in ("paid", "returned")), one.reference
            assert event.effective_on == one.paid_on or one.state != "paid"
        named = select(PaymentEvent.to_state, PaymentEvent.entry_id).where(PaymentEvent.entry_id.is_not(None))
        entries = {row.to_state: row.entry_id for row in session.execute(named)}
    assert set(entries) == {"paid", "rejected"}
    assert entries["paid"] == denied["withdrawn again"], "should its debit be undone, this is reversed"


def _assert_columns_say_what_marks_said(now: Database) -> None:
    with now.read() as session:
        matched = session.execute(select(BankMatch.id == BankMatch.line_id, BankMatch.is_automatic)).all()
        lines = session.execute(select(BankLine.key, BankLine.part, BankLine.bank_reference, BankLine.origin)).all()
    assert {tuple(row) for row in matched} == {(True, True), (False, False)}
    assert all(key.endswith(f"|{part}") for key, part, _, _ in lines)
    assert {(reference.startswith("~"), origin) for _, _, reference, origin in lines} == {(False, LineOrigin.NAMED)}


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
