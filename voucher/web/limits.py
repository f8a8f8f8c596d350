"""How often one address, one person or one code may be guessed at: counted in the database, where every process sees it.

wrong_codes = Limiter("wrong_codes", count_max=10, window=timedelta(minutes=10))

if not wrong_codes.allows(client_address(), now): …     counts the try before its answer is known
wrong_codes.uncount(client_address(), now)            it was no wrong guess: it does not count
"""

from datetime import datetime, timedelta
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address, ip_network

from flask import Response, make_response, request

from voucher.access.tries import TooManyTries
from voucher.kernel.tries import Limit
from voucher.web.services import services

IPV6_SITE_BITS = 64


class Limiter:
    """At most `count_max` tries in a `window` for each key. `name` keeps the keys of two limiters apart."""

    def __init__(self, name: str, count_max: int, window: timedelta) -> None:
        self._limit = Limit(name, count_max, window)

    def allows(self, key: str, now: datetime) -> bool:
        """Say whether this key may try once more, and count the try when it may: tries sent together count too."""
        return self._limit.take(services().database, key, now)

    def uncount(self, key: str, now: datetime) -> None:
        """Forget one try of this key: it was not a wrong guess."""
        self._limit.uncount(services().database, key, now)


def too_early(refused: TooManyTries, page: str) -> Response:
    """Return a page that says to wait, with the status and the header that programs read."""
    response = make_response(page, HTTPStatus.TOO_MANY_REQUESTS)
    response.headers["Retry-After"] = str(refused.seconds)
    return response


def client_address() -> str:
    """Return the address a request came from; of IPv6 the site, since one person holds 2^64 addresses of it.

    Behind a reverse proxy it is the person's only where `PASS_PROXY_COUNT` says how many proxies are believed.
    """
    text = request.remote_addr or ""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, IPV6_SITE_BITS), strict=False))
    return str(address)
