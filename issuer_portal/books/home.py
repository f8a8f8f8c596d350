"""Fiscal years; the chart of accounts; the way to every book."""

from flask import render_template

from issuer_portal.books.folder import READERS, blueprint, numbers, scope
from voucher.access.read import names_of
from voucher.accounting.produce import accounts_due
from voucher.kernel.calendar import paris_day
from voucher.ledger.chart import CHART, RULES, Dimension, Side
from voucher.ledger.chart_file import PRESENTED
from voucher.ledger.close_year import years
from voucher.web.access import staff
from voucher.web.services import services

SIDES = {Side.DEBIT: "Débit", Side.CREDIT: "Crédit"}
DIMENSIONS = {
    Dimension.FUNDER: "financeur",
    Dimension.AGREEMENT: "convention",
    Dimension.STRUCTURE: "structure",
    Dimension.BANK_ACCOUNT: "compte payeur",
}


@blueprint.get("/")
@staff(*READERS)
def home() -> str:
    """Show the years, what waits, and the books."""
    here = services()
    is_whole = scope() is None
    found = years(here.database, now=here.now()) if is_whole else []
    people = {one for year in found for one in (year.proposed_by, year.closed_by) if one is not None}
    return render_template(
        "books/home.html",
        years=found,
        names=names_of(here.database, people),
        today_year=paris_day(here.now()).year,
        due=accounts_due(here.database, now=here.now(), issuer_id=scope()),
    )


@blueprint.get("/plan")
@staff(*READERS)
def chart() -> str:
    """Show the chart: codes, numbers, names, sides, dimensions; and what each event moves."""
    return render_template(
        "books/chart.html",
        lines=[
            (line, SIDES[line.normal_side], ", ".join(DIMENSIONS[dimension] for dimension in line.dimensions))
            for line in PRESENTED.values()
        ],
        events=sorted(RULES.values(), key=lambda rule: (rule.journal, rule.name)),
        chart=CHART,
        is_own=services().settings.chart_file is None,
        count=len(numbers()),
    )
