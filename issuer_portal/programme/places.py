"""Places: list, detail, the same as CSV or as a file of the national standard."""

from functools import partial
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
from voucher.web.acts import leaves_line
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, length_text, list_file, read_listing
from voucher.web.views import flash_refusal

STATES = (("open", "Ouvert"), ("closed", "Fermé"))


PLACES = Table(
    "Lieux",
    (
        Column[read.PlaceLine](
            "name", "Lieu", is_sorted=True, link=lambda row: url_for("programme.place", place_id=row.id)
        ),
        Column("external_id", "Identifiant", under="name"),
        Column(
            "structure_name",
            "Structure",
            link=lambda row: url_for("programme.structure", structure_id=row.structure_id),
        ),
        Column("city", "Ville", is_sorted=True),
        Column("postcode", "Code postal", under="city"),
        Column("address", "Adresse", under="city"),
        Column("department_name", "Département", value=lambda row: row.department_name or "Non situé"),
        Column("phone", "Téléphone", under="structure_name"),
        Column("emails", "Courriels", value=lambda row: ", ".join(row.emails), under="structure_name"),
        Column("opening_hours", "Horaires", value=lambda row: row.opening_hours or "Non renseignés"),
        Column("services", "Services", value=lambda row: ", ".join(row.services), under="opening_hours"),
        Column(
            "is_open",
            "État",
            Kind.TAG,
            lambda row: "Ouvert" if row.is_open else "Fermé",
            tag=lambda row: "success" if row.is_open else "neutral",
        ),
        Column("updated_on", "Mis à jour le", Kind.DAY, is_sorted=True),
    ),
    default_sort="name",
    filters=("nom", "departement", "service", "etat"),
    one="lieu",
    many="lieux",
)


@blueprint.get("/lieux")
@staff(Role.PROGRAMME, Role.AUDITOR)
def places() -> str | Response:
    """List places."""
    here = services()
    listing = read_listing(request.args, PLACES)
    find = partial(read.places, here.database)
    if listing.wants_file:
        taken = f"{length_text(find, listing)} lignes"
        note_access(here.database, viewer().account_id, "Export des lieux", taken, here.now())
        return list_file(PLACES, listing, find)
    return render_template(
        "programme/places.html",
        listing=listing,
        lines=drawn(PLACES, listing, find),
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
@leaves_line("fermer un lieu")
def close(place_id: UUID) -> Response:
    """Close a place."""
    return _changed(place_id, is_open=False)


@blueprint.post("/lieux/<uuid:place_id>/rouvrir")
@staff(Role.PROGRAMME)
@leaves_line("rouvrir un lieu")
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
        flash_refusal(refused)
    else:
        flash(
            "Le lieu est rouvert." if is_open else "Le lieu est fermé. Il n’est plus proposé aux habitants.", "success"
        )
    return redirect(url_for("programme.place", place_id=place_id))
