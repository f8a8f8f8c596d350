"""The cash forecast of one agreement, from figures alone. The method is plain, so that anyone can redo it by hand.

- Vouchers outstanding are used at a pace in euros a day, until none is left or the last day of tolerance passes. *Expected*: the
  mean of the last ninety days (or since the first use, when that is less). *Slow*: the slowest of the last three times thirty
  days. *All used*: whatever is outstanding is used evenly until the last day.
- Vouchers used in a month are paid to structures as many days after the month's end as the agreement says. What is owed
  already is paid by the day on which it is due, this month at the earliest. Overpayments are kept back on the first payments.
  What cannot be paid for now (no bank details, refused account, suspended, disputed) is a line of its own, in no month.
- Each funder owes its part of the vouchers outstanding, and pays it as they are used: called the month after, it pays the month
  after that. Its own advance serves before it is called, and never for another funder.
- What is called already comes on the day it is due. A call whose day is past is a line of its own: nobody may count on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import accumulate, pairwise

from voucher.settlement.payable.due_day import due_on

PACE_DAYS = 90
WINDOW_DAYS = 30
USED_COMES_AFTER_MONTHS = 2


class Scenario(StrEnum):
    """How fast vouchers are used; the values are what addresses say."""

    EXPECTED = "attendu"
    SLOW = "lent"
    ALL_USED = "tout"


@dataclass(frozen=True, slots=True)
class FunderFacts:
    """What is known of a funder of an agreement today. Cents; `advance_cents` is asked and not set against uses, received or not."""

    outstanding_cents: int
    to_call_cents: int  # below zero: a credit after claw-backs, that comes off what is called next
    advance_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFacts:
    """What is known of an agreement today. Cents; `window_cents` are the last three times thirty days, the newest first.

    `owed` says what structures are owed and the day by which it must be paid, `blocked_cents` what they are owed and
    cannot be paid for now. `called` says what funders were called for and the day it is due. `held_cents` is what funders paid less
    what structures were paid: negative where somebody advances the money.
    """

    outstanding_cents: int
    window_cents: tuple[int, int, int]
    known_days: int
    owed: tuple[tuple[date, int], ...]
    blocked_cents: int
    overpaid_cents: int
    funders: tuple[FunderFacts, ...]
    called: tuple[tuple[date, int], ...]
    held_cents: int
    payment_days: int
    grace_until: date
    present_by: date

    @property
    def to_call_cents(self) -> int:
        """What was used and no funder was called for yet."""
        return sum(funder.to_call_cents for funder in self.funders)

    @property
    def advance_cents(self) -> int:
        """What funders advance, each for itself."""
        return sum(funder.advance_cents for funder in self.funders)

    @property
    def called_cents(self) -> int:
        """What funders were called for and did not pay yet."""
        return sum(cents for _, cents in self.called)

    @property
    def is_over(self) -> bool:
        """Whether no money is to move: nothing outstanding, owed, held, or awaited from a funder or a structure."""
        awaited = (self.called_cents, self.overpaid_cents, *(funder.to_call_cents for funder in self.funders))
        return not any((self.outstanding_cents, self.owed, self.blocked_cents, self.held_cents, *awaited))

    def late_cents(self, today: date) -> int:
        """Return what of it should have come before today."""
        return sum(cents for due_day, cents in self.called if due_day < today)


@dataclass(slots=True)
class Month:
    """One month of a forecast, in cents; `first` is None for all that comes after the last month shown."""

    first: date | None
    used_cents: int = 0
    paid_cents: int = 0
    received_cents: int = 0
    cash_cents: int = 0


@dataclass(frozen=True, slots=True)
class CashForecast:
    """What comes month by month in one scenario; vouchers that nobody uses in time lapse.

    What structures are owed and cannot be paid for now, and the calls that are late, are in no month.
    """

    scenario: Scenario
    held_cents: int
    lapsed_cents: int
    blocked_cents: int
    late_cents: int
    months: tuple[Month, ...] = field(default_factory=tuple)

    @property
    def lowest(self) -> Month | None:
        """The month whose end has the least cash, the first of them."""
        return min(self.months, key=lambda month: month.cash_cents, default=None)


def months_until(today: date, last: date) -> list[date]:
    """Return the first day of each month from today's to that of `last`, at least one."""
    found = [today.replace(day=1)]
    while next_month(found[-1]) <= last:
        found.append(next_month(found[-1]))
    return found


def next_month(first: date) -> date:
    """Return the first day of the month after."""
    return (first.replace(day=1) + timedelta(days=32)).replace(day=1)


