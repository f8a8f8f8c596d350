"""Where a request comes from, as a sign-in remembers it."""

from flask import request

from voucher.access.sessions import Visit
from voucher.web.limits import client_address

AGENT_LENGTH_MAX = 120
BROWSER_COOKIE = "pass_navigateur"


def visit() -> Visit:
    """Return the browser, the network and the name of the browser of this request."""
    return Visit(
        browser_token=request.cookies.get(BROWSER_COOKIE, ""),
        network=client_address(),
        agent=request.headers.get("User-Agent", "")[:AGENT_LENGTH_MAX],
    )
