"""What only the web floor says: with which kind of tag a state is drawn."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ABOVE = ("web", "wallet")
TAG_KINDS = {"success", "danger", "warn", "wait", "neutral", "info"}


def test_no_room_below_the_web_knows_how_a_state_is_drawn() -> None:
    rooms = [path for path in sorted((ROOT / "voucher").rglob("*.py")) if path.relative_to(ROOT).parts[1] not in ABOVE]
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.value!r}"
        for path in rooms
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in TAG_KINDS
    ]
    assert len(rooms) > 250
    assert found == []
