"""A database that stops answering: each page says so within ten seconds, no thread hangs, and all goes on when it comes back."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from tests.clients import MASTER_KEY
from tests.engines import Server, temporary_server
from tests.outage.counters import Till, an_attempt, open_till
from voucher.kernel.database import Database
from voucher.kernel.time_limits import TimeLimits, at_length
from voucher.redemption.model import Redemption
from voucher.reporting.verify import verify

PROMISED_SECONDS = 10
THREADS = 8
SHORT = TimeLimits(connect=2, pool=0.3, statement=0.5, long_statement=3)


def a_free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(params=["unix", "tcp"])
def frail(request: pytest.FixtureRequest) -> Iterator[tuple[Server, str]]:
    """A server of the test's own and its address, by a socket of this machine, then by TCP."""
    port = a_free_port()
    more = {"port": str(port), "listen_addresses": "127.0.0.1"}
    with temporary_server(more=more) as server:
        host = server.folder if request.param == "unix" else "127.0.0.1"
        yield server, f"postgresql://postgres@/postgres?host={host}&port={port}"


def seconds_of(act: Callable[[], object]) -> tuple[float, object]:
    began = time.monotonic()
    answer = act()
    return time.monotonic() - began, answer


def assert_sound(database: Database, redemption_count: int) -> None:
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Redemption)) == redemption_count
    assert [found for result in verify(database) for found in result.violations] == []


@pytest.mark.kill
def test_a_frozen_database_is_told_within_ten_seconds_and_all_goes_on_after(frail: tuple[Server, str]) -> None:
    server, url = frail
    till = open_till(url)
    code, attempt_id = till.codes[0], an_attempt()
    assert till.page().status_code == 200
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: till.page(), range(THREADS)))
        server.freeze()
        try:
            asked = [pool.submit(seconds_of, lambda: till.redeem(attempt_id, code)) for _ in range(THREADS)]
            told = [one.result(timeout=3 * PROMISED_SECONDS) for one in asked]
            # The pool is empty now: these connect anew, to a server that takes no connection.
            asked = [pool.submit(seconds_of, till.page) for _ in range(THREADS)]
            told_again = [one.result(timeout=3 * PROMISED_SECONDS) for one in asked]
        finally:
            server.thaw()
        assert {answer.status_code for _, answer in told + told_again} == {503}  # type: ignore[attr-defined]
        assert max(seconds for seconds, _ in told + told_again) < PROMISED_SECONDS
        for _, answer in told:
            assert answer.headers["Retry-After"]  # type: ignore[attr-defined]
            problem = answer.get_json(force=True)  # type: ignore[attr-defined]
            assert problem["money"] == "Rien n’a été débité."
            assert "Attendez une minute, puis recommencez" in problem["detail"]
        assert "Rien n’a été débité." in told_again[0][1].text  # type: ignore[attr-defined]
        last = time.monotonic() + 30
        while till.page().status_code != 200 and time.monotonic() < last:
            time.sleep(0.05)
        answers = list(pool.map(lambda _: till.redeem(attempt_id, code), range(THREADS)))
    assert [answer.status_code for answer in answers] == [200] * THREADS
    assert_sound(till.database, 1)
    till.database.dispose()


