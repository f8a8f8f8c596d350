"""Where a request comes from, as a sign-in counts and remembers it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """The browser, the network and the name of the browser of one request.

    `browser_token` and `session_token`: what the browser holds, empty for a new one. `new_browser_token`: what it holds from this
    sign-in on. `address` is counted and never kept; `network` is shortened, `agent` is in words.
    """

    browser_token: str = ""
    new_browser_token: str = ""
    session_token: str = ""
    address: str = ""
    network: str = ""
    agent: str = ""


NOWHERE = Visit()
"""Of what no browser asked: a command, a test."""
