"""Places: list, detail, the same as CSV or as a file of the national standard."""

from uuid import UUID

from flask import Response as StreamedResponse
from flask import abort, flash, redirect, render_template, request, stream_with_context, url_for
from werkzeug.wrappers import Response

from issuer_portal.programme.folder import blueprint
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.kernel.refusals import Refused
from voucher.network import read
from voucher.network.places import close_place, reopen_place
from voucher.network.read import DEPARTMENT_NAMES, SERVICE_NAMES
from voucher.web.access import staff, viewer
from voucher.web.listing import file_response, read_listing
from voucher.web.services import services

STATES = (("open", "Ouvert"), ("closed", "Fermé"))


@blueprint.get("/lieux")
@staff(Role.PROGRAMME, Role.AUDITOR)
def places() -> str | Response:
    """List places."""
    listing = read_listing(
        request.args,
        sorts=("name", "city", "updated_on"),
        default_sort="name",
        filters=("nom", "departement", "service", "etat"),
    )
    rows, total = read.places(
        services().database,
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
    )
    if listing.wants_file:
        note_access(services().database, viewer().account_id, "Export des lieux", f"{total} lignes", services().now())
        lines = (
            (row.external_id, row.name, row.structure_name, row.address, row.postcode, row.city, row.department_name,
             row.phone, ", ".join(row.emails), ", ".join(row.services), row.is_open, row.updated_on)
            for row in rows
        )  # fmt: skip
        heads = ["Identifiant", "Lieu", "Structure", "Adresse", "Code postal", "Ville", "Département", "Téléphone",
                 "Courriels", "Services", "Ouvert", "Mis à jour le"]  # fmt: skip
        return file_response("lieux", heads, lines)
    return render_template(
        "programme/places.html",
        listing=listing,
        rows=rows,
        total=total,
        departments=DEPARTMENT_NAMES,
        services=SERVICE_NAMES,
        states=STATES,
    )


@blueprint.get("/lieux/standard.csv")
@staff(Role.PROGRAMME, Role.AUDITOR)
def places_in_the_standard() -> Response:
    """Send the open places as a file of the standard v1.0.2."""
    database = services().database
    note_access(database, viewer().account_id, "Export des lieux", "standard v1.0.2", services().now())
    response = StreamedResponse(stream_with_context(read.places_in_the_standard(database)), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="lieux-de-mediation-numerique.csv"'
    return response


@blueprint.get("/lieux/<uuid:place_id>")
@staff(Role.PROGRAMME, Role.AUDITOR)
def place(place_id: UUID) -> str:
    """Show a place."""
    page = read.place(services().database, place_id)
    if page is None:
        abort(404)
    return render_template("programme/place.html", page=page)


@blueprint.post("/lieux/<uuid:place_id>/fermer")
@staff(Role.PROGRAMME)
def close(place_id: UUID) -> Response:
    """Close a place."""
    return _changed(place_id, is_open=False)


@blueprint.post("/lieux/<uuid:place_id>/rouvrir")
@staff(Role.PROGRAMME)
def reopen(place_id: UUID) -> Response:
    """Open a place again."""
    return _changed(place_id, is_open=True)


def _changed(place_id: UUID, *, is_open: bool) -> Response:
    act = reopen_place if is_open else close_place
    try:
        act(services().database, place_id, by=viewer().account_id, now=services().now())
    except Refused as refused:
        if refused.code == "unknown_place":
            abort(404)
        flash(refused.sentence, "danger")
    else:
        flash(
            "Le lieu est rouvert." if is_open else "Le lieu est fermé. Il n’est plus proposé aux habitants.", "success"
        )
    return redirect(url_for("programme.place", place_id=place_id))
