"""How much a request may bring: little, but for the pages that take a file. They say so, directly above the function.

@takes_files
def import_file(): …
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

View = TypeVar("View", bound=Callable[..., Any])

FORM_BYTES_MAX = 512 * 1024


def takes_files(view: View) -> View:
    """Let a page receive files as large as the application's `MAX_CONTENT_LENGTH`."""
    view.__dict__["takes_files"] = True
    return view


def install(app: Flask) -> None:
    """Bound what every other request brings, before anything of it is read. Call it before the forms are installed."""
    app.before_request(_bound)


def _bound() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, "__dict__", {}).get("takes_files"):
        request.max_content_length = FORM_BYTES_MAX
