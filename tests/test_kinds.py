"""The table of minutes: each test is of one kind, what it took is added to it, and what asks for PostgreSQL is marked."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.kinds import CPU, KIND, SEED_VARIABLE, Minutes, kind_of


def test_a_test_on_an_engine_is_of_that_kind(request: pytest.FixtureRequest, engine_name: str) -> None:
    assert kind_of(request.node) == {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[engine_name]
    assert (request.node.get_closest_marker("postgresql") is not None) == (engine_name == "postgresql")


def test_a_fixture_brings_its_engine(request: pytest.FixtureRequest, postgresql_database_url: str) -> None:
    assert kind_of(request.node) == "PostgreSQL"
    assert request.node.get_closest_marker("postgresql") is not None


@pytest.mark.race
def test_a_marker_names_the_kind(request: pytest.FixtureRequest, engine_name: str) -> None:
    assert kind_of(request.node) == "race"


def test_what_asks_for_nothing_is_a_unit(request: pytest.FixtureRequest) -> None:
    assert kind_of(request.node) == "unit"


def test_minutes_are_added_up_and_the_seed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SEED_VARIABLE, "41")
    minutes, lines = Minutes(), []
    for when, duration, cpu in (("setup", 60.0, 30.0), ("call", 120.0, 6.0), ("teardown", 0.0, 0.0)):
        report: Any = SimpleNamespace(user_properties=[(KIND, "race"), (CPU, cpu)], duration=duration, when=when)
        minutes.pytest_runtest_logreport(report)
    terminal: Any = SimpleNamespace(section=lines.append, write_line=lines.append)
    minutes.pytest_terminal_summary(terminal)
    assert [line.split() for line in lines[2:4]] == [["race", "1", "3.00", "0.60"], ["all", "1", "3.00", "0.60"]]
    assert f"{SEED_VARIABLE}=41" in lines[4]
