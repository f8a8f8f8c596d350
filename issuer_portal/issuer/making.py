"""Making a big order behind the page: one thread of this process, which may die at any moment without harm.

What it does is `make_batch`, chunk by chunk: whoever runs it again (this page, `voucher issue --resume`, the job `making`)
goes on where it stopped. So nothing here has to be kept, and while somebody is at it nobody begins beside.
"""

import logging
from datetime import datetime
from threading import Event, Thread
from uuid import UUID

from voucher.issuing.make_batch import make_batch, turn_of
from voucher.kernel.database import Database, whole_turn
from voucher.kernel.time_limits import at_length

VOUCHERS_AT_ONCE_MAX = 2_000  # made while the person waits: under a second
START_SECONDS = 5

logger = logging.getLogger(__name__)


def make_behind(database: Database, batch_id: UUID, *, master_secret: bytes, now: datetime) -> None:
    """Start to make a batch and return at once; do nothing when somebody is at it already."""
    is_begun = Event()
    arguments = (database, batch_id, master_secret, now, is_begun)
    Thread(target=_make, args=arguments, name=f"make {batch_id}", daemon=True).start()
    is_begun.wait(START_SECONDS)  # the page that comes next sees it under way


def _make(database: Database, batch_id: UUID, master_secret: bytes, now: datetime, is_begun: Event) -> None:
    try:
        with at_length(), whole_turn(database, turn_of(batch_id)) as is_ours:
            is_begun.set()
            if is_ours:
                make_batch(database, batch_id, master_secret=master_secret, now=now, processes=1)
    except Exception:
        # Nobody waits for this thread: the page shows how far it went, and the worker goes on.
        logger.exception("the making of a batch stopped")
    finally:
        is_begun.set()
