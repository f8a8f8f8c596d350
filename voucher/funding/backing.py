"""The backing of what is in people's hands and owed to structures: what is held and what funders still owe, at any instant.

For an agreement A, all from the balances of the ledger:

- held: each entry of the general book balances, and of its accounts only the bank's (5120), the waiting one (4711) and bank
  charges (6270) carry no agreement. So what was paid in for A and not paid out is minus the sum of A's general accounts.
- undrawn: what funders committed (8030 + 8040 + 8045 + 8050) less what they gave. What they gave is what was used (8050)
  less what they owe for it (4430 + 4431) plus what remains of advances (4432). So undrawn is 8030 + 8040 + 8045 plus the
  balances of 4430, 4431 and 4432; less the calls that are overdue, on which nobody may count.
- outstanding: vouchers issued and not used, 8040 + 8045.
- payable: what structures are owed, 4670 + 4675 + 4678 + 5115, less what they owe back, 4671.

Hence held + undrawn = 8030 + outstanding + payable - 6540 - overdue calls: only an overpayment written off, or a funder that
is late, can make it fall short, and credit not issued yet makes up for both first.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from voucher.funding.model import CallState, FundsCall, FundsReceipt
from voucher.ledger.chart import CHART, Book
from voucher.ledger.model import Account, Entry, Movement

FREE, STOCK, HANDED_OVER = "8030", "8040", "8045"
FUNDER_CODES = ("4430", "4431", "4432")
OWED_CODES = ("4670", "4675", "4678", "5115", "4671")
BANK, WAITING, CHARGES = "5120", "4711", "6270"
BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Backing:
    """What stands behind an agreement, or the whole programme, at an instant. Cents."""

    held_cents: int = 0
    undrawn_cents: int = 0
    outstanding_cents: int = 0
    payable_cents: int = 0
    overdue_cents: int = 0
    free_cents: int = 0  # committed by funders, not issued yet
    by_code: Mapping[str, int] = field(default_factory=dict)  # the balances behind it, debit less credit

    @property
    def covered_cents(self) -> int:
        """What pays: held, and still to be drawn."""
        return self.held_cents + self.undrawn_cents

    @property
    def due_cents(self) -> int:
        """What is to be paid: vouchers in circulation, and what structures are owed."""
        return self.outstanding_cents + self.payable_cents

    @property
    def coverage_basis_points(self) -> int | None:
        """How much of what is to be paid is covered; None where nothing is to be paid."""
        return None if self.due_cents <= 0 else self.covered_cents * BASIS_POINTS // self.due_cents

    @property
    def cash_basis_points(self) -> int | None:
        """How much of what is to be paid is in the bank; None where nothing is to be paid."""
        return None if self.due_cents <= 0 else self.held_cents * BASIS_POINTS // self.due_cents


@dataclass(frozen=True, slots=True)
class Whole:
    """The programme's backing, with the bank's balance that it must agree with: held = bank - waiting + charges."""

    backing: Backing
    bank_cents: int
    waiting_cents: int  # received or sent, of which nobody said yet what it is (credit above zero)
    charges_cents: int

    @property
    def is_the_banks(self) -> bool:
        """Say whether what is held by agreement is what the bank account holds."""
        return self.backing.held_cents == self.bank_cents - self.waiting_cents + self.charges_cents


def backings(
    session: Session, *, before: datetime | None = None, on: date, agreement_ids: Iterable[UUID] | None = None
) -> dict[UUID, Backing]:
    """Return each agreement's backing, from the entries posted before an instant (all of them without one).

    `on` is the civil day that says which calls are overdue.
    """
    which = Account.agreement_id.is_not(None)
    if agreement_ids is not None:
        which = Account.agreement_id.in_(list(agreement_ids))
    is_some = agreement_ids is not None
    sums: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for code, agreement_id, cents in _balances(session, which, before, is_some=is_some):
        sums[agreement_id][code] += cents
    overdue = overdue_cents(session, before=before, on=on)
    return {agreement_id: backing_of(found, overdue.get(agreement_id, 0)) for agreement_id, found in sums.items()}


def whole(session: Session, backings_: Iterable[Backing], before: datetime | None = None) -> Whole:
    """Return the programme's backing from its agreements' and the bank's accounts."""
    codes: dict[str, int] = defaultdict(int)
    for code, _, cents in _balances(session, Account.code.in_((BANK, WAITING, CHARGES)), before):
        codes[code] += cents
    return Whole(sum_of(backings_), codes[BANK], -codes[WAITING], codes[CHARGES])


