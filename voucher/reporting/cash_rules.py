"""The cash forecast of one agreement, from figures alone. The method is plain, so that anyone can redo it by hand.

- Vouchers outstanding are used at a pace in euros a day, until none is left or the last day of tolerance passes. *Expected*: the
  mean of the last ninety days (or since the first use, when that is less). *Slow*: the slowest of the last three times thirty
  days. *All used*: whatever is outstanding is used evenly until the last day.
- Vouchers used in a month are paid to structures as many days after the month's end as the agreement says. What is owed
  already is paid as many days after it began to be owed, this month at the earliest. Overpayments are kept back on the first payments.
- Funders are called the month after the use and pay the month after the call. Advances serve before anything is called.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

PACE_DAYS = 90
WINDOW_DAYS = 30
CALLED_COMES_AFTER_MONTHS = 1
USED_COMES_AFTER_MONTHS = 2


class Scenario(StrEnum):
    """How fast vouchers are used; the values are what addresses say."""

    EXPECTED = "attendu"
    SLOW = "lent"
    ALL_USED = "tout"


@dataclass(frozen=True, slots=True)
class CashFacts:
    """What is known of an agreement today. Cents; `window_cents` are the last three times thirty days, the newest first.

    `owed` says what structures are owed and the day from which the delay of payment runs. `held_cents` is what funders paid less
    what structures were paid: negative where somebody advances the money.
    """

    outstanding_cents: int
    window_cents: tuple[int, int, int]
    known_days: int
    owed: tuple[tuple[date, int], ...]
    overpaid_cents: int
    to_call_cents: int
    called_cents: int
    advance_cents: int
    held_cents: int
    payment_days: int
    grace_until: date
    present_by: date

    @property
    def is_over(self) -> bool:
        """Whether no money is to move: nothing outstanding, owed, held, or awaited from a funder or a structure."""
        awaited = (self.to_call_cents, self.called_cents, self.overpaid_cents)
        return not any((self.outstanding_cents, self.owed, self.held_cents, *awaited))


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
    """What comes month by month in one scenario; vouchers that nobody uses in time lapse."""

    scenario: Scenario
    held_cents: int
    lapsed_cents: int
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
    due += [(next_month(row.first) - timedelta(days=1), row.used_cents) for row in rows if row.first and row.used_cents]
    for since, cents in due:
        rows[_rank_of(since + timedelta(days=facts.payment_days), months)].paid_cents += cents
    _keep_back(rows, facts.overpaid_cents, "paid_cents")
    to_come = [(USED_COMES_AFTER_MONTHS, facts.to_call_cents)]
    to_come += [(rank + USED_COMES_AFTER_MONTHS, row.used_cents) for rank, row in enumerate(rows)]
    for rank, cents in to_come:
        rows[min(rank, len(months))].received_cents += cents
    _keep_back(rows, facts.advance_cents, "received_cents")
    rows[min(CALLED_COMES_AFTER_MONTHS, len(months))].received_cents += facts.called_cents
    cash = facts.held_cents
    for row in rows:
        cash += row.received_cents - row.paid_cents
        row.cash_cents = cash
    return CashForecast(scenario, facts.held_cents, facts.outstanding_cents - used, tuple(rows))


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
    return CashForecast(scenario, held, lapsed, tuple(months))


def _rank_of(day: date, months: Sequence[date]) -> int:
    """Return the rank of the month that a day is in: the first for a day that is past, the one after the last for a far one."""
    if day >= next_month(months[-1]):
        return len(months)
    return max((rank for rank, first in enumerate(months) if first <= day), default=0)


def _keep_back(rows: Sequence[Month], cents: int, name: str) -> None:
    """Take an amount off the first flows of a kind, as far as they go."""
    for row in rows:
        kept = min(cents, getattr(row, name))
        setattr(row, name, getattr(row, name) - kept)
        cents -= kept


SCENARIO_WORDS: Mapping[Scenario, tuple[str, str]] = {
    Scenario.EXPECTED: ("Au rythme actuel", "Les chèques s’utilisent au rythme moyen des trois derniers mois."),
    Scenario.SLOW: ("Au plus lent", "Les chèques s’utilisent au rythme du plus faible des trois derniers mois."),
    Scenario.ALL_USED: ("Tout est utilisé", "Tous les chèques en circulation ou en stock s’utilisent avant leur fin."),
}
"""The name and the definition of each scenario."""
