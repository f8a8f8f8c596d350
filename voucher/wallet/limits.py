"""How often one address may try typed codes: kept in this process, forgotten with it."""

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock


class Limiter:
    """At most `count_max` tries in any `window` for each address; the oldest addresses are forgotten first."""

    def __init__(self, count_max: int, window: timedelta, addresses_max: int = 10_000) -> None:
        self._count_max = count_max
        self._window = window
        self._addresses_max = addresses_max
        self._tries: OrderedDict[str, list[datetime]] = OrderedDict()
        self._lock = Lock()

    def allows(self, address: str, now: datetime) -> bool:
        """Say whether this address may try once more, and count the try when it may."""
        with self._lock:
            recent = [at for at in self._tries.pop(address, []) if at > now - self._window]
            is_allowed = len(recent) < self._count_max
            if is_allowed:
                recent.append(now)
            self._tries[address] = recent
            while len(self._tries) > self._addresses_max:
                self._tries.popitem(last=False)
            return is_allowed
