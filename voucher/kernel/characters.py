"""Characters as keyboards, pages and office software leave them, brought to the plain ones that they stand for."""

import re
import unicodedata

_FULL_WIDTH = {mark: mark - 0xFEE0 for mark in range(0xFF01, 0xFF5F)}
"""U+FF01 to U+FF5E, which East Asian keyboards type, are ASCII's own 0xFEE0 further on (Unicode, Halfwidth and Fullwidth Forms)."""
_DASHES = re.compile(r"[-\u2010-\u2015\u2212\u00ad]")


def is_invisible(mark: str) -> bool:
    """Whether a mark shows nothing and is not a space: a zero-width space, a byte order mark, a direction (category Cf)."""
    return unicodedata.category(mark) == "Cf"


def plain(text: str) -> str:
    """Return a text with ASCII's characters for full-width ones, one kind of space and of minus, and clean ends.

    Every space of Unicode (category Zs: no-break, narrow, thin, figure…) becomes U+0020, and « − » (U+2212) becomes « - ».
    Spaces, ends of line and invisible marks are taken off both ends; nothing inside is taken away, so that no two sides join.
    """
    if text.isascii():
        return text.strip()
    read = "".join(
        " " if unicodedata.category(mark) == "Zs" else mark
        for mark in text.translate(_FULL_WIDTH).replace("\u2212", "-")
    )
    first, last = 0, len(read)
    while first < last and _is_edge(read[first]):
        first += 1
    while first < last and _is_edge(read[last - 1]):
        last -= 1
    return read[first:last]


def compact(text: str) -> str:
    """Return the letters and digits of an identifier, in capitals: spaces of all kinds, dashes, points and invisible marks left out.

    For what has a key or a fixed length of its own (SIREN, SIRET, RNA, IBAN, BIC, postcode): there, joining the sides is safe.
    """
    bare = "".join(mark for mark in plain(text) if not mark.isspace() and not is_invisible(mark))
    return _DASHES.sub("", bare).replace(".", "").upper()


def _is_edge(mark: str) -> bool:
    return mark.isspace() or is_invisible(mark)
