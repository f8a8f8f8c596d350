"""A list as a file: all its rows, filtered and sorted as the page, read page after page so that memory stays small."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from flask import Response, stream_with_context

from voucher.kernel.calendar import PARIS
from voucher.kernel.keyset import Asked, Page, every_row
from voucher.kernel.paper import safe_cell
from voucher.web.filters import slug
from voucher.web.tables.columns import Cell, Column, Kind, Table
from voucher.web.tables.listing import Listing
from voucher.web.tables.workbook import MEDIA_TYPE, workbook_chunks

CHUNK_LENGTH = 32_768
Row = TypeVar("Row")


def list_file(table: Table[Row], listing: Listing, read: Callable[[Asked], Page[Row]], name: str = "") -> Response:
    """Return the whole list as the file that the address asks for: an XLSX workbook for `format=xlsx`, else a CSV file.

    `name` becomes the file's name. Texts are never formulas, in either.
    """
    rows = every_row(read, listing.asked)
    name = slug(name or table.file_name or table.caption) or "liste"
    ending = listing.file_format or "csv"
    if ending == "xlsx":
        response = Response(workbook_chunks(table, rows), mimetype=MEDIA_TYPE)
    else:
        response = Response(stream_with_context(csv_lines(table.columns, rows)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{ending}"'
    return response


def csv_lines(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> Iterator[str]:
    """Write rows so that French spreadsheets open them by a double click: UTF-8 with BOM, `;`, decimal comma.

    Texts that a spreadsheet would run as a formula get a leading apostrophe; numbers we write ourselves do not. Days are
    jj/mm/aaaa, instants Paris time.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    yield "\ufeff"
    writer.writerow([safe_cell(column.file_heading) for column in columns])
    for row in rows:
        writer.writerow([csv_cell(column.kind, column.of(row)) for column in columns])
        if buffer.tell() > CHUNK_LENGTH:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def csv_cell(kind: Kind, value: Cell) -> str:
    """Return a value as a CSV cell holds it, safe against formula injection."""
    match value:
        case None:
            return ""
        case bool():
            return "oui" if value else "non"
        case int() if kind in (Kind.EUROS, Kind.PERCENT):
            return f"{Decimal(value).scaleb(-2):f}".replace(".", ",")
        case int():
            return str(value)
        case Decimal():
            return f"{value:f}".replace(".", ",")
        case datetime():
            return value.astimezone(PARIS).strftime("%d/%m/%Y %H:%M:%S")
        case date():
            return value.strftime("%d/%m/%Y")
        case _:
            return safe_cell(value)
