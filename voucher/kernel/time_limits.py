"""How long the database may keep somebody waiting: the server's own limits, TCP's, and the deadline of `bounded_connection`."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

LOCK_SECONDS_MAX = 30

_takes_long: ContextVar[bool] = ContextVar("takes_long", default=False)


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds. `statement` holds for each statement, `long_statement` inside `at_length`; `pool` is the wait for a connection."""

    connect: int = 3
    pool: float = 2.0
    statement: float = 5.0
    long_statement: float = 900.0
    tcp: int = 10
    lock_max: float = LOCK_SECONDS_MAX

    def for_commands(self) -> "TimeLimits":
        """Return the limits of what nobody waits for at a counter: commands, jobs, `voucher verify`."""
        return replace(self, pool=float(LOCK_SECONDS_MAX), statement=self.long_statement)

    @property
    def lock(self) -> float:
        """How long a statement waits for a lock: never longer than it may take."""
        return min(self.lock_max, self.statement)

    def connect_arguments(self) -> dict[str, object]:
        """Return what libpq and the server are told at connecting; a socket of this machine ignores what is TCP's."""
        options = [
            "-c timezone=UTC",
            f"-c lock_timeout={milliseconds(self.lock)}",
            f"-c statement_timeout={milliseconds(self.statement)}",
        ]
        return {
            "options": " ".join(options),
            "connect_timeout": self.connect,
            "tcp_user_timeout": milliseconds(self.tcp),
            "keepalives_idle": max(1, self.tcp // 2),
            "keepalives_interval": max(1, self.tcp // 5),
            "keepalives_count": 2,
        }


COMMANDS = TimeLimits().for_commands()


@contextmanager
def at_length() -> Iterator[None]:
    """Let what this thread asks in the block take as long as a command may: freezes, imports, exports, proofs."""
    token = _takes_long.set(True)
    try:
        yield
    finally:
        _takes_long.reset(token)


def set_time_limit(*, is_long: bool) -> None:
    """Say, until it is said again, whether what this thread asks may take as long as a command: for whoever has no block to close."""
    _takes_long.set(is_long)


def takes_long() -> bool:
    """Say whether this thread has the time of a command."""
    return _takes_long.get()


def milliseconds(seconds: float) -> int:
    """Return seconds as libpq and PostgreSQL take them."""
    return round(seconds * 1000)
