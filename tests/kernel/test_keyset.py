"""Pages by key: one after another they are the list itself, both ways, on both engines, whatever is asked and whatever comes in."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Date, Integer, MetaData, String, Table, Uuid, delete, func, insert, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database, Instant
from voucher.kernel.keyset import (
    COUNT_MAX,
    Asked,
    Key,
    Nullable,
    Page,
    every_row,
    key_text,
    page_of,
    page_of_rows,
    read_key,
)

PEOPLE = Table(
    "keyset_people",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("name", String, nullable=False),
    Column("cents", Integer, nullable=False),
    Column("paid_on", Date),
    Column("seen_at", Instant, nullable=False),
)
SORTS = {
    "name": PEOPLE.c.name,
    "cents": PEOPLE.c.cents,
    "paid_on": Nullable(PEOPLE.c.paid_on),
    "seen_at": PEOPLE.c.seen_at,
    "twice": func.coalesce(PEOPLE.c.cents * 2, 0),
}
IN_MEMORY: dict[str, Callable[[dict[str, object]], object]] = {
    name: (lambda row, name=name: row[name]) for name in ("name", "cents", "paid_on", "seen_at")
} | {"twice": lambda row: row["cents"] * 2}  # type: ignore[operator]
DAYS = st.none() | st.sampled_from([date(2026, 1, day) for day in range(1, 6)])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(1, 10_000).map(lambda number: UUID(int=number)),
            "name": st.text("abÀé'%_\\ ", max_size=3),
            "cents": st.integers(-3, 3),
            "paid_on": DAYS,
            "seen_at": st.sampled_from([datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(3)]),
        }
    ),
    unique_by=lambda row: row["id"],
    max_size=25,
)


@pytest.fixture
def people(database: Database) -> Database:
    with database.write() as session:
        PEOPLE.metadata.create_all(session.connection())
    return database


def fill(session: Session, rows: list[dict[str, object]]) -> None:
    session.execute(delete(PEOPLE))
    if rows:
        session.execute(insert(PEOPLE), rows)


def read_rows(session: Session, asked: Asked) -> Page[dict[str, object]]:
    page = page_of(session, select(PEOPLE), SORTS, [PEOPLE.c.id], asked)
    return page.of(row._asdict() for row in page.rows)


def walk(read: Callable[[Asked], Page[dict[str, object]]], asked: Asked) -> list[Page[dict[str, object]]]:
    pages = [read(asked)]
    while (key := pages[-1].next) is not None:
        pages.append(read(replace(asked, after=through_an_address(key))))
    return pages


def through_an_address(key: Key) -> Key:
    found = read_key(key_text(key))
    assert found == key
    return found


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # each example fills its table anew
@given(rows=ROWS, sort=st.sampled_from(sorted(SORTS)), descending=st.booleans(), limit=st.integers(1, 7))
def test_pages_one_after_another_are_the_list_both_ways(
    people: Database, rows: list[dict[str, object]], sort: str, descending: bool, limit: int
) -> None:
    asked = Asked(sort=sort, descending=descending, limit=limit)
    with people.write() as session:
        fill(session, rows)
        in_database = walk(lambda one: read_rows(session, one), asked)
        backward = back(lambda one: read_rows(session, one), asked, in_database)
    in_memory = walk(lambda one: page_of_rows(rows, IN_MEMORY, lambda row: (row["id"],), one), asked)  # type: ignore[arg-type]
    for pages in (in_database, in_memory):
        listed = [row for page in pages for row in page.rows]
        assert len(listed) == len(rows)
        assert {row["id"] for row in listed} == {row["id"] for row in rows}
        assert all(len(page.rows) == limit for page in pages[:-1])
        assert {page.count for page in pages} == {len(rows)}
        assert_in_order(listed, sort, descending, by_bytes=pages is in_memory)
    assert backward == [page.rows for page in reversed(in_database)]
    assert list(every_row(lambda one: page_of_rows(rows, IN_MEMORY, lambda row: (row["id"],), one), asked, 3)) == [  # type: ignore[arg-type]
        row for page in in_memory for row in page.rows
    ]


def back(
    read: Callable[[Asked], Page[dict[str, object]]], asked: Asked, pages: list[Page[dict[str, object]]]
) -> list[object]:
    found: list[object] = [pages[-1].rows]
    key = pages[-1].previous
    while key is not None:
        page = read(replace(asked, before=through_an_address(key)))
        found.append(page.rows)
        key = page.previous
    return found


def assert_in_order(listed: list[dict[str, object]], sort: str, descending: bool, *, by_bytes: bool) -> None:
    """The order of texts is the database's own; rows alike stand by id, and those without a value last."""
    keys = [IN_MEMORY[sort](row) for row in listed]
    known = [key for key in keys if key is not None]
    assert keys == known + [None] * (len(keys) - len(known))
    if sort != "name" or by_bytes:
        assert known == sorted(known, reverse=descending)  # type: ignore[type-var]
    for one, other in pairwise(listed):
        if IN_MEMORY[sort](one) == IN_MEMORY[sort](other):
            assert (one["id"] > other["id"]) is descending  # type: ignore[operator]


