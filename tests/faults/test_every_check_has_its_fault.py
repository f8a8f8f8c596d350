"""`voucher verify` finds a whole world right, and each of its checks names the fault that is planted for it, on both engines."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from tests.faults.table import FAULTS, PARTS
from tests.faults.words import badly_said, english
from tests.faults.world import a_full_world, planted
from tests.test_known_values import enumerated
from voucher.issuing.checks_signatures import Sample, draw_sample
from voucher.kernel.database import Database
from voucher.ledger.checks_seals import Witness, hear_witness
from voucher.reporting.names import in_words
from voucher.reporting.verify import ROOMS, verify

NOT_KNOWN = r"(CHECK constraint failed|violates check constraint)"
REFUSED = rf"{NOT_KNOWN}|only grows"
CHECKS = {check.__name__.removeprefix("check_"): check for _, checks in ROOMS for check in checks}


@dataclass(frozen=True, slots=True)
class World:
    """A database with something of everything, and what is known of it from outside."""

    database: Database
    witness: Witness


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(
    request: pytest.FixtureRequest, open_demonstration: Callable[[str], AbstractContextManager[Database]]
) -> Iterator[World]:
    with open_demonstration(request.param) as database:
        yield World(database, a_full_world(database))


def test_every_check_has_a_fault_that_it_must_name_and_every_fault_a_check() -> None:
    expected = set().union(*(checks for _, checks in FAULTS.values()))
    assert set(CHECKS) - expected == set(), "plant a fault for each of these checks, in tests/faults"
    assert expected - set(CHECKS) == set(), "no check bears these names"
    assert len(CHECKS) == sum(len(checks) for _, checks in ROOMS), "two checks bear one name"
    assert len(FAULTS) == sum(map(len, PARTS)), "two faults bear one name"


def test_every_check_says_its_promise_in_one_french_sentence() -> None:
    promises = [(check.__doc__ or "").strip().splitlines()[0] for check in CHECKS.values()]
    assert [one for one in promises if not one.endswith(".") or (not one[0].isupper() and one[0] != "«")] == []
    assert len(set(promises)) == len(promises)


def test_the_whole_world_is_right(world: World) -> None:
    results = list(verify(world.database, world.witness))
    assert [violation for result in results for violation in result.violations] == []
    assert len(results) == len(CHECKS)


def test_no_column_of_an_enumeration_takes_another_value(world: World) -> None:
    columns = {name: column for name, (column, _) in enumerated().items()}
    foreign = []
    for name, column in columns.items():
        others = [one.name for one in column.table.columns if one is not column]
        again = f"INSERT INTO {column.table} ({column.name}, {', '.join(others)}) SELECT 'payd', {', '.join(others)} FROM {column.table} LIMIT 1"
        # A table that only grows refuses the first as any change, and the second for its value.
        for statement, why in ((f"UPDATE {column.table} SET {column.name} = 'payd'", REFUSED), (again, NOT_KNOWN)):
            with pytest.raises(IntegrityError, match=why), world.database.write() as session:
                session.execute(text(statement))
        with world.database.read() as session:
            found = session.scalars(select(column).distinct()).all()
        foreign += [name for one in found if one is not None and not isinstance(one, StrEnum)]
    assert foreign == [], "these come back as plain text"


@pytest.mark.long
def test_every_planted_fault_is_named_by_its_checks_in_french(world: World) -> None:
    silent: dict[str, set[str]] = {}
    mumbled: dict[str, list[str]] = {}
    known = english()
    for words, (statements, expected) in FAULTS.items():
        with planted(world.database, statements) as session:
            hear_witness(session, world.witness)
            draw_sample(session, Sample(day=None))
            found = in_words(session, [one for name in expected for one in CHECKS[name](session)[:5]])
        if {one.check for one in found} != expected:
            silent[words] = expected ^ {one.check for one in found}
        is_gone = "DELETE" in statements or "event_id" in statements
        for one in found:
            if troubles := badly_said(one, known, is_gone=is_gone):
                mumbled[f"{one.subject} : {one.detail}"] = troubles
    assert silent == {}
    assert mumbled == {}


def test_what_is_planted_is_taken_back(world: World) -> None:
    serials = "SELECT count(*), min(serial) FROM voucher"
    with world.database.read() as session:
        before = session.execute(text(serials)).one()
    with planted(world.database, "DELETE FROM voucher") as session:
        assert session.execute(text(serials)).one() == (0, None)
    with world.database.read() as session:
        assert session.execute(text(serials)).one() == before
