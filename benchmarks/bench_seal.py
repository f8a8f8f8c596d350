"""Seal 1,000,000 entries of two movements each, beside hashing as many bytes and nothing else; then 10,000 more."""

import time
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import text

from benchmarks.table import Row
from tests.builders import MASTER_SECRET, NOW
from voucher.kernel.database import Database
from voucher.ledger.chart import Dimension, EventType, movements_of
from voucher.ledger.post import open_accounts
from voucher.programme.programme_key import programme_key
from voucher.trail.seal import Sealed, seal

ENTRIES = 1_000_000
MORE = 10_000
LEAF_BYTES = 700  # of an entry of two movements
AIM_SECONDS = 10
FUNDER, AGREEMENT, STRUCTURE = (UUID(int=number) for number in range(1, 4))


def run(postgres_url: str) -> list[Row]:
    """Write entries set-based, as redemptions post them, a millisecond apart; seal them; write and seal a day's worth more."""
    database = Database(postgres_url)
    _post(database, ENTRIES)
    started = time.perf_counter()
    for _ in range(ENTRIES):
        sha256(b"\x00" + b"x" * LEAF_BYTES).digest()
    limit = time.perf_counter() - started
    seconds = _seal(database)
    _post(database, MORE, NOW + timedelta(days=1))
    more_seconds = _seal(database)
    database.dispose()
    return [
        Row(
            "seal 1,000,000 entries",
            f"{seconds:.1f} s",
            f"{limit:.2f} s",
            f"{limit / seconds:.2f}",
            f"two movements each; the limit hashes as many bytes; {MORE:,} more on the next day: {more_seconds:.2f} s. "
            f"Aim: {AIM_SECONDS} s",
        )
    ]


def _seal(database: Database) -> float:
    started = time.perf_counter()
    done = seal(database, origin="bench/journal", key=programme_key(MASTER_SECRET), now=NOW + timedelta(days=2))
    assert isinstance(done, Sealed)
    return time.perf_counter() - started


def _post(database: Database, count: int, at: datetime = NOW) -> None:
    # Ids in the order of their making, as `new_id` gives them (UUIDv7): the day's rows stand together in every index.
    dimensions = {Dimension.AGREEMENT: AGREEMENT, Dimension.STRUCTURE: STRUCTURE}
    movements = movements_of(EventType.VOUCHERS_REDEEMED, dimensions, {FUNDER: 1000})
    with database.write() as session:
        open_accounts(session, (key for movement in movements for key in (movement.debit, movement.credit)))
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                "CREATE TEMPORARY TABLE fact ON COMMIT DROP AS SELECT CAST(lpad(to_hex(:first + number), 12, '0') || '7' || "
                "substr(CAST(gen_random_uuid() AS text), 16) AS uuid) AS id, number FROM generate_series(1, :count) AS number"
            ),
            {"count": count, "first": int(at.timestamp() * 1000)},
        )
        for rank, movement in enumerate(movements, 1):
            session.execute(
                text(
                    "INSERT INTO movement (entry_id, rank, book, debit_account_id, credit_account_id, amount_cents) "
                    "SELECT id, :rank, :book, :debit, :credit, 1000 FROM fact"
                ),
                {
                    "rank": rank,
                    "book": "budget" if movement.debit.code.startswith("8") else "general",
                    "debit": movement.debit.id,
                    "credit": movement.credit.id,
                },
            )
        session.execute(
            text(
                "INSERT INTO entry (id, event_type, event_id, journal, posted_at, effective_on, narration, movement_count, "
                "total_cents) SELECT id, :type, id, 'CH', :at + number * interval '1 ms', :day, 'banc', 2, 2000 FROM fact"
            ),
            {"type": EventType.VOUCHERS_REDEEMED, "at": at, "day": at.date()},
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
