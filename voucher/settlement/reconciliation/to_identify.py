"""What of the bank's lines is to identify: the one reader of it, whatever page, list, board or close says « à identifier »."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from voucher.programme.model import PayingAccount
from voucher.settlement.model.batches import BankLine

WAITS: ColumnElement[bool] = BankLine.matched_cents < BankLine.amount_cents
"""The condition that some cents of a line are explained by nothing."""

LEFT: ColumnElement[int] = BankLine.amount_cents - BankLine.matched_cents
"""How many of a line's cents nothing explains."""


@dataclass(frozen=True, slots=True)
class ToIdentify:
    """How many lines wait, the cents of them that wait in each direction, and the day of the oldest."""

    count: int
    credit_cents: int
    debit_cents: int
    oldest_on: date | None

    @property
    def cents(self) -> int:
        """What waits, whichever way it went."""
        return self.credit_cents + self.debit_cents


def to_identify(session: Session, *conditions: ColumnElement[bool]) -> ToIdentify:
    """Return what waits of the lines that meet these conditions, on lines and on paying accounts."""

    def cents(is_credit: bool) -> Any:
        return func.coalesce(func.sum(case((BankLine.is_credit.is_(is_credit), LEFT), else_=0)), 0)

    row = session.execute(
        select(func.count(), cents(True), cents(False), func.min(BankLine.booked_on))
        .select_from(BankLine)
        .join(PayingAccount, PayingAccount.id == BankLine.paying_account_id)
        .where(WAITS, *conditions)
    ).one()
    return ToIdentify(row[0], int(row[1]), int(row[2]), row[3])
