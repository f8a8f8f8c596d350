"""A long list in pieces: a statement takes a limited number of parameters, and a transaction need not hold every row at once."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

IDS_AT_ONCE = 1_000
"""Values in one `IN (…)`. SQLite takes 32,766 parameters in a statement and PostgreSQL 65,535: a statement may use them 30 times."""


def chunks(items: Iterable[T], size: int = IDS_AT_ONCE) -> Iterator[list[T]]:
    """Give the items in their order, in lists of `size`, the last one shorter. None for no item."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
