"""An act of the office that writes an entry of the ledger asks who is there again: found by following names from each view down to the ledger."""

import ast
from collections import defaultdict
from pathlib import Path

from tests.clients import app_for
from voucher.kernel.database import Database
from voucher.web.access import access_of
from voucher.web.asks_again import act_of

ROOT = Path(__file__).parents[2]
ROOMS = ("voucher", "issuer_portal", "merchant_portal")
WRITE = {
    ("voucher.ledger.post", "post"),
    ("voucher.ledger.post", "post_event"),
    ("voucher.ledger.post", "reverse"),
    ("voucher.ledger.post", "reverse_on_its_day"),
    ("voucher.ledger.post_many", "post_many"),
    ("voucher.ledger.close_year", "end_year"),
}
"""What writes entries."""

REDEEMS_UNDOES_OR_HANDS_OVER = {
    "counter.act", "counter.api_redeem", "counter.api_undo", "counter.undo_redemption", "prescriber.hand_over",
}  # fmt: skip
"""What the issue leaves out, and nothing else."""

Name = tuple[str, str]


def named_by() -> dict[Name, set[Name]]:
    """Return what each function, class or table of a module names, of its own module and of those that it imports from."""
    found: dict[Name, set[Name]] = defaultdict(set)
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        module, tree = ".".join(path.relative_to(ROOT).with_suffix("").parts), ast.parse(path.read_text("utf-8"))
        known = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
        parts = [(name, node) for node in tree.body for name in names_of(node)]
        known |= {name: (module, name) for name, _ in parts}
        for name, part in parts:
            for node in ast.walk(part):
                if isinstance(node, ast.Name) and node.id in known:
                    found[module, name].add(known[node.id])
                elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
                    found[module, name].add((".".join(known[node.value.id]), node.attr))
    return found


def names_of(node: ast.stmt) -> list[str]:
    """Return what a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def reached_from(start: Name, names: dict[Name, set[Name]]) -> set[Name]:
    seen: set[Name] = set()
    waiting = [start]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += names.get(one, ())
    return seen


def test_every_act_that_writes_an_entry_asks_but_at_the_counter_and_for_a_hand_over(sqlite_database: Database) -> None:
    app, names = app_for(sqlite_database), named_by()
    assert {name for one in names.values() for name in one} >= WRITE, "the ledger writes by these names"
    writers, silent = set(), set()
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if "POST" not in (rule.methods or ()) or not access_of(app, rule.endpoint):
            continue
        if reached_from((view.__module__, view.__name__), names) & WRITE:
            writers.add(rule.endpoint)
            if act_of(app, rule.endpoint) is None:
                silent.add(rule.endpoint)
    assert silent == REDEEMS_UNDOES_OR_HANDS_OVER
    # The walk sees: orders, freezes, exports, matches, disputes, closes.
    assert writers >= {
        "issuer.order", "finance.freeze", "finance.export", "finance.match", "finance.import_file", "finance.dispute",
        "finance.give_up", "finance.confirm_line", "funding.call_uses", "programme.commit_credits", "books.close",
    }  # fmt: skip
