"""A number is read the same wherever it stands: on paper, on a page, at the counter, in a refusal, in the journal and its search."""

import ast
import re
from collections.abc import Iterator

import pytest
from flask import render_template_string
from hypothesis import given
from hypothesis import strategies as st

from merchant_portal.scan import label_of
from tests.clients import app_for
from tests.issuing.test_printing import BATCH, signed
from tests.test_house import ROOT, sources
from voucher.issuing.code import SERIAL_MAX, Kind
from voucher.issuing.printing import PrintBooklet, page_values
from voucher.kernel.database import Database
from voucher.kernel.number_labels import booklet_label, fours, iban_label, masked_iban, serial_label, siret_label
from voucher.kernel.typed_numbers import WrongNumber, parse_serial
from voucher.redemption.rules import CounterRefusal, Refusal

OURS = ("voucher", "merchant_portal", "issuer_portal")
LABELS = ROOT / "voucher" / "kernel" / "number_labels.py"
CHUNKS = ROOT / "voucher" / "kernel" / "chunks.py"
MONEY = ROOT / "voucher" / "kernel" / "money.py"
BYTES = ROOT / "voucher" / "ledger" / "seal.py"  # pieces of bytes, read by nobody
SERIALS = (7, 412, 12_345, 12_345_678, 123_456_789, SERIAL_MAX)


def shown(text: str) -> str:
    """Write ordinary spaces, to be read here."""
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    "label, said",
    [
        (serial_label(7), "0000 0007"),
        (serial_label(12_345), "0001 2345"),
        (serial_label(123_456_789), "0001 2345 6789"),
        (booklet_label(7), "0007"),
        (booklet_label(123_456), "0012 3456"),
        (iban_label("FR7630006000011234567890189"), "FR76 3000 6000 0112 3456 7890 189"),
        (masked_iban("FR7630006000011234567890189"), "FR•• …… 0189"),
        (siret_label("12345678900012"), "123 456 789 00012"),
        (siret_label("W123456789"), "W123456789"),
    ],
)
def test_what_people_read(label: str, said: str) -> None:
    assert shown(label) == said
    assert " " not in label, "no line breaks in the middle of a number"


def test_a_serial_reads_the_same_on_paper_on_a_page_at_the_counter_and_in_a_refusal(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    for serial in SERIALS:
        codes = [signed(kind, serial, 1) for kind in (Kind.BOOKLET, Kind.VOUCHER)]
        paper = page_values(BATCH, PrintBooklet.of(booklet_label(1), codes[0], codes[1:], "https://pass.exemple.fr"))
        with app.test_request_context():
            page = render_template_string("{{ serial|serial }}", serial=serial)
        refused = [
            Refusal(reason, serial=serial, is_one_of_several=True).sentence
            for reason in CounterRefusal
            if "{voucher}" in reason.template
        ]
        assert paper["vouchers"][0]["serial"] == page == serial_label(serial)
        assert label_of(serial) == f"Chèque {page}"
        assert len(refused) > 5
        assert all(f"Le chèque {page} " in sentence for sentence in refused)


def test_a_booklet_reads_the_same_on_a_page_and_in_the_refusal_of_another_number(sqlite_database: Database) -> None:
    with app_for(sqlite_database).test_request_context():
        assert render_template_string("{{ 12345|booklet }}") == booklet_label(12_345)
        assert render_template_string("{{ iban|iban }}", iban="FR7630006") == iban_label("FR7630006")
    with pytest.raises(WrongNumber, match=booklet_label(12_345)):
        parse_serial("carnet")


@given(st.integers(1, 999_999_999))
def test_what_is_read_can_be_typed_again(number: int) -> None:
    assert parse_serial(booklet_label(number)) == parse_serial(serial_label(number)) == number


@given(st.text(max_size=40))
def test_groups_lose_nothing(text: str) -> None:
    assert "".join(fours(text)) == text
    assert all(len(group) == 4 for group in fours(text)[:-1])


def other_ways(tree: ast.AST) -> Iterator[int]:
    """Give the lines that group digits, fill them with zeros, keep the end of an account or cut a list, by hand."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("range"), args=[ast.Constant(0), ast.Call(func=ast.Name("len")), _]):
                yield node.lineno
            case ast.Call(func=ast.Name("islice")):
                yield node.lineno
            case ast.Attribute(attr="zfill"):
                yield node.lineno
            case ast.FormattedValue(format_spec=ast.JoinedStr([ast.Constant(","), *_])):
                yield node.lineno
            case ast.Subscript(slice=ast.Slice(lower=ast.UnaryOp(ast.USub(), ast.Constant(4)), upper=None)):
                yield node.lineno


def test_nothing_is_grouped_or_cut_by_hand() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources(".py", below=OURS)
        if path not in (LABELS, CHUNKS, MONEY, BYTES)
        for line in other_ways(ast.parse(path.read_text()))
    ]
    assert found == []


def test_no_page_shows_a_number_as_it_is_stored() -> None:
    bare = re.compile(
        r"\{\{\s*[\w.]*(?:booklet_number|first_serial|\.serial)\s*\}\}(?!\")|booklet_number\|serial|first_serial\|booklet"
    )
    assert [path.name for path in sources(".html", below=OURS) if bare.search(path.read_text())] == []


@pytest.mark.parametrize(
    "text",
    [
        "' '.join(a[at : at + 4] for at in range(0, len(a), 4))",
        "while part := list(islice(rest, 500)): pass",
        "str(serial).zfill(8)",
        "f'{count:,}'.replace(',', ' ')",
        "row.iban[-4:]",
    ],
)
def test_another_way_would_be_seen(text: str) -> None:
    assert [*other_ways(ast.parse(text))] != []
