"""A connection to PostgreSQL that waits for no answer beyond a deadline on this side.

A server that is frozen (its machine stopped, its disk gone) keeps none of its promises, and its kernel goes on acknowledging: only
a deadline here ends the wait. What was waited for is then unknown, so the connection is closed.
"""

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from voucher.kernel.time_limits import COMMANDS, TimeLimits, takes_long

MARGIN_SECONDS = 1.0  # the server cancels what is too long, and keeps its connection; we give up on it only after that


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
