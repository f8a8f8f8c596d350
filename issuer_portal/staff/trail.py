"""The programme and the auditor read the audit trail, search it and take it as a file."""

from functools import partial

from flask import render_template, request
from werkzeug.wrappers import Response

from issuer_portal.staff.accounts import blueprint
from voucher.access.audit import note_access
from voucher.access.read_trail import TrailLine
from voucher.access.read_trail import trail as read_trail
from voucher.access.rules import Role
from voucher.kernel.typed_days import wrong_days
from voucher.web.access import staff, viewer
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Listing, Table, drawn, length_text, list_file, read_listing

TRAIL = Table(
    "Journal des accès",
    (
        Column[TrailLine]("at", "Quand", Kind.INSTANT, is_sorted=True),
        Column("leaf", "Numéro de scellé", Kind.RANK, under="at"),
        Column("who", "Qui"),
        Column("email", "Adresse", under="who"),
        Column("action", "Quoi"),
        Column("subject", "Sur quoi"),
    ),
    default_sort="-at",
    filters=("qui", "action", "sujet", "du", "au"),
    one="ligne",
    file_name="journal-des-acces",
)


@blueprint.get("/journal")
@staff(Role.PROGRAMME, Role.AUDITOR)
def trail() -> str | Response:
    """List who saw or changed what. It holds names and addresses: a file of it leaves a line in it."""
    here = services()
    listing = read_listing(request.args, TRAIL)
    find = partial(read_trail, here.database)
    if listing.wants_file:
        taken = f"{length_text(find, listing)} lignes{_filters(listing)}"
        note_access(here.database, viewer().account_id, "Export du journal des accès", taken, here.now())
        return list_file(TRAIL, listing, find)
    return render_template(
        "staff/trail.html",
        listing=listing,
        lines=drawn(TRAIL, listing, find),
        unreadable=wrong_days(listing.filters.get("du"), listing.filters.get("au")),
    )


def _filters(listing: Listing) -> str:
    said = ", ".join(f"{name} « {value} »" for name, value in listing.filters.items())
    return f" : {said}" if said else ""
