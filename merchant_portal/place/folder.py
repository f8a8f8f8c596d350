"""The folder's blueprint, and whose structure its pages are about."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort, g

from voucher.access.rules import Role
from voucher.access.sessions import Viewer
from voucher.web.access import viewer

blueprint = Blueprint("place", __name__, url_prefix="/comptoir/lieu", template_folder="templates")


@blueprint.context_processor
def acts() -> dict[str, object]:
    """Tell templates whether the person may act, or only read."""
    found = g.get("viewer")
    return {"may_act": isinstance(found, Viewer) and found.may(Role.PLACE_MANAGER)}


def own_structure() -> UUID:
    """Return the structure of the person who looks: the manager's first, else the mediator's."""
    who = viewer()
    role = Role.PLACE_MANAGER if who.may(Role.PLACE_MANAGER) else Role.MEDIATOR
    structure_id = who.scope(role)
    if structure_id is None:
        abort(404)
    return structure_id


def id_of(form: Any) -> UUID:
    """Return the id that a form was given when it was first shown: the same form sent twice does one thing."""
    try:
        return UUID(form.id.data)
    except (TypeError, ValueError):
        abort(400)
