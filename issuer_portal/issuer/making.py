"""Making a big order behind the page: one thread of this process, which may die at any moment without harm.

What it does is `make_batch`, chunk by chunk: whoever runs it again (this page, `voucher issue --resume`, a nightly job)
goes on where it stopped. So nothing here has to be kept, but that one process does not make the same batch twice at once.
"""

import logging
from datetime import datetime
from threading import Lock, Thread
from uuid import UUID

from voucher.issuing.make_batch import make_batch
from voucher.kernel.database import Database

VOUCHERS_AT_ONCE_MAX = 2_000  # made while the person waits: under a second

logger = logging.getLogger(__name__)
_making: set[tuple[str, UUID]] = set()
_lock = Lock()


def make_behind(database: Database, batch_id: UUID, *, master_secret: bytes, now: datetime) -> None:
    """Start to make a batch and return at once; do nothing when this process is at it already."""
    work = (database.url, batch_id)
    with _lock:
        if work in _making:
            return
        _making.add(work)
    Thread(target=_make, args=(database, work, master_secret, now), name=f"make {batch_id}", daemon=True).start()


def is_made_here(database: Database, batch_id: UUID) -> bool:
    """Say whether this process is making a batch now."""
    return (database.url, batch_id) in _making


def _make(database: Database, work: tuple[str, UUID], master_secret: bytes, now: datetime) -> None:
    try:
        make_batch(database, work[1], master_secret=master_secret, now=now, processes=1)
    except Exception:
        # Nobody waits for this thread: the page shows how far it went and offers to go on.
        logger.exception("the making of a batch stopped")
    finally:
        with _lock:
            _making.discard(work)
