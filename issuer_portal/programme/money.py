"""Funders and the envelopes they open."""

from functools import partial
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional

from issuer_portal.programme.folder import blueprint
from voucher.access.rules import Role
from voucher.kernel.calendar import paris_day
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.programme import read_parties
from voucher.programme.open_envelope import NewEnvelope, open_envelope
from voucher.programme.parties import NewFunder, register_funder
from voucher.programme.read_parties import FUNDER_KINDS
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line
from voucher.web.asks_again import asks_again
from voucher.web.forms import CountField, EurosField, HouseForm, SelectField, SirenField, show_refusal
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing
from voucher.web.views import id_of

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


ENVELOPES = Table(
    "Enveloppes",
    (
        Column[read_parties.EnvelopeLine]("name", "Enveloppe", is_sorted=True),
        Column("funder_name", "Financeur"),
        Column("year", "Exercice", value=lambda row: str(row.fiscal_year), is_sorted=True),
        Column("amount", "Montant", Kind.EUROS, lambda row: row.amount_cents, is_sorted=True, is_summed=True),
        Column("allocated_cents", "Plafonds signés", Kind.EUROS, is_summed=True),
        Column("committed_cents", "Engagé", Kind.EUROS, is_summed=True),
        Column("left_cents", "Reste à signer", Kind.EUROS, is_summed=True),
    ),
    default_sort="-year",
    filters=("nom", "annee"),
    one="enveloppe",
)
FUNDERS = Table(
    "Financeurs",
    (
        Column[read_parties.FunderLine]("name", "Financeur", is_sorted=True),
        Column("kind", "Type", value=lambda row: FUNDER_KINDS[row.kind]),
        Column("siren", "SIREN"),
        Column("envelope_count", "Enveloppes", Kind.COUNT, is_summed=True),
        Column("amount", "Montant", Kind.EUROS, lambda row: row.amount_cents, is_sorted=True, is_summed=True),
        Column("allocated_cents", "Plafonds signés", Kind.EUROS, is_summed=True),
    ),
    default_sort="name",
    filters=("nom", "type"),
    one="financeur",
)


@blueprint.get("/enveloppes")
@staff(Role.PROGRAMME, Role.AUDITOR)
def envelopes() -> str | Response:
    """List envelopes."""
    listing = read_listing(request.args, ENVELOPES)
    find = partial(read_parties.envelopes, services().database)
    if listing.wants_file:
        return list_file(ENVELOPES, listing, find)
    return render_template("programme/envelopes.html", listing=listing, lines=drawn(ENVELOPES, listing, find))


@blueprint.route("/enveloppes/nouvelle", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("ouvrir une enveloppe")
def new_envelope() -> str | Response:
    """Open an envelope."""
    known = read_parties.funders(services().database, Asked(limit=CHOICES_MAX, is_counted=False)).rows
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
    listing = read_listing(request.args, FUNDERS)
    find = partial(read_parties.funders, services().database)
    if listing.wants_file:
        return list_file(FUNDERS, listing, find)
    return render_template(
        "programme/funders.html", listing=listing, lines=drawn(FUNDERS, listing, find), kinds=FUNDER_KINDS
    )


@blueprint.route("/financeurs/nouveau", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@leaves_line("enregistrer un financeur")
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
