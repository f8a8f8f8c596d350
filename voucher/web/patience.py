"""Pages wait a few seconds for the database, then say so (web.problems). Those whose work is long say that, above the function.

@takes_long
def freeze(): …
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request, request_started

from voucher.kernel.time_limits import set_time_limit

View = TypeVar("View", bound=Callable[..., Any])


def takes_long(view: View) -> View:
    """Let a page's statements take as long as a command's: freezes, exports, proofs. What takes files has that time too."""
    view.__dict__["takes_long"] = True
    return view


def install(app: Flask) -> None:
    """Give each page of `app` its time, until its whole answer has left."""
    # Who comes is asked before, in a few seconds, even by a thread that has just answered a long page.
    request_started.connect(_hurry, app)
    app.before_request(_begin)


def _hurry(_app: Flask) -> None:
    set_time_limit(is_long=False)


def _begin() -> None:
    marks = getattr(current_app.view_functions.get(request.endpoint or ""), "__dict__", {})
    # A file may be read from the database after the request is over, as it leaves: the next request of this thread sets it anew.
    set_time_limit(is_long=bool(marks.get("takes_long") or marks.get("takes_files")))
