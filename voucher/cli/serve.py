"""The command that serves the pages."""

import os
import sys

import click

from voucher.cli.numbers import Count
from voucher.startup import settings_of_environment

THREADS = 8


@click.command(help="Sert les pages avec gunicorn, d’après les variables PASS_….")
@click.option("--bind", default="127.0.0.1:8000", show_default=True, help="Adresse d’écoute.")
@click.option(
    "--workers", default=0, type=Count(0, 256), help="Processus ; par défaut 1 sur SQLite, 2 par cœur sur PostgreSQL."
)
def serve(bind: str, workers: int) -> None:
    """Serve with gunicorn: threads in one process on SQLite, several processes on PostgreSQL."""
    run_server(bind, workers)


def run_server(bind: str, workers: int = 0) -> None:
    """Become gunicorn. SQLite has one writer at a time, so it gets one process, whose threads take turns.

    There one thread more does the background work; on PostgreSQL `voucher work` does it.
    """
    is_sqlite = settings_of_environment().database_url.startswith("sqlite")
    count = 1 if is_sqlite else workers or 2 * (os.cpu_count() or 1)
    sys.stdout.flush()
    arguments = [
        sys.executable, "-m", "gunicorn", "wsgi:create_app()", "--bind", bind, "--workers", str(count),
        "--worker-class", "gthread", "--threads", str(THREADS), "--access-logfile", "-",
        "--logger-class", "voucher.web.logs.CodeFreeLogger", "--no-control-socket",
        *(("--config", "python:voucher.background.beside_gunicorn") if is_sqlite else ()),
    ]  # fmt: skip
    os.execv(sys.executable, arguments)  # noqa: S606 - the arguments are ours


COMMANDS = (serve,)
