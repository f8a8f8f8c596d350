"""The folder's blueprint, who reads it, and what its pages share."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from flask import Blueprint, Response, abort, g

from voucher.access.rules import Role
from voucher.access.sessions import Viewer
from voucher.kernel.calendar import paris_day
from voucher.ledger.chart_file import Numbering, chart_numbers
from voucher.ledger.close_year import YEAR_MAX, YEAR_MIN, years
from voucher.web.access import viewer
from voucher.web.house import house

READERS = (Role.AUDITOR, Role.PROGRAMME, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)
FINANCE = (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)

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
        "is_whole": isinstance(found, Viewer) and found.may(*READERS) and scope_of(found) is None,
    }


def numbers() -> Numbering:
    """Return how each code of the chart is shown."""
    return chart_numbers(house().settings.chart_file)


def scope_of(who: Viewer) -> UUID | None:
    """Return the issuer that a person's finance role is held for; None is the whole programme."""
    return None if who.may(Role.AUDITOR, Role.PROGRAMME) else who.scope(*FINANCE)


def scope() -> UUID | None:
    """Return the same for who looks."""
    return scope_of(viewer())


def whole_programme() -> None:
    """Stop a person whose finance role is held for one issuer: these pages hold every issuer's accounts."""
    if scope() is not None:
        abort(403)


def year_asked(filters: Mapping[str, str]) -> int:
    """Return the year of a page's filter, the present one by default."""
    text = filters.get("annee", "")
    is_year = text.isascii() and text.isdigit() and len(text) == 4 and YEAR_MIN <= int(text) <= YEAR_MAX
    return int(text) if is_year else paris_day(house().now()).year


def day_asked(filters: Mapping[str, str], year: int) -> date:
    """Return the day of a page's filter, the last of the year by default or where it is of another year."""
    try:
        day = date.fromisoformat(filters.get("jour", ""))
    except ValueError:
        return date(year, 12, 31)
    return day if day.year == year else date(year, 12, 31)


def year_choices() -> list[tuple[str, str]]:
    """Return the years that a filter offers."""
    return [(str(one.year), str(one.year)) for one in years(house().database, now=house().now())]


def download(name: str, content: bytes, media_type: str) -> Response:
    """Return a file to save; nothing in between may keep it."""
    response = Response(content, content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response
