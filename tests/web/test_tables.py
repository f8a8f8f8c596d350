"""Lists: what a person may ask, the addresses of the other pages, and CSV files that no spreadsheet runs."""

import csv
import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

import openpyxl
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from tests.web.gallery import create_gallery
from voucher.kernel.keyset import COUNT_MAX, Page, key_text
from voucher.kernel.paper import FORMULA_STARTS
from voucher.web.tables import (
    Cell,
    Column,
    Kind,
    Listing,
    Table,
    drawn,
    list_file,
    read_listing,
    rows_reader,
    whole,
    workbook,
)
from voucher.web.tables.drawn import said
from voucher.web.tables.files import csv_cell, csv_lines
from voucher.web.tables.workbook import workbook_chunks

ANY = Table(
    "Bordereaux d’août",
    (
        Column[tuple[str, int]]("name", "Structure", value=lambda row: row[0], is_sorted=True),
        Column("amount", "Montant", Kind.EUROS, lambda row: row[1], is_sorted=True, is_summed=True),
    ),
    default_sort="-amount",
    filters=("nom", "etat"),
    one="bordereau",
    many="bordereaux",
)


def asked(**args: str) -> Listing:
    return read_listing(args, ANY)


def test_a_list_asked_without_a_word_is_its_first_page_in_its_own_order() -> None:
    listing = asked()
    assert (listing.sort, listing.is_descending, listing.after, listing.before) == ("amount", True, None, None)
    assert not listing.wants_file
    assert listing.asked.limit == 50


def test_sort_and_filters_are_read() -> None:
    listing = asked(tri="name", nom="  Toul\x00 ", etat="", inconnu="x")
    assert (listing.sort, listing.is_descending, dict(listing.filters)) == ("name", False, {"nom": "Toul"})


@pytest.mark.parametrize("page", ["0", "2", "-1", "deux", "", "²", "9" * 30])
def test_an_old_bookmark_of_a_page_opens_the_first(page: str) -> None:
    assert asked(page=page, nom="Toul").asked == asked(nom="Toul").asked


@given(key=st.text(max_size=40), sort=st.text(max_size=12), name=st.text(max_size=300))
def test_whatever_is_typed_in_the_address_only_known_sorts_and_small_values_come_out(
    key: str, sort: str, name: str
) -> None:
    listing = asked(apres=key, avant=key, tri=sort, nom=name)
    assert listing.sort in ("name", "amount")
    assert all(len(value) <= 100 and "\x00" not in value for value in listing.filters.values())


def test_links_keep_the_filters_and_turn_the_sort_round() -> None:
    listing = asked(nom="Clic & Cie", tri="name", apres=key_text(("Toul", 3)))
    assert listing.after == ("Toul", 3)
    assert listing.after_url(("Épinal", 4)) == f"?nom=Clic+%26+Cie&tri=name&apres={key_text(('Épinal', 4))}"
    assert listing.before_url(("Épinal", 4)) == f"?nom=Clic+%26+Cie&tri=name&avant={key_text(('Épinal', 4))}"
    assert listing.sort_url("name") == "?nom=Clic+%26+Cie&tri=-name"
    assert listing.sort_url("amount") == "?nom=Clic+%26+Cie&tri=amount"
    assert listing.file_url("csv") == "?nom=Clic+%26+Cie&tri=name&format=csv"
    assert listing.file_url("xlsx", "etats") == "?nom=Clic+%26+Cie&tri=name&tableau=etats&format=xlsx"
    assert listing.reset_url() == "?tri=name"
    assert asked().sort_url("amount") == "?tri=amount"


def test_a_list_says_how_long_it_is_and_whether_it_is_cut() -> None:
    def length(page: Page[tuple[str, int]], table: Table[tuple[str, int]] = ANY) -> str:
        return drawn(table, asked(), lambda _: page).length

    assert length(Page.whole([])) == "0\u00a0bordereau"
    assert length(Page.whole([("Toul", 1)] * 3)) == "3\u00a0bordereaux"
    assert length(Page(rows=[("Toul", 1)], count=128, next=(1, 2))) == "128\u00a0bordereaux, 50 par page."
    long = Page(rows=[("Toul", 1)], count=COUNT_MAX + 1, next=(1, 2))
    assert length(long) == "Plus de 1\u202f000\u00a0bordereaux, 50 par page. Filtrez pour en voir moins."
    unfiltered = length(long, replace(ANY, filters=()))
    assert unfiltered == "Plus de 1\u202f000\u00a0bordereaux, 50 par page.", "nobody is told to filter without a filter"
    assert drawn(ANY, asked(), lambda _: long).count_text == "plus de 1\u202f000"


