"""How much a request may bring: little, but for the pages that take a file. They say so, directly above the function.

    @takes_files
    def import_file(): …

    @takes_at_most(64 * 1024)
    def api_check(): …

Nothing of a body is read before it is known who asks (web.access comes first), then how much is allowed, then its form.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

View = TypeVar("View", bound=Callable[..., Any])

FORM_BYTES_MAX = 512 * 1024


def takes_files(view: View) -> View:
    """Let a page receive files as large as the application's `MAX_CONTENT_LENGTH`. Only for people who are signed in."""
    view.__dict__["takes_files"] = True
    return view


def takes_at_most(bytes_max: int) -> Callable[[View], View]:
    """Let a request bring less than a form may."""

    def mark(view: View) -> View:
        view.__dict__["bytes_max"] = bytes_max
        return view

    return mark


def install(app: Flask) -> None:
    """Bound what every request brings, before anything of it is read. Call it before the forms are installed."""
    app.before_request(_bound)


def _bound() -> None:
    marks = getattr(current_app.view_functions.get(request.endpoint or ""), "__dict__", {})
    if not marks.get("takes_files"):
        request.max_content_length = marks.get("bytes_max", FORM_BYTES_MAX)
