"""Structures: list, detail with places and RIB (masked), proposal, qualification, suspension."""

from functools import partial
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import EmailField, HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional

from issuer_portal.programme.folder import blueprint
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network import read_structures
from voucher.network.read_structures import STATE_NAMES
from voucher.network.structures import (
    NewStructure,
    describe_structure,
    propose_structure,
    qualify_structure,
    suspend_structure,
)
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.rib_form import RibForm, record_rib
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing
from voucher.web.views import flash_refusal, id_of

READERS = (Role.PROGRAMME, Role.AUDITOR, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)


class StructureForm(HouseForm):
    """A legal person that wishes to be paid."""

    id = HiddenField()
    pivot = StringField("SIRET ou RNA", validators=[InputRequired()])
    name = StringField("Nom", validators=[InputRequired(), Length(max=150)])
    contact_email = EmailField("Adresse électronique", validators=[Optional(), Length(max=200)])
    vat_regime = StringField("Régime de TVA", validators=[Optional(), Length(max=60)])


class DescriptionForm(HouseForm):
    """What may be corrected of a structure."""

    name = StringField("Nom", validators=[InputRequired(), Length(max=150)])
    contact_email = EmailField("Adresse électronique", validators=[Optional(), Length(max=200)])
    vat_regime = StringField("Régime de TVA", validators=[Optional(), Length(max=60)])


class SuspensionForm(HouseForm):
    """Why a structure is suspended."""

    reason = StringField("Raison", validators=[InputRequired(), Length(max=200)])


STATE_TAGS = {"proposed": "wait", "qualified": "success", "suspended": "danger"}


def _rib(row: read_structures.StructureLine) -> str:
    return "À confirmer" if row.is_rib_waiting else "Enregistré" if row.has_bank_details else "Manquant"


STRUCTURES = Table(
    "Structures",
    (
        Column[read_structures.StructureLine](
            "name", "Nom", is_sorted=True, link=lambda row: url_for("programme.structure", structure_id=row.id)
        ),
        Column("pivot", "SIRET ou RNA"),
        Column("state", "État", Kind.TAG, lambda row: STATE_NAMES[row.state], tag=lambda row: STATE_TAGS[row.state]),
        Column("state_changed_at", "État depuis", Kind.INSTANT, is_sorted=True),
        Column("place_count", "Lieux ouverts", Kind.COUNT, is_summed=True),
        Column("rib", "RIB", value=_rib),
    ),
    default_sort="name",
    filters=("nom", "etat", "rib"),
    one="structure",
)


@blueprint.get("/structures")
@staff(*READERS)
def structures() -> str | Response:
    """List structures."""
    listing = read_listing(request.args, STRUCTURES)
    find = partial(read_structures.structures, services().database)
    if listing.wants_file:
        return list_file(STRUCTURES, listing, find)
    return render_template(
        "programme/structures.html", listing=listing, lines=drawn(STRUCTURES, listing, find), states=STATE_NAMES
    )


@blueprint.route("/structures/nouvelle", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@leaves_line("enregistrer une structure")
def new_structure() -> str | Response:
    """Propose a structure by hand."""
    form: Any = StructureForm(id=str(new_id()))
    if form.validate_on_submit():
        structure = NewStructure(
            id_of(form),
            form.pivot.data,
            form.name.data,
            form.contact_email.data or "",
            form.vat_regime.data or "non communiqué",
        )
        try:
            propose_structure(services().database, structure, by=viewer().account_id, now=services().now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"« {form.name.data} » est proposée. Vérifiez ses pièces, puis qualifiez-la.", "success")
            return redirect(url_for("programme.structure", structure_id=structure.id))
    return render_template("programme/new_structure.html", form=form)


@blueprint.get("/structures/<uuid:structure_id>")
@staff(*READERS)
def structure(structure_id: UUID) -> str:
    """Show a structure, its places and its RIB, masked."""
    return _structure_page(structure_id)


@blueprint.post("/structures/<uuid:structure_id>/decrire")
@staff(Role.PROGRAMME)
@asks_again("corriger la fiche d’une structure")
def correct_structure(structure_id: UUID) -> str | Response:
    """Correct what is said of a structure."""
    form: Any = DescriptionForm()
    if form.validate_on_submit():
        try:
            describe_structure(
                services().database,
                structure_id,
                name=form.name.data,
                contact_email=form.contact_email.data or "",
                vat_regime=form.vat_regime.data or "",
                by=viewer().account_id,
                now=services().now(),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return _done(structure_id, "La fiche est à jour.")
    return _structure_page(structure_id, description=form)


@blueprint.post("/structures/<uuid:structure_id>/qualifier")
@staff(Role.PROGRAMME)
@asks_again("qualifier une structure")
def qualify(structure_id: UUID) -> Response:
    """Let a structure take vouchers."""
    try:
        qualify_structure(services().database, structure_id, by=viewer().account_id, now=services().now())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash("La structure est qualifiée. Ses lieux peuvent encaisser des chèques.", "success")
    return redirect(url_for("programme.structure", structure_id=structure_id))


@blueprint.post("/structures/<uuid:structure_id>/suspendre")
@staff(Role.PROGRAMME)
@asks_again("suspendre une structure")
def suspend(structure_id: UUID) -> str | Response:
    """Stop a structure from taking vouchers."""
    form: Any = SuspensionForm()
    if form.validate_on_submit():
        try:
            suspend_structure(
                services().database, structure_id, form.reason.data, by=viewer().account_id, now=services().now()
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return _done(structure_id, "La structure est suspendue. Ce qui lui est dû reste dû.")
    return _structure_page(structure_id, suspension=form)


@blueprint.post("/structures/<uuid:structure_id>/rib")
@staff(Role.PROGRAMME)
@asks_again("changer un RIB")
def change_rib(structure_id: UUID) -> str | Response:
    """Record a structure's RIB."""
    form: Any = RibForm()
    if form.validate_on_submit():
        try:
            said = record_rib(form, id_of(form), structure_id)
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return _done(structure_id, said)
    return _structure_page(structure_id, rib=form)


def _structure_page(
    structure_id: UUID,
    *,
    description: DescriptionForm | None = None,
    suspension: SuspensionForm | None = None,
    rib: RibForm | None = None,
) -> str:
    page = read_structures.structure(services().database, structure_id)
    if page is None:
        abort(404)
    if page.bank_details:
        here = services()
        note_access(here.database, viewer().account_id, "Lecture d’un RIB", f"structure {structure_id}", here.now())
    said = {"name": page.line.name, "contact_email": page.contact_email, "vat_regime": page.vat_regime}
    return render_template(
        "programme/structure.html",
        page=page,
        states=STATE_NAMES,
        form=description or suspension or rib,
        description=description or DescriptionForm(formdata=None, data=said),
        suspension=suspension or SuspensionForm(formdata=None),
        rib=rib or RibForm(formdata=None, id=str(new_id())),
    )


def _done(structure_id: UUID, sentence: str) -> Response:
    flash(sentence, "success")
    return redirect(url_for("programme.structure", structure_id=structure_id))