def test_totals_are_those_of_the_list_where_it_is_known_whole_else_of_the_page() -> None:
    rows = [(f"Lieu {rank:02}", rank) for rank in range(60)]
    in_memory = rows_reader(rows, {"name": lambda row: row[0], "amount": lambda row: row[1]}, lambda row: (row[0],))
    assert drawn(ANY, asked(), in_memory).totals == ("Total", "17,70\u00a0€")
    cut = Page(rows=rows[:2], count=60, next=(1, 2))
    assert drawn(ANY, asked(), lambda _: cut).totals == ("Total de la page", "0,01\u00a0€")
    assert drawn(ANY, asked(), lambda _: cut, totals={"amount": 17_70}).totals == ("Total", "17,70\u00a0€")


@pytest.mark.parametrize(
    "columns, more, words",
    [
        (["name", "name"], {}, "same key"),
        (["name"], {"default_sort": "amount"}, "default sort"),
        (["name"], {"default_sort": ""}, "default sort"),
    ],
)
def test_an_ill_defined_list_is_a_bug_that_shows_at_once(columns: list[str], more: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Table("Liste", [Column(key, key, is_sorted=True) for key in columns], **({"default_sort": "name"} | more))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="under"):
        Table("Liste", [Column("name", "Nom", under="city")])
    with pytest.raises(ValueError, match="page"):
        read_listing({}, Table("Liste", [Column("name", "Nom")], filters=("page",)))


def text_cell(value: Cell) -> str:
    return csv_cell(Kind.TEXT, value)


@pytest.mark.parametrize(
    "value, cell",
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+33 6", "'+33 6"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        (" =1", "' =1"),
        ("＝1", "'＝1"),
        ("Toul", "Toul"),
        (-1250, "-1250"),
        (Decimal("35.5"), "35,5"),
        (True, "oui"),
        (None, ""),
        (date(2026, 3, 1), "01/03/2026"),
        (datetime(2026, 7, 1, 22, 30, tzinfo=UTC), "02/07/2026 00:30:00"),
    ],
)
def test_a_cell_is_written_so_that_no_spreadsheet_runs_it(value: Cell, cell: str) -> None:
    assert text_cell(value) == cell


def test_a_value_reads_the_same_on_the_page_and_in_the_file() -> None:
    assert [csv_cell(kind, 12_50) for kind in (Kind.EUROS, Kind.PERCENT, Kind.COUNT, Kind.BOOKLET)] == [
        "12,50", "12,50", "1250", "1250",
    ]  # fmt: skip
    assert [said(kind, 12_50) for kind in (Kind.EUROS, Kind.PERCENT, Kind.COUNT, Kind.BOOKLET)] == [
        "12,50\u00a0€", "12,5\u00a0%", "1\u202f250", "1250",
    ]  # fmt: skip
    assert (csv_cell(Kind.DECIMAL, Decimal("2.5")), said(Kind.DECIMAL, Decimal("2.5"))) == ("2,5", "2,5")
    assert said(Kind.DAY, date(2026, 3, 1)) == "1er\u00a0mars\u00a02026"


@given(st.text())
def test_no_text_at_all_starts_a_formula(text: str) -> None:
    assert not text_cell(text).lstrip(" \u00a0\u202f").startswith(FORMULA_STARTS)


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_gallery()


def test_a_csv_file_is_streamed_as_french_spreadsheets_open_it() -> None:
    read = []

    def rows() -> Iterator[tuple[str, int]]:
        for at in range(20_000):
            read.append(at)
            yield ("L'Étang; « l'île »", at)

    chunks = csv_lines(ANY.columns, rows())
    first = [next(chunks), next(chunks)]
    assert 0 < len(read) < 20_000
    text = "".join([*first, *chunks])
    lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))
    assert text.startswith("\ufeff")
    assert lines[0] == ["Structure", "Montant (€)"]
    assert len(lines) == 20_001
    assert lines[-1] == ["L'Étang; « l'île »", "199,99"]


