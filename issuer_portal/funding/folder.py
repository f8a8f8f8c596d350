"""The folder's blueprint, the scope of who looks, and what its pages share."""

from datetime import date
from uuid import UUID

from flask import Blueprint, Response, abort, flash, g, request

from voucher.access.rules import Role
from voucher.access.sessions import Viewer
from voucher.funding.read import STATES
from voucher.kernel.calendar import paris_day
from voucher.kernel.refusals import Refused
from voucher.kernel.typed_numbers import whole_number
from voucher.web.access import viewer
from voucher.web.services import services

READERS = (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER, Role.PROGRAMME, Role.AUDITOR)

blueprint = Blueprint("funding", __name__, url_prefix="/financement", template_folder="templates")


@blueprint.context_processor
def shared() -> dict[str, object]:
    """Give templates the words of calls and what the person may do and see."""
    found = g.get("viewer")
    known = found if isinstance(found, Viewer) and found.may(*READERS) else None
    return {
        "may_call": known is not None and known.may(Role.FINANCE_PREPARER),
        # The ledger's own pages are for those who hold the whole programme.
        "sees_ledger": known is not None and sees_ledger(),
        "sees_finance": known is not None and known.may(Role.FINANCE_PREPARER, Role.FINANCE_APPROVER, Role.AUDITOR),
        "sees_programme": known is not None and known.may(Role.PROGRAMME, Role.AUDITOR),
        "state_words": STATES,
    }


def scope() -> UUID | None:
    """Return the issuer that the person's finance role is held for; None is the whole programme."""
    return viewer().scope(*READERS)


def sees_ledger() -> bool:
    """Say whether the person may read the ledger's own pages."""
    return scope() is None


def today() -> date:
    """Return the civil day."""
    return paris_day(services().now())


def posted_id(name: str) -> UUID:
    """Return an id of the form that was sent, or stop with 400."""
    try:
        return UUID(request.form.get(name, ""))
    except ValueError:
        abort(400)


def posted_cents(name: str) -> int:
    """Return an amount in cents that the page showed and the form sends back, or stop with 400."""
    cents = whole_number(request.form.get(name, ""))
    if cents is None:
        abort(400)
    return cents


def flash_refusal(refused: Refused) -> None:
    """Say a refusal on the page that follows, where the act has no field."""
    flash(refused.sentence, "danger")


def download(name: str, content: bytes, media_type: str) -> Response:
    """Return a file to save; nothing in between may keep it."""
    response = Response(content, content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response
