"""The primary dies for good, its synchronous standby takes over: counters go on, and nothing that was acknowledged is lost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select

from tests.engines import server_and_standby
from tests.outage.counters import Till, an_attempt, open_till
from voucher.redemption.model import RedeemedVoucher, Redemption
from voucher.reporting.verify import verify

COUNTERS = 4
BOOKLETS = 6
AGAIN_SECONDS = 60


def redeem_all(till: Till, acknowledged: dict[UUID, list[int]], statuses: list[int], half: threading.Event) -> None:
    """Redeem voucher after voucher; what is answered 503 is sent again with the same id, until it is answered."""
    while (code := till.next_code()) is not None:
        attempt_id, last = an_attempt(), time.monotonic() + AGAIN_SECONDS
        while time.monotonic() < last:
            answer = till.redeem(attempt_id, code)
            statuses.append(answer.status_code)
            if answer.status_code != 503:
                acknowledged[attempt_id] = answer.get_json()["serials"]
                break
            time.sleep(0.05)
        if len(acknowledged) >= 10 * BOOKLETS // 3:
            half.set()


@pytest.mark.kill
def test_counters_go_on_when_the_primary_is_killed_and_its_standby_promoted() -> None:
    with server_and_standby() as (primary, standby):
        hosts = f"host={primary.folder}:5432&host={standby.folder}:5432"
        till = open_till(f"postgresql://postgres@/postgres?{hosts}&target_session_attrs=read-write", BOOKLETS)
        acknowledged: dict[UUID, list[int]] = {}
        statuses: list[int] = []
        half = threading.Event()
        with ThreadPoolExecutor(COUNTERS) as pool:
            running = [pool.submit(redeem_all, till, acknowledged, statuses, half) for _ in range(COUNTERS)]
            assert half.wait(AGAIN_SECONDS)
            before = dict(acknowledged)
            primary.crash()
            while 503 not in statuses:
                time.sleep(0.01)
            with psycopg.connect(standby.url(), autocommit=True) as admin:
                admin.execute("SELECT pg_promote()")
            for one in running:
                one.result(timeout=2 * AGAIN_SECONDS)
        assert set(statuses) == {200, 503}
        assert len(before) < len(acknowledged) == 10 * BOOKLETS
        with till.database.read() as session:
            kept = set(session.scalars(select(Redemption.id)))
            serials = session.scalars(select(RedeemedVoucher.serial)).all()
        assert kept == set(acknowledged)
        assert sorted(serials) == sorted(serial for found in acknowledged.values() for serial in found)
        assert [found for result in verify(till.database) for found in result.violations] == []
        assert till.page().status_code == 200
        till.database.dispose()
