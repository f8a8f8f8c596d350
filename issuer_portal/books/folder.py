"""The folder's blueprint, who reads it, and what its pages share."""

from collections.abc import Mapping
from datetime import date
from typing import NoReturn
from uuid import UUID

from flask import Blueprint, abort, flash, g, redirect, request

from voucher.access.rules import Role
from voucher.access.sessions import Viewer
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.typed_days import WrongDay, parse_day
from voucher.kernel.typed_numbers import whole_number
from voucher.ledger.chart_file import Numbering, chart_numbers
from voucher.ledger.close_year import years
from voucher.web.access import viewer
from voucher.web.services import services
from voucher.web.views import finance_scope

READERS = (Role.AUDITOR, Role.PROGRAMME, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)

blueprint = Blueprint("books", __name__, url_prefix="/comptabilite", template_folder="templates")


@blueprint.context_processor
def shared() -> dict[str, object]:
    """Give templates the accountant's numbers, and what the person may do."""
    found = g.get("viewer")
    may = found.may if isinstance(found, Viewer) else lambda *_roles: False
    return {
        "numbers": numbers(),
        "may_prepare": may(Role.FINANCE_PREPARER),
        "may_approve": may(Role.FINANCE_APPROVER),
        "is_whole": isinstance(found, Viewer) and found.may(*READERS) and finance_scope(found) is None,
    }


def numbers() -> Numbering:
    """Return how each code of the chart is shown."""
    return chart_numbers(services().settings.chart_file)


def scope() -> UUID | None:
    """Return the issuer whose books the person reads; None is the whole programme."""
    return finance_scope(viewer())


def year_asked(filters: Mapping[str, str], default: int | None = None) -> int:
    """Return the year of a page's filter, the present one by default; one that we do not keep is said, never replaced."""
    present = paris_day(services().now()).year
    text = filters.get("annee", filters.get("jour", "")[:4])
    if not text:
        return default or present
    known = [one.year for one in years(services().database, now=services().now())]
    year = whole_number(text)
    if year is not None and year in known:
        return year
    return _start_again(f"Nous n’avons pas d’exercice « {text} ». Choisissez parmi : {', '.join(map(str, known))}.")


def day_asked(filters: Mapping[str, str], year: int) -> date:
    """Return the day of a page's filter: by default the last of the year, or today if it is sooner."""
    last = date(year, 12, 31)
    text = filters.get("jour", "")
    if not text:
        today = paris_day(services().now())
        return min(last, today) if today.year >= year else last
    try:
        day = parse_day(text)
    except WrongDay as wrong:
        return _start_again(str(wrong))
    if day.year != year:
        return _start_again(f"Le {french_date(day)} n’est pas dans l’exercice {year}. Choisissez un jour de {year}.")
    return day


def _start_again(sentence: str) -> NoReturn:
    """Show the same page without its filters, and say why: neither a page nor a file answers another question."""
    flash(sentence, "warn")
    abort(redirect(request.path))


def year_choices() -> list[tuple[str, str]]:
    """Return the years that a filter offers."""
    return [(str(year.year), str(year.year)) for year in years(services().database, now=services().now())]
