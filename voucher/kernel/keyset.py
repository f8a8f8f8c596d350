"""A page of a list by the key of a row, not by a count of rows: the next one continues exactly, whatever came in between.

A key is what the list is sorted by, then what tells equal rows apart (an id). A row without a value comes last, both ways. The
rows are counted up to COUNT_MAX: beyond, nobody needs the exact number, and counting would cost more than the page.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

COUNT_MAX = 1_000
PER_PAGE = 50
ROWS_AT_ONCE = 1_000
KEY_LENGTH_MAX = 1_000
_INTEGER_MAX = 2**63 - 1

Value = str | int | date | datetime | UUID | None
Key = tuple[Value, ...]
Row = TypeVar("Row")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a list: its filters, its order, and the rows after a key or before it; without a key, the first ones."""

    sort: str = ""
    """Without one, the first that the list knows."""
    descending: bool = False
    filters: Mapping[str, str] = field(default_factory=dict)
    limit: int = PER_PAGE
    after: Key | None = None
    before: Key | None = None
    is_counted: bool = True

    @property
    def key(self) -> Key | None:
        """The key that the rows come after, or before."""
        return self.before if self.after is None else self.after

    @property
    def is_backward(self) -> bool:
        """Whether the rows before the key are asked."""
        return self.after is None and self.before is not None

    def first(self) -> "Asked":
        """Return the same from the first row on."""
        return replace(self, after=None, before=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    """Some rows of a list, the keys at both ends where more stand there, and how many rows it has (COUNT_MAX + 1: more)."""

    rows: Sequence[Row]
    count: int
    previous: Key | None = None
    next: Key | None = None
    every: Sequence[Row] | None = None
    """All rows of the list, where they are in memory anyway."""

    @property
    def is_cut(self) -> bool:
        """Whether the list has rows that this page does not show."""
        return self.previous is not None or self.next is not None

    def of(self, rows: Iterable[Made]) -> "Page[Made]":
        """Return the same page, read from the database, of what its rows became."""
        return Page(rows=tuple(rows), count=self.count, previous=self.previous, next=self.next)

    @classmethod
    def whole(cls, rows: Sequence[Row]) -> "Page[Row]":
        """Return a list as one page."""
        return cls(rows=rows, count=len(rows), every=rows)


@dataclass(frozen=True, slots=True)
class Nullable:
    """A column to sort by that some rows have no value of."""

    column: ColumnElement[Any]


def page_of(
    session: Session,
    query: Select[*tuple[Any, ...]],
    sorts: Mapping[str, Any],
    ties: Sequence[Any],
    asked: Asked,
) -> Page[Any]:
    """Return a page of a query's rows, as SQLAlchemy gives them.

    `sorts` gives the column of each sort, in `Nullable` where some rows have none; `ties` are the columns that together name one
    row. A key that cannot be this list's is left aside. Raises ValueError when a sort has no value and does not say so (a bug).
    """
    sort = sorts[asked.sort] if asked.sort else next(iter(sorts.values()))
    may_lack = isinstance(sort, Nullable)
    columns = [sort.column if isinstance(sort, Nullable) else sort, *ties]
    key = asked.key if _fits(asked.key, columns, may_lack=may_lack) else None
    is_backward = key is not None and asked.is_backward
    is_up = asked.descending == is_backward
    shown = (
        query if key is None else query.where(_beyond(columns, key, is_up=is_up, may_lack=may_lack, back=is_backward))
    )
    order = [column if is_up else column.desc() for column in columns]
    if may_lack:
        lacks = columns[0].is_(None)
        order.insert(0, lacks.desc() if is_backward else lacks)
    labels = [column.label(f"key_{rank}") for rank, column in enumerate(columns)]
    frozen = session.execute(shown.add_columns(*labels).order_by(None).order_by(*order).limit(asked.limit + 1)).freeze()
    whole = frozen().all()
    width = len(query.column_descriptions)
    rows = frozen().columns(*range(width)).all()
    keys = [tuple(_plain(value) for value in row[width:]) for row in whole]
    if any(value is None for one in keys for value in (one[1:] if may_lack else one)):
        raise ValueError("a list is sorted by a column that a row has no value of: say Nullable")
    has_more = len(rows) > asked.limit
    if key is not None and (not rows or (is_backward and not has_more)):
        # Rows went away, or came in before: the first page is whole again.
        return page_of(session, query, sorts, ties, asked.first())
    count = _count(session, query) if asked.is_counted else min(len(rows), asked.limit)
    return _page(rows[: asked.limit], keys[: asked.limit], asked, key=key, has_more=has_more, count=count)


def page_of_rows(
    rows: Iterable[Row],
    sorts: Mapping[str, Callable[[Row], Value]],
    ties: Callable[[Row], Key],
    asked: Asked,
) -> Page[Row]:
    """Return a page of rows that are in memory: the same rules as `page_of`."""
    sort = sorts[asked.sort] if asked.sort else next(iter(sorts.values()))

    def place(key: Key) -> tuple[Any, ...]:
        return (key[0] is not None if asked.descending else key[0] is None, *(one for one in key if one is not None))

    keyed: list[tuple[Key, Row]] = []
    alike: Counter[Key] = Counter()
    for row in rows:
        own = tuple(_plain(value) for value in (sort(row), *ties(row)))
        # Rows that nothing tells apart stand in the order they came in.
        keyed.append(((*own, alike[own]), row))
        alike[own] += 1
    listed = sorted(keyed, key=lambda one: place(one[0]), reverse=asked.descending)
    key = asked.key if listed and _alike(asked.key, listed[0][0]) else None
    is_backward = key is not None and asked.is_backward
    kept = listed
    if key is not None:
        at = place(key)
        is_up = asked.descending == is_backward
        kept = [one for one in listed if (place(one[0]) > at if is_up else place(one[0]) < at)]
    if key is not None and (not kept or (is_backward and len(kept) <= asked.limit)):
        return page_of_rows([row for _, row in listed], sorts, ties, asked.first())
    shown = kept[-asked.limit :][::-1] if is_backward else kept[: asked.limit]
    keys, found = [one[0] for one in shown], [one[1] for one in shown]
    page = _page(found, keys, asked, key=key, has_more=len(kept) > asked.limit, count=min(len(listed), COUNT_MAX + 1))
    return replace(page, every=[row for _, row in listed])


def every_row(read: Callable[[Asked], Page[Row]], asked: Asked, at_once: int = ROWS_AT_ONCE) -> Iterator[Row]:
    """Give all rows of a list, one page after another: memory stays small, and no transaction lasts longer than a page.

    The first page is read at once, so that what is wrong is said before a file begins.
    """
    whole = replace(asked.first(), limit=at_once, is_counted=False)
    return _follow(read, whole, read(whole))


def _follow(read: Callable[[Asked], Page[Row]], asked: Asked, page: Page[Row]) -> Iterator[Row]:
    yield from page.rows
    while page.next is not None:
        page = read(replace(asked, after=page.next))
        yield from page.rows


def key_text(key: Key) -> str:
    """Return a key as an address holds it."""
    parts = [_written(value) for value in key]
    return urlsafe_b64encode(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).decode().rstrip("=")


def read_key(text: str) -> Key | None:
    """Read a key from an address; None where it is not one."""
    if not text or len(text) > KEY_LENGTH_MAX:
        return None
    try:
        parts = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return tuple(_value(part) for part in parts) if isinstance(parts, list) and parts else None
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def _page(
    rows: Sequence[Row], keys: Sequence[Key], asked: Asked, *, key: Key | None, has_more: bool, count: int
) -> Page[Row]:
    """Put the rows of a page, read from its key on, in the list's order, with the keys at its ends."""
    is_backward = key is not None and asked.is_backward
    if is_backward:
        rows, keys = rows[::-1], keys[::-1]
    has_previous = has_more if is_backward else key is not None
    has_next = has_more or is_backward
    return Page(
        rows=rows,
        count=count,
        previous=keys[0] if has_previous and keys else None,
        next=keys[-1] if has_next and keys else None,
    )


def _beyond(columns: Sequence[Any], key: Key, *, is_up: bool, may_lack: bool, back: bool) -> ColumnElement[bool]:
    """Return the condition of the rows after a key, or before it (`back`), in the order of the columns."""
    if not may_lack:
        return _compared(columns, key, is_up=is_up)
    first, lacks = columns[0], columns[0].is_(None)
    if key[0] is None:
        same = and_(lacks, _compared(columns[1:], key[1:], is_up=is_up))
        return or_(same, ~lacks) if back else same
    further = and_(~lacks, _compared(columns, key, is_up=is_up))
    return further if back else or_(further, first.is_(None))


def _compared(columns: Sequence[Any], key: Key, *, is_up: bool) -> ColumnElement[bool]:
    # Row values: both engines follow an index on the columns. An integer of an address may be larger than a column holds.
    values = tuple_(
        *(
            literal(value, BigInteger() if isinstance(value, int) else column.type)
            for value, column in zip(key, columns, strict=True)
        )
    )
    return tuple_(*columns) > values if is_up else tuple_(*columns) < values


def _fits(key: Key | None, columns: Sequence[Any], *, may_lack: bool) -> bool:
    if key is None or len(key) != len(columns):
        return False
    return all(
        (value is None and may_lack and rank == 0) or type(value) is _type_of(column)
        for rank, (value, column) in enumerate(zip(key, columns, strict=True))
    )


def _type_of(column: Any) -> type:
    kind = column.type
    return (kind.impl_instance if isinstance(kind, TypeDecorator) else kind).python_type


def _alike(key: Key | None, other: Key) -> bool:
    return (
        key is not None
        and len(key) == len(other)
        and all(
            type(one) is type(two) or (rank == 0 and None in (one, two))
            for rank, (one, two) in enumerate(zip(key, other, strict=True))
        )
    )


def _count(session: Session, query: Select[*tuple[Any, ...]]) -> int:
    some = query.order_by(None).limit(COUNT_MAX + 1).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def _plain(value: Any) -> Value:
    """Return a value as an address gives it back: PostgreSQL sums integers into decimals, a state is a text."""
    return int(value) if isinstance(value, Decimal) else str(value) if isinstance(value, StrEnum) else value


def _written(value: Value) -> list[str]:
    match value:
        case None:
            return ["n"]
        case bool():
            raise TypeError("a key holds no yes or no")
        case int():
            return ["i", str(value)]
        case datetime():
            return ["t", value.isoformat()]
        case date():
            return ["d", value.isoformat()]
        case UUID():
            return ["u", value.hex]
        case _:
            return ["s", value]


_READERS: Mapping[str, Callable[[str], Value]] = {
    "i": int,
    "t": datetime.fromisoformat,
    "d": date.fromisoformat,
    "u": UUID,
    "s": str,
}


def _value(part: Any) -> Value:
    if part == ["n"]:
        return None
    kind, text = part
    if not isinstance(text, str) or "\x00" in text:
        raise ValueError("not a value of a key")
    text.encode()  # half a surrogate pair, which JSON can hold, is no text of a database
    value = _READERS[kind](text)
    if isinstance(value, int) and abs(value) > _INTEGER_MAX:
        raise ValueError("an integer that no column holds")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("an instant without its zone")
        return value.astimezone(UTC)
    return value
