"""Security headers on every answer, and the four things a view may ask to have otherwise.

    @scanner_page      the camera, WebAssembly and blob media: the scanner alone
    @passkey_page      our own scripts on a public page: what asks a device for a passkey
    @shows_code        the address holds a bearer secret: no referrer at all
    @cacheable(300)    anybody may keep this answer for that many seconds (open data, published keys)

They mark the view, so they stand directly above the function, below `@public` or `@staff`. A view that sets one of the
security headers itself keeps its own; `Cache-Control` is always ours: `no-store` but for static files and `@cacheable`.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask, Response, current_app, request

from voucher.web.access import EVERYONE

View = TypeVar("View", bound=Callable[..., Any])

STATIC_ENDPOINT = "web.static"
YEAR_SECONDS = 31_536_000
DAY_SECONDS = 86_400
VERSION_LENGTH = 12

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
SCANNER_POLICY = POLICY | {
    "script-src": "'self' 'wasm-unsafe-eval'",
    "media-src": "'self' blob:",
    "worker-src": "'self'",
    "manifest-src": "'self'",
}

# A worker lives under the policy of its own file, not of the page that starts it.
SCANNER_WORKER = "scanner/decoder.js"

# What anybody may open without signing in (citizens' pages above all) runs no script at all, whatever finds its way into it; the doors
# of who works here may ask for a passkey (`@passkey_page`).
PUBLIC_POLICY = POLICY | {"script-src": "'none'"}

PERMISSIONS = ("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "microphone", "payment", "usb")


def scanner_page(view: View) -> View:
    """Let a page use the camera, WebAssembly (the QR reader), a service worker and an installable manifest."""
    view.__dict__["needs_scanner"] = True
    return view


def passkey_page(view: View) -> View:
    """Let a public page run our own scripts: a passkey is asked by one."""
    view.__dict__["asks_passkey"] = True
    return view


def shows_code(view: View) -> View:
    """Say that a page's address or text holds a code: nobody else is told where the person came from."""
    view.__dict__["shows_code"] = True
    return view


def cacheable(seconds: int) -> Callable[[View], View]:
    """Let anybody keep an answer for `seconds`; for what is public and the same for all."""

    def mark(view: View) -> View:
        view.__dict__["cacheable_seconds"] = seconds
        return view

    return mark


def install(app: Flask) -> None:
    """Put the headers on every answer of `app`, and a content hash in the address of its static files."""
    app.after_request(_add_headers)
    app.url_defaults(_add_version)


def _add_headers(response: Response) -> Response:
    marks = _marks()
    needs_scanner = bool(marks.get("needs_scanner"))
    # No view: nobody's page was found.
    is_public = request.endpoint is None or (marks.get("access") == EVERYONE and not marks.get("asks_passkey"))
    is_worker = request.endpoint == STATIC_ENDPOINT and (request.view_args or {}).get("filename") == SCANNER_WORKER
    policy = SCANNER_POLICY if needs_scanner or is_worker else PUBLIC_POLICY if is_public else POLICY
    for name, value in (
        ("Content-Security-Policy", "; ".join(f"{directive} {sources}" for directive, sources in policy.items())),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer" if marks.get("shows_code") else "strict-origin"),
        ("Permissions-Policy", _permissions(needs_scanner)),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ):
        response.headers.setdefault(name, value)
    # Behind a proxy that speaks TLS the request itself may not know; the public address does.
    if request.is_secure or current_app.config["PREFERRED_URL_SCHEME"] == "https":
        response.headers.setdefault("Strict-Transport-Security", f"max-age={2 * YEAR_SECONDS}")
    _set_cache(response, marks)
    return response


def _marks() -> dict[str, Any]:
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "__dict__", {})


def _permissions(needs_scanner: bool) -> str:
    return ", ".join(f"{name}=({'self' if name == 'camera' and needs_scanner else ''})" for name in PERMISSIONS)


def _set_cache(response: Response, marks: dict[str, Any]) -> None:
    is_good = response.status_code < HTTPStatus.BAD_REQUEST
    if request.endpoint == STATIC_ENDPOINT and is_good:
        # A file asked by its hash never changes; the others (fonts, called from a style sheet) may, after an update.
        is_versioned = bool(request.args.get("v"))
        seconds = f"{YEAR_SECONDS}, immutable" if is_versioned else str(DAY_SECONDS)
        response.headers["Cache-Control"] = f"public, max-age={seconds}"
    elif "cacheable_seconds" in marks and is_good:
        response.headers["Cache-Control"] = f"public, max-age={marks['cacheable_seconds']}"
    else:
        response.headers["Cache-Control"] = "no-store"


def _add_version(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == STATIC_ENDPOINT and "v" not in values and (version := static_version(values.get("filename", ""))):
        values["v"] = version


@lru_cache(maxsize=256)
def static_version(filename: str) -> str:
    """Return the first digits of a static file's hash, empty when there is no such file. Read once for each process."""
    path = Path(__file__).parent / "static" / filename
    return hashlib.sha256(path.read_bytes()).hexdigest()[:VERSION_LENGTH] if path.is_file() else ""
