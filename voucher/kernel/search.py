"""How words typed in a filter find a text that is kept: whatever the case, the apostrophe and the spaces of either."""

from typing import Any

from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import InstrumentedAttribute

from voucher.kernel.money import NARROW_NO_BREAK_SPACE, NO_BREAK_SPACE

_PLAIN = {NO_BREAK_SPACE: " ", NARROW_NO_BREAK_SPACE: " ", "’": "'"}


def contains(column: ColumnElement[Any] | InstrumentedAttribute[Any], words: str) -> ColumnElement[bool]:
    """Return where a text holds these words. Capitals count for nothing in ASCII (SQLite) or at all (PostgreSQL)."""
    kept = column
    for mark, plain in _PLAIN.items():
        kept = func.replace(kept, mark, plain, type_=column.type)
        words = words.replace(mark, plain)
    return kept.icontains(words, autoescape=True)
