"""Making what was ordered: whole, once, whatever happens in between."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests.builders import MASTER_SECRET, NOW, SOMEONE, Agreed, an_agreement
from tests.killing import Killer
from voucher.distribution import checks as distribution_checks
from voucher.issuing import checks
from voucher.issuing.make_batch import Progress, make_batch, unfinished_batches
from voucher.issuing.model import Booklet, IssueBatch, Voucher
from voucher.issuing.order import order_vouchers
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.kernel.sealed_secret import SealBroken


def an_order(database: Database, booklet_count: int, agreed: Agreed | None = None) -> UUID:
    agreed = agreed or an_agreement(database, committed_cents=50_000_000)
    return order_vouchers(database, new_id(), agreed.agreement_id, booklet_count, by=SOMEONE, now=NOW).batch_id


def assert_whole(database: Database) -> None:
    with database.read() as session:
        found = [
            violation for room in (checks, distribution_checks) for check in room.CHECKS for violation in check(session)
        ]
        batch = session.scalars(select(IssueBatch)).one()
        assert session.scalar(select(func.count()).select_from(Voucher)) == batch.voucher_count
        assert session.scalar(select(func.count()).select_from(Booklet)) == batch.booklet_count
        assert session.scalar(select(func.count(func.distinct(Voucher.signature)))) == batch.voucher_count
        assert batch.finished_at is not None
    assert found == []


@pytest.mark.parametrize("processes", [1, 2])
def test_a_batch_is_made_whole_with_one_process_or_several(database: Database, processes: int) -> None:
    batch_id = an_order(database, 50)
    heard: list[int] = []
    progress = make_batch(
        database, batch_id, master_secret=MASTER_SECRET, now=NOW, processes=processes, codes_per_chunk=110,
        on_progress=lambda progress: heard.append(progress.made_booklet_count),
    )  # fmt: skip
    assert progress.is_finished
    assert heard == [0, 10, 20, 30, 40, 50, 50]
    assert unfinished_batches(database) == []
    assert_whole(database)


def test_a_finished_batch_is_left_as_it_is(database: Database) -> None:
    batch_id = an_order(database, 2)
    make_batch(database, batch_id, master_secret=MASTER_SECRET, now=NOW)
    with database.read() as session:
        before = session.scalars(select(Voucher.signature).order_by(Voucher.serial)).all()
    make_batch(database, batch_id, master_secret=MASTER_SECRET, now=NOW)
    with database.read() as session:
        assert session.scalars(select(Voucher.signature).order_by(Voucher.serial)).all() == before


@pytest.mark.kill
def test_a_batch_killed_around_each_chunk_and_run_again_ends_without_gap_or_double(
    database: Database, killer: Killer
) -> None:
    batch_id = an_order(database, 30)
    made, again = killer.everywhere(
        make_batch, batch_id, master_secret=MASTER_SECRET, now=NOW, processes=1, codes_per_chunk=110
    )
    assert again == made == Progress(30, 30, 10)
    assert_whole(database)


@pytest.mark.race
def test_two_makers_of_one_batch_make_each_booklet_once(database: Database) -> None:
    batch_id = an_order(database, 60)
    with ThreadPoolExecutor(2) as pool:
        ends = list(
            pool.map(
                lambda _: make_batch(
                    database, batch_id, master_secret=MASTER_SECRET, now=NOW, processes=1, codes_per_chunk=55
                ),
                range(2),
            )
        )
    assert all(end.is_finished for end in ends)
    assert_whole(database)


def test_a_wrong_master_secret_is_said_and_makes_nothing(sqlite_database: Database) -> None:
    batch_id = an_order(sqlite_database, 2)
    with pytest.raises(SealBroken):
        make_batch(sqlite_database, batch_id, master_secret=b"x" * 32, now=NOW)
    assert unfinished_batches(sqlite_database) == [batch_id]


def test_an_unknown_batch_is_refused(sqlite_database: Database) -> None:
    with pytest.raises(Refused, match="batch_unknown"):
        make_batch(sqlite_database, new_id(), master_secret=MASTER_SECRET, now=NOW)
