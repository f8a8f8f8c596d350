"""A year closed by two people, each with a reason for what is left: what tests that need a closed year do."""

from datetime import datetime

from sqlalchemy import select

from tests.settlement.town import APPROVER, PREPARER
from voucher.accounting.close_items import CloseItem
from voucher.accounting.close_year import close_year, propose_close
from voucher.accounting.year_end import before_closing
from voucher.kernel.database import Database
from voucher.redemption.model import Period
from voucher.redemption.period import close_period

NOT_YET = "Ce qui reste est suivi ligne à ligne."


def reasons(database: Database, year: int) -> dict[CloseItem, str]:
    """Return a reason for each item of which something is left."""
    return {line.item: NOT_YET for line in before_closing(database, year) if line.count}


def end_periods(database: Database, now: datetime) -> None:
    """Close every open period, as the worker does when its month ends, whatever the rhythm."""
    with database.write() as session:
        for agreement_id in session.scalars(select(Period.agreement_id).where(Period.closed_at.is_(None))).all():
            close_period(session, agreement_id, None, now)


def proposed(database: Database, year: int, *, now: datetime) -> None:
    """Let one person propose a year, its periods ended."""
    end_periods(database, now)
    propose_close(database, year, reasons(database, year), by=PREPARER, now=now)


def closed(database: Database, year: int = 2026, *, now: datetime) -> int:
    """Close a year by two people; return how many accounts carry over."""
    proposed(database, year, now=now)
    return close_year(database, year, reasons(database, year), by=APPROVER, now=now)
