"""A list as its page shows it against its two files: the same headings, the same values, in the same order."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from html import unescape
from typing import Any
from urllib.parse import urljoin

import openpyxl
from flask.testing import FlaskClient
from lxml import html

from voucher.kernel.calendar import PARIS
from voucher.kernel.money import thousands
from voucher.kernel.number_labels import booklet_label
from voucher.web.filters import basis_points, euros, instant
from voucher.web.filters import day as french_day
from voucher.web.tables.columns import Kind
from voucher.web.tables.files import csv_cell
from voucher.web.tables.workbook import FORMATS

PAGES_FOLLOWED_MAX = 3
UNIT = " (€)"
KINDS = {code: kind for kind, code in FORMATS.items()}
# Excel's own name for a number without a form of its own.
KINDS["General"] = Kind.DECIMAL


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list's files: its headings, and each row as a page would say it."""

    headings: list[str]
    rows: list[list[str]]


def lists_of(page: str) -> list[Any]:
    """Return the lists of a page that offer their files."""
    found = html.fromstring(page).xpath("//div[@class='list']")
    return [one for one in found if one.xpath(".//a[contains(@href, 'format=csv')]")]


def check_list(client: FlaskClient, address: str, rank: int) -> int:
    """Follow a list from page to page against its files; return how many rows were compared."""
    table = lists_of(client.get(address).get_data(as_text=True))[rank]
    link = table.xpath(".//a[contains(@href, 'format=csv')]/@href")[0]
    kept = list_file(client, urljoin(address, unescape(link)))
    headings = [said(one) for one in table.xpath(".//thead//th")]
    assert not headings or [one for one in kept.headings if one in headings] == headings, address
    compared, here = 0, address
    for _ in range(PAGES_FOLLOWED_MAX):
        for row in table.xpath(".//tbody/tr[th]"):
            cells = [said(one) for one in row.xpath("./th | ./td")]
            compare(kept.headings, kept.rows[compared], headings, cells, f"{here}, row {compared}")
            compared += 1
        following = table.xpath(".//a[@rel='next']/@href")
        assert bool(following) == (compared < len(kept.rows)), f"{here}: {compared} rows of {len(kept.rows)}"
        if not following:
            break
        assert "par page" in said(table.xpath(".//nav[@class='pagination']")[0]), f"{here} does not say that it is cut"
        before, here = here, urljoin(here, following[0])
        table = lists_of(client.get(here).get_data(as_text=True))[rank]
        back = urljoin(here, table.xpath(".//a[@rel='prev']/@href")[0])
        assert rows_of(client, back, rank) == rows_of(client, before, rank), f"{here} leads back to other rows"
    return compared


def rows_of(client: FlaskClient, address: str, rank: int) -> list[str]:
    table = lists_of(client.get(address).get_data(as_text=True))[rank]
    return [said(row) for row in table.xpath(".//tbody/tr")]


def compare(file_headings: list[str], file_row: list[str], headings: list[str], cells: list[str], where: str) -> None:
    """Check that each value of a row of a file is said in the page's row, in the cell of its heading where it has one."""
    shown = dict(zip(headings, cells, strict=True))
    whole = " ".join(cells)
    for heading, value in zip(file_headings, file_row, strict=True):
        if value in (said_euros(0), "0"):
            continue  # a page may leave a zero out
        if heading in shown:
            assert shown[heading].startswith(value), f"{where}, {heading}: {value!r}, {shown[heading]!r}"
        else:
            assert value in whole, f"{where}, {heading}: {value!r} not in {whole!r}"


def list_file(client: FlaskClient, csv_address: str) -> ListFile:
    """Fetch both files of a list, check that they hold the same, typed in the workbook."""
    answer = client.get(csv_address)
    assert answer.status_code == 200, csv_address
    text = answer.get_data().decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    book = openpyxl.load_workbook(
        io.BytesIO(client.get(csv_address.replace("format=csv", "format=xlsx")).get_data()), data_only=True
    )
    sheet = book.active
    assert sheet is not None
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref is not None
    last = int(re.sub(r".*\D", "", sheet.auto_filter.ref))
    typed = list(sheet.iter_rows(min_row=1, max_row=last))
    assert [cell.value for cell in typed[0]] == lines[0], csv_address
    assert len(typed) == len(lines), csv_address
    for line, cells in zip(lines[1:], typed[1:], strict=True):
        assert line == [as_csv(cell) for cell in cells], csv_address
    assert_sums(sheet, last)
    headings = [heading.removesuffix(UNIT) for heading in lines[0]]
    return ListFile(headings, [[said_cell(cell) for cell in cells] for cells in typed[1:]])


def assert_sums(sheet: Any, last: int) -> None:
    """The last row says the sum of each column that it sums."""
    for cell in next(sheet.iter_rows(min_row=last + 1, max_row=last + 1), ()):
        if isinstance(cell.value, int | float):
            column = [sheet.cell(row, cell.column).value for row in range(2, last + 1)]
            numbers = [Decimal(str(value)) for value in column if isinstance(value, int | float)]
            assert Decimal(str(cell.value)) == sum(numbers, Decimal()), cell.coordinate


def as_csv(cell: Any) -> str:
    """Return what the CSV file holds where the workbook holds this."""
    kind, value = KINDS.get(cell.number_format, Kind.TEXT), cell.value
    match value:
        case int() | float() if kind in (Kind.EUROS, Kind.PERCENT):
            return csv_cell(kind, round(Decimal(str(value)).scaleb(2 if kind is Kind.EUROS else 4)))
        case float():
            return csv_cell(Kind.DECIMAL, Decimal(str(value)))
        case datetime() if kind is Kind.DAY:
            return csv_cell(kind, value.date())
        case datetime():
            return csv_cell(kind, value.replace(tzinfo=PARIS))
        case str():
            # A workbook writes a carriage return so.
            return csv_cell(kind, value.replace("_x000D_", "\r"))
        case _:
            return csv_cell(kind, value)


def said_cell(cell: Any) -> str:
    """Return a workbook's value as the page says it."""
    kind, value = KINDS.get(cell.number_format, Kind.TEXT), cell.value
    match value:
        case None:
            return ""
        case int() | float() if kind is Kind.EUROS:
            return said_euros(round(Decimal(str(value)).scaleb(2)))
        case int() | float() if kind is Kind.PERCENT:
            return spaced(basis_points(round(Decimal(str(value)).scaleb(4))))
        case int() if kind is Kind.BOOKLET:
            return spaced(booklet_label(value))
        case int() if kind is Kind.RANK:
            return str(value)
        case int() if kind is Kind.COUNT:
            return spaced(thousands(value))
        case int() | float():
            return f"{value:g}".replace(".", ",")
        case datetime() if kind is Kind.DAY:
            return spaced(french_day(value.date()))
        case datetime():
            return spaced(instant(value.replace(tzinfo=PARIS)))
        case _:
            return spaced(str(value).replace("_x000D_", "\r"))


def said_euros(cents: int) -> str:
    return spaced(euros(cents))


def said(element: Any) -> str:
    """Return the words of an element, a space between two of its parts."""
    marks = set(element.xpath(".//*[@aria-hidden='true']//text()"))
    return spaced(" ".join(part for part in element.itertext() if part not in marks))


def spaced(text: str) -> str:
    return " ".join(text.split())


def addresses(page: str) -> Iterator[str]:
    """Give the addresses of the sorts of a page's lists."""
    for table in lists_of(page):
        yield from (unescape(link) for link in table.xpath(".//thead//a/@href"))
