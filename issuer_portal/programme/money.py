"""Funders and the envelopes they open."""

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional

from issuer_portal.programme.folder import blueprint, id_of
from voucher.access.rules import Role
from voucher.kernel.calendar import paris_day
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.programme import read_parties
from voucher.programme.open_envelope import NewEnvelope, open_envelope
from voucher.programme.parties import NewFunder, register_funder
from voucher.programme.read_parties import FUNDER_KINDS
from voucher.web.access import staff, viewer
from voucher.web.forms import CountField, EurosField, HouseForm, SelectField, SirenField, show_refusal
from voucher.web.listing import euros_cell, file_response, read_listing
from voucher.web.services import services

CHOICES_MAX = 1_000


class FunderForm(HouseForm):
    """Who gives money."""

    id = HiddenField()
    name = StringField("Nom", validators=[InputRequired(), Length(max=120)])
    kind = SelectField("Type", choices=[("", "Choisissez"), *FUNDER_KINDS.items()], validators=[InputRequired()])
    siren = SirenField("SIREN", validators=[Optional()])


class EnvelopeForm(HouseForm):
    """An amount for a year."""

    id = HiddenField()
    funder_id = SelectField("Financeur", validators=[InputRequired()])
    name = StringField("Nom de l’enveloppe", validators=[InputRequired(), Length(max=120)])
    fiscal_year = CountField("Exercice", validators=[InputRequired()])
    amount_cents = EurosField("Montant", validators=[InputRequired()])


@blueprint.get("/enveloppes")
@staff(Role.PROGRAMME, Role.AUDITOR)
def envelopes() -> str | Response:
    """List envelopes."""
    listing = read_listing(
        request.args, sorts=("name", "year", "amount"), default_sort="-year", filters=("nom", "annee")
    )
    rows, total = read_parties.envelopes(
        services().database,
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
    )
    if listing.wants_file:
        lines = (
            (row.name, row.funder_name, row.fiscal_year,
             euros_cell(row.amount_cents), euros_cell(row.allocated_cents), euros_cell(row.committed_cents),
             euros_cell(row.left_cents))
            for row in rows
        )  # fmt: skip
        heads = ["Enveloppe", "Financeur", "Exercice", "Montant (€)", "Plafonds signés (€)", "Engagé (€)", "Reste (€)"]
        return file_response("enveloppes", heads, lines)
    return render_template("programme/envelopes.html", listing=listing, rows=rows, total=total)


@blueprint.route("/enveloppes/nouvelle", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
def new_envelope() -> str | Response:
    """Open an envelope."""
    known, _ = read_parties.funders(services().database, limit=CHOICES_MAX, filters={})
    form: Any = EnvelopeForm(id=str(new_id()), fiscal_year=paris_day(services().now()).year)
    form.funder_id.choices = [("", "Choisissez"), *((str(row.id), row.name) for row in known)]
    if form.validate_on_submit():
        envelope = NewEnvelope(
            id_of(form), UUID(form.funder_id.data), form.name.data, form.fiscal_year.data, form.amount_cents.data
        )
        try:
            open_envelope(services().database, envelope, by=viewer().account_id, now=services().now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"L’enveloppe « {form.name.data} » est ouverte : {format_euros(envelope.amount_cents)}.", "success")
            return redirect(url_for("programme.envelopes"))
    return render_template("programme/new_envelope.html", form=form, has_funders=bool(known))


@blueprint.get("/financeurs")
@staff(Role.PROGRAMME, Role.AUDITOR)
def funders() -> str | Response:
    """List funders."""
    listing = read_listing(request.args, sorts=("name", "amount"), default_sort="name", filters=("nom", "type"))
    rows, total = read_parties.funders(
        services().database,
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
    )
    if listing.wants_file:
        lines = (
            (row.name, FUNDER_KINDS[row.kind], row.siren, row.envelope_count, euros_cell(row.amount_cents), euros_cell(row.allocated_cents))
            for row in rows
        )  # fmt: skip
        heads = ["Financeur", "Type", "SIREN", "Enveloppes", "Montant (€)", "Plafonds signés (€)"]
        return file_response("financeurs", heads, lines)
    return render_template("programme/funders.html", listing=listing, rows=rows, total=total, kinds=FUNDER_KINDS)


@blueprint.route("/financeurs/nouveau", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
def new_funder() -> str | Response:
    """Register a funder."""
    form: Any = FunderForm(id=str(new_id()))
    if form.validate_on_submit():
        funder = NewFunder(id_of(form), form.name.data, form.kind.data, form.siren.data or None)
        try:
            register_funder(services().database, funder, by=viewer().account_id, now=services().now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"« {form.name.data} » est enregistré. Ouvrez maintenant son enveloppe.", "success")
            return redirect(url_for("programme.funders"))
    return render_template("programme/new_funder.html", form=form)
