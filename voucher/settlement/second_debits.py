"""Transfers that the bank debited twice: the second debit waits, and a credit of the same reference may be the bank's correction.

Were that credit taken for the return of the first debit, the structure, which has its money, would be paid again.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.database import among
from voucher.settlement.model import BankLine


def debited_twice(session: Session, references: Sequence[str]) -> set[tuple[UUID, str]]:
    """Return the account and reference of each debit of these references that waits to be identified."""
    waiting = select(BankLine.paying_account_id, BankLine.end_to_end_id).where(
        among(session, BankLine.end_to_end_id, references), BankLine.is_credit.is_(False), BankLine.matched_cents == 0
    )
    return {(row.paying_account_id, str(row.end_to_end_id)) for row in session.execute(waiting)}


def is_debited_twice() -> ColumnElement[bool]:
    """Return the condition that a debit of the reference of a line (of the outer query) waits to be identified."""
    other = aliased(BankLine)
    return exists().where(
        other.end_to_end_id == BankLine.end_to_end_id,
        other.paying_account_id == BankLine.paying_account_id,
        other.is_credit.is_(False),
        other.matched_cents == 0,
    )
