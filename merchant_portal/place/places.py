"""A structure's own page, and its places: add, correct, close, open again."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField, TelField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from merchant_portal.place.folder import blueprint, own_structure
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network import read, read_structures
from voucher.network.places import PlaceDescription, add_place, close_place, describe_place, reopen_place
from voucher.network.read import SERVICE_NAMES
from voucher.network.read_structures import STATE_NAMES
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line
from voucher.web.forms import CheckboxesField, HouseForm, show_refusal
from voucher.web.services import services
from voucher.web.views import flash_refusal, id_of


class PlaceForm(HouseForm):
    """What a structure says of one of its places."""

    id = HiddenField()
    name = StringField("Nom du lieu", validators=[InputRequired(), Length(max=150)])
    address = StringField("Adresse", validators=[InputRequired(), Length(max=200)])
    address_complement = StringField("Complément d’adresse", validators=[Optional(), Length(max=200)])
    postcode = StringField("Code postal", validators=[InputRequired()])
    city = StringField("Ville", validators=[InputRequired(), Length(max=80)])
    insee_code = StringField("Code INSEE de la commune", validators=[Optional()])
    phone = TelField("Téléphone", validators=[Optional()])
    email = StringField("Adresse électronique", validators=[Optional(), Length(max=300)])
    website = StringField("Site web", validators=[Optional(), Length(max=500)])
    opening_hours = StringField("Horaires", validators=[Optional(), Length(max=300)])
    summary = TextAreaField("En une phrase", validators=[Optional(), Length(max=280)])
    services = CheckboxesField("Services rendus", choices=list(SERVICE_NAMES.items()))


@blueprint.get("/")
@staff(Role.PLACE_MANAGER, Role.MEDIATOR)
def home() -> str:
    """Show the structure, its places and whether it can be paid."""
    page = read_structures.structure(services().database, own_structure())
    if page is None:
        abort(404)
    return render_template("place/home.html", page=page, states=STATE_NAMES)


@blueprint.get("/<uuid:place_id>")
@staff(Role.PLACE_MANAGER, Role.MEDIATOR)
def place(place_id: UUID) -> str:
    """Show a place of one's own structure."""
    return render_template("place/place.html", page=_own(place_id))


@blueprint.route("/nouveau", methods=["GET", "POST"])
@staff(Role.PLACE_MANAGER)
@leaves_line("enregistrer un lieu")
def new_place() -> str | Response:
    """Add a place."""
    form: Any = PlaceForm(id=str(new_id()))
    if form.validate_on_submit():
        structure_id = own_structure()
        try:
            place_id = add_place(
                services().database,
                id_of(form),
                structure_id,
                _description(form),
                by=viewer().account_id,
                now=services().now(),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"« {form.name.data} » est ajouté.", "success")
            return redirect(url_for("place.place", place_id=place_id))
    return render_template("place/place_form.html", form=form, page=None)


@blueprint.route("/<uuid:place_id>/corriger", methods=["GET", "POST"])
@staff(Role.PLACE_MANAGER)
@leaves_line("corriger un lieu")
def correct_place(place_id: UUID) -> str | Response:
    """Correct what is said of a place."""
    page = _own(place_id)
    form: Any = PlaceForm(data=_said(page))
    if form.validate_on_submit():
        try:
            describe_place(
                services().database,
                place_id,
                _description(form),
                structure_id=own_structure(),
                by=viewer().account_id,
                now=services().now(),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash("La fiche du lieu est à jour. Les habitants la voient dès maintenant.", "success")
            return redirect(url_for("place.place", place_id=place_id))
    return render_template("place/place_form.html", form=form, page=page)


@blueprint.post("/<uuid:place_id>/fermer")
@staff(Role.PLACE_MANAGER)
@leaves_line("fermer un lieu")
def close(place_id: UUID) -> Response:
    """Close a place."""
    return _changed(place_id, is_open=False)


@blueprint.post("/<uuid:place_id>/rouvrir")
@staff(Role.PLACE_MANAGER)
@leaves_line("rouvrir un lieu")
def reopen(place_id: UUID) -> Response:
    """Open a place again."""
    return _changed(place_id, is_open=True)


def _own(place_id: UUID) -> read.PlacePage:
    page = read.place(services().database, place_id, own_structure())
    if page is None:
        abort(404)
    return page


def _changed(place_id: UUID, *, is_open: bool) -> Response:
    _own(place_id)
    act = reopen_place if is_open else close_place
    try:
        act(services().database, place_id, structure_id=own_structure(), by=viewer().account_id, now=services().now())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash(
            "Le lieu est rouvert." if is_open else "Le lieu est fermé. Il n’est plus proposé aux habitants.", "success"
        )
    return redirect(url_for("place.place", place_id=place_id))


def _said(page: read.PlacePage) -> dict[str, object]:
    line = page.line
    return {
        "id": str(line.id),
        "name": line.name,
        "address": line.address,
        "address_complement": line.address_complement,
        "postcode": line.postcode,
        "city": line.city,
        "insee_code": page.insee_code,
        "phone": line.phone,
        "email": "|".join(line.emails),
        "website": "|".join(line.websites),
        "opening_hours": page.raw_opening_hours,
        "summary": page.summary,
        "services": list(page.service_codes),
    }


def _description(form: Any) -> PlaceDescription:
    texts = {
        name: form[name].data or ""
        for name in (
            "name", "address", "address_complement", "postcode", "city", "insee_code", "phone", "email", "website",
            "opening_hours", "summary",
        )
    }  # fmt: skip
    return PlaceDescription(**texts, services=tuple(form.services.data or ()))
