"""The records of a CFONB 120 file: their cutting, whatever ends the lines, and the amounts and days at their places (from 0)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import IO

_LENGTH = 120
_CHUNK_BYTES = 64 * 1024
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BLANK = b" \t\x1a\x00"
_DIGITS = re.compile(r"\d{13}", re.ASCII)
_DAY = re.compile(r"\d{6}", re.ASCII)
# The last digit of an amount, with its sign; a French set of characters has é and è for the braces.
_CREDITS = {sign: digit for digit, signs in enumerate(("{é", *"ABCDEFGHI")) for sign in signs}
_DEBITS = {sign: digit for digit, signs in enumerate(("}è", *"JKLMNOPQR")) for sign in signs}
_EURO_DECIMALS = 2


class WrongRecord(ValueError):
    """A record cannot be read: its line and the French reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, slots=True)
class Record:
    """One record of 120 characters; `line` is its rank in the file, from 1."""

    line: int
    text: str

    @property
    def code(self) -> str:
        """What it is: 01, 04, 05, 07."""
        return self.text[:2]

    @property
    def account(self) -> str:
        """Bank, branch and number of account: 21 characters."""
        return self.text[2:7] + self.text[11:16] + self.text[21:32]

    @property
    def currency(self) -> str:
        """The ISO code of its currency, empty if it gives none."""
        return self.text[16:19].strip()

    def said(self) -> str:
        """What it says, without the blanks at its end."""
        return self.text.rstrip()

    def cents(self) -> int:
        """Return its amount in cents, below zero for a debit. Raises WrongRecord."""
        text, decimals = self.text[90:104], self.text[19].strip() or str(_EURO_DECIMALS)
        sign = text[-1]
        digit = _CREDITS.get(sign, _DEBITS.get(sign))
        if digit is None or not _DIGITS.fullmatch(text[:-1]) or not decimals.isdecimal():
            raise WrongRecord(
                self.line,
                f"Le montant « {text.strip()} » n’est pas celui d’un relevé CFONB. Demandez un autre fichier à la banque.",
            )
        cents, rest = divmod((int(text[:-1]) * 10 + digit) * 100, int("1" + "0" * int(decimals)))
        if rest:
            raise WrongRecord(self.line, f"Le montant « {text.strip()} » a plus de deux décimales.")
        return -cents if sign in _DEBITS else cents

    def day(self, place: int) -> date:
        """Return the civil day written DDMMYY at a place, of the years 2000 to 2099. Raises WrongRecord."""
        text = self.text[place : place + 6]
        try:
            if not _DAY.fullmatch(text):
                raise ValueError(text)
            return date(2000 + int(text[4:]), int(text[2:4]), int(text[:2]))
        except ValueError:
            raise WrongRecord(self.line, f"La date « {text.strip()} » n’existe pas.") from None

    def day_or_none(self, place: int) -> date | None:
        """Return the same, None for what is no date: where nothing is posted by it."""
        try:
            return self.day(place)
        except WrongRecord:
            return None


def records(file: IO[bytes]) -> Iterator[Record]:
    """Yield the records of a file from its beginning, a piece at a time; blank lines are none. Raises WrongRecord for one too long."""
    rank = 0
    for raw in _lines(file):
        rank += 1
        if not raw.strip(_BLANK):
            continue
        text = _decoded(raw)
        if len(text.rstrip()) > _LENGTH:
            raise WrongRecord(
                rank, f"Un enregistrement compte plus de {_LENGTH} caractères. Demandez un autre fichier à la banque."
            )
        yield Record(rank, text[:_LENGTH].ljust(_LENGTH))


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines, or pieces of 120 bytes where a file has no line ends."""
    rest = file.read(_CHUNK_BYTES)
    has_ends = _LINE_END.search(rest) is not None
    while rest:
        more = file.read(_CHUNK_BYTES)
        if has_ends:
            # A carriage return at the end of a piece may be half of a line end.
            held = rest.endswith(b"\r") and bool(more)
            *whole, rest = _LINE_END.split(rest[:-1] if held else rest)
            yield from whole
            rest = rest + (b"\r" if held else b"") + more
            if not more:
                yield rest
                return
            if len(rest) > 2 * _CHUNK_BYTES:
                yield rest  # too long to be a record: refused
                return
        else:
            cut = len(rest) - len(rest) % _LENGTH if more else len(rest)
            yield from (rest[start : start + _LENGTH] for start in range(0, cut, _LENGTH))
            rest = rest[cut:] + more
