"""The folder's blueprint, and what its forms share."""

import hashlib
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, g
from wtforms import HiddenField

from voucher.access.rules import Role
from voucher.access.sessions import Viewer

blueprint = Blueprint("programme", __name__, url_prefix="/programme", template_folder="templates")


@blueprint.context_processor
def acts() -> dict[str, object]:
    """Tell templates whether the person may act, or only read."""
    found = g.get("viewer")
    return {"may_act": isinstance(found, Viewer) and found.may(Role.PROGRAMME)}


class SeenField(HiddenField):  # type: ignore[misc]  # WTForms ships no types
    """The fingerprint of the consequences that this very page shows; what was sent is compared, never shown again.

    A page that shows a refusal in their place carries none, so that its button does nothing before they are read.
    """

    shown = ""

    def _value(self) -> str:
        return self.shown


def is_seen(form: Any, consequences: Sequence[str]) -> bool:
    """Say whether the person has seen these very consequences and sends the form again; else they must be shown.

    The field `seen` holds their fingerprint: who changes an amount afterwards is asked again.
    """
    fingerprint = hashlib.sha256("\n".join(consequences).encode()).hexdigest()
    if form.seen.data == fingerprint:
        return True
    form.seen.shown = fingerprint
    return False
