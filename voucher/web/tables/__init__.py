"""Lists: one list of columns draws the page, the CSV file and the XLSX workbook, with the same headings and the same values.

    LINES = Table(
        "Lignes de banque",
        (
            Column("booked_on", "Jour", Kind.DAY, is_sorted=True, link=lambda row: url_for("finance.line", line_id=row.id)),
            Column("amount", "Montant", Kind.EUROS, lambda row: row.signed_cents, is_sorted=True, is_summed=True),
            Column("remittance", "Libellé", under="booked_on"),
        ),
        default_sort="-booked_on",
        filters=("etat", "texte"),
        one="ligne",
    )

    listing = read_listing(request.args, LINES)
    read = partial(read_bank.lines, services().database, issuer_id=scope())      # Asked -> Page
    if listing.wants_file:
        return list_file(LINES, listing, read)
    return render_template("finance/lines.html", listing=listing, lines=drawn(LINES, listing, read))

A reader is a capability's: it takes `voucher.kernel.keyset.Asked` and returns a `Page`. Rows that are in memory go through
`rows_reader`; a table without pages through `whole`. In the template: {{ ui.listing(lines, empty=ui.empty(…)) }}.
"""

from voucher.web.tables.columns import Cell as Cell
from voucher.web.tables.columns import Column as Column
from voucher.web.tables.columns import Kind as Kind
from voucher.web.tables.columns import Table as Table
from voucher.web.tables.columns import state_column as state_column
from voucher.web.tables.drawn import Drawn as Drawn
from voucher.web.tables.drawn import drawn as drawn
from voucher.web.tables.files import list_file as list_file
from voucher.web.tables.listing import Listing as Listing
from voucher.web.tables.listing import is_file_asked as is_file_asked
from voucher.web.tables.listing import read_listing as read_listing
from voucher.web.tables.readers import length_text as length_text
from voucher.web.tables.readers import rows_reader as rows_reader
from voucher.web.tables.readers import whole as whole
