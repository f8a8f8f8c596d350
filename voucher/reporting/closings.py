"""The next closes of the year, day by day: months that end, last days of vouchers, the fiscal year, annual accounts."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from voucher.accounting.annual_account import due_on
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.ledger.model import FiscalYear
from voucher.programme.model import Agreement
from voucher.redemption.model import Period
from voucher.settlement.model.issuer_scope import in_scope

AHEAD = timedelta(days=366)


class Close(StrEnum):
    """What closes, in the order in which a day shows them."""

    MONTH = "month"
    USE_BY = "use_by"
    GRACE = "grace_until"
    PRESENT_BY = "present_by"
    FISCAL_YEAR = "fiscal_year"
    ANNUAL_ACCOUNT = "annual_account"


CLOSE_WORDS: dict[Close, str] = {
    Close.MONTH: "Fin du mois en cours : le lot pourra être arrêté",
    Close.USE_BY: "Dernier jour pour utiliser les chèques",
    Close.GRACE: "Dernier jour de tolérance au comptoir",
    Close.PRESENT_BY: "Dernier jour pour présenter au paiement ; ensuite, caducité",
    Close.FISCAL_YEAR: "Fin de l’exercice : inventaire des carnets, puis clôture",
    Close.ANNUAL_ACCOUNT: "Dernier jour pour produire les comptes annuels",
}


@dataclass(frozen=True, slots=True)
class Closing:
    """What closes at the end of a day, and for which agreements (their numbers; none: for all)."""

    on: date
    what: Close
    agreements: tuple[str, ...] = ()
    year: int | None = None  # of a fiscal year, or of annual accounts


def closings(database: Database, *, now: datetime, issuer_id: UUID | None = None) -> list[Closing]:
    """Return what closes from today on, within a year, the first first."""
    today = paris_day(now)
    with database.read() as session:
        agreements = session.execute(
            select(Agreement.id, Agreement.number, Agreement.use_by, Agreement.grace_until, Agreement.present_by)
            .where(in_scope(Agreement.issuer_id, issuer_id), Agreement.present_by >= today)
            .order_by(Agreement.number)
        ).all()
        months = session.execute(
            select(Agreement.number, Period.ends_at)
            .join(Period, Period.agreement_id == Agreement.id)
            .where(in_scope(Agreement.issuer_id, issuer_id), Period.closed_at.is_(None), Period.ends_at > now)
            .order_by(Agreement.number)
        ).all()
        closed_years = set(session.scalars(select(FiscalYear.year).where(FiscalYear.closed_at.is_not(None))))
    found: defaultdict[tuple[date, Close], list[str]] = defaultdict(list)
    for month in months:
        found[paris_day(month.ends_at) - timedelta(days=1), Close.MONTH].append(month.number)
    for row in agreements:
        for day, what in (
            (row.use_by, Close.USE_BY),
            (row.grace_until, Close.GRACE),
            (row.present_by, Close.PRESENT_BY),
        ):
            found[day, what].append(row.number)
    made = [Closing(day, what, tuple(numbers)) for (day, what), numbers in found.items()]
    for year in (today.year - 1, today.year):
        if year not in closed_years:
            made.append(Closing(date(year, 12, 31), Close.FISCAL_YEAR, year=year))
        made.append(Closing(due_on(year), Close.ANNUAL_ACCOUNT, year=year))
    order = list(Close)
    kept = (one for one in made if today <= one.on <= today + AHEAD)
    return sorted(kept, key=lambda one: (one.on, order.index(one.what)))