def sum_of(parts: Iterable[Backing]) -> Backing:
    """Return the sum of several agreements' backing."""
    codes: dict[str, int] = defaultdict(int)
    overdue = 0
    for part in parts:
        overdue += part.overdue_cents
        for code, cents in part.by_code.items():
            codes[code] += cents
    return backing_of(codes, overdue)


def backing_of(balances: Mapping[str, int], overdue: int) -> Backing:
    """Return the backing that balances by code say (debit less credit), with the overdue calls."""
    general = sum(cents for code, cents in balances.items() if CHART[code].book == Book.GENERAL)
    free, outstanding = balances.get(FREE, 0), balances.get(STOCK, 0) + balances.get(HANDED_OVER, 0)
    owed_by_funders = sum(balances.get(code, 0) for code in FUNDER_CODES)
    return Backing(
        held_cents=-general,
        undrawn_cents=free + outstanding + owed_by_funders - overdue,
        outstanding_cents=outstanding,
        payable_cents=-sum(balances.get(code, 0) for code in OWED_CODES),
        overdue_cents=overdue,
        free_cents=free,
        by_code=dict(balances),
    )


def overdue_cents(
    session: Session, *, before: datetime | None = None, on: date, agreement_id: UUID | None = None
) -> dict[UUID, int]:
    """Return by agreement what is due on calls whose day is past on `on`, as it was known before an instant."""
    if before is None:
        left = FundsCall.called_cents - FundsCall.received_cents
        known: ColumnElement[bool] = FundsCall.state != CallState.CANCELLED
    else:
        receipts = select(func.coalesce(func.sum(FundsReceipt.amount_cents), 0)).where(
            FundsReceipt.call_id == FundsCall.id,
            FundsReceipt.received_at < before,
            or_(FundsReceipt.undone_at.is_(None), FundsReceipt.undone_at >= before),
        )
        left = FundsCall.called_cents - receipts.scalar_subquery()
        known = and_(
            FundsCall.called_at < before, or_(FundsCall.cancelled_at.is_(None), FundsCall.cancelled_at >= before)
        )
    query = (
        select(FundsCall.agreement_id, func.sum(left))
        .where(FundsCall.due_on < on, known)
        .group_by(FundsCall.agreement_id)
    )
    if agreement_id is not None:
        query = query.where(FundsCall.agreement_id == agreement_id)
    return {row[0]: int(row[1]) for row in session.execute(query) if row[1]}


def _balances(
    session: Session, which: ColumnElement[bool], before: datetime | None, *, is_some: bool = True
) -> Iterable[tuple[str, UUID, int]]:
    """Return (code, agreement, debit less credit) of the chosen accounts, summed by code and agreement.

    `is_some` says that they are few of all: then only their own movements are read, by their index.
    """
    accounts = {
        row.id: (row.code, row.agreement_id)
        for row in session.execute(select(Account.id, Account.code, Account.agreement_id).where(which))
    }
    found: dict[tuple[str, UUID], int] = defaultdict(int)
    for own, sign in ((Movement.debit_account_id, 1), (Movement.credit_account_id, -1)):
        # By account first: numbers are grouped faster than codes and agreements.
        sums: Select[*tuple[Any, ...]] = select(own, func.sum(Movement.amount_cents)).group_by(own)
        if is_some:
            sums = sums.where(own.in_(select(Account.id).where(which)))
        _add(found, accounts, session.execute(sums), sign)
        if before is not None:
            # Most of the ledger is older: what came since is taken off again, by the index on its instant.
            since = sums.join(Entry, Entry.id == Movement.entry_id).where(Entry.posted_at >= before)
            _add(found, accounts, session.execute(since), -sign)
    return [(code, agreement_id, cents) for (code, agreement_id), cents in found.items()]


def _add(
    found: dict[tuple[str, UUID], int], accounts: Mapping[int, tuple[str, Any]], sums: Iterable[Any], sign: int
) -> None:
    for account_id, cents in sums:
        key = accounts.get(account_id)
        if key is not None:
            found[key] += sign * int(cents)
