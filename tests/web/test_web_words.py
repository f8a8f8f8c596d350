"""What only the web floor says: with which kind of tag a state is drawn, and what addresses call a filter."""

import ast
from functools import cache
from pathlib import Path

from voucher.web.tables.address_keys import ADDRESS_KEYS

ROOT = Path(__file__).resolve().parents[2]
ABOVE = ("web", "wallet")
TAG_KINDS = {"success", "danger", "warn", "wait", "neutral", "info"}


@cache
def texts_of_rooms() -> dict[str, str]:
    """Return each text written in a room below the web floor, by its place."""
    rooms = [path for path in sorted((ROOT / "voucher").rglob("*.py")) if path.relative_to(ROOT).parts[1] not in ABOVE]
    assert len(rooms) > 250
    return {
        f"{path.relative_to(ROOT)}:{node.lineno}:{node.col_offset}": node.value
        for path in rooms
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_no_room_below_the_web_knows_how_a_state_is_drawn() -> None:
    assert {place: text for place, text in texts_of_rooms().items() if text in TAG_KINDS} == {}


def test_no_room_below_the_web_reads_a_filter_by_its_name_in_addresses() -> None:
    """A room that takes `filters` writes none of the French names; a room that does not may hold them as words."""
    takers = {
        path
        for path in {place.partition(":")[0] for place in texts_of_rooms()}
        if "filters" in (ROOT / path).read_text()
    }
    found = {
        place: text
        for place, text in texts_of_rooms().items()
        if place.partition(":")[0] in takers and text in ADDRESS_KEYS
    }
    assert len(takers) > 15
    assert found == {}
