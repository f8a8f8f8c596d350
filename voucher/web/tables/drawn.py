"""A list as its page shows it: every cell already said in French, for one macro of ui.html to put in place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from voucher.kernel.keyset import COUNT_MAX, Asked, Page
from voucher.kernel.money import NO_BREAK_SPACE, thousands
from voucher.kernel.number_labels import booklet_label
from voucher.web import filters
from voucher.web.tables.columns import Cell, Column, Kind, Table
from voucher.web.tables.listing import Listing

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class DrawnCell:
    """A value as it is said, where it leads, and what stands below it in the same cell."""

    text: str
    _: KW_ONLY
    heading: str = ""
    link: str | None = None
    link_label: str | None = None
    tag: str | None = None
    is_number: bool = False
    below: tuple["DrawnCell", ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A page of a list, its links and what is said of its length."""

    table: Table[Any]
    listing: Listing
    rows: tuple[tuple[DrawnCell, ...], ...]
    totals: tuple[str | None, ...]
    _: KW_ONLY
    count: int
    is_cut: bool
    previous_url: str | None
    next_url: str | None

    @property
    def length(self) -> str:
        """How many rows the list has, and how many of them are shown."""
        one, many = self.table.one, self.table.many
        if not one:
            return ""
        is_long = self.count > COUNT_MAX
        words = f"Plus de {filters.plural(COUNT_MAX, one, many)}" if is_long else filters.plural(self.count, one, many)
        if not self.is_cut:
            return words
        may_filter = is_long and self.table.filters
        return f"{words}, {self.listing.per_page} par page.{' Filtrez pour en voir moins.' if may_filter else ''}"

    @property
    def count_text(self) -> str:
        """How many rows the list has, as a figure."""
        return filters.counted(self.count)

    @property
    def csv_url(self) -> str:
        """The address of the whole list as a CSV file."""
        return self.listing.file_url("csv", self.table.part)

    @property
    def xlsx_url(self) -> str:
        """The address of the whole list as a workbook."""
        return self.listing.file_url("xlsx", self.table.part)


def drawn(
    table: Table[Row],
    listing: Listing,
    read: Callable[[Asked], Page[Row]],
    *,
    totals: Mapping[str, Cell] | None = None,
) -> Drawn:
    """Read a page of a list and say it. `totals` are those of all its rows, by column, where the page alone does not tell them."""
    page = read(listing.asked)
    is_part = totals is None and page.every is None and page.is_cut
    if totals is None:
        rows = page.rows if page.every is None else page.every
        totals = {column.key: _sum(column, rows) for column in table.columns if column.is_summed}
    name = f"{table.total_heading} de la page" if is_part else table.total_heading
    return Drawn(
        table,
        listing,
        tuple(tuple(_cell(table, column, row) for column in table.page_columns) for row in page.rows),
        _totals(table.page_columns, totals, name) if table.is_summed else (),
        count=page.count,
        is_cut=page.is_cut,
        previous_url=None if page.previous is None else listing.before_url(page.previous),
        next_url=None if page.next is None else listing.after_url(page.next),
    )


def said(kind: Kind, value: Cell) -> str:
    """Return a value as a page says it; nothing where there is none."""
    match value:
        case None:
            return ""
        case bool():
            return "oui" if value else "non"
        case int() if kind is Kind.EUROS:
            return filters.euros(value)
        case int() if kind is Kind.PERCENT:
            return filters.basis_points(value)
        case int() if kind is Kind.BOOKLET:
            return booklet_label(value)
        case int() if kind is Kind.RANK:
            return str(value)
        case int():
            return thousands(value)
        case Decimal():
            return f"{value.normalize():f}".replace(".", ",")
        case datetime():
            return filters.instant(value)
        case str():
            return value
        case _:
            return filters.day(value)


def _cell(table: Table[Row], column: Column[Row], row: Row) -> DrawnCell:
    below = (
        _value(one, row, heading=one.heading if one.says_heading and one.kind not in (Kind.TEXT, Kind.TAG) else "")
        for one in table.under(column.key)
    )
    return _value(column, row, below=tuple(one for one in below if one.text))


def _value(column: Column[Row], row: Row, *, heading: str = "", below: tuple[DrawnCell, ...] = ()) -> DrawnCell:
    value = column.of(row)
    text = "" if column.hides_zero and value == 0 else said(column.kind, value)
    return DrawnCell(
        text,
        heading=f"{heading}{'' if heading.endswith(' le') else NO_BREAK_SPACE + ':'} " if heading else "",
        link=None if column.link is None else column.link(row),
        link_label=None if column.link_label is None else f"{text}, {column.link_label(row)}",
        tag=column.tag(row) if column.tag is not None and text else None,
        is_number=column.kind.is_number,
        below=below,
    )


def _sum(column: Column[Row], rows: Sequence[Row]) -> int:
    return sum(value for row in rows if isinstance(value := column.of(row), int))


def _totals(columns: Sequence[Column[Any]], totals: Mapping[str, Cell], name: str) -> tuple[str | None, ...]:
    said_totals = [said(column.kind, totals[column.key]) if column.key in totals else None for column in columns]
    return (name, *said_totals[1:])
