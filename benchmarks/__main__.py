"""`make bench`: every measurement on a PostgreSQL server of its own that keeps each fsync. About ten minutes on two cores.

`python -m benchmarks redeem settle` runs some of them.
"""

import importlib
import os
import platform
import sys
from pathlib import Path

from benchmarks.table import written
from tests.engines import temporary_server
from voucher.kernel.migrations import upgrade

JOBS = ("redeem", "issue", "print", "settle", "statement", "pain001", "verify", "seal", "prove", "sign_in")


def machine() -> str:
    """Return what this machine is, in a line."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}"


def main(wanted: list[str]) -> None:
    """Run the measurements named, or all; print each table row as it comes."""
    rows = []
    for job in wanted or JOBS:
        module = importlib.import_module(f"benchmarks.bench_{job}")
        with temporary_server(is_durable=True) as server:
            url = server.url()
            upgrade(url)
            for row in module.run(url):
                rows.append(row)
                print(
                    f"{row.job}: {row.result} (limit {row.limit}, ratio {row.ratio}) {row.note}",
                    file=sys.stderr,
                    flush=True,
                )
    print(f"\n{machine()}\n\n{written(rows)}")


if __name__ == "__main__":
    main(sys.argv[1:])
