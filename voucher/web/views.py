"""What views of every portal do alike: whose rows they show, the ids and amounts that forms send back, refusals, files."""

from typing import Any
from uuid import UUID

from flask import Response, abort, flash, request

from voucher.access.rules import Role
from voucher.access.sessions import Viewer
from voucher.kernel.refusals import Refused
from voucher.kernel.typed_numbers import whole_number
from voucher.web.access import viewer

WHOLE_PROGRAMME = (Role.AUDITOR, Role.PROGRAMME)
FINANCE = (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)


def own(*roles: Role) -> UUID:
    """Return the issuer, prescriber or structure for which the person holds the first of these roles; 404 where there is none."""
    role = next((one for one in roles if viewer().may(one)), None)
    scope_id = None if role is None else viewer().scope(role)
    if scope_id is None:
        abort(404)
    return scope_id


def finance_scope(who: Viewer) -> UUID | None:
    """Return the issuer that a person's finance role is held for; None for who reads the whole programme."""
    return None if who.may(*WHOLE_PROGRAMME) else who.scope(*FINANCE)


def whole_programme() -> None:
    """Stop a person whose finance role is held for one issuer, where a page holds every issuer's accounts."""
    if finance_scope(viewer()) is not None:
        abort(403)


def id_of(form: Any) -> UUID:
    """Return the id that a form was given when it was first shown: the same form sent twice does one thing. Stops with 400."""
    return _uuid(form.id.data)


def posted_id(name: str) -> UUID:
    """Return an id that the page showed and the form sends back, or stop with 400."""
    return _uuid(request.form.get(name))


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


def _uuid(text: Any) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        abort(400)
