"""The backing of what is in people's hands and owed to structures: what is in the bank for it, and what funders still promise.

For an agreement, all from the balances of the ledger:

- outstanding: vouchers issued and not used, 8040 + 8045; payable: what structures are owed, 4670 + 4675 + 4678 + 5115, less
  what they owe back, 4671. Both are *due*: they are all that the money must pay.
- held: each entry of the general book balances, and of its accounts only the bank's (5120), the waiting one (4711) and bank
  charges (6270) carry no agreement. So what was paid in for the agreement and not paid out is minus the sum of its general accounts.
- undrawn: for each funder, its part of the vouchers that exist (8040 + 8045 + 8050) less what it gave, never below zero. It gave
  what was used (8050) less what it owes for it (4430 + 4431) plus what remains of advances (4432). So undrawn is 8040 + 8045
  plus the balances of 4430, 4431 and 4432; less its calls that are overdue, on which nobody may count.
- free: credit committed and not turned into vouchers (8030). It backs nothing: no voucher has been made of it, and what lapsed
  comes back to it. It stands apart.

What covers an agreement is its own money, as far as what is due: what is beyond is for vouchers to come or to be given back,
and pays no other agreement's. With promises all is covered unless a funder is late or an overpayment was written off; what is
in the bank alone says whether vouchers would be paid if nobody gave any more. What left the bank and nobody can explain
(`Whole.missing_cents`) is taken off both in the whole.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from voucher.funding.model import CallState, FundsCall, FundsReceipt
from voucher.kernel.money import BASIS_POINTS
from voucher.ledger.chart import CHART, OUTSTANDING, OWED_TO_STRUCTURES, Book, Code
from voucher.ledger.model import Account, Entry, Movement

FUNDER_CODES = (Code.TO_CALL, Code.CALLED, Code.ADVANCES)
OWED_CODES = (*OWED_TO_STRUCTURES, Code.OVERPAID)
_Key = tuple[str, UUID | None, UUID | None]  # code, agreement, funder


@dataclass(frozen=True, slots=True)
class FunderBacking:
    """A funder's part of an agreement's backing. Cents."""

    outstanding_cents: int
    used_cents: int
    given_cents: int  # transferred, less what was given back
    undrawn_cents: int
    overdue_cents: int
    free_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """What stands behind an agreement, or the whole programme, at an instant. Cents."""

    held_cents: int = 0
    undrawn_cents: int = 0
    outstanding_cents: int = 0
    payable_cents: int = 0
    overdue_cents: int = 0
    free_cents: int = 0  # committed by funders, not issued: it backs nothing
    banked_cents: int = 0  # of what is due, what is in the bank for it
    covered_cents: int = 0  # the same, with what funders still promise
    by_code: Mapping[str, int] = field(default_factory=dict)  # the balances behind it, debit less credit
    by_funder: Mapping[UUID, FunderBacking] = field(default_factory=dict)  # of one agreement only

    @property
    def due_cents(self) -> int:
        """What is to be paid: vouchers in circulation, and what structures are owed."""
        return self.outstanding_cents + self.payable_cents

    @property
    def lacking_cents(self) -> int:
        """What would lack to pay all that is due, promises kept."""
        return self.due_cents - self.covered_cents

    @property
    def received_cents(self) -> int:
        """What funders gave, less what they got back."""
        return sum(one.given_cents for one in self.by_funder.values())

    @property
    def coverage_basis_points(self) -> int | None:
        """How much of what is due is covered, promises kept; None where nothing is due."""
        return rate_basis_points(self.covered_cents, self.due_cents)

    @property
    def cash_basis_points(self) -> int | None:
        """How much of what is due is in the bank; None where nothing is due."""
        return rate_basis_points(self.banked_cents, self.due_cents)


@dataclass(frozen=True, slots=True)
class Whole:
    """The programme's backing, with the bank's balance that it must agree with: held = bank - waiting + charges."""

    backing: Backing  # what is missing is taken off what it covers
    bank_cents: int
    waiting_cents: int  # received or sent, of which nobody said yet what it is (credit above zero)
    charges_cents: int

    @property
    def is_the_banks(self) -> bool:
        """Say whether what is held by agreement is what the bank account holds."""
        return self.backing.held_cents == self.bank_cents - self.waiting_cents + self.charges_cents

    @property
    def missing_cents(self) -> int:
        """What is held by the books and no more in the bank: charges, and debits of which nobody said what they paid."""
        return missing_cents(self.waiting_cents, self.charges_cents)


def rate_basis_points(part_cents: int, due_cents: int) -> int | None:
    """Return how much of what is due a part pays, from 0 to 10,000; None where nothing is due."""
    return None if due_cents <= 0 else max(part_cents, 0) * BASIS_POINTS // due_cents


def missing_cents(waiting_cents: int, charges_cents: int) -> int:
    """Return what left the bank for no agreement."""
    return max(-waiting_cents, 0) + max(charges_cents, 0)


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
    sums: dict[UUID, dict[tuple[str, UUID | None], int]] = defaultdict(dict)
    for (code, agreement_id, funder_id), cents in _balances(session, which, before, is_some=is_some).items():
        if agreement_id is not None:
            sums[agreement_id][code, funder_id] = cents
    overdue: dict[UUID, dict[UUID, int]] = defaultdict(dict)
    for (agreement_id, funder_id), cents in overdue_cents(session, before=before, on=on).items():
        overdue[agreement_id][funder_id] = cents
    return {agreement_id: backing_of(found, overdue[agreement_id]) for agreement_id, found in sums.items()}


def whole(session: Session, backings_: Iterable[Backing], before: datetime | None = None) -> Whole:
    """Return the programme's backing from its agreements' and the bank's accounts."""
    codes: dict[str, int] = defaultdict(int)
    for (code, _, _), cents in _balances(
        session, Account.code.in_((Code.BANK, Code.UNIDENTIFIED, Code.CHARGES)), before
    ).items():
        codes[code] += cents
    total, missing = sum_of(backings_), missing_cents(-codes[Code.UNIDENTIFIED], codes[Code.CHARGES])
    total = replace(total, banked_cents=total.banked_cents - missing, covered_cents=total.covered_cents - missing)
    return Whole(total, codes[Code.BANK], -codes[Code.UNIDENTIFIED], codes[Code.CHARGES])


