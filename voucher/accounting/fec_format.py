"""The FEC's format (art. A.47 A-1 LPF): its columns, and how a cell is written. The checker does not read this module."""

from collections.abc import Iterable
from datetime import date

COLUMNS = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib", "CompAuxNum", "CompAuxLib",
    "PieceRef", "PieceDate", "EcritureLib", "Debit", "Credit", "EcritureLet", "DateLet", "ValidDate", "Montantdevise",
    "Idevise",
)  # fmt: skip
# What our sentences hold and ISO 8859-15 has not, by the nearest it has.
_LATIN_9 = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u2011": "-", "\u202f": "\u00a0"}
)


def amount(cents: int) -> str:
    """Return « 1234,56 »."""
    euros, rest = divmod(cents, 100)
    return f"{euros},{rest:02d}"


def day(value: date | None) -> str:
    """Return AAAAMMJJ, empty without a day."""
    return "" if value is None else f"{value:%Y%m%d}"


def cell(text: str) -> str:
    """Return a text that stays in its column: no tabulation, no end of line, no other control."""
    return " ".join("".join(" " if ord(mark) < 32 or ord(mark) == 127 else mark for mark in text).split())


def letters(number: int) -> str:
    """Return the letter of a number: 0 is AAA, 1 is AAB, after ZZZ comes AAAA."""
    width, count = 3, 26**3
    while number >= count:
        number -= count
        width, count = width + 1, count * 26
    marks = []
    for _ in range(width):
        number, rest = divmod(number, 26)
        marks.append(chr(65 + rest))
    return "".join(reversed(marks))


def encoded(lines: Iterable[str], encoding: str) -> bytes:
    """Return lines in « utf-8 » or « iso8859-15 », each with its end; a sign that the second has no nearest for becomes « ? »."""
    text = "".join(f"{line}\r\n" for line in lines)
    return (text if encoding == "utf-8" else text.translate(_LATIN_9)).encode(encoding, errors="replace")