def forecast(facts: CashFacts, months: Sequence[date], today: date, scenario: Scenario) -> CashForecast:
    """Return what comes in the months given, which begin with today's, and a last one for what comes after them."""
    rows = [*(Month(first) for first in months), Month(None)]
    used = 0
    for rank, first in enumerate(months):
        until = min(next_month(first) - timedelta(days=1), facts.grace_until)
        so_far = used_until(facts, today, until, scenario) if until > today else used
        rows[rank].used_cents, used = so_far - used, so_far
    due = list(facts.owed)
    due += [
        (due_on(next_month(row.first) - timedelta(days=1), facts.payment_days), row.used_cents)
        for row in rows
        if row.first and row.used_cents
    ]
    for due_day, cents in due:
        rows[_rank_of(due_day, months)].paid_cents += cents
    _keep_back(rows, facts.overpaid_cents)
    parts = used_by_funder(facts, [row.used_cents for row in rows])
    for funder, used_cents in zip(facts.funders, parts, strict=True):
        _receive(rows, funder, used_cents)
    for due_day, cents in facts.called:
        if due_day >= today:
            rows[_rank_of(due_day, months)].received_cents += cents
    cash = facts.held_cents
    for row in rows:
        cash += row.received_cents - row.paid_cents
        row.cash_cents = cash
    lapsed, late = facts.outstanding_cents - used, facts.late_cents(today)
    return CashForecast(scenario, facts.held_cents, lapsed, facts.blocked_cents, late, tuple(rows))


def used_by_funder(facts: CashFacts, used_cents: Sequence[int]) -> list[list[int]]:
    """Split what is used month by month among funders, as the vouchers outstanding are: to the cent, by cumulative rounding."""
    if not facts.outstanding_cents:
        return [[0] * len(used_cents) for _ in facts.funders]
    edges = [0, *accumulate(funder.outstanding_cents for funder in facts.funders)]
    sums = [0, *accumulate(used_cents)]
    up_to = [[cents * edge // facts.outstanding_cents for cents in sums] for edge in edges]
    return [
        [high[rank + 1] - low[rank + 1] - (high[rank] - low[rank]) for rank in range(len(used_cents))]
        for low, high in pairwise(up_to)
    ]


def _receive(rows: Sequence[Month], funder: FunderFacts, used_cents: Sequence[int]) -> None:
    """Add what a funder pays: its uses two months later, its own advance and credit first."""
    last = len(rows) - 1
    comes = [0] * len(rows)
    comes[min(USED_COMES_AFTER_MONTHS, last)] += max(funder.to_call_cents, 0)
    for rank, cents in enumerate(used_cents):
        comes[min(rank + USED_COMES_AFTER_MONTHS, last)] += cents
    ahead = max(funder.advance_cents, 0) + max(-funder.to_call_cents, 0)
    for row, cents in zip(rows, comes, strict=True):
        kept = min(ahead, cents)
        ahead -= kept
        row.received_cents += cents - kept


def used_until(facts: CashFacts, today: date, until: date, scenario: Scenario) -> int:
    """Return the cents used from tomorrow until that day, never more than what is outstanding."""
    days = (until - today).days
    if scenario is Scenario.ALL_USED:
        all_days = (facts.grace_until - today).days
        return facts.outstanding_cents * days // all_days
    cents, in_days = sum(facts.window_cents), min(max(facts.known_days, 1), PACE_DAYS)
    whole = facts.window_cents[: facts.known_days // WINDOW_DAYS]
    if scenario is Scenario.SLOW and whole:
        cents, in_days = min(whole), WINDOW_DAYS
    return min(cents * days // in_days, facts.outstanding_cents)


def total(forecasts: Sequence[CashForecast], scenario: Scenario) -> CashForecast:
    """Add up the forecasts of several agreements over the same months."""
    months = [
        Month(
            same[0].first,
            sum(one.used_cents for one in same),
            sum(one.paid_cents for one in same),
            sum(one.received_cents for one in same),
            sum(one.cash_cents for one in same),
        )
        for same in zip(*(one.months for one in forecasts), strict=True)
    ]
    held, lapsed = sum(one.held_cents for one in forecasts), sum(one.lapsed_cents for one in forecasts)
    blocked, late = sum(one.blocked_cents for one in forecasts), sum(one.late_cents for one in forecasts)
    return CashForecast(scenario, held, lapsed, blocked, late, tuple(months))


def _rank_of(day: date, months: Sequence[date]) -> int:
    """Return the rank of the month that a day is in: the first for a day that is past, the one after the last for a far one."""
    if day >= next_month(months[-1]):
        return len(months)
    return max((rank for rank, first in enumerate(months) if first <= day), default=0)


def _keep_back(rows: Sequence[Month], cents: int) -> None:
    """Take an amount off the first payments, as far as they go."""
    for row in rows:
        kept = min(cents, row.paid_cents)
        row.paid_cents -= kept
        cents -= kept


SCENARIO_WORDS: Mapping[Scenario, tuple[str, str]] = {
    Scenario.EXPECTED: ("Au rythme actuel", "Les chèques s’utilisent au rythme moyen des trois derniers mois."),
    Scenario.SLOW: ("Au plus lent", "Les chèques s’utilisent au rythme du plus faible des trois derniers mois."),
    Scenario.ALL_USED: ("Tout est utilisé", "Tous les chèques en circulation ou en stock s’utilisent avant leur fin."),
}
"""The name and the definition of each scenario."""
