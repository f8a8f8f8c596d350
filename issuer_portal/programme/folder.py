"""The folder's blueprint, and what its forms share."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort, g

from voucher.access.model import Role
from voucher.access.sessions import Viewer

blueprint = Blueprint("programme", __name__, url_prefix="/programme", template_folder="templates")


@blueprint.context_processor
def acts() -> dict[str, object]:
    """Tell templates whether the person may act, or only read."""
    found = g.get("viewer")
    return {"may_act": isinstance(found, Viewer) and found.may(Role.PROGRAMME)}


def id_of(form: Any) -> UUID:
    """Return the id that a form was given when it was first shown: the same form sent twice does one thing."""
    try:
        return UUID(form.id.data)
    except (TypeError, ValueError):
        abort(400)
