"""What finance is warned of before it asks: accounts without a recent statement or in the red, calls that nobody paid."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.funding.read import OverdueCalls, overdue_calls
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.model.batches import BankStatement, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import account_in_scope
from voucher.settlement.reconciliation.daily_balances import BankDay, days_of
from voucher.settlement.words.states import AdviceState


@dataclass(frozen=True, slots=True)
class SilentAccount:
    """A paying account whose last statement is too old; `last_on` is None where there never was one."""

    account_id: UUID
    name: str
    last_on: date | None
    days: int  # since the last statement, or since the first agreement was signed


@dataclass(frozen=True, slots=True)
class NegativeAccount:
    """A paying account that the bank says is below zero, since the first of the days in a row on which it was."""

    account_id: UUID
    name: str
    balance_cents: int
    since_on: date
    last_on: date


@dataclass(frozen=True, slots=True)
class FinanceAlerts:
    """All of them; empty tuples and None where nothing is wrong."""

    silent: tuple[SilentAccount, ...]
    negative: tuple[NegativeAccount, ...]
    calls: OverdueCalls | None


def finance_alerts(
    database: Database, *, now: datetime, statement_days: int, issuer_id: UUID | None = None
) -> FinanceAlerts:
    """Return what finance is warned of; an account is silent once its last statement is more than `statement_days` old."""
    today = paris_day(now)
    with database.read() as session:
        return FinanceAlerts(
            tuple(_silent(session, today, statement_days, issuer_id)),
            tuple(negative_accounts(days_of(session, issuer_id=issuer_id))),
            overdue_calls(session, today=today, issuer_id=issuer_id),
        )


def negative_accounts(days: Iterable[BankDay]) -> list[NegativeAccount]:
    """Return the accounts below zero on their last day, each since the first of the days below zero without a break."""
    of_account: dict[UUID, list[BankDay]] = {}
    for day in sorted(days, key=lambda one: one.closed_on, reverse=True):
        of_account.setdefault(day.account_id, []).append(day)
    found = []
    for newest_first in of_account.values():
        last = newest_first[0]
        if last.closing_cents >= 0:
            continue
        first = last
        for day in newest_first:
            if day.closing_cents >= 0:
                break
            first = day
        found.append(
            NegativeAccount(last.account_id, last.account_name, last.closing_cents, first.closed_on, last.closed_on)
        )
    return sorted(found, key=lambda one: (one.since_on, one.name))


def _silent(session: Session, today: date, statement_days: int, issuer_id: UUID | None) -> list[SilentAccount]:
    """Accounts of agreements that still pay: until their last day of presentation, and while a transfer is on its way."""
    paid_by = aliased(Agreement)  # the scope asks of all agreements of an account
    in_transit = exists().where(
        PaymentAdvice.state == AdviceState.IN_FILE,
        PaymentAdvice.batch_id == SettlementBatch.id,
        SettlementBatch.agreement_id == paid_by.id,
    )
    last_on, signed_on = func.max(BankStatement.closed_on), func.min(paid_by.signed_on)
    rows = session.execute(
        select(PayingAccount.id, PayingAccount.name, last_on.label("last_on"), signed_on.label("signed_on"))
        .join(paid_by, paid_by.paying_account_id == PayingAccount.id)
        .outerjoin(BankStatement, BankStatement.paying_account_id == PayingAccount.id)
        .where(account_in_scope(issuer_id), or_(paid_by.present_by >= today, in_transit))
        .group_by(PayingAccount.id, PayingAccount.name)
        .having(func.coalesce(last_on, signed_on) < today - timedelta(days=statement_days))
        .order_by(last_on, PayingAccount.name)
    )
    return [SilentAccount(row.id, row.name, row.last_on, (today - (row.last_on or row.signed_on)).days) for row in rows]
