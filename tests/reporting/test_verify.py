"""`voucher verify` finds the demonstration right, which shows every stage, on both engines."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import text

from voucher.kernel.database import Database
from voucher.reporting.verify import ROOMS, verify


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def demonstration(
    request: pytest.FixtureRequest, open_demonstration: Callable[[str], AbstractContextManager[Database]]
) -> Iterator[Database]:
    with open_demonstration(request.param) as database:
        yield database


@pytest.mark.long
def test_the_demonstration_is_right(demonstration: Database) -> None:
    results = list(verify(demonstration))
    assert [violation for result in results for violation in result.violations] == []
    assert len(results) == sum(len(checks) for _, checks in ROOMS)


def test_the_demonstration_shows_every_stage(demonstration: Database) -> None:
    with demonstration.read() as session:
        states = {row[0]: row[1] for row in session.execute(text("SELECT state, count(*) FROM voucher GROUP BY state"))}
        advices = set(session.scalars(text("SELECT DISTINCT state FROM payment_advice")))
        regions = session.execute(text("SELECT count(DISTINCT region_code) FROM place")).scalar_one()
    assert sum(states.values()) == 5000
    assert set(states) == {"issued", "handed_over", "redeemed", "stopped", "lapsed", "void"}
    assert {"paid", "returned"} <= advices
    assert regions >= 11
