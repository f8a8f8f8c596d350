"""A command killed with SIGKILL at each of its steps, run again, and compared with the same command never killed.

Each run is a process of its own, forked from one that has everything loaded. Ids and secrets are drawn there from the state of the
books alone, so that a run that was killed and one that was not must leave the same database, byte for byte.
"""

import hashlib
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count
from multiprocessing.connection import Connection
from random import Random
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.orm import Session, configure_mappers

from tests.engines import Run
from voucher import models
from voucher.background import jobs
from voucher.demonstration import fill
from voucher.kernel.database import Base, Database
from voucher.kernel.refusals import Refused
from voucher.takeover import importing

__all__ = ["Killer", "fill", "importing", "jobs", "models"]  # what children fork with: all tables, all the code

# Before how many statements of each transaction a command is killed; where it has more, a seeded sample, another on each engine.
STATEMENTS = int(os.environ.get("PASS_KILL_STATEMENTS", "2"))
GONE_SECONDS = 30

Act = Callable[..., Any]
Command = tuple[Act, tuple[Any, ...], dict[str, Any]]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__, "tests.acts"])


class When(Enum):
    """When a process dies: before its n-th statement, before its n-th COMMIT (all is said), after it (the caller hears nothing)."""

    STATEMENT = "before statement"
    COMMIT = "before commit"
    COMMITTED = "after commit"


Moment = tuple[When, int]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: whether it lived, the statements and COMMITs it came to, its answer (a refusal: its code), what broke."""

    is_alive: bool
    statement_count: int = 0
    commit_count: int = 0
    answer: Any = None
    error: str = ""


class Killer:
    """Kills commands on a test's database: `killer.everywhere(freeze_batch, batch_id, agreement_id, by=…, now=…)`."""

    def __init__(self, database: Database, databases: Run) -> None:
        """Kill on this database; twins are made beside it."""
        self._database = database
        self._databases = databases

    def everywhere(self, act: Act, *args: Any, **words: Any) -> tuple[Any, Any]:
        """Run a command, killed in and around each of its transactions, until it is done; then once more, alive.

        A kill before a COMMIT must leave the database as it was; at the end it must be that of a run never killed. Return the
        answer of that one, and that of the last.
        """
        command: Command = (act, args, words)
        expected, whole = self._on_a_twin(command)
        rank, before = 1, self.state()
        # Each round sees one transaction done, or passes one over that has nothing left to do.
        for _ in range(2 * whole.commit_count + 1):
            told = _run(self._database.url, command, (When.COMMIT, rank))
            before = self.state() if told.is_alive else before
            moments = [(When.STATEMENT, number) for number in self._drawn(act, told.statement_count)]
            for moment in moments if told.is_alive else [(When.COMMIT, rank), *moments]:
                if moment[0] is When.STATEMENT:
                    assert not _run(self._database.url, command, moment).is_alive
                self._stands(before, f"{act.__name__} killed {moment[0].value} {moment[1]}")
            if told.is_alive:
                break
            _run(self._database.url, command, (When.COMMITTED, rank))
            after = self.state()
            if after == expected:
                break
            rank += after == before
            before = after
        again = self.alive(act, *args, **words)
        self._stands(expected, f"{act.__name__} killed, then run again")
        return whole.answer, again

    def outside(self, act: Act, *args: Any, shares: Sequence[float], **words: Any) -> None:
        """Kill a command on twins after each of these shares of the time that it takes: all of it stands there, or nothing."""
        command: Command = (act, args, words)
        before, began = self.state(), time.monotonic()
        expected, _ = self._on_a_twin(command)
        seconds = time.monotonic() - began
        for share in shares:
            found, _ = self._on_a_twin(command, seconds=seconds * share)
            assert found in (before, expected), f"{act.__name__} killed at {share:.0%} left something"

    def dies(self, moment: Moment, act: Act, *args: Any, **words: Any) -> None:
        """Kill a command at one moment."""
        assert not _run(self._database.url, (act, args, words), moment).is_alive

    def alive(self, act: Act, *args: Any, **words: Any) -> Any:
        """Run a command that nobody kills; return its answer."""
        return _run(self._database.url, (act, args, words), None).answer

    def state(self) -> dict[str, str]:
        """Return the fingerprint of each table, once whoever was killed has left the database."""
        self._database.dispose()
        return _state(self._database.url)

    def _stands(self, expected: dict[str, str], when: str) -> None:
        found = self.state()
        assert found == expected, f"{when}: {[name for name in found if found[name] != expected[name]]} differ"

    def _drawn(self, act: Act, statement_count: int) -> list[int]:
        """Return before which statements to kill: a sample that is always the same, and another on each engine."""
        dice = Random(f"{act.__name__} {statement_count} {self._database.is_postgresql}")
        return sorted(dice.sample(range(1, statement_count + 1), min(STATEMENTS, statement_count)))

    def _on_a_twin(self, command: Command, *, seconds: float | None = None) -> tuple[dict[str, str], Ended]:
        """Run a command on a twin of the database, killed after some seconds or never; return what it became, and how it ended."""
        self._database.dispose()
        twin = self._databases.copy(self._database.url)
        try:
            told = _run(twin, command, None, seconds=seconds)
            return _state(twin), told
        finally:
            self._databases.drop(twin)


