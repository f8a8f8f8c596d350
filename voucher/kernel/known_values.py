"""Columns that hold one word of an enumeration: the database refuses any other, and reads give the enum back (ADR 29)."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import CheckConstraint, Column, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

Word = TypeVar("Word", bound=StrEnum)


class _Members(dict[str | None, Any]):
    """The members by their text; a text that is none's comes back as it is: `voucher verify` names it, where a CHECK was taken away."""

    def __missing__(self, text: str) -> str:
        return text


class OneOf(TypeDecorator[Word]):
    """The text of one member of an enumeration. `Base` gives its column a CHECK of these values, on both engines.

    What is written or compared goes as it is, member or plain text: the database says no. What is read is the member.
    """

    impl = String
    cache_ok = True

    def __init__(self, words: type[Word], length: int) -> None:
        """Hold the members of `words`; `length` is that of the column in the database, in characters."""
        super().__init__(length)
        self.words = words
        self._members = _Members({word.value: word for word in words} | {None: None})

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], Any]:  # noqa: ARG002 - SQLAlchemy's signature
        """Give members back by the dictionary's own look-up: no Python runs for a known value."""
        return self._members.__getitem__


def known_values(column: str, values: Iterable[str]) -> str:
    """Return the SQL condition that a column holds one of these values, or nothing."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def check_of(column: Column[Any], words: type[StrEnum]) -> CheckConstraint:
    """Return the CHECK of a column of an enumeration, named by the column: `ck_voucher_state_is_known`."""
    return CheckConstraint(known_values(column.name, words), name=f"{column.name}_is_known")
