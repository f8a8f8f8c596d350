"""What a run spends its minutes on, by kind of test: a table before pytest's closing line, with or without workers.

The kind of a test is the first of its markers in `MARKED`, else the engine it asks for, else "unit". The CPU is that of the process
that runs the test and of those it waited for: what PostgreSQL, Chromium and commands that are killed take beside it is in the minutes
alone.
"""

import os
from collections import defaultdict
from collections.abc import Generator
from typing import Any

import pytest

SEED_VARIABLE = "PASS_LIFE_SEED"
MARKED = ("long", "browser", "kill", "race", "hypothesis")
ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
# Fixtures that bring an engine without a parameter.
BRINGS = {
    "sqlite_database_url": "sqlite",
    "sqlite_database": "sqlite",
    "postgresql_database_url": "postgresql",
    "postgresql_database": "postgresql",
    "durable_server": "postgresql",
    "open_database": "sqlite",
    "open_demonstration": "sqlite",
}
ORDER = ("unit", *ENGINES.values(), *MARKED)
KIND, CPU = "kind of test", "cpu seconds"


def engines_of(item: pytest.Item) -> set[str]:
    """Return the engines a test asks for, by its parameters (its fixtures' too) or by its fixtures: empty for a unit."""
    callspec = getattr(item, "callspec", None)
    named = {value for value in (callspec.params.values() if callspec else ()) if value in list(ENGINES)}
    return named or {BRINGS[name] for name in getattr(item, "fixturenames", ()) if name in BRINGS}


def kind_of(item: pytest.Item) -> str:
    """Return the kind of a test, one of `ORDER`."""
    marked = [name for name in MARKED if item.get_closest_marker(name)]
    engines = engines_of(item)
    return marked[0] if marked else ENGINES[min(engines)] if engines else "unit"


class Minutes:
    """Adds up, in the process that leads, what the reports of all workers say."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._minutes: dict[str, float] = defaultdict(float)
        self._cpu: dict[str, float] = defaultdict(float)
        self._count: dict[str, int] = defaultdict(int)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note the kind of a test and when its CPU began."""
        item.user_properties.append((KIND, kind_of(item)))
        item.stash[_BEGAN] = _cpu_seconds()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give each part of a test (set-up, call, tear-down) the CPU it took."""
        now = _cpu_seconds()
        report: pytest.TestReport = yield
        report.user_properties.append((CPU, now - item.stash[_BEGAN]))
        item.stash[_BEGAN] = now
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a part of a test to its kind."""
        said: dict[str, Any] = dict(report.user_properties)
        kind = said.get(KIND, "unit")
        self._minutes[kind] += report.duration / 60
        self._cpu[kind] += said.get(CPU, 0) / 60
        self._count[kind] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the table."""
        terminalreporter.section("minutes by kind of test")
        kinds = [kind for kind in ORDER if kind in self._minutes]
        terminalreporter.write_line(f"{'kind':<12}{'tests':>7}{'minutes':>10}{'of CPU':>9}")
        for kind in kinds:
            line = f"{kind:<12}{self._count[kind]:>7}{self._minutes[kind]:>10.2f}{self._cpu[kind]:>9.2f}"
            terminalreporter.write_line(line)
        total = sum(self._count.values()), sum(self._minutes.values()), sum(self._cpu.values())
        terminalreporter.write_line(f"{'all':<12}{total[0]:>7}{total[1]:>10.2f}{total[2]:>9.2f}")
        if drawn := os.environ.get(SEED_VARIABLE):
            terminalreporter.write_line(f"lives drawn from {SEED_VARIABLE}={drawn}: give it to live them again")


def _cpu_seconds() -> float:
    return sum(os.times()[:4])


_BEGAN: pytest.StashKey[float] = pytest.StashKey()
