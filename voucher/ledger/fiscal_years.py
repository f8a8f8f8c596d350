"""Fiscal years: which day an event takes effect on, once the books of its own day are closed.

What comes late (a bank line of 30 December imported in February) takes effect on the first day of the first open year; its
real day stays in the entry's words. The database decides, inside the statement that writes the entry: nothing is asked before,
and nothing slips between the question and the entry.
"""

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, String, and_, case, cast, exists, func, or_, select
from sqlalchemy.orm import Session

from voucher.ledger.model import Entry, FiscalYear

NARRATION_MAX = 200
_LATE_MAX = len(" (fait du 30/12/2026)")

BOOKS_OPEN_ON = "(SELECT max(following_on) FROM fiscal_year WHERE closed_at IS NOT NULL)"
"""The first day that is still open, as SQL; NULL while no year is closed."""


def books_open_on() -> ScalarSelect[date]:
    """Return the same as a subquery."""
    return select(func.max(FiscalYear.following_on)).where(FiscalYear.closed_at.is_not(None)).scalar_subquery()


def open_day(day: ColumnElement[date]) -> ColumnElement[date]:
    """Return the day on which what happened on `day` takes effect."""
    return case((day < books_open_on(), books_open_on()), else_=day)


def dated_narration(narration: ColumnElement[str], day: ColumnElement[date]) -> ColumnElement[str]:
    """Return the words of an entry, with its real day where its year is closed."""
    iso = cast(day, String)
    french = func.substr(iso, 9, 2) + "/" + func.substr(iso, 6, 2) + "/" + func.substr(iso, 1, 4)
    late = func.substr(narration, 1, NARRATION_MAX - _LATE_MAX) + " (fait du " + french + ")"
    return case((day < books_open_on(), late), else_=narration)


def late_narration(narration: str, day: date) -> str:
    """Return the same for one entry, late."""
    return f"{narration[: NARRATION_MAX - _LATE_MAX]} (fait du {day:%d/%m/%Y})"


def takes_effect_of(entry: type[Entry], day: Any) -> ColumnElement[bool]:
    """Say whether an entry takes effect on the day of its fact, or, late, on the first day after a closed year."""
    after_close = exists().where(FiscalYear.following_on == entry.effective_on, FiscalYear.closed_at.is_not(None))
    return or_(entry.effective_on == day, and_(entry.effective_on > day, after_close))


def last_closed_year(session: Session) -> int | None:
    """Return the last year that is closed."""
    return session.scalar(select(func.max(FiscalYear.year)).where(FiscalYear.closed_at.is_not(None)))
