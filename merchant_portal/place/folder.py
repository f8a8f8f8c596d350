"""The folder's blueprint, and whose structure its pages are about."""

from uuid import UUID

from flask import Blueprint, g

from voucher.access.rules import Role
from voucher.access.sessions import Viewer
from voucher.web.views import own

blueprint = Blueprint("place", __name__, url_prefix="/comptoir/lieu", template_folder="templates")


@blueprint.context_processor
def acts() -> dict[str, object]:
    """Tell templates whether the person may act, or only read."""
    found = g.get("viewer")
    return {"may_act": isinstance(found, Viewer) and found.may(Role.PLACE_MANAGER)}


def own_structure() -> UUID:
    """Return the structure of the person who looks: the manager's first, else the mediator's."""
    return own(Role.PLACE_MANAGER, Role.MEDIATOR)
