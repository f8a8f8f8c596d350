"""What every reader of a bank statement gives, whatever its format: heads, what is passed over, totals, faults.

A *statement* here is what the file calls a statement (camt.053, CFONB 120), a report (camt.052) or a notification (camt.054) of one
account; its booked entries are `camt_lines.BankEntry`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from voucher.settlement.formats_in.camt_lines import BankEntry

IsOurs = Callable[[str], bool]
"""Whether an IBAN is one of the accounts that a file is read for; what it says of the others is not even looked at."""


@dataclass(frozen=True, slots=True)
class FileError:
    """One reason to refuse a file: the line (0 for the file as a whole; every line is 1 in a file without line ends)."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A part of a file that is counted nowhere: where it begins, and why, in French."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The head of a statement: its account, days and balances (signed cents; None where its kind has none).

    `rank` is its place in the file, from 1. `number` is the bank's own sequence (electronic, else legal), or None. `page` is its place
    in a statement that the bank cut in pages, from 1 (None: it is whole), and `is_last_page` whether the bank says that it ends it.
    """

    rank: int
    statement_id: str
    number: str | None
    account_iban: str
    opened_on: date | None
    closed_on: date | None
    opening_cents: int | None
    closing_cents: int | None
    line: int
    page: int | None = None
    is_last_page: bool | None = None

    @property
    def has_balances(self) -> bool:
        """Whether it proves by its balances that it is whole."""
        return self.opening_cents is not None and self.closing_cents is not None

    @property
    def name(self) -> str:
        """How a sentence names it."""
        page = "" if self.page is None else f", page {self.page}"
        return f"Relevé {self.statement_id[:60]}{page}"


@dataclass(frozen=True, slots=True)
class Counted:
    """The end of a statement: its booked entries by side, and those not booked, left out."""

    statement_rank: int
    entry_count: int
    credit_cents: int
    debit_cents: int
    pending_count: int


Stage = Statement | BankEntry | Ignored | Counted


class StatementFile(Protocol):
    """A file being read: iterate to its end, then keep nothing if `errors` holds anything."""

    errors: list[FileError]

    def __iter__(self) -> Iterator[Stage]:
        """Give heads, entries, parts set aside and totals, in the order of the file."""
        ...


def not_ours(iban: str) -> str:
    """Return why what a file says of an account is passed over."""
    return f"Le compte {iban[:40]} n’est pas l’un de vos comptes payeurs. Choisissez le relevé d’un compte payeur."
