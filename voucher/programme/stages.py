"""Where an agreement's euros are: balances of the budget's accounts, each summed by its own movements."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from voucher.ledger.model import Account, Movement


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's balance: debit less credit, in cents."""

    code: str
    agreement_id: UUID | None
    funder_id: UUID | None
    cents: int


def balances_of(session: Session, which: ColumnElement[bool]) -> list[Balance]:
    """Return the balances of the accounts that `which` chooses; the rest of the ledger is not read."""
    balance = _sum_on(Movement.debit_account_id) - _sum_on(Movement.credit_account_id)
    rows = session.execute(select(Account.code, Account.agreement_id, Account.funder_id, balance).where(which))
    return [Balance(row[0], row[1], row[2], int(row[3])) for row in rows]


def _sum_on(side: InstrumentedAttribute[int]) -> ColumnElement[int]:
    return select(func.coalesce(func.sum(Movement.amount_cents), 0)).where(side == Account.id).scalar_subquery()
