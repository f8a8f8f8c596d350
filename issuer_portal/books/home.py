"""Fiscal years and their close; the chart of accounts; the way to every book."""

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from issuer_portal.books.folder import READERS, blueprint, numbers, scope, whole_programme
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.accounting.produce import accounts_due
from voucher.kernel.calendar import paris_day
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import CHART, RULES, Dimension, Side
from voucher.ledger.chart_file import PRESENTED
from voucher.ledger.close_year import close_year, propose_close, withdraw_proposal, years
from voucher.web.access import staff, viewer
from voucher.web.house import house
from voucher.web.patience import takes_long

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
    here = house()
    is_whole = scope() is None
    found = years(here.database, now=here.now()) if is_whole else []
    people = {one for year in found for one in (year.proposed_by, year.closed_by) if one is not None}
    return render_template(
        "books/home.html",
        years=found,
        names=names_of(here.database, people),
        today_year=paris_day(here.now()).year,
        due=accounts_due(here.database, now=here.now(), issuer_id=scope()),
        me=viewer().account_id,
    )


@blueprint.post("/exercices/<int:year>/proposer")
@staff(Role.FINANCE_PREPARER)
def propose(year: int) -> Response:
    """Propose to close a year."""
    whole_programme()
    try:
        propose_close(house().database, year, by=viewer().account_id, now=house().now())
    except Refused as refused:
        flash(refused.sentence, "danger")
    else:
        flash(f"La clôture de {year} est proposée. Une autre personne doit la confirmer.", "success")
    return redirect(url_for("books.home"))


@blueprint.post("/exercices/<int:year>/renoncer")
@staff(Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)
def withdraw(year: int) -> Response:
    """Take a proposal back."""
    whole_programme()
    try:
        withdraw_proposal(house().database, year, by=viewer().account_id, now=house().now())
    except Refused as refused:
        flash(refused.sentence, "danger")
    else:
        flash(f"La clôture de {year} n’est plus proposée. L’exercice reste ouvert.", "success")
    return redirect(url_for("books.home"))


@blueprint.post("/exercices/<int:year>/clore")
@staff(Role.FINANCE_APPROVER)
@takes_long
def close(year: int) -> Response:
    """Close a year that another person proposed."""
    whole_programme()
    try:
        carried = close_year(house().database, year, by=viewer().account_id, now=house().now())
    except Refused as refused:
        flash(refused.sentence, "danger")
    else:
        flash(f"L’exercice {year} est clos. {carried} comptes ouvrent {year + 1} avec leur solde.", "success")
    return redirect(url_for("books.home"))


@blueprint.get("/plan")
@staff(*READERS)
def chart() -> str:
    """Show the chart: codes, numbers, names, sides, dimensions; and what each event moves."""
    return render_template(
        "books/chart.html",
        lines=[
            (line, SIDES[line.normal_side], ", ".join(DIMENSIONS[one] for one in line.dimensions))
            for line in PRESENTED.values()
        ],
        events=sorted(RULES.values(), key=lambda rule: (rule.journal, rule.name)),
        chart=CHART,
        is_own=house().settings.chart_file is None,
        count=len(numbers()),
    )
