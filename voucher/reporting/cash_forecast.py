"""What cash will be needed, agreement by agreement, until the vouchers are no longer valid. The method stands in `cash_rules`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, case, func, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from voucher.funding.model import CallState, FundsCall
from voucher.kernel.calendar import end_of_day, paris_day, start_of_day
from voucher.kernel.database import Database
from voucher.ledger.chart import OUTSTANDING, Code
from voucher.ledger.model import Account, Movement
from voucher.ledger.read import balances_in
from voucher.programme.model import Agreement, Issuer
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.reporting.cash_rules import (
    PACE_DAYS,
    WINDOW_DAYS,
    CashFacts,
    CashForecast,
    FunderFacts,
    Scenario,
    forecast,
    months_until,
    next_month,
    total,
)
from voucher.reporting.debts import DebtState, debts_in
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.model.recoveries import Dispute
from voucher.settlement.payable.due_day import due_on, period_due_on
from voucher.settlement.payable.next_period import IN_A_BATCH
from voucher.settlement.payable.why_waiting import why_waiting
from voucher.settlement.recoveries.net_overpayments import released_unpaid

BANK_CODES = (Code.BANK, Code.UNIDENTIFIED)
WAITING = {DebtState.HELD, DebtState.REJECTED}
"""Debts that the next batch takes up, unless something keeps their structure from being paid now."""
IN_NO_BATCH = {DebtState.NOT_FROZEN, DebtState.OTHER}
"""Debts whose delay of payment begins at the end of their period: of this month, where it is not over."""


@dataclass(frozen=True, slots=True)
class AgreementCash:
    """An agreement, what is known of it and what may come, by scenario."""

    agreement_id: UUID
    number: str
    name: str
    issuer_name: str
    facts: CashFacts
    forecasts: dict[Scenario, CashForecast]


@dataclass(frozen=True, slots=True)
class Cash:
    """The forecasts of the agreements that have something outstanding, owed or held; over the same months."""

    today: date
    agreements: tuple[AgreementCash, ...]

    def of(self, scenario: Scenario) -> CashForecast:
        """Return the sum of the agreements in one scenario."""
        return total([agreement.forecasts[scenario] for agreement in self.agreements], scenario)

    def kept(self, number: str) -> "Cash":
        """Return the same for one agreement by its number; all of them when none has it."""
        return Cash(
            self.today,
            tuple(agreement for agreement in self.agreements if agreement.number == number) or self.agreements,
        )


def cash(database: Database, *, now: datetime, issuer_id: UUID | None = None) -> Cash:
    """Return the cash forecasts as of now, of the programme or of one issuer."""
    today = paris_day(now)
    with database.read() as session:
        agreements = session.execute(
            select(*Agreement.__table__.columns, Issuer.name.label("issuer_name"))
            .join(Issuer, Issuer.id == Agreement.issuer_id)
            .where(in_scope(Agreement.issuer_id, issuer_id))
            .order_by(Agreement.number)
        ).all()
        facts = _facts(session, agreements, now)
    alive = {key: one for key, one in facts.items() if not one.is_over}
    months = months_until(today, max((one.present_by for one in alive.values()), default=today))
    return Cash(
        today,
        tuple(
            AgreementCash(
                agreement.id,
                agreement.number,
                agreement.name,
                agreement.issuer_name,
                alive[agreement.id],
                {scenario: forecast(alive[agreement.id], months, today, scenario) for scenario in Scenario},
            )
            for agreement in agreements
            if agreement.id in alive
        ),
    )


def _facts(session: Session, agreements: Sequence[Row[*tuple[Any, ...]]], now: datetime) -> dict[UUID, CashFacts]:
    today = paris_day(now)
    balances: dict[tuple[UUID | None, str], int] = defaultdict(int)
    by_funder: dict[tuple[UUID | None, UUID], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in balances_in(session, {agreement.id for agreement in agreements}):
        balances[one.agreement_id, one.code] += one.balance_cents
        if one.funder_id is not None:
            by_funder[one.agreement_id, one.funder_id][one.code] += one.balance_cents
    funders: dict[UUID | None, list[FunderFacts]] = defaultdict(list)
    for (agreement_id, _), codes in sorted(by_funder.items(), key=lambda one: str(one[0])):
        outstanding = sum(codes[code] for code in OUTSTANDING)
        funders[agreement_id].append(FunderFacts(outstanding, codes[Code.TO_CALL], -codes[Code.ADVANCES]))
    called: dict[UUID, list[tuple[date, int]]] = defaultdict(list)
    for agreement_id, due_day, left_cents in session.execute(_called()):
        called[agreement_id].append((due_day, int(left_cents)))
    owed, blocked = _owed(session, {one.id: one.payment_days for one in agreements}, now)
    windows = {row[0]: row for row in session.execute(_windows(today))}
    held = {row[0]: int(row[1]) for row in session.execute(_held())}
    facts = {}
    for agreement in agreements:
        window = windows.get(agreement.id)
        cents = (int(window[2]), int(window[3]), int(window[4])) if window else (0, 0, 0)
        facts[agreement.id] = CashFacts(
            outstanding_cents=sum(balances[agreement.id, code] for code in OUTSTANDING),
            window_cents=cents,
            known_days=(today - paris_day(window[1])).days if window else 0,
            owed=tuple(owed[agreement.id]),
            blocked_cents=blocked[agreement.id],
            overpaid_cents=balances[agreement.id, Code.OVERPAID],
            funders=tuple(funders[agreement.id]),
            called=tuple(called[agreement.id]),
            held_cents=held.get(agreement.id, 0),
            payment_days=agreement.payment_days,
            grace_until=agreement.grace_until,
            present_by=agreement.present_by,
        )
    return facts


def _owed(
    session: Session, payment_days: Mapping[UUID, int], now: datetime
) -> tuple[dict[UUID, list[tuple[date, int]]], dict[UUID, int]]:
    """Return, by agreement (with its days of payment), what is owed and by which day, and what cannot be paid for now."""
    today = paris_day(now)
    owed: dict[UUID, list[tuple[date, int]]] = defaultdict(list)
    blocked: dict[UUID, int] = defaultdict(int)
    in_no_batch: dict[UUID, int] = defaultdict(int)
    debts = [one for one in debts_in(session, today) if one.agreement_id in payment_days]
    waiting_ids = {one.advice_id for one in debts if one.state in WAITING and one.advice_id is not None}
    blocked_ids = {key for key, why in why_waiting(session, waiting_ids, now).items() if why.held is not None}
    for debt in debts:
        if debt.state is DebtState.DISPUTED or debt.advice_id in blocked_ids:
            blocked[debt.agreement_id] += debt.amount_cents
        elif debt.state in IN_NO_BATCH:
            in_no_batch[debt.agreement_id] += debt.amount_cents
        else:
            owed[debt.agreement_id].append((debt.due_on or debt.since, debt.amount_cents))
    for query in _over(now):
        for agreement_id, opened_at, ends_at, closed_at, cents in session.execute(query):
            if agreement_id not in payment_days:
                continue
            owed[agreement_id].append(
                (period_due_on(opened_at, ends_at, closed_at, payment_days[agreement_id]), int(cents))
            )
            in_no_batch[agreement_id] -= int(cents)
    month_end = next_month(today) - timedelta(days=1)
    for agreement_id, cents in in_no_batch.items():
        if cents:
            owed[agreement_id].append((due_on(month_end, payment_days[agreement_id]), cents))
    return owed, blocked


def _over(now: datetime) -> tuple[Select[*tuple[Any, ...]], ...]:
    """Sum what no batch holds of periods that are over, then what disputes freed since theirs was settled, by period."""
    period = (Period.agreement_id, Period.opened_at, Period.ends_at, Period.closed_at)
    confirmed = (
        select(*period, func.sum(Redemption.amount_cents))
        .join(Redemption, Redemption.period_id == Period.id)
        .where(
            ~IN_A_BATCH,
            or_(Period.closed_at.is_not(None), Period.ends_at <= now),
            Redemption.state == RedemptionState.CONFIRMED,
        )
        .group_by(Period.id, *period)
    )
    freed = (
        released_unpaid()
        .with_only_columns(*period, func.sum(Dispute.amount_cents))
        .join(Redemption, Redemption.id == Dispute.redemption_id)
        .join(Period, Period.id == Redemption.period_id)
        .group_by(Period.id, *period)
    )
    return confirmed, freed


def window_days(today: date, rank: int) -> tuple[date, date]:
    """Return the first and the last day of the rank-th stretch of thirty days before tomorrow, the newest being 0."""
    last = today - timedelta(days=rank * WINDOW_DAYS)
    return last - timedelta(days=WINDOW_DAYS - 1), last


def _windows(today: date) -> Select[*tuple[Any, ...]]:
    """Sum what was used in each of the last three stretches of thirty days, and say when the first use of all was."""
    sums = []
    for rank in range(PACE_DAYS // WINDOW_DAYS):
        first, last = window_days(today, rank)
        is_in = (Redemption.redeemed_at >= start_of_day(first)) & (Redemption.redeemed_at < end_of_day(last))
        sums.append(func.sum(case((is_in, Redemption.amount_cents), else_=0)))
    return (
        select(Redemption.agreement_id, func.min(Redemption.redeemed_at), *sums)
        .where(Redemption.state == RedemptionState.CONFIRMED)
        .group_by(Redemption.agreement_id)
    )


def _called() -> Select[UUID, date, int]:
    """Sum what funders were called for and did not pay, by agreement and due day."""
    left = func.sum(FundsCall.called_cents - FundsCall.received_cents)
    awaited = FundsCall.state.in_((CallState.CALLED, CallState.PARTLY_PAID))
    query = select(FundsCall.agreement_id, FundsCall.due_on, left).where(awaited)
    return query.group_by(FundsCall.agreement_id, FundsCall.due_on).order_by(FundsCall.agreement_id, FundsCall.due_on)


def _held() -> Select[UUID, int]:
    """Sum, by agreement, what the bank's accounts moved against the agreement's own: received less paid.

    Lines that nobody identified, and what stood on the account before its first statement, are no agreement's.
    """
    bank, other = aliased(Account), aliased(Account)
    received = (
        select(other.agreement_id, Movement.amount_cents.label("cents"))
        .join(bank, bank.id == Movement.debit_account_id)
        .join(other, other.id == Movement.credit_account_id)
    )
    paid = (
        select(other.agreement_id, (-Movement.amount_cents).label("cents"))
        .join(bank, bank.id == Movement.credit_account_id)
        .join(other, other.id == Movement.debit_account_id)
    )
    is_between = (bank.code.in_(BANK_CODES), other.agreement_id.is_not(None))
    both = union_all(received.where(*is_between), paid.where(*is_between)).subquery()
    return select(both.c.agreement_id, func.sum(both.c.cents)).group_by(both.c.agreement_id)
