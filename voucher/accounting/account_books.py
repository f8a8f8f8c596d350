"""What the état de rapprochement of an account is made of: from when the books count each line, and from when the bank's statements do."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from voucher.accounting.in_transit import Spell, spells_in_transit
from voucher.ledger.chart import Code, EventType
from voucher.ledger.model import Account, Entry, Movement
from voucher.programme.model import Agreement
from voucher.settlement.model.batches import BankLine, BankStatement
from voucher.settlement.reconciliation.daily_balances import BankDay, days_of
from voucher.settlement.reconciliation.line_entries import DIRECT

BOOKED = (*DIRECT, EventType.UNKNOWN_CREDIT_BOOKED, EventType.UNKNOWN_DEBIT_BOOKED)
"""Events of a line's own entries, which move 5120."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line, or several alike: from when the books count it, and the bank's statements (None: none proves it)."""

    id: UUID | None
    booked_on: date
    valued_on: date | None
    label: str
    cents: int
    in_books_from: date
    at_bank_from: date | None


@dataclass(frozen=True, slots=True)
class AccountBooks:
    """All that an account's état is made of: its days of statement, the oldest first, its lines, transfers, and moves by day."""

    days: list[BankDay]
    lines: list[Line]
    transfers: list[Spell]
    moved: dict[date, int]
    transit: dict[date, int]

    @property
    def opened_on(self) -> date:
        """The day from which the bank's statements tell of the account."""
        return self.days[0].opened_on if self.days else date.min

    @property
    def opening_cents(self) -> int:
        """What it held then."""
        return self.days[0].opening_cents if self.days else 0


def account_books(session: Session, account_id: UUID, *, is_summed: bool = False) -> AccountBooks:
    """Return what an account's état is made of; `is_summed`: lines alike in their days are one, for who only sums them."""
    days = sorted(days_of(session, account_id=account_id), key=lambda one: one.closed_on)
    opened_on = days[0].opened_on if days else date.min
    agreements = select(Agreement.id).where(Agreement.paying_account_id == account_id)
    return AccountBooks(
        days,
        [line for line in _lines(session, account_id, is_summed=is_summed) if line.in_books_from >= opened_on],
        spells_in_transit(session, account_id),
        {
            day: cents
            for day, cents in _moved(session, Account.bank_account_id == account_id, Code.BANK)
            if day >= opened_on
        },
        dict(_moved(session, Account.agreement_id.in_(agreements), Code.IN_TRANSIT)),
    )


def _moved(session: Session, of_account: ColumnElement[bool], code: str) -> list[tuple[date, int]]:
    """Return what moved on the accounts of a code, by day: debits above zero, credits below."""
    found: defaultdict[date, int] = defaultdict(int)
    for column, sign in ((Movement.debit_account_id, 1), (Movement.credit_account_id, -1)):
        rows = session.execute(
            select(Entry.effective_on, func.sum(Movement.amount_cents))
            .join(Movement, Movement.entry_id == Entry.id)
            .join(Account, Account.id == column)
            .where(Account.code == code, of_account)
            .group_by(Entry.effective_on)
        )
        for day, cents in rows:
            found[day] += sign * int(cents)
    return sorted(found.items())


def _lines(session: Session, account_id: UUID, *, is_summed: bool) -> list[Line]:
    entry_day = (
        select(func.min(Entry.effective_on))
        .where(Entry.event_id == BankLine.id, Entry.event_type.in_(BOOKED))
        .correlate(BankLine)
        .scalar_subquery()
    )
    signed = case((BankLine.is_credit, BankLine.amount_cents), else_=-BankLine.amount_cents)
    each = (
        select(
            BankLine.id,
            BankLine.booked_on,
            BankLine.valued_on,
            BankLine.counterparty,
            BankLine.remittance,
            signed.label("cents"),
            entry_day.label("entry_day"),
            BankLine.statement_id,
        )
        .where(BankLine.paying_account_id == account_id)
        .order_by(BankLine.booked_on, BankLine.id)
    )
    if is_summed:
        lines = each.subquery()
        alike = (lines.c.booked_on, lines.c.entry_day, lines.c.statement_id)
        rows = session.execute(select(*alike, func.sum(lines.c.cents).label("cents")).group_by(*alike)).all()
    else:
        rows = session.execute(each).all()
    statements = {
        row.id: (row.opened_on, row.closed_on)
        for row in session.execute(
            select(BankStatement.id, BankStatement.opened_on, BankStatement.closed_on).where(
                BankStatement.paying_account_id == account_id
            )
        )
    }
    closes: dict[tuple[UUID | None, date], date | None] = {}
    for row in rows:
        key = (row.statement_id, row.booked_on)
        if key not in closes:
            closes[key] = _closed_on(statements, *key)
    return [
        Line(
            id=None if is_summed else row.id,
            booked_on=row.booked_on,
            valued_on=None if is_summed else row.valued_on,
            label=""
            if is_summed
            else ", ".join(words for words in (row.counterparty, row.remittance) if words) or "Sans nom",
            cents=int(row.cents),
            in_books_from=row.entry_day,
            at_bank_from=closes[row.statement_id, row.booked_on],
        )
        for row in rows
        if row.entry_day is not None
    ]


def _closed_on(statements: dict[UUID, tuple[date, date]], statement_id: UUID | None, booked_on: date) -> date | None:
    """Return the day whose bank's balance first holds a line: its statement's close, or that of a shorter one inside it."""
    if statement_id is None:
        return None
    opened_on, closed_on = statements[statement_id]
    return min(
        (closed for opened, closed in statements.values() if opened_on <= opened <= booked_on <= closed <= closed_on),
        default=closed_on,
    )
