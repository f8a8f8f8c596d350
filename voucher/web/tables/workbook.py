"""A list as an XLSX workbook, written row by row: memory stays small whatever the length.

The heading stays in view and filters the rows; the last row sums what is shown. Numbers, days and instants are what they are,
and sum and sort as such. Every text is written as a text, so that nothing in it is ever a formula or a link, whatever it begins
with: the sums are the only formulas, and hold no text.
"""

import tempfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, TypeVar

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from voucher.kernel.calendar import PARIS
from voucher.web.tables.columns import Cell, Kind, Table

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CHUNK_LENGTH = 65_536
ROWS_MAX = 1_000_000  # a sheet holds 1,048,576
TOO_LONG = "La suite ne tient pas dans un classeur. Filtrez la liste, ou prenez le fichier CSV."
# A spreadsheet holds fifteen digits of a number; a longer one is a reference, and stays whole as a text.
WHOLE_NUMBER_MAX = 10**15
WIDTHS = {
    Kind.EUROS: 14,
    Kind.COUNT: 11,
    Kind.DECIMAL: 11,
    Kind.BOOKLET: 12,
    Kind.RANK: 10,
    Kind.PERCENT: 10,
    Kind.DAY: 12,
    Kind.INSTANT: 19,
    Kind.TAG: 18,
}
TEXT_WIDTH = 28
FORMATS = {
    Kind.EUROS: '#,##0.00 "€"',
    Kind.COUNT: "#,##0",
    Kind.DECIMAL: "General",
    Kind.BOOKLET: "0000",
    Kind.RANK: "0",
    Kind.PERCENT: "0.00%",
    Kind.DAY: "dd/mm/yyyy",
    Kind.INSTANT: "dd/mm/yyyy hh:mm:ss",
}
OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "in_memory": False,
}
Row = TypeVar("Row")


def workbook_chunks(table: Table[Row], rows: Iterable[Row]) -> Iterator[bytes]:
    """Write the workbook of a list at once, whole or not at all; give its bytes."""
    file = tempfile.TemporaryFile(prefix="pass-xlsx-")  # noqa: SIM115 - it goes with the answer, whoever stops reading
    try:
        _write(file, table, rows)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return _chunks(file)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_LENGTH):
            yield chunk


def _write(file: IO[bytes], table: Table[Row], rows: Iterable[Row]) -> None:
    columns = table.columns
    with xlsxwriter.Workbook(file, OPTIONS) as book:
        sheet = book.add_worksheet("Liste")
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        formats = {kind: book.add_format({"num_format": code}) for kind, code in FORMATS.items()}
        last = {
            kind: book.add_format({"num_format": code, "bold": True, "top": 1}) for kind, code in FORMATS.items()
        } | {Kind.TEXT: book.add_format({"bold": True, "top": 1})}
        sheet.freeze_panes(1, 1)
        for at, column in enumerate(columns):
            sheet.set_column(at, at, WIDTHS.get(column.kind, TEXT_WIDTH))
            sheet.write_string(0, at, column.file_heading, head)
        sums = dict.fromkeys((column.key for column in columns if column.is_summed), 0)
        count = 0
        for row in rows:
            if count == ROWS_MAX:
                sheet.write_string(count + 1, 0, TOO_LONG, head)
                return
            count += 1
            for at, column in enumerate(columns):
                value = column.of(row)
                _write_cell(sheet, count, at, column.kind, value, formats.get(column.kind))
                if column.key in sums and isinstance(value, int):
                    sums[column.key] += value
        sheet.autofilter(0, 0, count, max(len(columns) - 1, 0))
        if sums and count:
            _write_sums(sheet, count, columns, sums, last, table.total_heading)


def _write_sums(
    sheet: Any, count: int, columns: Any, sums: dict[str, int], formats: dict[Kind, Any], heading: str
) -> None:
    """Write the last row: the sum of the rows that the filter shows."""
    if not columns[0].is_summed:
        sheet.write_string(count + 1, 0, heading, formats[Kind.TEXT])
    for at, column in enumerate(columns):
        if column.key in sums:
            name = xl_col_to_name(at)
            number = _number(column.kind, sums[column.key])
            sheet.write_formula(
                count + 1, at, f"=SUBTOTAL(109,{name}2:{name}{count + 1})", formats[column.kind], number
            )


def _write_cell(sheet: Any, row: int, at: int, kind: Kind, value: Cell, form: Any) -> None:
    match value:
        case None:
            pass
        case bool():
            sheet.write_string(row, at, "oui" if value else "non")
        case int() if abs(value) < WHOLE_NUMBER_MAX:
            sheet.write_number(row, at, _number(kind, value), form)
        case Decimal():
            sheet.write_number(row, at, value, form)
        case datetime():
            sheet.write_datetime(row, at, value.astimezone(PARIS).replace(tzinfo=None), form)
        case date():
            sheet.write_datetime(row, at, value, form)
        case _:
            sheet.write_string(row, at, str(value))


def _number(kind: Kind, value: int) -> Decimal:
    """Return euros for cents, a part for basis points."""
    return Decimal(value).scaleb({Kind.EUROS: -2, Kind.PERCENT: -4}.get(kind, 0))
