"""Logs without secrets: no voucher's code, one-time link or answer of an identity provider is ever written, whatever wrote the line.

gunicorn --logger-class voucher.web.logs.CodeFreeLogger …
logging.getLogger("werkzeug").addFilter(CodeFilter())      the development server
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from flask import Flask
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

HIDDEN = "/V/…"
_PATH = re.compile(r"/v/[^\s\"'?#<][^\s\"'?#]*", re.IGNORECASE)  # a rule's own `<code>` is none
LINK_HIDDEN = "/lien/…"
_LINK = re.compile(r"/lien/[^\s\"'?#<][^\s\"'?#]*", re.IGNORECASE)
# What a browser brings back from an identity provider, and what it takes there to sign out.
_ANSWER = re.compile(r"\b(code|state|id_token_hint)=[^\s&\"']+", re.IGNORECASE)
_formatter = logging.Formatter()
_BARE = re.compile(r"\b[A-Z2-7]{100,}\b", re.IGNORECASE)


def hide_codes(text: str) -> str:
    """Return a text with every code replaced by `/V/…`, in a path or bare, every one-time link by `/lien/…`, every answer by `code=…`."""
    return _ANSWER.sub(r"\1=…", _BARE.sub("…", _LINK.sub(LINK_HIDDEN, _PATH.sub(HIDDEN, text))))


class CodeFilter(logging.Filter):
    """Hides codes in any record: its message, once put together, is what is kept; so is the trace of an exception."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; never drop it."""
        record.msg, record.args = hide_codes(record.getMessage()), None
        if record.exc_info:
            # What is kept here is written as it is by whichever handler comes.
            record.exc_text = hide_codes(_formatter.formatException(record.exc_info))
        return True


class CodeFreeLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Gunicorn's logger: the request line, the path and the referrer of the access log hold no code; nor do its errors."""

    def setup(self, cfg: Any) -> None:
        """Put the filter on the error log too."""
        super().setup(cfg)
        self.error_log.addFilter(CodeFilter())

    def atoms(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: Any) -> dict[str, Any]:
        """Return what an access line may say, codes hidden."""
        found = super().atoms(resp, req, environ, request_time)
        return {name: hide_codes(value) if isinstance(value, str) else value for name, value in found.items()}


def install(app: Flask) -> None:
    """Put the filter on the application's own log, which does not go through gunicorn's."""
    if not any(isinstance(one, CodeFilter) for one in app.logger.filters):
        app.logger.addFilter(CodeFilter())
