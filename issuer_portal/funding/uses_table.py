"""The list of entries behind a figure: what can be called, or what a call took."""

from flask import url_for

from issuer_portal.funding.folder import sees_ledger
from voucher.funding.uses import UseLine
from voucher.web.filters import day
from voucher.web.tables import Column, Kind, Table


def uses_table() -> Table[UseLine]:
    """Return the list; its entries lead to the ledger for who may read it."""
    may_read = sees_ledger()
    return Table(
        "Écritures",
        (
            Column[UseLine]("day", "Jour", Kind.DAY, lambda row: row.used_on, is_sorted=True),
            Column("event_name", "Nature"),
            Column("pivot", "SIRET ou RNA", under="structure_name"),
            Column("structure_name", "Structure"),
            Column("cents", "Montant", Kind.EUROS, is_summed=True),
            Column(
                "entry_id",
                "Écriture",
                value=lambda row: str(row.entry_id),
                link=lambda row: url_for("ledger.entry", entry_id=row.entry_id) if may_read else None,
                link_label=lambda row: f"du {day(row.used_on)}, {row.structure_name}",
            ),
        ),
        default_sort="day",
        one="écriture",
    )
