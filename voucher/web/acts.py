"""What somebody did leaves its line in the audit trail: the act, and what its person was told of it (ADR 41).

A view says that an act was done with a message of success. Heard in a POST, it is the subject of the line, with the ids that
the address names; the act's words are those for which the view asks who is there again, or its own:

    @blueprint.post("/lieux/<uuid:place_id>/fermer")
    @staff(Role.PROGRAMME)
    @leaves_line("fermer un lieu")
    def close(place_id: UUID) -> Response: ...

Acts on accounts leave theirs in their use cases, in the transaction that changes the account.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, g, message_flashed, request

from voucher.access.audit import note_access
from voucher.web.access import viewer
from voucher.web.asks_again import act_of
from voucher.web.services import services

View = TypeVar("View", bound=Callable[..., Any])

SUBJECT_LENGTH = 200
NOTED_BY_USE_CASES = frozenset({"staff", "sign_in", "own_account"})
"""Folders of pages whose acts are all on accounts."""


def leaves_line(act: str) -> Callable[[View], View]:
    """Say what a view's POST does, as the trail will, where the view does not ask who is there again."""

    def mark(view: View) -> View:
        view.__dict__["leaves_line"] = act
        return view

    return mark


def words_of(app: Flask, endpoint: str) -> str | None:
    """Return the act of an endpoint's POST as the trail writes it, or None where this leaves no line by itself."""
    if endpoint.partition(".")[0] in NOTED_BY_USE_CASES:
        return None
    act = act_of(app, endpoint) or app.view_functions[endpoint].__dict__.get("leaves_line")
    return f"{act[0].upper()}{act[1:]}" if isinstance(act, str) else None


def note_act(subject: str) -> None:
    """Leave the line of this request's act under a subject that says more than what its person will be told."""
    g.is_act_noted = True
    _note(subject)


def install(app: Flask) -> None:
    """Hear what the views of `app` tell people."""
    message_flashed.connect(_hear, app)


def _hear(_app: Flask, *, message: Any, category: str, **_: Any) -> None:
    if category == "success" and request.method == "POST" and not g.get("is_act_noted"):
        _note(str(message))


def _note(said: str) -> None:
    words = words_of(current_app, request.endpoint or "")
    if words is None:
        return
    ids = " ".join(str(value) for value in (request.view_args or {}).values())
    rest = f" ({ids})" if ids else ""
    room = SUBJECT_LENGTH - len(rest)
    here, told = services(), said if len(said) <= room else f"{said[: room - 1]}…"
    note_access(here.database, viewer().account_id, words, f"{told}{rest}", here.now())
