"""How long the database may keep somebody waiting, and what keeps it to that: the server's own limits, TCP's, and a deadline here.

A server that is frozen (its machine stopped, its disk gone) keeps none of its promises, and its kernel goes on acknowledging: only
a deadline on this side ends the wait. What was waited for is then unknown, so the connection is closed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

LOCK_SECONDS_MAX = 30
MARGIN_SECONDS = 1.0  # the server cancels what is too long, and keeps its connection; we give up on it only after that

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


def give_time(*, is_long: bool) -> None:
    """Say, until it is said again, whether what this thread asks may take as long as a command: for whoever has no block to close."""
    _takes_long.set(is_long)


def takes_long() -> bool:
    """Say whether this thread has the time of a command."""
    return _takes_long.get()


def milliseconds(seconds: float) -> int:
    """Return seconds as libpq and PostgreSQL take them."""
    return round(seconds * 1000)


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that waits for no answer beyond its limits. One that was waited for too long is closed."""

    limits: TimeLimits = COMMANDS

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server, as the driver does for whatever it sends. Raises OperationalError at the deadline."""
        if timeout is None:
            seconds = self.limits.long_statement if takes_long() else self.limits.statement
            timeout = seconds + MARGIN_SECONDS
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError:
            if not self.closed and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()
            raise
