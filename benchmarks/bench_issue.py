"""Order, sign and store 1,000,000 vouchers, beside what signing alone and storing alone would take."""

import threading
import time
from pathlib import Path

from sqlalchemy import text

from benchmarks.table import Row
from tests.builders import MASTER_SECRET, NOW, SOMEONE, an_agreement
from voucher.issuing.make_batch import make_batch
from voucher.issuing.order import order_vouchers
from voucher.issuing.signing import VOUCHER_DOMAIN, new_private_key
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id

VOUCHERS = 1_000_000
BOOKLET_SIZE = 10
CODES = VOUCHERS + VOUCHERS // BOOKLET_SIZE
CORES = 2
SIGNED_RAW = 50_000


class PeakMemory:
    """Samples the memory of this process and its children, all together, ten times a second."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._sampler.join()

    def _sample(self) -> None:
        while not self._over.wait(0.1):
            self.peak_bytes = max(self.peak_bytes, sum(_proportional_bytes(pid) for pid in _family()))


def run(postgres_url: str) -> list[Row]:
    """Issue a million vouchers on an empty database."""
    database = Database(postgres_url)
    agreed = an_agreement(
        database, committed_cents=2_000_000_000, ceiling_cents=2_000_000_000, booklet_size=BOOKLET_SIZE
    )
    order = order_vouchers(database, new_id(), agreed.agreement_id, VOUCHERS // BOOKLET_SIZE, by=SOMEONE, now=NOW)
    started = time.perf_counter()
    with PeakMemory() as memory:
        make_batch(database, order.batch_id, master_secret=MASTER_SECRET, now=NOW, processes=CORES)
    seconds = time.perf_counter() - started
    sign_seconds = _raw_signing_seconds()
    copy_seconds = _raw_copy_seconds(database)
    database.dispose()
    limit = max(sign_seconds, copy_seconds)
    return [
        Row(
            "issue and sign 1,000,000 vouchers",
            f"{seconds:.1f} s, {memory.peak_bytes / 1e6:.0f} MB at most",
            f"{limit:.1f} s",
            f"{limit / seconds:.2f}",
            f"100,000 covers too; signing alone on {CORES} cores {sign_seconds:.1f} s, "
            f"copying the same rows to a table without keys {copy_seconds:.1f} s",
        )
    ]


def _raw_signing_seconds() -> float:
    """Return the seconds that signing every code would take on all cores, from bare calls of the library on one."""
    key, message = new_private_key(), VOUCHER_DOMAIN + bytes(16)
    started = time.perf_counter()
    for _ in range(SIGNED_RAW):
        key.sign(message)  # type: ignore[call-arg]  # an Ed25519 key takes the message alone
    return (time.perf_counter() - started) * CODES / SIGNED_RAW / CORES


def _raw_copy_seconds(database: Database) -> float:
    """Return the seconds that COPY takes to store the same vouchers in a logged table without any constraint."""
    with database.write() as session:
        session.execute(text("CREATE TABLE raw_voucher AS SELECT * FROM voucher WITH NO DATA"))
        driver = session.connection().connection.dbapi_connection
        assert driver is not None
        out = driver.cursor()
        with out.copy("COPY (SELECT * FROM voucher) TO STDOUT (FORMAT BINARY)") as copy:
            rows = [bytes(block) for block in copy]
        started = time.perf_counter()
        with out.copy("COPY raw_voucher FROM STDIN (FORMAT BINARY)") as copy:
            for row in rows:
                copy.write(row)
        seconds = time.perf_counter() - started
        session.execute(text("DROP TABLE raw_voucher"))
    return seconds


def _family() -> list[int]:
    """Return this process and all that descend from it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    found = [int(Path("/proc/self").resolve().name)]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid and _is_python(child)]
    return found


def _is_python(pid: int) -> bool:
    """Leave the database's server out: it is not what is measured."""
    try:
        return "python" in (Path("/proc") / str(pid) / "comm").read_text()
    except OSError:
        return False


def _proportional_bytes(pid: int) -> int:
    """Return the memory of a process, what it shares with others counted in part."""
    try:
        rollup = (Path("/proc") / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
