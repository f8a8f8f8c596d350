"""The trial balance (balance générale): what each account opened a year with, what moved in it, what it closes on, at any day.

One pass over the movements of the year (and of the years before it that are still open); closed years are summed once, in
`opening_balance`. An account asked alone reads its own movements by their index.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, literal, select, union_all
from sqlalchemy.orm import Session

from voucher.kernel.database import BigInt, Database
from voucher.kernel.keyset import Asked, Nullable, Page, page_of
from voucher.kernel.money import sum_cents
from voucher.kernel.search import contains
from voucher.ledger.chart import Book
from voucher.ledger.chart_file import CARRIED_FORWARD
from voucher.ledger.fiscal_years import last_closed_year
from voucher.ledger.model import Account, Entry, Movement, OpeningBalance
from voucher.network.model import Structure
from voucher.programme.model import Agreement, Funder, PayingAccount

CHARGE_CLASSES = ("6", "7")
"""Classes that start each year from nothing: what they held is carried forward (ADR 12)."""


_THIRD_NAME = func.coalesce(Structure.name, Funder.name, PayingAccount.name, Agreement.name)
"""For whom an account is kept."""

_ZERO: ColumnElement[int] = literal(0, BigInt)


@dataclass(frozen=True, slots=True)
class Sums:
    """What an account, or several together, opened with, moved and holds, in cents. Balances are debit less credit."""

    opening_cents: int = 0
    debit_cents: int = 0
    credit_cents: int = 0

    @property
    def closing_cents(self) -> int:
        """What it holds at the end."""
        return self.opening_cents + self.debit_cents - self.credit_cents


@dataclass(frozen=True, slots=True)
class Totals:
    """The columns of a balance added up, in cents: each balance counts on its own side."""

    opening_debit_cents: int
    opening_credit_cents: int
    debit_cents: int
    credit_cents: int
    closing_debit_cents: int
    closing_credit_cents: int

    @property
    def closing_cents(self) -> int:
        """What all hold at the end, debit less credit."""
        return self.closing_debit_cents - self.closing_credit_cents

    @property
    def is_balanced(self) -> bool:
        """Whether each pair of columns is equal, as those of a whole book are."""
        return (self.opening_debit_cents, self.debit_cents, self.closing_debit_cents) == (
            self.opening_credit_cents,
            self.credit_cents,
            self.closing_credit_cents,
        )


def totals(every: Iterable[Sums]) -> Totals:
    """Add the columns up."""
    found = list(every)
    openings, closings = [one.opening_cents for one in found], [one.closing_cents for one in found]
    return Totals(
        sum(cents for cents in openings if cents > 0),
        -sum(cents for cents in openings if cents < 0),
        sum(one.debit_cents for one in found),
        sum(one.credit_cents for one in found),
        sum(cents for cents in closings if cents > 0),
        -sum(cents for cents in closings if cents < 0),
    )


@dataclass(frozen=True, slots=True)
class CodeLine:
    """A line of the trial balance: a code of the chart, how many accounts it has, their sums."""

    code: str
    account_count: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class AuxiliaryLine:
    """An account of a code, with for whom it is kept."""

    account_id: int
    third_name: str
    agreement_number: str | None
    sums: Sums


def trial_balance(
    database: Database, year: int, until: date | None = None, *, book: Book | None = None
) -> list[CodeLine]:
    """Return the trial balance of a year, up to a day of it (its last by default), in the order of the codes.

    What charges of earlier years left opens the line of what is carried forward.
    """
    with database.read() as session:
        moved = sums_by_account(session, year, until)
        rows = session.execute(
            select(
                Account.code,
                func.count().label("found"),
                func.sum(moved.c.opening).label("opening"),
                func.sum(moved.c.debit).label("debit"),
                func.sum(moved.c.credit).label("credit"),
            )
            .join(moved, moved.c.id == Account.id)
            .where(*([Account.book == book] if book else []))
            .group_by(Account.code)
        ).all()
    return carried_forward([CodeLine(row.code, row.found, _sums(row)) for row in rows])


def carried_forward(lines: Sequence[CodeLine]) -> list[CodeLine]:
    """Open the line of what is carried forward with what charges opened with, by code."""
    charges = [line for line in lines if line.code[0] in CHARGE_CLASSES]
    opening_cents = sum(line.sums.opening_cents for line in charges)
    shown = [
        CodeLine(line.code, line.account_count, Sums(0, line.sums.debit_cents, line.sums.credit_cents))
        if line in charges
        else line
        for line in lines
    ]
    if opening_cents:
        shown.append(CodeLine(CARRIED_FORWARD.code, 0, Sums(opening_cents)))
    return sorted(shown, key=lambda line: line.code)


def auxiliaries(
    database: Database,
    code: str,
    year: int,
    until: date | None,
    asked: Asked,
) -> tuple[Page[AuxiliaryLine], Totals]:
    """Return a page of the accounts of a code, and the totals of them all.

    Sorts: third, balance. Filters: `third` (a part of the name), `open` (« oui »: those that do not close on zero).
    """
    with database.read() as session:
        moved = sums_by_account(session, year, until, [Account.code == code])
        opening = 0 if code[0] in CHARGE_CLASSES else moved.c.opening
        query = _named(code, moved)
        if text := asked.filters.get("third"):
            query = query.where(contains(_THIRD_NAME, text))
        if asked.filters.get("open") == "oui":
            query = query.where(opening + moved.c.debit - moved.c.credit != 0)
        every = query.subquery()
        opens = _ZERO if code[0] in CHARGE_CLASSES else every.c.opening
        closes = opens + every.c.debit - every.c.credit
        total = session.execute(
            select(
                func.sum(case((opens > 0, opens), else_=0)),
                func.sum(case((opens < 0, -opens), else_=0)),
                func.sum(every.c.debit),
                func.sum(every.c.credit),
                func.sum(case((closes > 0, closes), else_=0)),
                func.sum(case((closes < 0, -closes), else_=0)),
            ).select_from(every)
        ).one()
        balance = moved.c.opening + moved.c.debit - moved.c.credit
        sorts = {"third": Nullable(_THIRD_NAME), "balance": balance}
        page = page_of(session, query, sorts, [Account.id], asked)
    lines = page.of(AuxiliaryLine(row.id, row.third_name or "", row.number, _sums(row, code)) for row in page.rows)
    return lines, Totals(*(sum_cents(cents) for cents in total))


def sums_by_account(
    session: Session, year: int, until: date | None = None, only: Sequence[ColumnElement[bool]] = ()
) -> Subquery:
    """Return id, opening, debit and credit of each account that moved or opened with something; `only` are conditions on them."""
    start, end = date(year, 1, 1), until or date(year, 12, 31)
    base = base_year(session, year)
    wanted = select(Account.id).where(*only)

    def of(column: Any) -> Sequence[ColumnElement[bool]]:
        return [column.in_(wanted)] if only else []

    opened = select(
        OpeningBalance.account_id.label("id"),
        OpeningBalance.balance_cents.label("opening"),
        _ZERO.label("debit"),
        _ZERO.label("credit"),
    ).where(OpeningBalance.year == (base or 0), *of(OpeningBalance.account_id))
    in_years = [Entry.effective_on <= end]
    if base is not None:
        in_years.append(Entry.effective_on >= date(base, 1, 1))
    is_before = Entry.effective_on < start
    sides: list[Select[Any]] = []
    for account_id, is_debit in ((Movement.debit_account_id, True), (Movement.credit_account_id, False)):
        amount = Movement.amount_cents if is_debit else -Movement.amount_cents
        debit, credit = (Movement.amount_cents, _ZERO) if is_debit else (_ZERO, Movement.amount_cents)
        sides.append(
            select(
                account_id,
                case((is_before, amount), else_=0),
                case((is_before, 0), else_=debit),
                case((is_before, 0), else_=credit),
            )
            .join(Entry, Entry.id == Movement.entry_id)
            .where(and_(*in_years), *of(account_id))
        )
    both = union_all(opened, *sides).subquery()
    return (
        select(
            both.c.id,
            func.sum(both.c.opening).label("opening"),
            func.sum(both.c.debit).label("debit"),
            func.sum(both.c.credit).label("credit"),
        )
        .group_by(both.c.id)
        .subquery()
    )


def base_year(session: Session, year: int) -> int | None:
    """Return the latest year, up to `year`, that opens with balances written by a close; None while no year is closed."""
    last = last_closed_year(session)
    if last is None:
        return None
    base = min(year, last + 1)
    first = session.scalar(select(func.min(OpeningBalance.year)))
    return base if first is not None and base >= first else None


def _named(code: str, moved: Subquery) -> Select[Any]:
    return (
        select(
            Account.id,
            _THIRD_NAME.label("third_name"),
            Agreement.number,
            moved.c.opening,
            moved.c.debit,
            moved.c.credit,
        )
        .join(moved, moved.c.id == Account.id)
        .outerjoin(Agreement, Agreement.id == Account.agreement_id)
        .outerjoin(Structure, Structure.id == Account.structure_id)
        .outerjoin(Funder, Funder.id == Account.funder_id)
        .outerjoin(PayingAccount, PayingAccount.id == Account.bank_account_id)
        .where(Account.code == code)
    )


def _sums(row: Any, code: str = "") -> Sums:
    opening = 0 if code[:1] in CHARGE_CLASSES and code else sum_cents(row.opening)
    return Sums(opening, sum_cents(row.debit), sum_cents(row.credit))