def test_a_file_holds_all_the_rows_one_page_after_another(app: Flask) -> None:
    rows = [(f"Lieu {rank}", rank) for rank in range(2_500)]
    find = rows_reader(rows, {"name": lambda row: row[0], "amount": lambda row: row[1]}, lambda row: (row[0],))
    with app.test_request_context():
        response = list_file(ANY, asked(format="csv"), find)
        text = "".join(str(chunk) for chunk in response.response)
    assert response.headers["Content-Disposition"] == 'attachment; filename="bordereaux-d-aout.csv"'
    assert response.mimetype == "text/csv"
    assert [line.partition(";")[0] for line in text.splitlines()[1:]] == [row[0] for row in reversed(rows)]


class Row(NamedTuple):
    text: Cell
    link: Cell
    count: Cell
    cents: Cell
    is_paid: Cell
    nothing: Cell
    on: Cell
    at: Cell
    long: Cell
    share: Cell


KINDS = (
    Kind.TEXT, Kind.TEXT, Kind.COUNT, Kind.EUROS, Kind.TEXT, Kind.TEXT, Kind.DAY, Kind.INSTANT, Kind.BOOKLET, Kind.PERCENT,
)  # fmt: skip
EVERY_KIND = Table(
    "Tout",
    [
        Column[Row](name, name, kind, is_summed=kind in (Kind.EUROS, Kind.COUNT))
        for name, kind in zip(Row._fields, KINDS, strict=True)
    ],
)


def test_a_workbook_keeps_texts_as_texts_and_numbers_as_numbers_with_filters_and_a_sum(app: Flask) -> None:
    row = Row(
        "=HYPERLINK(1)", "https://ailleurs.example/", -3, -12_50, True, None, date(2026, 3, 1),
        datetime(2026, 7, 1, 22, 30, tzinfo=UTC), 10**20, 35_50,
    )  # fmt: skip
    with app.test_request_context():
        response = list_file(EVERY_KIND, read_listing({"format": "xlsx"}, EVERY_KIND), whole([row, row]))
        content = b"".join(response.response)  # type: ignore[arg-type]
    assert response.headers["Content-Disposition"] == 'attachment; filename="tout.xlsx"'
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    cells = next(iter(sheet.iter_rows(min_row=2)))
    assert [cell.value for cell in cells] == [
        "=HYPERLINK(1)", "https://ailleurs.example/", -3, -12.5, "oui", None, datetime.fromisoformat("2026-03-01"),
        datetime.fromisoformat("2026-07-02T00:30"), str(10**20), 0.355,
    ]  # fmt: skip
    assert cells[0].data_type == "s"
    assert cells[1].hyperlink is None
    assert [cells[at].number_format for at in (3, 6, 7, 9)] == [
        '#,##0.00 "€"', "dd/mm/yyyy", "dd/mm/yyyy hh:mm:ss", "0.00%",
    ]  # fmt: skip
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B2", "A1:J3")
    assert sheet["D1"].value == "cents (€)"
    assert [sheet["A4"].value, sheet["C4"].value, sheet["D4"].value] == [
        "Total", "=SUBTOTAL(109,C2:C3)", "=SUBTOTAL(109,D2:D3)",
    ]  # fmt: skip
    computed = openpyxl.load_workbook(io.BytesIO(content), data_only=True).active
    assert computed is not None
    assert [computed["C4"].value, computed["D4"].value] == [-6, -25]


def test_a_long_workbook_costs_no_memory() -> None:
    rows = (("L'Étang" * 20, at) for at in range(20_000))
    tracemalloc.start()
    length = sum(len(chunk) for chunk in workbook_chunks(ANY, rows))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert length > 100_000
    assert peak < 3_000_000


def test_a_workbook_that_a_sheet_does_not_hold_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "ROWS_MAX", 3)
    content = b"".join(workbook_chunks(ANY, [(f"Lieu {rank}", rank) for rank in range(5)]))
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert [row[0].value for row in sheet.iter_rows(min_row=4)] == ["Lieu 2", workbook.TOO_LONG]


def test_the_page_offers_its_files_and_its_sorts_as_links(app: Flask) -> None:
    page = app.test_client().get("/office?nom=Clic").text
    assert 'href="?nom=Clic&amp;format=csv"' in page
    assert 'href="?nom=Clic&amp;format=xlsx"' in page
    assert 'aria-sort="descending"' in page
    assert 'value="Clic"' in page