def sum_of(parts: Iterable[Backing]) -> Backing:
    """Return the sum of several agreements' backing: the money of one covers nothing of another."""
    sums: dict[str, Any] = defaultdict(int)
    codes: dict[str, int] = defaultdict(int)
    for part in parts:
        for one in fields(Backing):
            if one.name.endswith("_cents"):
                sums[one.name] += getattr(part, one.name)
        for code, cents in part.by_code.items():
            codes[code] += cents
    return Backing(**sums, by_code=dict(codes))


def backing_of(balances: Mapping[tuple[str, UUID | None], int], overdue: Mapping[UUID, int]) -> Backing:
    """Return the backing that balances by (code, funder) say (debit less credit), with each funder's overdue calls."""
    codes: dict[str, int] = defaultdict(int)
    for (code, _), cents in balances.items():
        codes[code] += cents
    funder_ids = {funder_id for _, funder_id in balances if funder_id is not None}
    by_funder = {each_id: _of_funder(balances, each_id, overdue.get(each_id, 0)) for each_id in sorted(funder_ids)}
    held = -sum(cents for code, cents in codes.items() if CHART[code].book == Book.GENERAL)
    undrawn = sum(one.undrawn_cents for one in by_funder.values())
    outstanding, payable = sum(codes[code] for code in OUTSTANDING), -sum(codes[code] for code in OWED_CODES)
    return Backing(
        held_cents=held,
        undrawn_cents=undrawn,
        outstanding_cents=outstanding,
        payable_cents=payable,
        overdue_cents=sum(overdue.values()),
        free_cents=codes[Code.COMMITTED],
        banked_cents=min(held, outstanding + payable),
        covered_cents=min(held + undrawn, outstanding + payable),
        by_code=dict(codes),
        by_funder=by_funder,
    )


def _of_funder(balances: Mapping[tuple[str, UUID | None], int], funder_id: UUID, overdue: int) -> FunderBacking:
    def cents(*codes: str) -> int:
        return sum(balances.get((code, funder_id), 0) for code in codes)

    outstanding, owed = cents(*OUTSTANDING), cents(*FUNDER_CODES)
    return FunderBacking(
        outstanding_cents=outstanding,
        used_cents=cents(Code.USED),
        given_cents=cents(Code.USED) - owed,
        undrawn_cents=max(outstanding + owed - overdue, 0),
        overdue_cents=overdue,
        free_cents=cents(Code.COMMITTED),
    )


def overdue_cents(
    session: Session, *, before: datetime | None = None, on: date, agreement_id: UUID | None = None
) -> dict[tuple[UUID, UUID], int]:
    """Return by (agreement, funder) what is due on calls whose day is past on `on`, as it was known before an instant."""
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
        select(FundsCall.agreement_id, FundsCall.funder_id, func.sum(left))
        .where(FundsCall.due_on < on, known)
        .group_by(FundsCall.agreement_id, FundsCall.funder_id)
    )
    if agreement_id is not None:
        query = query.where(FundsCall.agreement_id == agreement_id)
    return {(row[0], row[1]): int(row[2]) for row in session.execute(query) if row[2]}


def _balances(
    session: Session, which: ColumnElement[bool], before: datetime | None, *, is_some: bool = True
) -> Mapping[_Key, int]:
    """Return the balances (debit less credit) of the chosen accounts, summed by code, agreement and funder.

    `is_some` says that they are few of all: then only their own movements are read, by their index.
    """
    columns = (Account.id, Account.code, Account.agreement_id, Account.funder_id)
    accounts = {row[0]: (row[1], row[2], row[3]) for row in session.execute(select(*columns).where(which))}
    found: dict[_Key, int] = defaultdict(int)
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
    return found


def _add(found: dict[_Key, int], accounts: Mapping[int, _Key], sums: Iterable[Any], sign: int) -> None:
    for account_id, cents in sums:
        key = accounts.get(account_id)
        if key is not None:
            found[key] += sign * int(cents)
