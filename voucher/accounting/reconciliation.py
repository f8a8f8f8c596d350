"""État de rapprochement bancaire: what the bank says of an account at the end of a day, what the books say, and each difference between them.

The bank's balance is its last statement's by then. The books' is what 5120 holds and what left for the bank and is not debited yet
(5115). A line counts in the books from the day its entry takes effect, and at the bank from the close of the statement that
proves it: what one of them counts and the other does not by that day is a difference, and is named.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import case, exists, func, select
from sqlalchemy.orm import Session

from voucher.accounting.in_transit import Spell, spells_in_transit
from voucher.kernel.database import Database
from voucher.kernel.money import sum_cents
from voucher.ledger.chart import EventType
from voucher.ledger.model import Account, Entry, Movement
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.bank_days import BankDay, days_of
from voucher.settlement.model import BankLine, BankStatement
from voucher.settlement.scope import account_in_scope
from voucher.settlement.undo_match import DIRECT

BOOKED = (*DIRECT, EventType.UNKNOWN_CREDIT_BOOKED, EventType.UNKNOWN_DEBIT_BOOKED)
"""Events of a line's own entries, which move 5120."""


class DifferenceKind(StrEnum):
    """Why the books and the bank's last statement do not say the same of a day."""

    IN_TRANSIT = "in_transit"
    ANNOUNCED = "announced"
    LATER_STATEMENT = "later_statement"
    CLOSED_YEAR = "closed_year"
    MISSING_STATEMENT = "missing_statement"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: `cents` added to the bank's balance give the books'. `on` is the bank's day, or that on which a transfer left.

    `id` is the line or the payment; of a missing statement, None.
    """

    kind: DifferenceKind
    on: date
    label: str
    cents: int
    id: UUID | None
    valued_on: date | None = None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The état of an account at the end of a day, in cents.

    `statement_on` is the day of the last statement by then (None: there is none, and its balance is the opening of the first).
    `opening_cents` is what the account held before its first statement, which no entry tells.
    """

    account_id: UUID
    account_name: str
    holder_name: str
    iban: str
    on: date
    statement_on: date | None
    statement_cents: int
    opening_cents: int
    bank_cents: int
    transit_cents: int
    differences: tuple[Difference, ...]
    waiting_count: int
    waiting_cents: int

    @property
    def ledger_cents(self) -> int:
        """What the books say: the account, less what left for it and is not debited."""
        return self.opening_cents + self.bank_cents + self.transit_cents

    @property
    def expected_cents(self) -> int:
        """What they should say: the bank's balance with every difference."""
        return self.statement_cents + sum(one.cents for one in self.differences)

    @property
    def unexplained_cents(self) -> int:
        """What no difference explains; zero where the état is right to the cent."""
        return self.ledger_cents - self.expected_cents

    def of_kind(self, kind: DifferenceKind) -> list[Difference]:
        """Return the differences of one kind, the oldest first."""
        return [one for one in self.differences if one.kind is kind]


@dataclass(frozen=True, slots=True)
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


def reconciliation(
    database: Database, account_id: UUID, on: date, *, issuer_id: UUID | None = None
) -> Reconciliation | None:
    """Return the état of an account at the end of a day, or None when the account is not in the scope."""
    with database.read() as session:
        account = session.execute(
            select(PayingAccount.name, PayingAccount.holder_name, PayingAccount.iban).where(
                PayingAccount.id == account_id, account_in_scope(issuer_id)
            )
        ).one_or_none()
        if account is None:
            return None
        books = account_books(session, account_id)
        waiting = session.execute(
            select(func.count(), func.sum(BankLine.amount_cents - BankLine.matched_cents)).where(
                BankLine.paying_account_id == account_id,
                BankLine.booked_on <= on,
                BankLine.matched_cents < BankLine.amount_cents,
            )
        ).one()
    last = next((day for day in reversed(books.days) if day.closed_on <= on), None)
    return Reconciliation(
        account_id,
        account.name,
        account.holder_name,
        account.iban,
        on,
        last.closed_on if last else None,
        last.closing_cents if last else books.opening_cents,
        books.opening_cents,
        sum(cents for day, cents in books.moved.items() if day <= on),
        sum(cents for day, cents in books.transit.items() if day <= on),
        tuple(sorted(differences_at(books, on), key=lambda one: (list(DifferenceKind).index(one.kind), one.on))),
        int(waiting[0]),
        sum_cents(waiting[1]),
    )


