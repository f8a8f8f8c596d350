"""Entries balance by construction, are closed at birth, posted once, reversed once, and only grow."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.listed import listed
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.ledger import checks, model, read
from voucher.ledger.chart import (
    CHART,
    RULES,
    AccountKey,
    Book,
    Code,
    Dimension,
    EventType,
    Movement,
    account_of,
    movements_of,
)
from voucher.ledger.post import Event, entry_of, open_accounts, post, post_event, reverse

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
STATE, DEPARTMENT, AGREEMENT, STRUCTURE, BANK = (UUID(int=number) for number in range(1, 6))
DIMENSIONS = {Dimension.AGREEMENT: AGREEMENT, Dimension.STRUCTURE: STRUCTURE, Dimension.BANK_ACCOUNT: BANK}


def an_event(event_type: EventType, event_id: UUID | None = None) -> Event:
    return Event(event_type, event_id or new_id(), NOW, RULES[event_type].name)


def post_life(session: Session, until: EventType, amounts: dict[UUID, int]) -> UUID:
    """Post what comes before an event in a voucher's life, and the event; return its entry."""
    life = (
        EventType.ENVELOPE_OPENED,
        EventType.CREDITS_COMMITTED,
        EventType.VOUCHERS_ISSUED,
        EventType.BOOKLET_HANDED_OVER,
        EventType.VOUCHERS_REDEEMED,
        EventType.BATCH_FROZEN,
        EventType.BATCH_EXPORTED,
        EventType.TRANSFER_BOOKED,
    )
    for event_type in life[: life.index(until) + 1]:
        entry_id = post_event(session, an_event(event_type), DIMENSIONS, amounts)
    return entry_id


def balances(database: Database) -> dict[str, int]:
    return {
        f"{one.code} {one.funder_id.int if one.funder_id else ''}".strip(): one.balance_cents
        for one in read.balances(database)
    }


def violations(database: Database) -> list[str]:
    with database.read() as session:
        return [found.check for check in checks.CHECKS for found in check(session)]


def test_a_voucher_paid_to_the_bank_line_leaves_only_what_funders_owe(database: Database) -> None:
    with database.write() as session:
        post_life(session, EventType.TRANSFER_BOOKED, {STATE: 350, DEPARTMENT: 650})
    left = {account: cents for account, cents in balances(database).items() if cents}
    assert left == {
        "8010 1": -350,
        "8010 2": -650,
        "8050 1": 350,
        "8050 2": 650,
        "4430 1": 350,
        "4430 2": 650,
        "5120": -1000,
    }
    assert violations(database) == []


def test_an_event_is_posted_once(database: Database) -> None:
    event = an_event(EventType.ENVELOPE_OPENED)
    with database.write() as session:
        post_event(session, event, DIMENSIONS, {STATE: 1000})
    with pytest.raises(IntegrityError), database.write() as session:
        post_event(session, event, DIMENSIONS, {STATE: 1000})
    assert balances(database)["8010 1"] == -1000


def test_an_entry_is_reversed_once_and_then_weighs_nothing(database: Database) -> None:
    with database.write() as session:
        entry_id = post_life(session, EventType.VOUCHERS_REDEEMED, {STATE: 350, DEPARTMENT: 650})
        fact = session.get_one(model.Entry, entry_id).event_id
    before = balances(database)
    with database.write() as session:
        reverse(session, an_event(EventType.REDEMPTION_UNDONE, fact), entry_id)
    after = balances(database)
    assert (before["8050 1"], after["8050 1"], after["8045 1"], after["4670"]) == (350, 0, 350, 0)
    with pytest.raises(IntegrityError), database.write() as session:
        reverse(session, an_event(EventType.REDEMPTION_UNDONE), entry_id)
    assert violations(database) == []


def test_no_movement_joins_an_entry_that_stands(database: Database) -> None:
    with database.write() as session:
        entry_id = post_life(session, EventType.ENVELOPE_OPENED, {STATE: 1000})
        debit, credit = account_of("8020", {Dimension.FUNDER: STATE}), account_of("8010", {Dimension.FUNDER: STATE})
    row = {
        "entry_id": entry_id,
        "rank": 2,
        "book": "budget",
        "debit_account_id": debit.id,
        "credit_account_id": credit.id,
    }
    with pytest.raises(IntegrityError, match="closed at birth"), database.write() as session:
        session.execute(insert(model.Movement).values(**row, amount_cents=5))


def test_an_entry_that_lies_about_its_movements_is_refused(database: Database) -> None:
    event = an_event(EventType.ENVELOPE_OPENED)
    lie = {
        "id": new_id(),
        "event_type": event.event_type,
        "event_id": event.event_id,
        "journal": "BU",
        "posted_at": NOW,
    }
    with pytest.raises(IntegrityError, match="count and sum"), database.write() as session:
        session.execute(
            insert(model.Entry).values(
                **lie, effective_on=NOW.date(), narration="rien", movement_count=1, total_cents=1000
            )
        )


