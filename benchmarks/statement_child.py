"""A process that imports one statement and says how long it took and how much memory: `python -m benchmarks.statement_child URL FILE`."""

import json
import re
import sys
import time
from pathlib import Path

from tests.settlement.town import NOW, PREPARER
from voucher.kernel.collector import collect_less_often
from voucher.kernel.database import Database
from voucher.settlement.bank_in.import_statement import import_statement


def main(url: str, path: str) -> None:
    """Import, then print {"seconds", "peak_mb", "paid_count"} as JSON."""
    collect_less_often()  # as the application's own processes do
    database = Database(url)
    started = time.perf_counter()
    with Path(path).open("rb") as file:
        done = import_statement(database, "releve.xml", file, by=PREPARER, now=NOW)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_mb": _peak_mb(), "paid_count": done.paid_count}))


def _peak_mb() -> float:
    """Return the most memory that this program held; `getrusage` would count what its parent held when it started it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
