"""Print 10,000 vouchers from the database to PDF files, beside what drawing their QR symbols alone takes."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.table import Row
from tests.builders import an_agreement, issued_booklets
from tests.clients import settings_for
from voucher.issuing.print_batch import print_batch
from voucher.issuing.qr import PAPER, press, symbol
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.database import Database

BOOKLETS = 1_000
VOUCHERS = 10_000
SYMBOLS = VOUCHERS + BOOKLETS
CORES = 2
DRAWN_RAW = 300


def run(postgres_url: str) -> list[Row]:
    """Print a batch of a thousand booklets with both cores."""
    database = Database(postgres_url)
    issued = issued_booklets(database, BOOKLETS, agreed=an_agreement(database))
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        paths = print_batch(database, issued.batch_id, Path(folder), settings=settings_for(database), processes=CORES)
        seconds = time.perf_counter() - started
        size = sum(path.stat().st_size for path in paths)
    with database.read() as session:
        some = [code for booklet in stored_codes(session, 1, 40) for code in booklet.vouchers][:DRAWN_RAW]
    database.dispose()
    texts = [code.to_url("http://127.0.0.1:8000") for code in some]
    library = _rate(lambda text: symbol(text, PAPER), texts)
    fast = press(PAPER)
    ours = _rate(fast.symbol, texts)
    rate, limit = VOUCHERS / seconds, CORES * library * VOUCHERS / SYMBOLS
    return [
        Row(
            "print 10,000 vouchers to PDF",
            f"{rate:.0f} vouchers/s, {size / VOUCHERS / 1000:.1f} kB each",
            f"{limit:.0f} vouchers/s",
            f"{rate / limit:.2f}",
            f"limit: the library's QR matrix alone, version 8-Q with fixed mask, on {CORES} cores ({library:.0f}/s a core, "
            f"covers counted); our press draws {ours:.0f}/s a core; {len(paths)} files, PDF/UA-1",
        )
    ]


def _rate(draw: Callable[[str], object], texts: list[str]) -> float:
    started = time.perf_counter()
    for text in texts:
        draw(text)
    return len(texts) / (time.perf_counter() - started)
