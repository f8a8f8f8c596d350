"""Prove the books of 1,000,000 vouchers, beside one pass over their movements alone."""

import time
from uuid import UUID

from sqlalchemy import text

from benchmarks.table import Row
from tests.builders import MASTER_SECRET, NOW, SOMEONE, Agreed, a_counter, a_prescriber, an_agreement
from voucher.issuing.make_batch import make_batch
from voucher.issuing.order import order_vouchers
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart import Dimension, EventType, movements_of
from voucher.ledger.post import open_accounts
from voucher.reporting.verify import verify

VOUCHERS = 1_000_000
BOOKLET_SIZE = 10
SHARES = (3500, 6500)
USED_OF_EACH_BOOKLET = 5


def books(postgres_url: str) -> Database:
    """Issue through the use cases; hand over and redeem set-based, entries included."""
    database = Database(postgres_url)
    agreed = an_agreement(
        database, shares=SHARES, committed_cents=2_000_000_000, ceiling_cents=2_000_000_000, booklet_size=BOOKLET_SIZE
    )
    order = order_vouchers(database, new_id(), agreed.agreement_id, VOUCHERS // BOOKLET_SIZE, by=SOMEONE, now=NOW)
    make_batch(database, order.batch_id, master_secret=MASTER_SECRET, now=NOW)
    _hand_over_all(database, agreed)
    _redeem_half(database, agreed)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return database


def run(postgres_url: str) -> list[Row]:
    """Make the books, then verify them."""
    database = books(postgres_url)
    limit = _one_pass_seconds(database)
    started = time.perf_counter()
    results = list(verify(database))
    seconds = time.perf_counter() - started
    slowest = max(results, key=lambda result: result.seconds)
    wrong = [violation for result in results for violation in result.violations]
    assert wrong == [], wrong[:3]
    database.dispose()
    return [
        Row(
            "verify the books of 1,000,000 vouchers",
            f"{seconds:.1f} s",
            f"{limit:.2f} s",
            f"{limit / seconds:.2f}",
            f"{len(results)} checks over 2.2 million movements; the slowest {slowest.seconds:.1f} s: {slowest.sentence} "
            "The limit sums the movements once.",
        )
    ]


def _hand_over_all(database: Database, agreed: Agreed) -> None:
    """Hand every booklet over: a row, an entry and a movement for each funder, as the use case writes them."""
    prescriber_id = a_prescriber(database, agreed.issuer_id)
    values = {"prescriber": prescriber_id, "now": NOW, "someone": SOMEONE}
    with database.write() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in (
            "UPDATE booklet SET state = 'handed_over', prescriber_id = :prescriber",
            "UPDATE voucher SET state = 'handed_over'",
            (
                "INSERT INTO handover (id, booklet_number, prescriber_id, handed_over_at, handed_over_by) "
                "SELECT gen_random_uuid(), number, :prescriber, :now, :someone FROM booklet"
            ),
            (
                "INSERT INTO stock_slip (id, issuer_id, to_prescriber_id, first_booklet_number, booklet_count, made_at, made_by) "
                "SELECT gen_random_uuid(), (SELECT id FROM issuer), :prescriber, 1, count(*), :now, :someone FROM booklet"
            ),
        ):
            session.execute(text(statement), values)
    facts = "SELECT id AS event_id, 10 AS vouchers FROM handover"
    _post_each(
        database, agreed, EventType.BOOKLET_HANDED_OVER, facts, BOOKLET_SIZE, {Dimension.AGREEMENT: agreed.agreement_id}
    )


def _redeem_half(database: Database, agreed: Agreed) -> None:
    """Redeem five vouchers of each booklet, one act each."""
    counter = a_counter(database)
    period_id = new_id()
    values = {
        "agreement": agreed.agreement_id,
        "structure": counter.structure_id,
        "place": counter.place_id,
        "period": period_id,
        "now": NOW,
        "someone": SOMEONE,
    }
    with database.write() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in (
            "INSERT INTO period (id, agreement_id, number, opened_at) VALUES (:period, :agreement, 1, :now)",
            f"UPDATE voucher SET state = 'redeemed' WHERE (serial - 1) % {BOOKLET_SIZE} < {USED_OF_EACH_BOOKLET}",
            (
                "CREATE TEMPORARY TABLE used ON COMMIT DROP AS "
                "SELECT gen_random_uuid() AS id, serial, booklet_number FROM voucher WHERE state = 'redeemed'"
            ),
            (
                "INSERT INTO redemption (id, fingerprint, booklet_number, agreement_id, structure_id, place_id, period_id, service, "
                "mediator_id, redeemed_at, voucher_count, amount_cents, remaining_count, state) SELECT id, '\\x00', booklet_number, "
                ":agreement, :structure, :place, :period, 'everyday_digital_tools', :someone, :now, 1, 1000, 0, 'confirmed' FROM used"
            ),
            "INSERT INTO redeemed_voucher (redemption_id, serial, is_live) SELECT id, serial, true FROM used",
        ):
            session.execute(text(statement), values)
    dimensions = {Dimension.AGREEMENT: agreed.agreement_id, Dimension.STRUCTURE: counter.structure_id}
    facts = "SELECT id AS event_id, 1 AS vouchers FROM redemption"
    _post_each(database, agreed, EventType.VOUCHERS_REDEEMED, facts, 1, dimensions)


def _post_each(
    database: Database,
    agreed: Agreed,
    event_type: EventType,
    facts: str,
    vouchers: int,
    dimensions: dict[Dimension, UUID],
) -> None:
    """Write one entry, with the movements of the chart, for each fact: the shares of 10 € divide evenly here."""
    parts = {
        funder_id: 1000 * share // 10_000 * vouchers for funder_id, share in zip(agreed.funder_ids, SHARES, strict=True)
    }
    movements = movements_of(event_type, dimensions, parts)
    total = sum(movement.amount_cents for movement in movements)
    with database.write() as session:
        open_accounts(session, (key for movement in movements for key in (movement.debit, movement.credit)))
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                f"CREATE TEMPORARY TABLE fact ON COMMIT DROP AS SELECT gen_random_uuid() AS entry_id, * FROM ({facts}) AS f"
            )
        )
        for rank, movement in enumerate(movements, 1):
            book = "budget" if movement.debit.code.startswith("8") else "general"
            session.execute(
                text(
                    "INSERT INTO movement (entry_id, rank, book, debit_account_id, credit_account_id, amount_cents) "
                    "SELECT entry_id, :rank, :book, :debit, :credit, :cents FROM fact"
                ),
                {
                    "rank": rank,
                    "book": book,
                    "debit": movement.debit.id,
                    "credit": movement.credit.id,
                    "cents": movement.amount_cents,
                },
            )
        session.execute(
            text(
                "INSERT INTO entry (id, event_type, event_id, journal, posted_at, effective_on, narration, movement_count, "
                "total_cents) SELECT entry_id, :type, event_id, 'CH', :now, :day, 'banc', :count, :total FROM fact"
            ),
            {"type": event_type, "now": NOW, "day": NOW.date(), "count": len(movements), "total": total},
        )


def _one_pass_seconds(database: Database) -> float:
    started = time.perf_counter()
    with database.read() as session:
        session.execute(
            text("SELECT debit_account_id, sum(amount_cents) FROM movement GROUP BY debit_account_id")
        ).all()
    return time.perf_counter() - started
