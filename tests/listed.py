"""A page of a list, as tests ask for it."""

from typing import TypeVar

from voucher.kernel.keyset import Page

Row = TypeVar("Row")


def listed(page: Page[Row]) -> tuple[list[Row], int]:
    """Return the rows of a page, and how many the whole list has."""
    return list(page.rows), page.count