def _run(url: str, command: Command, moment: Moment | None, *, seconds: float | None = None) -> Ended:
    """Run a command in a process of its own that dies at a moment, or is killed after some seconds. Raises what it raised."""
    ours, theirs = _context.Pipe(duplex=False)
    process = _context.Process(target=_live, args=(url, command, moment, theirs))
    process.start()
    theirs.close()
    if seconds is not None:
        process.join(seconds)
        process.kill()
    try:
        told: Ended = ours.recv()
    except EOFError:
        told = Ended(is_alive=False)
    ours.close()
    process.join()
    if told.error:
        raise AssertionError(told.error)
    assert process.exitcode == (0 if told.is_alive else -signal.SIGKILL)
    return told


def _live(url: str, command: Command, moment: Moment | None, told: Connection) -> None:
    """Do the command, until death."""
    act, args, words = command
    database = Database(url)
    life = _Life(database, moment, told)
    _draw_alike(url)
    try:
        answer = act(database, *args, **words)
    except Refused as refused:
        told.send(life.ended(refused.code))
    except Exception:  # noqa: BLE001 - whatever it is, the test must say it
        told.send(Ended(is_alive=True, error=traceback.format_exc()))
    else:
        told.send(life.ended(answer))
    database.dispose()


class _Life:
    """Counts the steps of a process, and ends it at its moment as a power cut would: no handler runs."""

    def __init__(self, database: Database, moment: Moment | None, told: Connection) -> None:
        self._seen = dict.fromkeys(When, 0)
        self._moment, self._told = moment, told
        event.listen(database.engine, "before_cursor_execute", lambda *_: self._step(When.STATEMENT))
        event.listen(database.engine, "commit", lambda *_: self._step(When.COMMIT))
        event.listen(Session, "after_commit", self._committed)

    def ended(self, answer: Any = None, *, is_alive: bool = True) -> Ended:
        """Say what was come to."""
        return Ended(is_alive, self._seen[When.STATEMENT], self._seen[When.COMMIT], answer)

    def _committed(self, session: Session) -> None:
        if not session.in_nested_transaction():
            self._step(When.COMMITTED)

    def _step(self, when: When) -> None:
        self._seen[when] += 1
        if (when, self._seen[when]) == self._moment:
            self._told.send(self.ended(is_alive=False))
            os.kill(os.getpid(), signal.SIGKILL)


def _draw_alike(url: str) -> None:
    """Let ids and secrets depend on the state of the database: after the same commit the same ones are drawn."""
    dice = Random()
    clock = count()

    def draw_anew(session: Session | None = None) -> None:
        if session is None or not session.in_nested_transaction():
            nonlocal clock
            dice.seed(repr(_state(url, is_alone=False)))
            clock = count(1_790_000_000_000_000_000, 1_000_000)

    draw_anew()
    event.listen(Session, "after_commit", draw_anew)
    os.urandom = dice.randbytes
    time.time_ns = lambda: next(clock)


def _state(url: str, *, is_alone: bool = True) -> dict[str, str]:
    """Return the fingerprint of the rows of each table, whatever their order; `is_alone` waits for every other's end."""
    database = Database(url)
    try:
        if is_alone and database.is_postgresql:
            _wait_until_alone(database)
        with database.read() as session:
            connection = session.connection()
            rows = {name: connection.exec_driver_sql(f"SELECT * FROM {name}").all() for name in _TABLES}
    finally:
        database.dispose()
    return {
        name: hashlib.sha256("\n".join(sorted(map(repr, found))).encode()).hexdigest() for name, found in rows.items()
    }


def _wait_until_alone(database: Database) -> None:
    """Wait for the end of those whose process was killed: PostgreSQL sees it a moment later."""
    last = time.monotonic() + GONE_SECONDS
    with database.ask() as connection:
        while connection.scalar(text(_OTHERS)):
            assert time.monotonic() < last, "somebody still holds the database"
            time.sleep(0.002)


_TABLES = sorted(Base.metadata.tables)
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend'"
)

configure_mappers()
