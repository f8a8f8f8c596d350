"""The day by which money must be paid, and the least sum that is paid: the rules, once. Pure: no database, no clock.

A period is due some days (thirty, unless the agreement says otherwise) after its last day. Once a batch holds it, the day that was
written then stands, whatever the agreement says since. What is carried over keeps its own day, the least payment of the agreement
or not: waiting for others stops no clock. What a dispute freed is due by the day of the period that it began in.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from voucher.redemption.period import last_day


def due_on(ended_on: date, payment_days: int) -> date:
    """Return the last day on which money that is owed since a day may be paid."""
    return ended_on + timedelta(days=payment_days)


def period_due_on(opened_at: datetime, ends_at: datetime | None, closed_at: datetime | None, payment_days: int) -> date:
    """Return the last day on which a period that no batch holds may be paid."""
    return due_on(last_day(opened_at, ends_at, closed_at), payment_days)


def advice_due_on(period_due: date | None, others: Iterable[date]) -> date:
    """Return the day of a payment: of the period that it pays; without one, the first of what is carried over or freed.

    `period_due` is None when nothing of a period is in it. Raises ValueError when it pays nothing.
    """
    return period_due if period_due is not None else min(others)


def days_left(due: date, today: date) -> int:
    """Return how many days are left until a day: zero on the day itself, negative once it is over."""
    return (due - today).days


def is_late(due: date, today: date, paid_on: date | None = None) -> bool:
    """Say whether what was due by a day was paid after it, or is not paid and the day is over."""
    return (paid_on or today) > due


def minimum_now(minimum_cents: int, present_by: date, today: date) -> int:
    """Return the least sum that an agreement pays on a day: none once nothing can be added any more to what is small."""
    return 0 if today > present_by else minimum_cents


def is_below_minimum(left_cents: int, minimum_cents: int) -> bool:
    """Say whether a sum, all that is carried over and freed counted in and what is netted taken off, waits to be larger.

    What is netted to nothing is settled at once, however little it is.
    """
    return 0 < left_cents < minimum_cents
