"""Settle 1,000,000 redemptions of 2,000 structures, beside what summing them by structure alone takes."""

import time
from uuid import UUID

from sqlalchemy import insert, text

from benchmarks.table import Row
from tests.builders import SOMEONE, an_iban, issued_booklets
from tests.settlement.town import APPROVER, NOW, PREPARER
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.model import BankDetails, Place, Structure
from voucher.redemption.model import Period
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch

REDEMPTIONS = 1_000_000
STRUCTURES = 2_000
RUNS = 3
FACE_VALUE_CENTS = 1_000


def run(postgres_url: str) -> list[Row]:
    """Seed the redemptions as rows, set-based; then freeze, approve and export their batch."""
    database = Database(postgres_url)
    agreement_id = _seed(database)
    limit = min(_bare_sum_seconds(database) for _ in range(RUNS))
    batch_id = new_id()
    started = time.perf_counter()
    frozen = freeze_batch(database, batch_id, agreement_id, by=PREPARER, now=NOW)
    freeze_seconds = time.perf_counter() - started
    assert frozen.total_cents == REDEMPTIONS * FACE_VALUE_CENTS
    assert frozen.advice_count == STRUCTURES
    approve_batch(database, batch_id, by=APPROVER, now=NOW)
    started = time.perf_counter()
    (file,) = export_batch(database, batch_id, by=PREPARER, now=NOW)
    export_seconds = time.perf_counter() - started
    database.dispose()
    seconds = freeze_seconds + export_seconds
    return [
        Row(
            f"settle {REDEMPTIONS:,} redemptions for {STRUCTURES:,} structures",
            f"{seconds:.2f} s",
            f"{limit:.2f} s",
            f"{limit / seconds:.2f}",
            f"freeze {freeze_seconds:.2f} s, export and check against the schema {export_seconds:.2f} s "
            f"({len(file.content) // 1000} kB); the limit is the bare sum by structure",
        )
    ]


def _seed(database: Database) -> UUID:
    """Sign an agreement and make one booklet through the use cases; write the rest as rows. Return the agreement."""
    issued = issued_booklets(database, 1)
    agreement_id = issued.agreed.agreement_id
    structures = [(new_id(), new_id(), rank) for rank in range(STRUCTURES)]
    period_id = new_id()
    with database.write() as session:
        session.execute(insert(Structure), [_structure(one, rank) for one, _, rank in structures])
        session.execute(insert(Place), [_place(one, place, rank) for one, place, rank in structures])
        session.execute(insert(BankDetails), [_bank_details(one, rank) for one, _, rank in structures])
        session.execute(insert(Period).values(id=period_id, agreement_id=agreement_id, number=1, opened_at=NOW))
        session.execute(
            text(
                "INSERT INTO redemption (id, fingerprint, booklet_number, agreement_id, structure_id, place_id, period_id, "
                "service, mediator_id, redeemed_at, voucher_count, amount_cents, remaining_count, state) "
                "SELECT gen_random_uuid(), '\\x00', :booklet, :agreement, structure_id, id, :period, "
                "'everyday_digital_tools', :someone, CAST(:now AS timestamptz) - n * interval '1 second', 1, :cents, 0, "
                "'confirmed' FROM generate_series(1, :count) AS n "
                "JOIN place ON external_id = 'P' || (n % :structures)::text"
            ),
            {
                "booklet": issued.first_booklet_number,
                "agreement": agreement_id,
                "period": period_id,
                "someone": SOMEONE,
                "now": NOW,
                "cents": FACE_VALUE_CENTS,
                "count": REDEMPTIONS,
                "structures": STRUCTURES,
            },
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return agreement_id


def _structure(structure_id: UUID, rank: int) -> dict[str, object]:
    return {
        "id": structure_id,
        "pivot": f"W{rank:09d}",
        "name": f"Association {rank}",
        "state": "qualified",
        "created_at": NOW,
        "state_changed_at": NOW,
    }


def _place(structure_id: UUID, place_id: UUID, rank: int) -> dict[str, object]:
    return {
        "id": place_id,
        "structure_id": structure_id,
        "external_id": f"P{rank}",
        "name": f"Comptoir {rank}",
        "address": "1 rue des Essais",
        "postcode": "51100",
        "city": "Bellerive",
        "updated_on": NOW.date(),
        "created_at": NOW,
    }


def _bank_details(structure_id: UUID, rank: int) -> dict[str, object]:
    return {
        "id": new_id(),
        "structure_id": structure_id,
        "holder_name": f"ASSOCIATION {rank}",
        "iban": an_iban(rank),
        "recorded_by": SOMEONE,
        "recorded_at": NOW,
        "confirmed_at": NOW,
    }


def _bare_sum_seconds(database: Database) -> float:
    started = time.perf_counter()
    with database.read() as session:
        rows = session.execute(
            text(
                "SELECT structure_id, sum(amount_cents) FROM redemption WHERE state = 'confirmed' GROUP BY structure_id"
            )
        ).all()
    assert len(rows) == STRUCTURES
    return time.perf_counter() - started
