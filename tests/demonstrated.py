"""The realistic demonstration, told once in a run for each engine: whoever needs it gets a copy."""

from datetime import UTC, datetime

from tests.builders import MASTER_SECRET
from voucher.demonstration import fill
from voucher.kernel.database import Database

NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
BASE_URL = "http://127.0.0.1:8000"


def tell(url: str) -> None:
    """Fill the empty database at `url` with the demonstration as it stands at `NOW`, and leave it."""
    database = Database(url)
    try:
        fill(database, master_secret=MASTER_SECRET, base_url=BASE_URL, now=NOW)
    finally:
        database.dispose()
