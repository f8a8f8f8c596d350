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

from sqlalchemy import exists, select

from voucher.accounting.account_books import AccountBooks, account_books
from voucher.kernel.database import Database
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.model.batches import BankLine
from voucher.settlement.model.issuer_scope import account_in_scope
from voucher.settlement.reconciliation.to_identify import to_identify


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


@dataclass(frozen=True, slots=True, kw_only=True)
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
        return self.statement_cents + sum(difference.cents for difference in self.differences)

    @property
    def unexplained_cents(self) -> int:
        """What no difference explains; zero where the état is right to the cent."""
        return self.ledger_cents - self.expected_cents

    def of_kind(self, kind: DifferenceKind) -> list[Difference]:
        """Return the differences of one kind, the oldest first."""
        return [difference for difference in self.differences if difference.kind is kind]


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
        waiting = to_identify(session, BankLine.paying_account_id == account_id, BankLine.booked_on <= on)
    last = next((day for day in reversed(books.days) if day.closed_on <= on), None)
    return Reconciliation(
        account_id=account_id,
        account_name=account.name,
        holder_name=account.holder_name,
        iban=account.iban,
        on=on,
        statement_on=last.closed_on if last else None,
        statement_cents=last.closing_cents if last else books.opening_cents,
        opening_cents=books.opening_cents,
        bank_cents=sum(cents for day, cents in books.moved.items() if day <= on),
        transit_cents=sum(cents for day, cents in books.transit.items() if day <= on),
        differences=tuple(
            sorted(differences_at(books, on), key=lambda one: (list(DifferenceKind).index(one.kind), one.on))
        ),
        waiting_count=waiting.count,
        waiting_cents=waiting.cents,
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
    found = (reconciliation(database, each_id, on, issuer_id=issuer_id) for each_id in ids)
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


def untold_by_day(books: AccountBooks) -> dict[date, tuple[int, int]]:
    """Return the days on which the books move otherwise than lines and transfers tell, with both sums in cents.

    The books' side of the état is right where this is empty: what stays unexplained is between the bank's statements themselves.
    """
    held: defaultdict[date, int] = defaultdict(int)
    told: defaultdict[date, int] = defaultdict(int)
    for moves in (books.moved, books.transit):
        for on, cents in moves.items():
            held[on] += cents
    for line in books.lines:
        told[line.in_books_from] += line.cents
    for spell in books.transfers:
        told[spell.left_on] -= spell.amount_cents
        if spell.ended_on is not None:
            told[spell.ended_on] += spell.amount_cents
    return {on: (held[on], told[on]) for on in sorted(held.keys() | told.keys()) if held[on] != told[on]}
