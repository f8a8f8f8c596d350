"""View models decide and templates show: what a template may compare, and how long its lines are."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[2]
LINE_LENGTH_MAX = 240
FOLDERS = ("voucher", "issuer_portal", "merchant_portal")
# Words of the pieces themselves: which drawing a tag has, how a field is drawn, where a step stands, how a column is sorted.
OF_THE_PIECES = {
    "voucher/web/templates/ui/pieces.html": {"success", "danger", "warn", "wait", "current", "info", ""},
    "voucher/web/templates/ui/forms.html": {"hidden", "submit", "checkbox", "group", "subform", "list", "endswith"},
    "voucher/web/templates/ui/lists.html": {"ascending"},
    "voucher/web/templates/layout.html": {"success", "warn", "danger"},
}
TEMPLATES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.html"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def literals(node: nodes.Node) -> Iterator[str]:
    """Walk over the texts written in an expression."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    for child in node.iter_child_nodes():
        if not isinstance(child, (nodes.Call, nodes.Filter)):
            yield from literals(child)


def words_compared(path: Path) -> set[str]:
    """Return the words that a template compares something with, and the methods by which it looks into a text."""
    tree = Environment().parse(path.read_text())
    compared = {word for comparison in tree.find_all(nodes.Compare) for word in literals(comparison)}
    asked = {call.node.attr for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Getattr)}
    tests = {test.name for test in tree.find_all(nodes.Test)}
    return compared | asked & {"startswith", "endswith"} | tests & {"eq", "ne", "in", "sameas", "equalto"}


def test_a_template_compares_nothing_with_a_word() -> None:
    found = {named(path): words_compared(path) - OF_THE_PIECES.get(named(path), set()) for path in TEMPLATES}
    assert {name: words for name, words in found.items() if words} == {}


def test_the_lines_of_templates_are_short_enough_to_be_read() -> None:
    found = [
        f"{named(path)}:{number} ({len(line)})"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LINE_LENGTH_MAX
    ]
    assert len(TEMPLATES) > 100
    assert found == []


def test_no_line_of_a_template_is_written_twice_in_a_row() -> None:
    found = []
    for path in TEMPLATES:
        lines = [line.strip() for line in path.read_text().splitlines()]
        found += [
            f"{named(path)}: {one}" for one, other in pairwise(lines) if "link_button" in one and other.startswith(one)
        ]
    assert found == []
