"""Pages wait a few seconds for the database, then say so (web.problems). Those whose work is long say that, above the function.

@takes_long
def freeze(): …
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar

from flask import Flask, current_app, g, request

from voucher.kernel.time_limits import at_length

View = TypeVar("View", bound=Callable[..., Any])


def takes_long(view: View) -> View:
    """Let a page's statements take as long as a command's: freezes, exports, proofs. What takes files has that time too."""
    view.__dict__["takes_long"] = True
    return view


def install(app: Flask) -> None:
    """Give each page of `app` its time, until its whole answer has left."""
    app.before_request(_begin)
    app.teardown_request(_end)


def _begin() -> None:
    marks = getattr(current_app.view_functions.get(request.endpoint or ""), "__dict__", {})
    if marks.get("takes_long") or marks.get("takes_files"):
        g.patience = ExitStack()
        g.patience.enter_context(at_length())


def _end(_error: BaseException | None) -> None:
    if patience := g.pop("patience", None):
        patience.close()
