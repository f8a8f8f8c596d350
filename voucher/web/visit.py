"""Where a request comes from, as a sign-in counts and remembers it."""

from ipaddress import IPv4Address, ip_address

from flask import g, request
from ua_parser import parse

from voucher.access.tokens import new_token
from voucher.access.visits import Visit
from voucher.web.access import BROWSER_COOKIE, SESSION_COOKIE
from voucher.web.limits import client_address

UNKNOWN_AGENT = "un navigateur inconnu"
# What is read of a name that anybody may write.
AGENT_READ_MAX = 300
# A letter says these names: they are ours, never words that a stranger would have us write.
BROWSERS = frozenset(
    {
        "Firefox", "Firefox iOS", "Firefox Focus", "Chrome", "Chrome iOS", "Chromium", "HeadlessChrome", "Safari", "Edge", "Opera", "IE",
        "Samsung Internet", "Brave", "Vivaldi", "DuckDuckGo", "Epiphany", "Konqueror", "UC Browser", "Yandex Browser",
    }
)  # fmt: skip
SYSTEMS = frozenset({"Windows", "macOS", "iOS", "Android", "Linux", "Ubuntu", "Debian", "Fedora", "Chrome OS"})


def visit() -> Visit:
    """Return the browser and the network of this request; the same, with the same new token, each time it is asked."""
    if "visit" not in g:
        address = client_address()
        g.visit = Visit(
            browser_token=request.cookies.get(BROWSER_COOKIE, ""),
            new_browser_token=new_token(),
            session_token=request.cookies.get(SESSION_COOKIE, ""),
            address=address,
            network=network_of(address),
            agent=agent_in_words(request.headers.get("User-Agent", "")),
        )
    found = g.visit
    assert isinstance(found, Visit)
    return found


def network_of(address: str) -> str:
    """Return the network of an address, as a person reads it: « 203.0.x.x », the first 16 bits (IPv6: 32).

    A provider of access gives such a block out as one: a person who moves within it is told of nothing, and nothing finer is kept.
    """
    try:
        found = ip_address(address.partition("/")[0])
    except ValueError:
        return "un réseau inconnu"
    if isinstance(found, IPv4Address):
        return f"{int(found) >> 24}.{int(found) >> 16 & 0xFF}.x.x"
    return f"{int(found) >> 112:x}:{int(found) >> 96 & 0xFFFF:x}:x"


def agent_in_words(text: str) -> str:
    """Return a browser's name in words: « Firefox sur Windows »."""
    found = parse(text[:AGENT_READ_MAX])
    browser = " ".join(found.user_agent.family.replace("Mobile", "").split()) if found.user_agent else ""
    system = found.os.family.replace("Mac OS X", "macOS") if found.os else ""
    if browser not in BROWSERS:
        return UNKNOWN_AGENT
    return f"{browser} sur {system}" if system in SYSTEMS else browser
