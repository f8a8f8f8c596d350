"""A process that takes an archive over and kills itself: `python -m tests.takeover.take_child URL ARCHIVE MOMENT`.

MOMENT is the rank of the SQL statement before which it dies, or `commit`: everything is said, nothing is kept.
"""

import sys
from pathlib import Path

from tests.settlement.settle_child import die_at
from tests.takeover.world import LATER
from voucher.kernel.database import Database
from voucher.takeover.importing import import_takeover


def main(url: str, path: str, moment: str) -> None:
    """Take over until death."""
    database = Database(url)
    die_at(database, moment)
    import_takeover(
        database, Path(path), origin="127.0.0.1:8000/pass-numerique/journal", master_secret=bytes(32), now=LATER
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