def person(number: int, **facts: object) -> dict[str, object]:
    usual = {"name": "Léa", "cents": number, "paid_on": None, "seen_at": datetime(2026, 1, 1, tzinfo=UTC)}
    return {"id": UUID(int=number), **usual, **facts}


def test_the_next_page_continues_exactly_when_rows_come_in_or_go_away(people: Database) -> None:
    asked = Asked(sort="cents", limit=3)
    with people.write() as session:
        fill(session, [person(number) for number in range(10, 20)])
        first = read_rows(session, asked)
        session.execute(insert(PEOPLE), [person(number) for number in range(1, 5)])
        session.execute(delete(PEOPLE).where(PEOPLE.c.id == UUID(int=12)))
        second = read_rows(session, replace(asked, after=first.next))
        before = read_rows(session, replace(asked, before=second.previous))
        gone = read_rows(session, replace(asked, after=(99, UUID(int=99))))
    assert [row["cents"] for row in (*first.rows, *second.rows)] == list(range(10, 16))
    assert [row["cents"] for row in before.rows] == [4, 10, 11]
    assert [row["cents"] for row in gone.rows] == [1, 2, 3], "beyond the last row stands the first page"


def test_a_long_list_is_not_counted_to_its_end(people: Database) -> None:
    with people.write() as session:
        fill(session, [person(number) for number in range(1, COUNT_MAX + 10)])
        assert read_rows(session, Asked(limit=1)).count == COUNT_MAX + 1
        assert read_rows(session, Asked(limit=1, is_counted=False)).count == 1


def test_a_column_that_lacks_values_must_say_so(people: Database) -> None:
    with people.write() as session:
        fill(session, [person(1), person(2, paid_on=date(2026, 1, 1))])
        with pytest.raises(ValueError, match="Nullable"):
            page_of(session, select(PEOPLE), {"paid_on": PEOPLE.c.paid_on}, [PEOPLE.c.id], Asked(limit=1))


@pytest.mark.parametrize(
    "key", [("1", UUID(int=1)), (1, "1"), (1,), (None, UUID(int=1)), (date(2026, 1, 1), UUID(int=1)), (1, 2, 3)]
)
def test_a_key_of_another_list_is_left_aside(people: Database, key: Key) -> None:
    with people.write() as session:
        fill(session, [person(number) for number in range(1, 4)])
        page = read_rows(session, Asked(sort="cents", after=key))
    assert [row["cents"] for row in page.rows] == [1, 2, 3]
    assert page_of_rows([1, 2, 3], {"it": lambda one: one}, lambda one: (UUID(int=one),), Asked(after=key)).rows == [
        1,
        2,
        3,
    ]


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def test_rows_in_memory_that_nothing_tells_apart_are_not_lost_and_a_state_is_a_text() -> None:
    rows = [*[Colour.RED] * 5, *[Colour.BLUE] * 2]
    asked = Asked(limit=2, descending=True)
    pages = walk(lambda one: page_of_rows(rows, {"it": lambda row: row}, lambda _: (), one), asked)  # type: ignore[arg-type]
    assert [list(page.rows) for page in pages] == [["red"] * 2, ["red"] * 2, ["red", "blue"], ["blue"]]


@given(text=st.text(max_size=60) | st.binary(max_size=60).map(lambda one: one.decode("latin-1")))
def test_whatever_an_address_holds_is_a_key_or_nothing(text: str) -> None:
    key = read_key(text)
    assert key is None or read_key(key_text(key)) == key


@pytest.mark.parametrize("key", [(2**63, 1), ("\x00",), (datetime(2026, 1, 1),)])  # noqa: DTZ001 - a naive one is the point
def test_what_no_column_takes_is_no_key(key: Key) -> None:
    assert read_key(key_text(key)) is None


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        ("cents", 2**40),
        ("name", "\ud800"),
        ("seen_at", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
        ("seen_at", datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=12)))),
        ("paid_on", date(1, 1, 1)),
    ],
)
def test_a_key_beyond_what_a_column_holds_opens_a_page_all_the_same(people: Database, sort: str, value: Any) -> None:
    address = urlsafe_b64encode(json.dumps([written(value), ["u", UUID(int=1).hex]]).encode()).decode()
    with people.write() as session:
        fill(session, [person(number) for number in range(1, 4)])
        page = read_rows(session, Asked(sort=sort, after=read_key(address)))
    assert len(page.rows) == 3


def written(value: Any) -> list[str]:
    kind = {int: "i", str: "s", datetime: "t", date: "d"}[type(value)]
    return [kind, value.isoformat() if isinstance(value, date) else str(value)]
