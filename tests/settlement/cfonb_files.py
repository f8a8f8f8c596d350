"""CFONB 120 files of our own making: `cfonb(Account(iban, day, [Moved(-3_000, "VIR SEPA", rcn="PN-…")]))`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

_CREDITS, _DEBITS = "{ABCDEFGHI", "}JKLMNOPQR"


@dataclass(frozen=True, slots=True)
class Moved:
    """A movement, signed cents; `complements` are pairs of a qualifier and its text, in order."""

    cents: int
    label: str = "VIR SEPA"
    rcn: str = ""
    complements: tuple[tuple[str, str], ...] = ()
    day: date | None = None
    motive: str = "  "
    number: str = "0000000"


@dataclass(frozen=True, slots=True)
class Account:
    """A statement of one account: its old balance is of the day before its first movement."""

    iban: str
    day: date
    movements: Sequence[Moved]
    opening_cents: int = 1_000_000
    first_day: date | None = None
    currency: str = "EUR"

    @property
    def closing_cents(self) -> int:
        """The new balance."""
        return self.opening_cents + sum(one.cents for one in self.movements)


def cfonb(*accounts: Account, end: str = "\r\n") -> bytes:
    """Return a file; `end` ends each record."""
    return "".join(f"{line}{end}" for one in accounts for line in _statement(one)).encode("latin-1")


def amount(cents: int) -> str:
    """Return an amount as the format writes it: 14 characters, the last digit signed."""
    signs = _CREDITS if cents >= 0 else _DEBITS
    digits = f"{abs(cents):014d}"
    return digits[:-1] + signs[int(digits[-1])]


def _statement(one: Account) -> list[str]:
    first = one.first_day or one.day
    lines = [_balance("01", one, first - timedelta(days=1), one.opening_cents)]
    for moved in one.movements:
        lines.append(_movement(one, moved))
        told = ((("RCN", moved.rcn.ljust(35)),) if moved.rcn else ()) + moved.complements
        lines += [_complement(one, moved, qualifier, text) for qualifier, text in told]
    return [*lines, _balance("07", one, one.day, one.closing_cents)]


def _head(code: str, one: Account, internal: str = "    ", operation: str = "  ") -> str:
    bank, branch, account = one.iban[4:9], one.iban[9:14], one.iban[14:25]
    return f"{code}{bank}{internal}{branch}{one.currency}2 {account}{operation}"


def _balance(code: str, one: Account, day: date, cents: int) -> str:
    return f"{_head(code, one)}{day:%d%m%y}{'':50}{amount(cents)}{'':16}"


def _movement(one: Account, moved: Moved) -> str:
    day = moved.day or one.day
    return (
        f"{_head('04', one, 'VIR1', '05')}{day:%d%m%y}{moved.motive}{day:%d%m%y}{moved.label:31.31}  {moved.number}  "
        f"{amount(moved.cents)}{'':16}"
    )


def _complement(one: Account, moved: Moved, qualifier: str, text: str) -> str:
    day = moved.day or one.day
    return f"{_head('05', one, 'VIR1', '05')}{day:%d%m%y}{'':5}{qualifier}{text:70.70}  "
