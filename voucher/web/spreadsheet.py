"""A list as an XLSX workbook, written row by row: memory stays small whatever the length.

Every text is written as a text, so that nothing in it is ever a formula or a link, whatever it begins with. Numbers, days
and instants are what they are, and sum and sort as such.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

import xlsxwriter

from voucher.kernel.calendar import PARIS

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CHUNK_LENGTH = 65_536
COLUMN_WIDTH = 18
# A spreadsheet holds fifteen digits of a number; a longer one is a reference, and stays whole as a text.
WHOLE_NUMBER_MAX = 10**15
OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "in_memory": False,
}


def workbook_chunks(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Give the bytes of a workbook of one sheet: the headers, kept in view, then the rows.

    A cell is a text, an int, a Decimal (euros), a bool, a date, an aware datetime (shown as Paris time) or None.
    """
    with tempfile.TemporaryFile(prefix="pass-xlsx-") as file:
        _write(file, headers, rows)
        file.seek(0)
        while chunk := file.read(CHUNK_LENGTH):
            yield chunk


def _write(file: IO[bytes], headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with xlsxwriter.Workbook(file, OPTIONS) as book:
        sheet = book.add_worksheet("Liste")
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        formats = {
            Decimal: book.add_format({"num_format": "#,##0.00"}),
            date: book.add_format({"num_format": "dd/mm/yyyy"}),
            datetime: book.add_format({"num_format": "dd/mm/yyyy hh:mm:ss"}),
        }
        sheet.freeze_panes(1, 1)
        sheet.set_column(0, max(len(headers) - 1, 0), COLUMN_WIDTH)
        for column, header in enumerate(headers):
            sheet.write_string(0, column, header, head)
        for row, cells in enumerate(rows, 1):
            for column, cell in enumerate(cells):
                _write_cell(sheet, row, column, cell, formats)


def _write_cell(sheet: Any, row: int, column: int, cell: Any, formats: dict[type, Any]) -> None:
    match cell:
        case None:
            pass
        case bool():
            sheet.write_string(row, column, "oui" if cell else "non")
        case int() if abs(cell) < WHOLE_NUMBER_MAX:
            sheet.write_number(row, column, cell)
        case Decimal():
            sheet.write_number(row, column, cell, formats[Decimal])
        case datetime():
            sheet.write_datetime(row, column, cell.astimezone(PARIS).replace(tzinfo=None), formats[datetime])
        case date():
            sheet.write_datetime(row, column, cell, formats[date])
        case _:
            sheet.write_string(row, column, str(cell))
