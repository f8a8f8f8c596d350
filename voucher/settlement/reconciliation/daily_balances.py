"""The bank's closing balance against the ledger, day by day for each account, and what explains a difference."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, case, func, select, true
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.ledger.chart import Code
from voucher.ledger.model import Account, Entry, Movement
from voucher.programme.model import PayingAccount
from voucher.settlement.model.batches import BankLine, BankStatement
from voucher.settlement.model.issuer_scope import account_in_scope


@dataclass(frozen=True, slots=True, kw_only=True)
class BankDay:
    """The bank's closing balance of a day against the ledger's, in cents.

    `ledger_cents` starts from the opening of the account's first statement. `is_following` says that the day's statements open
    where those before closed, on `follows_on` (None for the first ones): if not, one is missing, which moved `missing_cents`.
    `announced_cents` is what of the difference comes from lines that no
    statement proves yet.
    """

    account_id: UUID
    account_name: str
    closed_on: date
    closing_cents: int
    ledger_cents: int
    is_following: bool
    announced_cents: int
    follows_on: date | None
    missing_cents: int
    opened_on: date  # of the account's first statement, from whose `opening_cents` the ledger starts
    opening_cents: int

    @property
    def is_equal(self) -> bool:
        """Whether bank and ledger agree at the end of that day."""
        return self.closing_cents == self.ledger_cents

    @property
    def gap_cents(self) -> int:
        """What the bank says less what the ledger says."""
        return self.closing_cents - self.ledger_cents


@dataclass(frozen=True, slots=True)
class AnnouncedLine:
    """A line counted in the ledger that no statement proves: announced by a report, a notification, or the accountant."""

    id: UUID
    booked_on: date
    counterparty: str
    remittance: str
    signed_cents: int


def days(database: Database, *, issuer_id: UUID | None = None) -> list[BankDay]:
    """Return the closing balance of each account on each day of a statement, the newest first, beside what the ledger says.

    Several statements of a day are put in the order in which they open and close; the last one closes the day.
    """
    with database.read() as session:
        return days_of(session, issuer_id=issuer_id)


def days_of(session: Session, *, issuer_id: UUID | None = None, account_id: UUID | None = None) -> list[BankDay]:
    """Return the same inside a transaction; with an `account_id`, of this account alone."""
    query = (
        select(*BankStatement.__table__.columns, PayingAccount.name)
        .join(PayingAccount, PayingAccount.id == BankStatement.paying_account_id)
        .where(account_in_scope(issuer_id), true() if account_id is None else PayingAccount.id == account_id)
    )
    of_account: defaultdict[UUID, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
    for row in session.execute(query):
        of_account[row.paying_account_id].append(row)
    booked, announced = _booked(session, account_id), _announced(session, account_id)
    found = [
        day
        for one, statements in of_account.items()
        for day in _days(statements, booked.get(one, {}), announced.get(one, {}))
    ]
    return sorted(found, key=lambda day: (day.closed_on, day.account_name), reverse=True)


def announced_lines(
    database: Database, account_id: UUID, until: date, *, issuer_id: UUID | None = None
) -> list[AnnouncedLine]:
    """Return the lines of an account up to a day that no statement proves, the oldest first."""
    query = (
        select(BankLine.id, BankLine.booked_on, BankLine.counterparty, BankLine.remittance, _signed())
        .join(PayingAccount, PayingAccount.id == BankLine.paying_account_id)
        .where(
            account_in_scope(issuer_id),
            BankLine.paying_account_id == account_id,
            BankLine.statement_id.is_(None),
            BankLine.booked_on <= until,
        )
        .order_by(BankLine.booked_on, BankLine.id)
        .limit(200)
    )
    with database.read() as session:
        return [AnnouncedLine(*row) for row in session.execute(query)]


def in_order(statements: Iterable[Row[*tuple[Any, ...]]]) -> list[Row[*tuple[Any, ...]]]:
    """Put the statements of an account in order: by day, and within a day each after the one whose closing it opens with."""
    waiting = sorted(
        statements, key=lambda one: (one.closed_on, one.opened_on, one.number or "", one.page or 0, one.reference)
    )
    ordered: list[Row[*tuple[Any, ...]]] = []
    while waiting:
        today = [one for one in waiting if one.closed_on == waiting[0].closed_on]
        last_cents = ordered[-1].closing_cents if ordered else None
        closings = {one.closing_cents for one in today if one.closing_cents != one.opening_cents}
        following = [one for one in today if one.opening_cents == last_cents]
        heads = [one for one in today if one.opening_cents not in closings]
        chosen = (following or heads or today)[0]
        ordered.append(chosen)
        waiting.remove(chosen)
    return ordered


def _days(
    statements: Iterable[Row[*tuple[Any, ...]]], booked: dict[date, int], announced: dict[date, int]
) -> list[BankDay]:
    ordered = in_order(statements)
    first = ordered[0]
    by_day: dict[date, BankDay] = {}
    boundaries = {first.opening_cents}
    before = first.opened_on
    for one in ordered:
        # A longer statement may go over days that shorter ones told: it opens where one of them did, or closed.
        is_following = one.opening_cents in boundaries if one.opened_on <= before else one is first
        is_following = is_following or (bool(by_day) and one.opening_cents == _last(by_day).closing_cents)
        boundaries |= {one.opening_cents, one.closing_cents}
        same_day = by_day.get(one.closed_on)
        missing_cents = 0 if is_following else one.opening_cents - _last(by_day).closing_cents
        follows_on = same_day.follows_on if same_day else (_last(by_day).closed_on if by_day else None)
        before = max(before, one.closed_on)
        moved = sum(cents for day, cents in booked.items() if first.opened_on <= day <= one.closed_on)
        by_day[one.closed_on] = BankDay(
            account_id=one.paying_account_id,
            account_name=one.name,
            closed_on=one.closed_on,
            closing_cents=one.closing_cents,
            ledger_cents=first.opening_cents + moved,
            is_following=is_following and (same_day is None or same_day.is_following),
            announced_cents=sum(cents for day, cents in announced.items() if day <= one.closed_on),
            follows_on=follows_on,
            missing_cents=missing_cents + (same_day.missing_cents if same_day else 0),
            opened_on=first.opened_on,
            opening_cents=first.opening_cents,
        )
    return list(by_day.values())


def _last(by_day: dict[date, BankDay]) -> BankDay:
    return by_day[max(by_day)]


def _booked(session: Session, only_id: UUID | None) -> dict[UUID, dict[date, int]]:
    """Return what moved on each bank account in the ledger (5120), by day: in above zero, out below."""
    found: defaultdict[UUID, dict[date, int]] = defaultdict(dict)
    for column, sign in ((Movement.debit_account_id, 1), (Movement.credit_account_id, -1)):
        rows = session.execute(
            select(Account.bank_account_id, Entry.effective_on, func.sum(Movement.amount_cents))
            .join(Movement, column == Account.id)
            .join(Entry, Entry.id == Movement.entry_id)
            .where(Account.code == Code.BANK, true() if only_id is None else Account.bank_account_id == only_id)
            .group_by(Account.bank_account_id, Entry.effective_on)
        )
        for account_id, day, cents in rows:
            if account_id is not None:
                found[account_id][day] = found[account_id].get(day, 0) + sign * int(cents)
    return found


def _announced(session: Session, only_id: UUID | None) -> dict[UUID, dict[date, int]]:
    found: defaultdict[UUID, dict[date, int]] = defaultdict(dict)
    rows = session.execute(
        select(BankLine.paying_account_id, BankLine.booked_on, func.sum(_signed()))
        .where(BankLine.statement_id.is_(None), true() if only_id is None else BankLine.paying_account_id == only_id)
        .group_by(BankLine.paying_account_id, BankLine.booked_on)
    )
    for account_id, day, cents in rows:
        found[account_id][day] = int(cents)
    return found


def _signed() -> Any:
    return case((BankLine.is_credit, BankLine.amount_cents), else_=-BankLine.amount_cents)