def reconciliations(database: Database, on: date, *, issuer_id: UUID | None = None) -> list[Reconciliation]:
    """Return the état of each account that pays an agreement of the scope, by name."""
    pays = exists().where(Agreement.paying_account_id == PayingAccount.id)
    with database.read() as session:
        ids = session.scalars(
            select(PayingAccount.id)
            .where(pays, account_in_scope(issuer_id))
            .order_by(PayingAccount.name, PayingAccount.id)
        ).all()
    found = (reconciliation(database, one, on, issuer_id=issuer_id) for one in ids)
    return [one for one in found if one is not None]


def differences_at(books: AccountBooks, on: date) -> Iterable[Difference]:
    """Yield what the books or the bank's last statement count by the end of a day and the other does not."""
    for spell in books.transfers:
        if spell.left_on <= on and (spell.ended_on is None or on < spell.ended_on):
            label = f"{spell.reference}, {spell.structure_name}"
            yield Difference(DifferenceKind.IN_TRANSIT, spell.left_on, label, -spell.amount_cents, spell.advice_id)
    for line in books.lines:
        in_books = line.in_books_from <= on
        at_bank = line.at_bank_from is not None and line.at_bank_from <= on
        if in_books == at_bank:
            continue
        if at_bank:
            kind = DifferenceKind.CLOSED_YEAR
        else:
            kind = DifferenceKind.LATER_STATEMENT if line.at_bank_from else DifferenceKind.ANNOUNCED
        yield Difference(
            kind, line.booked_on, line.label, line.cents if in_books else -line.cents, line.id, line.valued_on
        )
    for day in books.days:
        if day.missing_cents and day.closed_on <= on:
            yield Difference(
                DifferenceKind.MISSING_STATEMENT,
                day.closed_on,
                "Son solde d’ouverture n’est pas celui du relevé d’avant",
                -day.missing_cents,
                None,
            )


def unexplained_by_day(books: AccountBooks) -> dict[date, int]:
    """Return, for each day of statement, what no difference explains, summed day after day: the same as each day's état says."""
    steps: defaultdict[date, int] = defaultdict(int)
    for moves in (books.moved, books.transit):
        for on, cents in moves.items():
            steps[on] += cents
    for line in books.lines:
        steps[line.in_books_from] -= line.cents
        if line.at_bank_from is not None:
            steps[line.at_bank_from] += line.cents
    for spell in books.transfers:
        steps[spell.left_on] += spell.amount_cents
        if spell.ended_on is not None:
            steps[spell.ended_on] -= spell.amount_cents
    for day in books.days:
        steps[day.closed_on] += day.missing_cents
    waiting = sorted(steps.items(), reverse=True)
    gap, found = books.opening_cents, {}
    for day in books.days:
        while waiting and waiting[-1][0] <= day.closed_on:
            gap += waiting.pop()[1]
        found[day.closed_on] = gap - day.closing_cents
    return found


def account_books(session: Session, account_id: UUID, *, is_summed: bool = False) -> AccountBooks:
    """Return what an account's état is made of; `is_summed`: lines alike in their days are one, for who only sums them."""
    days = sorted((day for day in days_of(session) if day.account_id == account_id), key=lambda one: one.closed_on)
    opened_on = days[0].opened_on if days else date.min
    agreements = select(Agreement.id).where(Agreement.paying_account_id == account_id)
    return AccountBooks(
        days,
        [one for one in _lines(session, account_id, is_summed=is_summed) if one.in_books_from >= opened_on],
        spells_in_transit(session, account_id),
        {
            day: cents
            for day, cents in _moved(session, Account.bank_account_id == account_id, "5120")
            if day >= opened_on
        },
        dict(_moved(session, Account.agreement_id.in_(agreements), "5115")),
    )


def _moved(session: Session, of_account: object, code: str) -> list[tuple[date, int]]:
    """Return what moved on the accounts of a code, by day: debits above zero, credits below."""
    found: defaultdict[date, int] = defaultdict(int)
    for column, sign in ((Movement.debit_account_id, 1), (Movement.credit_account_id, -1)):
        rows = session.execute(
            select(Entry.effective_on, func.sum(Movement.amount_cents))
            .join(Movement, Movement.entry_id == Entry.id)
            .join(Account, Account.id == column)
            .where(Account.code == code, of_account)  # type: ignore[arg-type]  # a condition on accounts
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
            None if is_summed else row.id,
            row.booked_on,
            None if is_summed else row.valued_on,
            ""
            if is_summed
            else ", ".join(words for words in (row.counterparty, row.remittance) if words) or "Sans nom",
            int(row.cents),
            row.entry_day,
            closes[row.statement_id, row.booked_on],
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
