"""A column that holds a word of a list is of an enumeration, and the database holds its values on both engines (ADR 29)."""

import re
from collections.abc import Iterator
from enum import EnumType, StrEnum
from types import UnionType
from typing import Any, get_args, get_type_hints

import pytest
from alembic import command
from sqlalchemy import Column, String, inspect, text
from sqlalchemy.orm import Mapper

import voucher.models  # noqa: F401 — every room's tables enter Base.metadata
from voucher.access.rules import Role
from voucher.kernel.database import Base, Database
from voucher.kernel.known_values import OneOf
from voucher.kernel.migrations import alembic_config, upgrade
from voucher.kernel.refusals import Refused

WORD_LENGTH_MAX = 40  # what is longer is a sentence
NAMES_OF_LISTS = frozenset({
    "became", "book", "channel", "door", "from", "how", "item", "journal", "kind", "level", "method", "mode", "nature",
    "origin", "outcome", "purpose", "reason", "refusal", "rhythm", "role", "schema", "service", "side", "stage", "state",
    "status", "type", "why",
})  # fmt: skip
OTHERWISE = {
    "account_change.role": "« » where an address changes; its own CHECK holds the roles, and that",
    "bank_line.return_reason": "a code of ISO 20022's external list, or the bank's own",
    "entry.event_type": "the chart's, which grows with what the programme does; `verify` compares each entry with it",
    "entry.journal": "that of the event, by the chart; `verify` compares",
    "movement.book": "a foreign key holds that it is the book of both its accounts",
}
"""Columns named like lists that are of no enumeration, each with its reason."""


def enumerated() -> dict[str, tuple[Column[Any], EnumType]]:
    """Return the columns that Python reads as an enumeration, by « table.column »."""
    return {
        str(column): (column, words)
        for mapper in Base.registry.mappers
        for column, hint in _hinted(mapper)
        if (words := _enumeration(hint)) is not None
    }


def test_a_column_that_is_read_as_an_enumeration_has_its_check_of_just_its_values(database: Database) -> None:
    found = inspect(database.engine)
    held: dict[str, set[str]] = {}
    expected: dict[str, set[str]] = {"account_change.role": {"", *Role}}
    for name, (column, words) in enumerated().items():
        assert isinstance(column.type, OneOf), name
        assert column.type.words is words, name
        expected[name] = set(words)
    for name in expected:
        table, _, column_name = name.partition(".")
        checks = {str(one["name"]): one["sqltext"] for one in found.get_check_constraints(table)}
        check = checks.get(f"ck_{table}_{column_name}_is_known", "")
        assert re.match(rf"\W*{column_name}\b", check), name
        held[name] = set(re.findall(r"'([^']*)'", check))
    assert held == expected
    assert len(held) > 40


def test_a_text_named_like_a_list_is_of_an_enumeration_or_says_why_not() -> None:
    lists = {
        str(column)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name.rpartition("_")[2] in NAMES_OF_LISTS
        and (isinstance(column.type, OneOf) or (isinstance(column.type, String) and _length(column) <= WORD_LENGTH_MAX))
    }
    assert lists - set(enumerated()) == set(OTHERWISE)
    assert set(enumerated()) - lists == set(), "add the last word of these names to NAMES_OF_LISTS"


def test_a_value_that_nobody_knows_stops_the_migration_which_names_it(empty_database: Database) -> None:
    command.upgrade(alembic_config(empty_database.url), "0029")
    with empty_database.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO funder (id, name, kind, created_at) VALUES (:id, 'Un inconnu', 'payd', :at)"),
            {"id": "0197f3a0000070008000000000000001", "at": "2026-01-01 00:00:00"},
        )
    with pytest.raises(Refused, match=r"table « funder ».*colonne « kind ».*« payd ».*Corrigez"):
        upgrade(empty_database.url)
    with empty_database.engine.begin() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0029"
        connection.execute(text("UPDATE funder SET kind = 'other'"))
    upgrade(empty_database.url)


def _hinted(mapper: Mapper[Any]) -> Iterator[tuple[Column[Any], Any]]:
    hints = get_type_hints(mapper.class_)
    for attribute in mapper.column_attrs:
        (column,) = attribute.columns
        assert isinstance(column, Column)
        (hint,) = get_args(hints[attribute.key])
        yield column, hint


def _enumeration(hint: Any) -> EnumType | None:
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return next((one for one in parts if isinstance(one, type) and issubclass(one, StrEnum)), None)


def _length(column: Column[Any]) -> int:
    return getattr(column.type, "length", None) or WORD_LENGTH_MAX + 1
