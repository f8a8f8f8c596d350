"""Cut what is too long for one file into parts, none of them a leftover."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


def part_count_of(item_count: int, items_max: int) -> int:
    """Return into how many parts of at most `items_max` so many items go: at least one."""
    return max(1, -(-item_count // items_max))


def even_parts(items: Sequence[T], part_count: int) -> list[Sequence[T]]:
    """Return the items in their order, in parts whose lengths differ by one at most.

    Never a last file of one transfer while others are full: banks verify the payee of a single payment even for those who
    opted out for packages (EPC, verification of payee).
    """
    length, longer = divmod(len(items), part_count)
    bounds = [rank * length + min(rank, longer) for rank in range(part_count + 1)]
    return [items[start:end] for start, end in pairwise(bounds)]
