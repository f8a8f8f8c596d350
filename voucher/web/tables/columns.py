"""What a list shows: its columns, each with its heading, its value and what kind of value it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, TypeVar

Row = TypeVar("Row")
Cell = str | int | bool | Decimal | date | datetime | None


class Kind(StrEnum):
    """What a value is; it decides how the page says it and what a spreadsheet does with it."""

    TEXT = "text"
    """A text; yes or no is « oui » or « non »."""
    EUROS = "euros"
    """Integer cents."""
    COUNT = "count"
    DECIMAL = "decimal"
    """A `Decimal`: a median, a mean."""
    RANK = "rank"
    """A number that names something and is never summed: a year, a line of a file."""
    BOOKLET = "booklet"
    """A booklet's number: in groups of four on the page, a number in files."""
    PERCENT = "percent"
    """Integer basis points."""
    DAY = "day"
    INSTANT = "instant"
    TAG = "tag"
    """A word in a coloured shape."""

    @property
    def is_number(self) -> bool:
        """Whether it stands to the right."""
        return self in (Kind.EUROS, Kind.COUNT, Kind.DECIMAL, Kind.PERCENT)


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column. Its key is also the name of its sort in the address."""

    key: str
    heading: str
    kind: Kind = Kind.TEXT
    value: Callable[[Row], Any] | None = None
    """Gives a `Cell`; without it, the row's attribute of the key's name."""
    _: KW_ONLY
    is_sorted: bool = False
    is_summed: bool = False
    under: str = ""
    """The key of the column in whose cell the page says this one, below; files give it a column of its own."""
    link: Callable[[Row], str | None] | None = None
    link_label: Callable[[Row], str] | None = None
    """What a screen reader says of the link after its text, where that is not enough."""
    tag: Callable[[Row], str] | None = None
    """The shape of a tag (success, wait, warn, danger, info, neutral)."""
    hides_zero: bool = False
    """Whether the page leaves a zero out."""
    says_heading: bool = True
    """Whether the page says the heading before a value that stands under another; a text never has it."""

    def of(self, row: Row) -> Cell:
        """Return the value of a row."""
        found: Cell = getattr(row, self.key) if self.value is None else self.value(row)
        return found

    @property
    def file_heading(self) -> str:
        """The heading in a file, which says the unit where cells do not."""
        return f"{self.heading} (€)" if self.kind is Kind.EUROS else self.heading


def state_column(
    key: str, heading: str, words: Mapping[Any, tuple[str, str]], state: Callable[[Row], Any], **more: Any
) -> Column[Row]:
    """Return the column of a state whose word and shape stand in a table; no state has no word."""

    def word(row: Row, rank: int) -> str:
        found = state(row)
        return "" if found is None else words[found][rank]

    return Column(key, heading, Kind.TAG, lambda row: word(row, 0), tag=lambda row: word(row, 1), **more)


@dataclass(frozen=True)
class Table(Generic[Row]):
    """A list: what it is called, its columns, how it is sorted and filtered. Raises ValueError when it is ill-defined (a bug)."""

    caption: str
    columns: Sequence[Column[Row]]
    _: KW_ONLY
    default_sort: str = ""
    """A sorted column's key, `-` before it for descending; empty where the order is the rows' own."""
    filters: Sequence[str] = ()
    one: str = ""
    """What a row is, in French, and how several are called; without it the page does not count them."""
    many: str | None = None
    file_name: str = ""
    """The name of its files; without it, the caption's."""
    part: str = ""
    """Which table of the page it is (`tableau` in the address), where a page has several."""
    total_heading: str = "Total"
    what: str = "ce tableau"
    """How the links to its files name it."""
    sorts: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Refuse a list that could not be shown."""
        sorts = frozenset(column.key for column in self.columns if column.is_sorted)
        object.__setattr__(self, "sorts", sorts)
        keys = [column.key for column in self.columns]
        if len(set(keys)) != len(keys):
            raise ValueError("two columns have the same key")
        if self.default_sort and self.default_sort.removeprefix("-") not in sorts:
            raise ValueError(f"the default sort {self.default_sort!r} is not one of the sorts")
        if sorts and not self.default_sort:
            raise ValueError("a list that is sorted has a default sort")
        if {column.under for column in self.columns} - {"", *(column.key for column in self.page_columns)}:
            raise ValueError("a column stands under one that the page does not show")

    @cached_property
    def page_columns(self) -> tuple[Column[Row], ...]:
        """The columns that the page gives a place of their own."""
        return tuple(column for column in self.columns if not column.under)

    def under(self, key: str) -> tuple[Column[Row], ...]:
        """Return the columns that the page says in the cell of another."""
        return tuple(column for column in self.columns if column.under == key)

    @property
    def is_summed(self) -> bool:
        """Whether it has a row of totals."""
        return any(column.is_summed for column in self.columns)
