"""The folder's blueprint, the scope of who looks, and what its pages share."""

from datetime import date
from uuid import UUID

from flask import Blueprint, g

from voucher.access.rules import Role
from voucher.access.sessions import Viewer
from voucher.kernel.calendar import paris_day
from voucher.ledger.chart import Code
from voucher.web.access import viewer
from voucher.web.services import services
from voucher.web.tags import CALL_TAGS

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
        "state_words": CALL_TAGS,
        "Code": Code,
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
