"""Write the audit archive of 1,000,000 vouchers, then prove it with its own verifier, beside reading its rows and nothing else."""

import csv
import io
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from benchmarks.bench_verify import books
from benchmarks.table import Row
from tests.builders import MASTER_SECRET, NOW
from voucher.ledger.checkpoint import verifier_key
from voucher.programme.programme_key import programme_key
from voucher.proof.export_audit import export_audit
from voucher.trail.seal import seal

ORIGIN = "bench/journal"
AIM_SECONDS = 60


def run(postgres_url: str) -> list[Row]:
    """Seal and export the books that `bench_verify` makes; run the verifier as a stranger would."""
    database, key = books(postgres_url), programme_key(MASTER_SECRET)
    seal(database, origin=ORIGIN, key=key, now=NOW)
    with TemporaryDirectory() as folder:
        path, verifier = Path(folder) / "audit.zip", Path(folder) / "verify.py"
        started = time.perf_counter()
        with path.open("wb") as out:
            export_audit(database, out, origin=ORIGIN, key=key)
        export_seconds = time.perf_counter() - started
        database.dispose()
        with ZipFile(path) as archive:
            verifier.write_bytes(archive.read("audit/verify.py"))
        limit, rows = _read_seconds(path)
        trusted = verifier_key(ORIGIN, key.public_key().public_bytes_raw())
        started = time.perf_counter()
        subprocess.run([sys.executable, "-I", str(verifier), str(path), "--key", trusted], check=True, cwd=folder)
        seconds = time.perf_counter() - started
        size = path.stat().st_size
    return [
        Row(
            "prove the archive of 1,000,000 vouchers, alone",
            f"{seconds:.1f} s",
            f"{limit:.1f} s",
            f"{limit / seconds:.2f}",
            f"{rows:,} rows, {size / 1e6:.0f} MB, written in {export_seconds:.1f} s; the limit reads the rows. Aim: {AIM_SECONDS} s",
        )
    ]


def _read_seconds(path: Path) -> tuple[float, int]:
    started, rows = time.perf_counter(), 0
    with ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".csv"):
                with archive.open(name) as file:
                    rows += sum(1 for _ in csv.reader(io.TextIOWrapper(file, "utf-8", newline="")))
    return time.perf_counter() - started, rows
