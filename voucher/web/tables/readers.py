"""Where a list's rows come from, where it is not a capability's own reader."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from voucher.kernel.keyset import Asked, Key, Page, Value, page_of_rows
from voucher.web.filters import counted
from voucher.web.tables.listing import Listing

Row = TypeVar("Row")
Reader = Callable[[Asked], Page[Row]]


def rows_reader(
    rows: Iterable[Row], sorts: Mapping[str, Callable[[Row], Value]], ties: Callable[[Row], Key]
) -> Reader[Row]:
    """Return the reader of rows that are in memory, already filtered; `ties` tells rows apart that sort alike."""
    return lambda asked: page_of_rows(rows, sorts, ties, asked)


def whole(rows: Sequence[Row]) -> Reader[Row]:
    """Return the reader of a table that is shown whole, in the order of its rows."""
    return lambda _asked: Page.whole(rows)


def length_text(read: Reader[Row], listing: Listing) -> str:
    """Say how many rows a list has, for the trail of who took it: « 128 », « plus de 1 000 »."""
    return counted(read(replace(listing.asked.first(), limit=1)).count)
