"""Gunicorn's hooks where the database is SQLite: the one process that serves the pages does the background work too, in a thread.

SQLite has one writer at a time, and this thread takes its turn in the same queue as the pages.
"""

import threading
from typing import Any

from voucher.background.jobs import EVERY_SECONDS, work_until

_stop = threading.Event()


def post_worker_init(worker: Any) -> None:
    """Begin when the process that serves is ready; its application holds the database."""
    house = worker.wsgi.extensions["services"]
    arguments = (_stop, house.database, house.settings, house.now, EVERY_SECONDS, worker.log.info)
    threading.Thread(target=work_until, args=arguments, name="background work", daemon=True).start()


def worker_exit(_server: Any, _worker: Any) -> None:
    """Stop with the process."""
    _stop.set()
