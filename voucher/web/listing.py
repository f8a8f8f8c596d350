"""One helper for every list: which page, sorted how, filtered by what, and the same list as a CSV or XLSX file.

    listing = read_listing(request.args, sorts=("name", "amount"), default_sort="-amount", filters=("etat", "nom"))
    rows, total = read.advices(database, …, sort=listing.sort, descending=listing.descending,
                               limit=listing.limit, offset=listing.offset, **listing.filters)
    if listing.wants_file:
        return file_response("bordereaux", ["Structure", "Montant (€)"], ((row.name, euros_cell(row.amount_cents)) for row in rows))

In the address: `page`, `tri` (a sort, `-` before it for descending), `format` (`csv` or `xlsx`), and the filters by their own
names.
Whatever is unknown or out of range is left aside: an old bookmark still opens the list.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from urllib.parse import urlencode

from flask import Response, has_request_context, request, stream_with_context

from voucher.kernel.calendar import PARIS
from voucher.kernel.paper import safe_cell
from voucher.kernel.typed_numbers import whole_number
from voucher.web.filters import slug
from voucher.web.spreadsheet import MEDIA_TYPE, workbook_chunks

PER_PAGE = 50
PAGE_MAX = 100_000
FILTER_LENGTH_MAX = 100
FILE_ROWS_MAX = 1_000_000  # a sheet of a workbook holds 1,048,576
CHUNK_LENGTH = 32_768
FILE_FORMATS = ("csv", "xlsx")
RESERVED = frozenset({"page", "tri", "format"})

Cell = str | int | Decimal | bool | date | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a person asked of a list; every value is already checked against what the list offers."""

    page: int = 1
    per_page: int = PER_PAGE
    sort: str = ""
    direction: str = "asc"
    filters: Mapping[str, str] = field(default_factory=dict)
    wants_file: bool = False
    default_sort: str = ""

    @property
    def descending(self) -> bool:
        """Say whether the greatest comes first."""
        return self.direction == "desc"

    @property
    def offset(self) -> int:
        """Count the rows before this page; a file starts at the first."""
        return 0 if self.wants_file else (self.page - 1) * self.per_page

    @property
    def limit(self) -> int:
        """Count the rows to read: a page, or the whole list for a file."""
        return FILE_ROWS_MAX if self.wants_file else self.per_page

    @property
    def sort_text(self) -> str:
        """Return the sort as the address holds it (`-amount`), empty when it is the default."""
        text = f"-{self.sort}" if self.descending else self.sort
        return "" if text == self.default_sort else text

    @property
    def aria_sort(self) -> str:
        """Return the direction as `aria-sort` says it."""
        return "descending" if self.descending else "ascending"

    def pages(self, total_count: int) -> int:
        """Count the pages of a list of `total_count` rows; an empty list has one."""
        return max(1, -(-total_count // self.per_page))

    def within(self, total_count: int) -> "Listing":
        """Return this listing on the last page when it stands beyond it (rows were removed since the link was made)."""
        return replace(self, page=min(self.page, self.pages(total_count)))

    def page_url(self, page: int) -> str:
        """Return the address of another page of the same list."""
        return self.url(page=page)

    def sort_url(self, key: str) -> str:
        """Return the address of the list sorted by `key`; the other way round when it already is."""
        descends = key == self.sort and not self.descending
        return replace(self, sort=key, direction="desc" if descends else "asc").url()

    def csv_url(self) -> str:
        """Return the address of the whole list, filtered and sorted the same, as a CSV file."""
        return self.url(file_format="csv")

    def xlsx_url(self) -> str:
        """Return the address of the same as an XLSX workbook."""
        return self.url(file_format="xlsx")

    def reset_url(self) -> str:
        """Return the address of the list without filters."""
        return replace(self, filters={}).url()

    def url(self, page: int = 1, file_format: str = "") -> str:
        """Return the address of this list at a page, or as a file."""
        parts = dict(self.filters)
        parts |= {"tri": self.sort_text, "page": str(page) if page > 1 else "", "format": file_format}
        return "?" + urlencode({name: value for name, value in parts.items() if value})


def read_listing(
    args: Mapping[str, str],
    *,
    sorts: Sequence[str],
    default_sort: str,
    filters: Sequence[str] = (),
    per_page: int = PER_PAGE,
) -> Listing:
    """Read what a person asked of a list from the request's arguments.

    `sorts` and `filters` are all that is accepted; `default_sort` may start with `-`. Filters come out trimmed, and only
    those with something in them. Raises ValueError when the list itself is ill-defined (a bug, not a person's mistake).
    """
    if default_sort.removeprefix("-") not in sorts:
        raise ValueError(f"the default sort {default_sort!r} is not one of the sorts")
    if RESERVED.intersection(filters):
        raise ValueError(f"a filter may not be called {', '.join(sorted(RESERVED.intersection(filters)))}")
    asked = args.get("tri", "")
    chosen = asked if asked.removeprefix("-") in sorts else default_sort
    kept = {name: _clean(args.get(name, "")) for name in filters}
    return Listing(
        page=_page(args.get("page", "1")),
        per_page=per_page,
        sort=chosen.removeprefix("-"),
        direction="desc" if chosen.startswith("-") else "asc",
        filters={name: value for name, value in kept.items() if value},
        wants_file=args.get("format") in FILE_FORMATS,
        default_sort=default_sort,
    )


def file_response(name: str, headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """Stream rows as the file that the address asks for: an XLSX workbook for `format=xlsx`, else a CSV file.

    `name` becomes the file's name. Texts are never formulas, in either.
    """
    if not (has_request_context() and request.args.get("format") == "xlsx"):
        return csv_response(name, headers, rows)
    response = Response(stream_with_context(workbook_chunks(headers, rows)), mimetype=MEDIA_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="{slug(name) or "liste"}.xlsx"'
    return response


def csv_response(name: str, headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """Stream rows as a CSV file that French spreadsheets open by a double click: UTF-8 with BOM, `;`, decimal comma.

    Texts that a spreadsheet would run as a formula get a leading apostrophe; numbers we write ourselves (int, Decimal) do
    not. Days are jj/mm/aaaa, instants Paris time. `name` becomes the file's name.
    """
    response = Response(stream_with_context(_lines(headers, rows)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{slug(name) or "liste"}.csv"'
    return response


def euros_cell(cents: int) -> Decimal:
    """Return cents as the number of euros a CSV cell holds."""
    return Decimal(cents).scaleb(-2)


def csv_cell(value: Cell) -> str:
    """Return a value as a CSV cell holds it, safe against formula injection."""
    match value:
        case None:
            return ""
        case bool():
            return "oui" if value else "non"
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


def _lines(headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    yield "\ufeff"
    for cells in chain([headers], rows):
        writer.writerow([csv_cell(cell) for cell in cells])
        if buffer.tell() > CHUNK_LENGTH:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _page(text: str) -> int:
    return min(max(whole_number(text) or 1, 1), PAGE_MAX)


def _clean(text: str) -> str:
    # PostgreSQL refuses a NUL in a text.
    return text.replace("\x00", "").strip()[:FILTER_LENGTH_MAX]