def freezing_before(server: Server, till: Till, moment: str) -> Callable[[], None]:
    """Freeze the server just before a moment of the redemption's transaction; return what takes the trap away."""

    def freeze_at_commit(_connection: object) -> None:
        server.freeze()

    def freeze_at_use(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE voucher"):
            server.freeze()

    name, trap = ("commit", freeze_at_commit) if moment == "commit" else ("before_cursor_execute", freeze_at_use)
    event.listen(till.database.engine, name, trap)
    return lambda: event.remove(till.database.engine, name, trap)


@pytest.mark.kill
@pytest.mark.parametrize("moment", ["commit", "use"])
def test_a_redemption_cut_by_a_freeze_is_sent_again_with_its_id_and_counts_once(
    frail: tuple[Server, str], moment: str
) -> None:
    server, url = frail
    till = open_till(url, database_statement_seconds=1)
    code, attempt_id = till.codes[0], an_attempt()
    assert till.page().status_code == 200
    disarm = freezing_before(server, till, moment)
    answer = till.redeem(attempt_id, code)
    disarm()
    server.thaw()
    assert answer.status_code == 503
    money = answer.get_json(force=True)["money"]
    if moment == "commit":
        assert money.startswith("Nous ne savons pas si votre demande est allée au bout.")
    else:
        assert money == "Rien n’a été débité."
    last = time.monotonic() + 30
    again = till.redeem(attempt_id, code)
    while again.status_code == 503 and time.monotonic() < last:
        time.sleep(0.05)
        again = till.redeem(attempt_id, code)
    assert again.status_code == 200
    assert again.get_json()["id"] == str(attempt_id)
    assert_sound(till.database, 1)
    till.database.dispose()


@pytest.mark.kill
def test_gunicorn_says_it_too_and_hangs_no_thread(tmp_path: Path) -> None:
    with temporary_server() as server:
        till = open_till(server.url())
        till.database.dispose()
        port = a_free_port()
        environment = os.environ | {
            "PASS_DATABASE_URL": server.url(), "PASS_MASTER_KEY": MASTER_KEY, "PASS_DATA_FOLDER": str(tmp_path),
            "PASS_SECRET_KEY": "a secret for tests alone, thirty-two bytes", "PASS_BASE_URL": f"http://127.0.0.1:{port}",
        }  # fmt: skip
        command = [sys.executable, "-m", "voucher.cli", "serve", "--bind", f"127.0.0.1:{port}", "--workers", "1"]

        def status(_: object = None) -> int:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/lieux?code_postal=51100", timeout=60) as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as told:
                return told.code
            except OSError:
                return 0

        with (tmp_path / "log").open("wb") as log:
            serving = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            last = time.monotonic() + 60
            while status() != 200 and time.monotonic() < last:
                time.sleep(0.1)
            with ThreadPoolExecutor(THREADS) as pool:
                assert set(pool.map(status, range(THREADS))) == {200}
                server.freeze()
                seconds, told = seconds_of(lambda: list(pool.map(status, range(THREADS))))
                server.thaw()
                assert told == [503] * THREADS
                assert seconds < PROMISED_SECONDS
                while status() != 200 and time.monotonic() < last + 60:
                    time.sleep(0.1)
                assert list(pool.map(status, range(THREADS))) == [200] * THREADS
        finally:
            serving.terminate()
            serving.wait(30)


def test_a_statement_that_is_too_long_is_cancelled_and_its_connection_kept(postgresql_database_url: str) -> None:
    database = Database(postgresql_database_url, limits=SHORT)

    def backend() -> int:
        with database.read() as session:
            return int(session.scalar(text("SELECT pg_backend_pid()")) or 0)

    before = backend()
    for session_of in (database.read, database.write):
        began = time.monotonic()
        with pytest.raises(OperationalError, match="statement timeout"), session_of() as session:
            session.execute(text("SELECT pg_sleep(20)"))
        assert time.monotonic() - began < 5
        # Freezes, imports, exports and proofs have their own time.
        with at_length(), session_of() as session:
            session.execute(text("SELECT pg_sleep(1)"))
    with pytest.raises(OperationalError, match="statement timeout"), database.read() as session:
        session.execute(text("SELECT pg_sleep(1)"))
    assert backend() == before
    database.dispose()


def test_commands_and_jobs_wait_longer_than_pages() -> None:
    pages, commands = TimeLimits(), TimeLimits().for_commands()
    assert pages.pool + pages.connect + 1 < PROMISED_SECONDS
    assert pages.pool + pages.statement + 1 < PROMISED_SECONDS
    assert commands.statement == pages.long_statement > 10 * pages.statement
    assert "statement_timeout=900000" in str(commands.connect_arguments()["options"])
    assert pages.lock <= pages.statement


def test_where_no_connection_is_free_a_page_says_so(database_url: str) -> None:
    till = open_till(database_url, database_pool_size=1, database_pool_seconds=0.2)
    with till.database.ask(), till.database.ask():  # one kept, one beside
        with pytest.raises(NoConnectionFree), till.database.read():
            pass
        seconds, answer = seconds_of(till.page)
        assert seconds < PROMISED_SECONDS
        assert answer.status_code == 503  # type: ignore[attr-defined]
        assert answer.headers["Retry-After"]  # type: ignore[attr-defined]
        told = till.redeem(an_attempt(), till.codes[0])
        assert told.status_code == 503
        assert told.get_json(force=True)["money"] == "Rien n’a été débité."
    assert till.page().status_code == 200
    till.database.dispose()


def test_sqlite_that_is_busy_is_told_likewise(sqlite_database_url: str) -> None:
    till = open_till(sqlite_database_url, database_statement_seconds=0.5)
    attempt_id = an_attempt()
    path = sqlite_database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:  # another process
        other.execute("BEGIN IMMEDIATE")
        seconds, answer = seconds_of(lambda: till.redeem(attempt_id, till.codes[0]))
        assert till.page().status_code == 200
    assert seconds < PROMISED_SECONDS
    assert answer.status_code == 503  # type: ignore[attr-defined]
    with till.database.write():  # another thread, here the same: its turn is not over
        seconds, answer = seconds_of(lambda: till.redeem(attempt_id, till.codes[0]))
    assert seconds < PROMISED_SECONDS
    assert answer.status_code == 503  # type: ignore[attr-defined]
    assert answer.get_json(force=True)["money"] == "Rien n’a été débité."  # type: ignore[attr-defined]
    assert till.redeem(attempt_id, till.codes[0]).status_code == 200
    assert_sound(till.database, 1)
    till.database.dispose()
