"""The command that does what nobody asks for: closes months, sends e-mails, seals, publishes."""

import logging
import signal
import sys
import threading
from datetime import UTC, datetime

import click

from voucher.background.jobs import EVERY_SECONDS, run_jobs, work_until
from voucher.cli.environment import open_database
from voucher.cli.numbers import Count
from voucher.issuing.make_batch import unfinished_batches
from voucher.startup import settings_of_environment


@click.command(help="Fait le travail de fond : clôture des mois, messages, scellement. À lancer à côté des pages.")
@click.option("--once", is_flag=True, help="Un seul tour, puis s’arrête : pour un ordonnanceur.")
@click.option(
    "--every", default=EVERY_SECONDS, show_default=True, type=Count(1, 3600), help="Secondes entre deux tours."
)
def work(once: bool, every: int) -> None:
    """Run the jobs once, or until SIGTERM or Ctrl-C; a job under way is finished first."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    settings = settings_of_environment()
    with open_database(settings) as database:
        # A job that fails stops no other, and is tried again: a database that cannot be opened at all is said now.
        unfinished_batches(database)
        if once:
            for line in run_jobs(database, settings, _now):
                _say(line)
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        _say("Le travail de fond commence.")
        work_until(stop, database, settings, _now, every, _say)
        _say("Le travail de fond s’arrête.")


def _now() -> datetime:
    return datetime.now(UTC)


def _say(line: str) -> None:
    click.echo(f"{_now():%Y-%m-%dT%H:%M:%SZ} {line}")
    sys.stdout.flush()


COMMANDS = (work,)
