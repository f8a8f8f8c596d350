"""The chart is the only place where accounts have numbers and where an event's movements are made."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_house import ROOT, sources
from voucher.ledger.chart import CHART, RULES, Code

CHART_FILE = ROOT / "voucher" / "ledger" / "chart.py"
VERIFIER = ROOT / "voucher" / "proof" / "verifier"  # it goes in the archive and must stand there alone
OURS = ("voucher", "merchant_portal", "issuer_portal")
NUMBER = re.compile(rf"(?<!\d)({'|'.join(CHART)})(?!\d)")
QUOTED = re.compile(rf"[\"'](?:{'|'.join(Code)})[\"']")


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Give each module of ours that may not know an account's number."""
    for path in sources(".py", below=OURS):
        if path != CHART_FILE and VERIFIER not in path.parents:
            yield path, ast.parse(path.read_text())


def numbers_in(tree: ast.Module) -> Iterator[int]:
    """Give the lines of the texts that hold an account's number, docstrings left out."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in said
            and NUMBER.search(node.value)
        ):
            yield node.lineno


def movements_in(tree: ast.Module) -> Iterator[int]:
    """Give the lines that make a movement by hand: a call of the chart's class, whatever it is called here."""
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "voucher.ledger.chart"
        for alias in node.names
        if alias.name == "Movement"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if (isinstance(called, ast.Name) and called.id in names) or (
                isinstance(called, ast.Attribute) and ast.unparse(called) == "chart.Movement"
            ):
                yield node.lineno


def test_accounts_are_named_by_the_chart_everywhere_else() -> None:
    assert [f"{path.relative_to(ROOT)}:{line}" for path, tree in modules() for line in numbers_in(tree)] == []
    pages = [path for path in sources(".html", ".js", ".typ", below=OURS) if QUOTED.search(path.read_text())]
    assert pages == []


def test_movements_are_made_by_the_table_alone() -> None:
    assert [f"{path.relative_to(ROOT)}:{line}" for path, tree in modules() for line in movements_in(tree)] == []


@pytest.mark.parametrize(
    "text, finds",
    [
        ("code == '4670'", numbers_in),
        ("f'compte 5120 : {cents}'", numbers_in),
        ("from voucher.ledger.chart import Movement as M\nM(debit, credit, 100)", movements_in),
        ("from voucher.ledger import chart\nchart.Movement(debit, credit, 100)", movements_in),
    ],
)
def test_another_way_would_be_seen(text: str, finds: type[Iterator[int]]) -> None:
    assert [*finds(ast.parse(text))] != []


def test_every_account_is_moved_and_every_code_is_an_account_or_said_to_be_none() -> None:
    assert {*Code} - {*CHART} == {Code.CARRIED_FORWARD}
    assert {code for rule in RULES.values() for pair in rule.all_moves for code in pair} == {*CHART}
