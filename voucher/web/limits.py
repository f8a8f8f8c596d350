"""How often one address or one person may guess: kept in this process, forgotten with it.

wrong_codes = Limiter(count_max=10, window=timedelta(minutes=10))

if not wrong_codes.allows(client_address(), now): …     counts the try before its answer is known
wrong_codes.take_back(client_address())                 it was no wrong guess: it does not count
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock

from flask import request

IPV6_SITE_BITS = 64


class Limiter:
    """At most `count_max` tries in any `window` for each key; the oldest keys are forgotten first."""

    def __init__(self, count_max: int, window: timedelta, keys_max: int = 10_000) -> None:
        self._count_max = count_max
        self._window = window
        self._keys_max = keys_max
        self._tries: OrderedDict[str, list[datetime]] = OrderedDict()
        self._lock = Lock()

    def allows(self, key: str, now: datetime) -> bool:
        """Say whether this key may try once more, and count the try when it may: tries sent together count too."""
        with self._lock:
            recent = [at for at in self._tries.pop(key, []) if at > now - self._window]
            is_allowed = len(recent) < self._count_max
            if is_allowed:
                recent.append(now)
            self._tries[key] = recent
            while len(self._tries) > self._keys_max:
                self._tries.popitem(last=False)
            return is_allowed

    def take_back(self, key: str) -> None:
        """Forget the last try of this key: it was not a wrong guess."""
        with self._lock:
            if self._tries.get(key):
                self._tries[key].pop()


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
