"""A process that makes a batch, for the test that kills it: `python make_batch_child.py URL BATCH_ID`."""

import sys
from uuid import UUID

from tests.builders import MASTER_SECRET, NOW
from voucher.issuing.make_batch import Progress, make_batch
from voucher.kernel.database import Database


def told(progress: Progress) -> None:
    """Say how far the making went."""
    sys.stdout.write(f"{progress.made_booklet_count}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    make_batch(
        Database(sys.argv[1]),
        UUID(sys.argv[2]),
        master_secret=MASTER_SECRET,
        now=NOW,
        processes=1,
        codes_per_chunk=110,
        told=told,
    )
