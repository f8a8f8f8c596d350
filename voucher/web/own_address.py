"""Where we are is what PASS_BASE_URL says, never what a request says: a false `Host` leads nobody elsewhere."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# Whoever asks by these is on this machine: the demonstration, a check of health.
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")


class OwnAddress:
    """A WSGI layer that puts the public scheme and host in place of what a request names, unless it comes by a loopback name."""

    def __init__(self, app: "WSGIApplication", base_url: str) -> None:
        """Answer as `base_url`."""
        self._app = app
        public = urlsplit(base_url)
        self._scheme, self._host = public.scheme, public.netloc

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request on."""
        if not _LOOPBACK.fullmatch(environ.get("HTTP_HOST", "")):
            environ["HTTP_HOST"] = self._host
            environ["wsgi.url_scheme"] = self._scheme
        return self._app(environ, start_response)
