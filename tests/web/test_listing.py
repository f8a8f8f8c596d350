"""Lists: what a person may ask, the addresses of the other pages, and CSV files that no spreadsheet runs."""

import csv
import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import openpyxl
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from tests.web.gallery import create_gallery
from voucher.kernel.paper import FORMULA_STARTS
from voucher.web.listing import (
    PAGE_MAX,
    Cell,
    Listing,
    csv_cell,
    csv_response,
    euros_cell,
    file_response,
    read_listing,
)


def asked(**args: str) -> Listing:
    return read_listing(args, sorts=("name", "amount"), default_sort="-amount", filters=("nom", "etat"))


def test_a_list_asked_without_a_word_is_its_first_page_in_its_own_order() -> None:
    listing = asked()
    assert (listing.page, listing.offset, listing.limit, listing.sort, listing.descending) == (1, 0, 50, "amount", True)
    assert not listing.wants_file


def test_page_sort_and_filters_are_read() -> None:
    listing = asked(page="3", tri="name", nom="  Toul\x00 ", etat="", inconnu="x")
    assert (listing.offset, listing.sort, listing.descending, dict(listing.filters)) == (
        100,
        "name",
        False,
        {"nom": "Toul"},
    )


@pytest.mark.parametrize("page", ["0", "-1", "deux", "", "²", "9" * 30])
def test_a_page_that_cannot_be_is_the_first(page: str) -> None:
    assert asked(page=page).page == 1


@given(page=st.text(max_size=12), sort=st.text(max_size=12), name=st.text(max_size=300))
def test_whatever_is_typed_in_the_address_only_known_sorts_and_small_values_come_out(
    page: str, sort: str, name: str
) -> None:
    listing = asked(page=page, tri=sort, nom=name)
    assert listing.sort in ("name", "amount")
    assert 1 <= listing.page <= PAGE_MAX
    assert all(len(value) <= 100 and "\x00" not in value for value in listing.filters.values())


def test_links_keep_the_filters_and_turn_the_sort_round() -> None:
    listing = asked(nom="Clic & Cie", tri="name", page="2")
    assert listing.page_url(3) == "?nom=Clic+%26+Cie&tri=name&page=3"
    assert listing.sort_url("name") == "?nom=Clic+%26+Cie&tri=-name"
    assert listing.sort_url("amount") == "?nom=Clic+%26+Cie&tri=amount"
    assert listing.csv_url() == "?nom=Clic+%26+Cie&tri=name&format=csv"
    assert listing.reset_url() == "?tri=name"
    assert asked().sort_url("amount") == "?tri=amount"


def test_a_page_beyond_the_last_comes_back_to_it() -> None:
    assert asked(page="9").within(120).page == 3
    assert asked(page="9").within(0).page == 1


def test_an_ill_defined_list_is_a_bug_that_shows_at_once() -> None:
    with pytest.raises(ValueError, match="default sort"):
        read_listing({}, sorts=("name",), default_sort="amount")
    with pytest.raises(ValueError, match="page"):
        read_listing({}, sorts=("name",), default_sort="name", filters=("page",))


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
        (euros_cell(-12_50), "-12,50"),
        (Decimal("35.5"), "35,5"),
        (True, "oui"),
        (None, ""),
        (date(2026, 3, 1), "01/03/2026"),
        (datetime(2026, 7, 1, 22, 30, tzinfo=UTC), "02/07/2026 00:30:00"),
    ],
)
def test_a_cell_is_written_so_that_no_spreadsheet_runs_it(value: Cell, cell: str) -> None:
    assert csv_cell(value) == cell


@given(st.text())
def test_no_text_at_all_starts_a_formula(text: str) -> None:
    assert not csv_cell(text).lstrip(" \u00a0\u202f").startswith(FORMULA_STARTS)


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_gallery()


def test_a_csv_file_is_streamed_as_french_spreadsheets_open_it(app: Flask) -> None:
    read = []

    def rows() -> Iterator[tuple[Cell, ...]]:
        for at in range(20_000):
            read.append(at)
            yield ("L'Étang; « l'île »", at)

    with app.test_request_context():
        response = csv_response("Bordereaux d'août", ["Structure", "N°"], rows())
        chunks = iter(response.response)
        first = [next(chunks), next(chunks)]
        assert 0 < len(read) < 20_000
        text = "".join(str(chunk) for chunk in [*first, *chunks])
    assert response.headers["Content-Disposition"] == 'attachment; filename="bordereaux-d-aout.csv"'
    assert response.mimetype == "text/csv"
    lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))
    assert text.startswith("\ufeff")
    assert lines[0] == ["Structure", "N°"]
    assert len(lines) == 20_001
    assert lines[-1] == ["L'Étang; « l'île »", "19999"]


def test_the_same_list_as_a_workbook_keeps_texts_as_texts_and_numbers_as_numbers(app: Flask) -> None:
    row: tuple[Cell, ...] = (
        "=HYPERLINK(1)", "https://ailleurs.example/", -3, euros_cell(-12_50), True, None, date(2026, 3, 1),
        datetime(2026, 7, 1, 22, 30, tzinfo=UTC), 10**20,
    )  # fmt: skip
    with app.test_request_context("/?format=xlsx"):
        response = file_response("Bordereaux d'août", ["Colonne"] * len(row), [row])
        content = b"".join(response.response)  # type: ignore[arg-type]
    assert response.headers["Content-Disposition"] == 'attachment; filename="bordereaux-d-aout.xlsx"'
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    cells = next(iter(sheet.iter_rows(min_row=2)))
    assert [cell.value for cell in cells] == [
        "=HYPERLINK(1)", "https://ailleurs.example/", -3, -12.5, "oui", None, datetime.fromisoformat("2026-03-01"),
        datetime.fromisoformat("2026-07-02T00:30"), str(10**20),
    ]  # fmt: skip
    assert cells[0].data_type == "s"
    assert cells[1].hyperlink is None


def test_a_long_workbook_costs_no_memory(app: Flask) -> None:
    with app.test_request_context("/?format=xlsx"):
        response = file_response("long", ["Structure", "N°"], (("L'Étang" * 20, at) for at in range(20_000)))
        tracemalloc.start()
        length = sum(len(chunk) for chunk in response.response)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert length > 100_000
    assert peak < 3_000_000


def test_the_page_offers_its_files_and_its_sorts_as_links(app: Flask) -> None:
    page = app.test_client().get("/office?nom=Clic").text
    assert 'href="?nom=Clic&amp;format=csv"' in page
    assert 'href="?nom=Clic&amp;format=xlsx"' in page
    assert 'aria-sort="descending"' in page
    assert 'value="Clic"' in page
