"""What happens after a fact is not dated before it, whatever the clocks say."""

import ast
from datetime import UTC, datetime, timedelta

from tests.test_house import ROOT, sources
from voucher.kernel.calendar import not_before

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
CALENDAR = ROOT / "voucher" / "kernel" / "calendar.py"


def test_a_late_clock_gives_the_instant_of_the_last_fact_before() -> None:
    later = NOW + timedelta(seconds=3)
    assert not_before(NOW) == not_before(NOW, None) == not_before(NOW, NOW - timedelta(days=1)) == NOW
    assert not_before(NOW, NOW, later, None) == later


def test_no_file_compares_its_clock_with_a_fact_by_itself() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources(".py", below=("voucher",))
        if path != CALENDAR
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "max"
        and any(isinstance(one, ast.Name) and one.id == "now" for one in node.args)
    ]
    assert found == []
