"""Lapse and interrupted makings are nobody's to remember: the worker does them, once, whoever else is at it or was killed."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests.acts import one_turn
from tests.builders import MASTER_SECRET, NOW, SOMEONE, an_agreement, handed_over_booklets
from tests.clients import settings_for
from tests.killing import Killer, When
from voucher.background import beside_gunicorn as work_beside
from voucher.distribution.model import Lapse
from voucher.issuing.make_batch import is_being_made, make_batch, turn_of, unfinished_batches
from voucher.issuing.model import Voucher, VoucherState
from voucher.issuing.order import order_vouchers
from voucher.issuing.resume import resume_makings
from voucher.kernel.database import Database, whole_turn
from voucher.kernel.identifiers import new_id
from voucher.reporting.verify import verify
from voucher.web.services import Services

LAST_DAY = date(2027, 2, 28)
BEFORE_MIDNIGHT = datetime(2027, 2, 28, 22, 59, tzinfo=UTC)  # 23:59 in Paris
AFTER_MIDNIGHT = datetime(2027, 2, 28, 23, 1, tzinfo=UTC)  # 00:01 in Paris, the day after


def an_order(database: Database, booklet_count: int = 30) -> UUID:
    agreed = an_agreement(database, present_by=LAST_DAY)
    return order_vouchers(database, new_id(), agreed.agreement_id, booklet_count, by=SOMEONE, now=NOW).batch_id


def lapsed_count(database: Database) -> int:
    with database.read() as session:
        return (
            session.scalar(select(func.count()).select_from(Voucher).where(Voucher.state == VoucherState.LAPSED)) or 0
        )


def assert_sound(database: Database) -> None:
    assert [violation for result in verify(database) for violation in result.violations] == []


def lines(said: list[str], label: str) -> list[str]:
    return [line for line in said if line.startswith(f"{label} : ")]


def test_vouchers_lapse_after_midnight_in_paris_and_the_turn_says_what_was_given_back(database: Database) -> None:
    handed_over_booklets(database, 2, agreed=an_agreement(database, present_by=LAST_DAY))
    assert lines(list(one_turn(database, now=BEFORE_MIDNIGHT)), "caducité") == []
    assert lapsed_count(database) == 0
    said = "caducité : 1 commande(s) au bout de leur validité, 20 chèques caducs, 200,00\u00a0€ rendus aux conventions"
    assert lines(list(one_turn(database, now=AFTER_MIDNIGHT)), "caducité") == [said]
    assert lapsed_count(database) == 20
    assert lines(list(one_turn(database, now=AFTER_MIDNIGHT)), "caducité") == []


@pytest.mark.race
def test_two_workers_lapse_a_batch_once(database: Database) -> None:
    handed_over_booklets(database, 2, agreed=an_agreement(database, present_by=LAST_DAY))
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda _: list(one_turn(database, now=AFTER_MIDNIGHT)), range(4)))
    assert sum(len(lines(one, "caducité")) for one in said) == 1
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Lapse)) == 1
    assert_sound(database)


@pytest.mark.kill
def test_a_worker_killed_in_the_middle_of_a_lapse_is_followed_by_one_that_ends_it(
    database: Database, killer: Killer
) -> None:
    for _ in range(2):
        handed_over_booklets(database, 1, agreed=an_agreement(database, present_by=LAST_DAY))
    killer.dies((When.COMMITTED, 1), one_turn, now=AFTER_MIDNIGHT)
    assert lapsed_count(database) == 10
    said = killer.alive(one_turn, now=AFTER_MIDNIGHT)
    assert not [line for line in said if "échec" in line]
    assert lapsed_count(database) == 20
    assert_sound(database)


def test_an_interrupted_making_is_taken_up_and_then_lapses_like_any_other(database: Database) -> None:
    batch_id = an_order(database)
    said = list(one_turn(database, now=AFTER_MIDNIGHT))
    assert lines(said, "fabrication") == ["fabrication : 1 commande(s) reprise(s), 300 chèques fabriqués"]
    assert unfinished_batches(database) == []
    assert len(lines(said, "caducité")) == 1
    assert not is_being_made(database, batch_id)
    assert lines(list(one_turn(database, now=AFTER_MIDNIGHT)), "fabrication") == []


def test_a_making_that_somebody_is_at_is_left_to_them(database: Database) -> None:
    batch_id = an_order(database)
    with whole_turn(database, turn_of(batch_id)) as is_ours:
        assert is_ours
        assert is_being_made(database, batch_id)
        assert lines(list(one_turn(database, now=NOW)), "fabrication") == []
    assert unfinished_batches(database) == [batch_id]


def test_whoever_makes_is_seen_by_others(database: Database) -> None:
    batch_id = an_order(database)
    seen: list[bool] = []
    make_batch(
        database, batch_id, master_secret=MASTER_SECRET, now=NOW, processes=1,
        on_progress=lambda _: seen.append(is_being_made(database, batch_id)),
    )  # fmt: skip
    assert set(seen) == {True}


def test_an_order_whose_key_does_not_open_is_said_and_stops_no_other(database: Database) -> None:
    batch_id = an_order(database)
    other = settings_for(database, master_key="0e" * 32)
    assert resume_makings(database, other, NOW) == (
        f"la clé ne s’ouvre pas, vérifiez PASS_MASTER_KEY : commande {batch_id}"
    )
    assert unfinished_batches(database) == [batch_id]


def test_the_thread_beside_the_pages_of_sqlite_lapses_too(sqlite_database: Database) -> None:
    handed_over_booklets(sqlite_database, 1, agreed=an_agreement(sqlite_database, present_by=LAST_DAY))

    class Log:
        def __init__(self) -> None:
            self.said: list[str] = []
            self.info = self.said.append

    class Worker:
        wsgi = type("Wsgi", (), {})()
        log = Log()

    house = Services(sqlite_database, settings_for(sqlite_database), lambda: AFTER_MIDNIGHT)
    Worker.wsgi.extensions = {"services": house}
    before = threading.active_count()
    work_beside.post_worker_init(Worker)
    try:
        last = time.monotonic() + 30
        while not any(line.startswith("scellement") for line in Worker.log.said) and time.monotonic() < last:
            time.sleep(0.01)
    finally:
        work_beside.worker_exit(None, Worker)
        while threading.active_count() > before and time.monotonic() < last:
            time.sleep(0.01)
        work_beside._stop.clear()
    assert lapsed_count(sqlite_database) == 10
    assert len(lines(Worker.log.said, "caducité")) == 1