def test_movements_without_an_entry_are_refused_at_commit(database: Database) -> None:
    with database.write() as session:
        post_life(session, EventType.ENVELOPE_OPENED, {STATE: 1000})
    debit, credit = account_of("8020", {Dimension.FUNDER: STATE}), account_of("8010", {Dimension.FUNDER: STATE})
    row = {
        "entry_id": new_id(),
        "rank": 1,
        "book": "budget",
        "debit_account_id": debit.id,
        "credit_account_id": credit.id,
    }
    with pytest.raises(IntegrityError), database.write() as session:
        session.execute(insert(model.Movement).values(**row, amount_cents=5))


def test_no_movement_crosses_books(database: Database) -> None:
    debit, credit = account_of(Code.AVAILABLE, {Dimension.FUNDER: STATE}), AccountKey(Code.BANK, bank_account_id=BANK)
    row = {"entry_id": new_id(), "rank": 1, "debit_account_id": debit.id, "credit_account_id": credit.id}
    with database.write() as session:
        open_accounts(session, [debit, credit])
    for book in Book:
        with pytest.raises(IntegrityError), database.write() as session:
            session.execute(insert(model.Movement).values(**row, book=book, amount_cents=100))


def test_an_entry_holds_only_what_its_event_moves(database: Database) -> None:
    dimensions = {**DIMENSIONS, Dimension.FUNDER: STATE}
    for event_type, rule in RULES.items():
        others = {pair for other in RULES.values() for pair in other.all_moves} - {*rule.all_moves}
        for debit, credit in others:
            other = Movement(account_of(debit, dimensions), account_of(credit, dimensions), 100)
            with pytest.raises(ValueError, match="does not make"), database.read() as session:
                post(session, an_event(event_type), [other])


@pytest.mark.parametrize("table", ["account", "movement", "entry"])
@pytest.mark.parametrize("statement", ["UPDATE {table} SET {column} = {column}", "DELETE FROM {table}"])
def test_the_ledger_only_grows(database: Database, table: str, statement: str) -> None:
    with database.write() as session:
        post_life(session, EventType.ENVELOPE_OPENED, {STATE: 1000})
    column = {"account": "code", "movement": "rank", "entry": "narration"}[table]
    with pytest.raises(IntegrityError, match="only grows"), database.engine.begin() as connection:
        connection.exec_driver_sql(statement.format(table=table, column=column))


def test_postgresql_refuses_to_empty_the_ledger(postgresql_database: Database) -> None:
    with pytest.raises(IntegrityError, match="only grows"), postgresql_database.engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE movement CASCADE")


def test_every_event_moves_within_one_book_along_the_chart() -> None:
    amounts = {STATE: 350, DEPARTMENT: 650}
    for event_type, rule in RULES.items():
        for case in (None, *rule.in_case):
            movements = movements_of(event_type, DIMENSIONS, amounts, case)
            assert bool(movements) == bool(rule.moves)
            for movement in movements:
                assert CHART[movement.debit.code].book == CHART[movement.credit.code].book
                assert (movement.debit.code, movement.credit.code) in rule.all_moves
                assert movement.amount_cents > 0


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([EventType.ENVELOPE_OPENED, EventType.TRANSFER_BOOKED]), st.integers(1, 10**9)),
        min_size=1,
        max_size=5,
    )
)
def test_debits_equal_credits_for_ever(database: Database, steps: list[tuple[EventType, int]]) -> None:
    with database.write() as session:
        for until, cents in steps:
            post_life(session, until, {STATE: cents, DEPARTMENT: cents * 2})
    with database.read() as session:
        debit = session.scalar(select(func.sum(model.Movement.amount_cents)))
        assert debit == sum(one.debit_cents for one in read.balances_in(session))
        assert debit == sum(one.credit_cents for one in read.balances_in(session))
    assert violations(database) == []


def test_the_ledger_of_an_account_shows_each_movement_against_the_other_account(database: Database) -> None:
    with database.write() as session:
        entry_id = post_life(session, EventType.CREDITS_COMMITTED, {STATE: 1000})
        again = entry_of(session, EventType.CREDITS_COMMITTED, session.get_one(model.Entry, entry_id).event_id)
    assert again == entry_id
    key = account_of("8020", {Dimension.FUNDER: STATE})
    rows, total = listed(read.account_movements(database, key.id, Asked(limit=10)))
    assert total == 2
    assert {(row.debit_cents, row.credit_cents, row.other_code) for row in rows} == {
        (1000, 0, "8010"),
        (0, 1000, "8030"),
    }
    page = read.entry(database, entry_id)
    assert page is not None
    assert [(move.debit_code, move.credit_code, move.amount_cents) for move in page.movements] == [
        ("8030", "8020", 1000)
    ]
    found, total = listed(
        read.entries(
            database, Asked(sort="posted_at", descending=True, limit=10, filters={"event": "credits_committed"})
        )
    )
    assert (total, found[0].id) == (1, entry_id)
    assert listed(read.entries(database, Asked(sort="total", limit=10, filters={"day": "demain"}))) == (
        [],
        0,
    )
