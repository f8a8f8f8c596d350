"""Every field where a number is typed reads it by the one rule of kernel.typed_numbers: all forms, filters and commands are walked."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import wtforms
from flask import Flask

from issuer_portal.books.closing import close_form
from tests.clients import app_for
from voucher.accounting.close_items import CloseItem
from voucher.accounting.year_end import CloseLine, Left
from voucher.cli.main import main
from voucher.cli.numbers import Count
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.web.forms import CountField, EurosField, HouseForm, PercentField, SeenNumberField, SerialField

NUMBERS = (EurosField, CountField, PercentField, SerialField, SeenNumberField)
WORDS = {
    "address", "address_complement", "body", "call", "city", "code", "code_postal", "commitment_number", "confirmed", "decision", "email", "facts",
    "holder_name", "id", "insee_code", "name", "note", "number", "opening_hours", "opens", "pivot", "postcode", "ranges", "reason", "reference", "seen",
    "seen_cents", "seen_number", "service_code", "subject", "summary", "token", "vat_regime", "website", "contact_email", "first_name", "label", "last_name",
}  # fmt: skip
"""Every field that is a plain text: words, identifiers, what a page showed. A new one is named here, or is one of NUMBERS.
`number` is an agreement's (« 2026/12 »); `ranges` are booklets, read one by one by `parse_serial`; `seen_cents` is compared, never read."""
OTHERS = (
    wtforms.IntegerField,
    wtforms.DecimalField,
    wtforms.FloatField,
    wtforms.IntegerRangeField,
    wtforms.DecimalRangeField,
)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def app(sqlite_database: Database) -> Flask:
    return app_for(sqlite_database)


def forms() -> Iterator[type[wtforms.Form]]:
    """Give each form of the pages: those that stand in a module, and the one that a page builds for what it lists."""
    waiting: list[type] = [HouseForm, wtforms.Form]
    while waiting:
        one = waiting.pop()
        waiting += one.__subclasses__()
        # One built by a function comes and goes with the tests that ran before.
        if (
            one.__module__.startswith(("issuer_portal", "merchant_portal", "voucher"))
            and "<locals>" not in one.__qualname__
        ):
            yield one


def fields_of_forms(app: Flask) -> Iterator[tuple[str, str, type[wtforms.Field]]]:
    """Give each field of each form: the form, the name of the field, its class."""
    for form in forms():
        for name, field in vars(form).items():
            if kind := getattr(field, "field_class", None):
                yield form.__qualname__, name, kind
    left = Left("Ce qui reste", 1, 100, new_id())
    with app.test_request_context():
        for field in close_form([CloseLine(item, (left,)) for item in CloseItem]):
            # `seen_open_periods`: what the page showed of one item; `reason_in_transit`: the words about it.
            yield "CloseForm", re.sub("_(" + "|".join(CloseItem) + ")$", "", field.name), type(field)


def test_only_the_close_of_a_year_builds_its_form_while_it_runs() -> None:
    built = []
    for folder in ("issuer_portal", "merchant_portal", "voucher"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
            inside = [
                found for function in functions for found in ast.walk(function) if isinstance(found, ast.ClassDef)
            ]
            built += [
                found.name for found in inside if "Form" in " ".join([found.name, *map(ast.unparse, found.bases)])
            ]
    assert built == ["CloseForm"], "a form built by a function is walked by fields_of_forms, by name"


def test_every_field_of_every_form_is_a_number_of_the_house_or_a_text_named_here(app: Flask) -> None:
    met = set()
    for form, name, kind in fields_of_forms(app):
        assert not issubclass(kind, OTHERS), f"{form}.{name}"
        if issubclass(kind, NUMBERS):
            met.add(name)
        elif kind in (wtforms.StringField, wtforms.TextAreaField, wtforms.HiddenField, wtforms.SearchField):
            assert name in WORDS, f"{form}.{name} is a text: is it a number?"
    assert {
        "amount_cents",
        "ceiling_cents",
        "face_value_cents",
        "minimum_payment_cents",
        "share",
        "booklet_count",
    } <= met
    assert {
        "first_booklet_number",
        "booklet_number",
        "booklet_size",
        "payment_days",
        "cut_off_day",
        "transfers_per_file",
    } <= met


def test_every_whole_number_of_every_command_goes_through_the_parser() -> None:
    waiting: list[click.Command | None] = [main]
    counts = 0
    while waiting:
        command = waiting.pop()
        assert command is not None
        if isinstance(command, click.Group):
            context = click.Context(command)
            waiting += [command.get_command(context, name) for name in command.list_commands(context)]
        for one in command.params:
            assert not isinstance(one.type, click.types.IntParamType | click.types.FloatParamType), (
                f"{command.name} {one.name}"
            )
            counts += isinstance(one.type, Count)
    assert counts >= 8


def test_no_page_reads_a_number_by_another_way() -> None:
    """What Python's own `int` takes (« 1_0 », « ١ ») and what takes spaces away have no place where a person types."""
    another_way = re.compile(r"type=(int|float)\b|\.isdecimal\(\)|\bDecimal\(text|\bint\(text|\bfloat\(request")
    for folder in ("issuer_portal", "merchant_portal", "voucher/web", "voucher/wallet"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not another_way.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(
    "typed, said",
    [("1 2", "ne sépare pas des milliers"), ("1e3", "une lettre"), ("0", "au-dessus de zéro"), ("70", "de 1 à 64")],
)
def test_a_command_says_in_french_what_it_could_not_read(typed: str, said: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        Count(1, 64).convert(typed, None, None)
    assert said in refused.value.message
