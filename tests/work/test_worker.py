"""The background work: each job in its turn, one that fails stops no other, two workers do not do the same job at once."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.builders import NOW, a_counter, handed_over_booklets, scanned_codes
from tests.clients import MASTER_KEY, settings_for
from voucher.background.jobs import Job, run_jobs, work_until
from voucher.kernel.database import Database, whole_turn
from voucher.kernel.identifiers import new_id
from voucher.kernel.settings import Settings
from voucher.redemption.redeem import redeem


def clock() -> datetime:
    return NOW


def failing(_database: Database, _settings: Settings, _now: datetime) -> str:
    raise RuntimeError("the disk is full")


def test_a_job_that_fails_stops_no_other_and_says_so(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    jobs = [
        Job("first", "premier", failing),
        Job("second", "second", lambda *_: "fait"),
        Job("none", "rien", lambda *_: ""),
    ]
    said = list(run_jobs(database, settings_for(database), clock, jobs))
    assert said == ["premier : échec (RuntimeError), nouvel essai au prochain tour", "second : fait"]
    assert "the disk is full" in caplog.text


def test_a_job_that_another_worker_does_is_passed_over(postgresql_database: Database) -> None:
    settings = settings_for(postgresql_database)
    jobs = [Job("long", "un long travail", lambda *_: "fait")]
    with whole_turn(postgresql_database, "job long") as is_ours:
        assert is_ours
        assert list(run_jobs(postgresql_database, settings, clock, jobs)) == []
    assert list(run_jobs(postgresql_database, settings, clock, jobs)) == ["un long travail : fait"]


def test_every_job_runs_on_an_empty_installation(database: Database) -> None:
    said = list(run_jobs(database, settings_for(database), clock))
    assert not [line for line in said if "échec" in line]


def test_the_loop_goes_on_until_it_is_told_to_stop(sqlite_database: Database) -> None:
    stop, turns = threading.Event(), iter(range(3))

    def ticks() -> Iterator[datetime]:
        for turn in turns:
            if turn == 2:
                stop.set()
            yield NOW + timedelta(minutes=turn)

    times = ticks()
    # Each turn asks the hour once a job: with all of them the third reading comes within the first turns.
    said: list[str] = []
    work_until(stop, sqlite_database, settings_for(sqlite_database), lambda: next(times, NOW), 0.001, said.append)
    assert stop.is_set()


def environment(database_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "PASS_DATABASE_URL": database_url,
        "PASS_SECRET_KEY": "a secret for tests alone, thirty-two bytes",
        "PASS_MASTER_KEY": MASTER_KEY,
    }


def test_one_turn_by_the_command_closes_the_months_that_are_over(database: Database) -> None:
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    redeem(
        database, new_id(), codes[:1], "everyday_digital_tools", a_counter(database),
        by=new_id(), now=datetime(2026, 3, 2, 12, 0, tzinfo=UTC),
    )  # fmt: skip
    command = [sys.executable, "-m", "voucher.cli", "work", "--once"]
    done = subprocess.run(command, env=environment(database.url), capture_output=True, text=True, check=True)
    assert "périodes : 1 période(s) close(s)" in done.stdout
    again = subprocess.run(command, env=environment(database.url), capture_output=True, text=True, check=True)
    assert "périodes" not in again.stdout


def test_the_command_stops_cleanly_when_it_is_asked_to(sqlite_database_url: str) -> None:
    command = [sys.executable, "-m", "voucher.cli", "work", "--every", "1"]
    with subprocess.Popen(
        command, env=environment(sqlite_database_url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert "commence" in worker.stdout.readline()
        time.sleep(0.2)
        worker.send_signal(signal.SIGTERM)
        out, errors = worker.communicate(timeout=30)
    assert worker.returncode == 0, errors
    assert "s’arrête" in out
