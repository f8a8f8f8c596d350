"""Pages wait a few seconds for the database; those whose work is long say so, and no other has that time."""

import ast
from pathlib import Path

from flask import Flask, Response, stream_with_context

from tests.test_house import ROOT
from voucher.kernel.time_limits import at_length, takes_long
from voucher.web import patience

LONG_WORK = frozenset(
    {
        "freeze_batch", "freeze_urgent_batch", "export_batch", "seal_now", "export_audit", "export_takeover", "close_year",
        "trial_balance", "fec_file", "annual_account", "import_bank_file", "import_places", "verify",
    }
)  # fmt: skip
MARKS = {"takes_long", "takes_files"}


def long_functions(tree: ast.Module) -> set[str]:
    """Return the functions of a file that do long work, themselves or by another of the file."""
    calls = {
        node.name: {
            one.func.id for one in ast.walk(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)
        }
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    found: set[str] = set()
    while more := {name for name, called in calls.items() if called & (LONG_WORK | found)} - found:
        found |= more
    return found


def test_every_page_that_does_long_work_says_so() -> None:
    unmarked, marked_count = [], 0
    for folder in ("issuer_portal", "merchant_portal"):
        for path in sorted(Path(ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            long = long_functions(tree)
            for node in tree.body:
                if not isinstance(node, ast.FunctionDef) or node.name not in long or not node.decorator_list:
                    continue
                if MARKS & {one.id for one in node.decorator_list if isinstance(one, ast.Name)}:
                    marked_count += 1
                else:
                    unmarked.append(f"{path.relative_to(ROOT)} {node.name}")
    assert unmarked == []
    assert marked_count > 8


def test_a_page_has_its_time_until_its_answer_has_left_and_the_next_has_its_own() -> None:
    app = Flask(__name__)
    patience.install(app)

    @app.get("/long")
    @patience.takes_long
    def long() -> Response:
        def lines() -> list[str]:
            return [str(takes_long())]

        return Response(stream_with_context(iter_later(lines)))

    def iter_later(lines):  # type: ignore[no-untyped-def]
        yield from lines()

    @app.get("/short")
    def short() -> str:
        return str(takes_long())

    @app.get("/broken")
    @patience.takes_long
    def broken() -> str:
        raise ValueError

    client = app.test_client()
    assert client.get("/long").text == "True"
    assert client.get("/broken").status_code == 500
    assert client.get("/short").text == "False"


def test_who_comes_is_asked_in_a_few_seconds_even_after_a_long_page() -> None:
    app, had = Flask(__name__), []
    patience.install(app)
    # As web.access does: before everything else.
    app.before_request_funcs[None].insert(0, lambda: had.append(takes_long()))

    @app.get("/long")
    @patience.takes_long
    def long() -> str:
        return str(takes_long())

    client = app.test_client()
    assert [client.get("/long").text for _ in range(2)] == ["True", "True"]
    assert client.get("/nowhere").status_code == 404
    assert had == [False, False, False]
    assert not takes_long()


def test_time_is_given_back_at_the_end_of_a_block() -> None:
    with at_length():
        with at_length():
            assert takes_long()
        assert takes_long()
    assert not takes_long()
