"""Issuers, and the accounts from which structures are paid."""

from functools import partial
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import EmailField, HiddenField, StringField, TelField
from wtforms.validators import InputRequired, Length, Optional

from issuer_portal.programme.folder import blueprint
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.programme import read_parties
from voucher.programme.parties import NewIssuer, NewPayingAccount, open_paying_account, register_issuer
from voucher.programme.read import CHANNELS
from voucher.programme.read_parties import ISSUER_KINDS
from voucher.programme.rules import LONE_COMMUNE
from voucher.programme.territories import REGIONS
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line
from voucher.web.asks_again import asks_again
from voucher.web.forms import BicField, HouseForm, IbanField, SelectField, SirenField, show_refusal
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, length_text, list_file, read_listing
from voucher.web.views import id_of


class IssuerForm(HouseForm):
    """A collectivité; what it says here is printed on its vouchers."""

    id = HiddenField()
    name = StringField("Nom de la collectivité", validators=[InputRequired(), Length(max=120)])
    siren = SirenField("SIREN", validators=[InputRequired()])
    # A lone commune is offered so that the answer can say why not, and what to do instead.
    kind = SelectField(
        "Type",
        choices=[("", "Choisissez"), *ISSUER_KINDS.items(), (LONE_COMMUNE, "Commune seule")],
        validators=[InputRequired()],
    )
    address = StringField("Adresse", validators=[InputRequired(), Length(max=200)])
    postcode = StringField("Code postal", validators=[InputRequired()])
    city = StringField("Ville", validators=[InputRequired(), Length(max=80)])
    region_code = SelectField(
        "Région", choices=[("", "Choisissez"), *((region.code, region.name) for region in REGIONS)]
    )
    contact_email = EmailField("Adresse électronique", validators=[InputRequired(), Length(max=200)])
    contact_phone = TelField("Téléphone", validators=[Optional(), Length(max=30)])


class PayingAccountForm(HouseForm):
    """The account from which structures are paid."""

    id = HiddenField()
    name = StringField("Nom de ce compte pour vous", validators=[InputRequired(), Length(max=120)])
    holder_name = StringField("Titulaire, comme sur le RIB", validators=[InputRequired()])
    iban = IbanField("IBAN", validators=[InputRequired()])
    bic = BicField("BIC", validators=[Optional()])
    channel = SelectField(
        "Qui paie depuis ce compte", choices=[("", "Choisissez"), *CHANNELS.items()], validators=[InputRequired()]
    )


ISSUERS = Table(
    "Collectivités émettrices",
    (
        Column[read_parties.IssuerLine]("name", "Collectivité", is_sorted=True),
        Column("contact_email", "Contact", under="name"),
        Column("siren", "SIREN"),
        Column("kind", "Type", value=lambda row: ISSUER_KINDS[row.kind]),
        Column("city", "Ville"),
        Column("agreement_count", "Conventions", Kind.COUNT, is_summed=True),
        Column("ceiling", "Plafonds", Kind.EUROS, lambda row: row.ceiling_cents, is_sorted=True, is_summed=True),
        Column("committed_cents", "Engagé", Kind.EUROS, is_summed=True),
    ),
    default_sort="name",
    filters=("nom", "type"),
    one="collectivité",
    file_name="emetteurs",
)


@blueprint.get("/emetteurs")
@staff(Role.PROGRAMME, Role.AUDITOR)
def issuers() -> str | Response:
    """List the collectivités."""
    here = services()
    listing = read_listing(request.args, ISSUERS)
    find = partial(read_parties.issuers, here.database)
    if listing.wants_file:
        taken = f"{length_text(find, listing)} lignes"
        note_access(here.database, viewer().account_id, "Export des émetteurs", taken, here.now())
        return list_file(ISSUERS, listing, find)
    return render_template(
        "programme/issuers.html", listing=listing, lines=drawn(ISSUERS, listing, find), kinds=ISSUER_KINDS
    )


@blueprint.route("/emetteurs/nouveau", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@leaves_line("enregistrer une collectivité")
def new_issuer() -> str | Response:
    """Register a collectivité."""
    form: Any = IssuerForm(id=str(new_id()))
    if form.validate_on_submit():
        issuer = NewIssuer(
            id=id_of(form),
            siren=form.siren.data,
            name=form.name.data,
            kind=form.kind.data,
            address=form.address.data,
            postcode=form.postcode.data,
            city=form.city.data,
            contact_email=form.contact_email.data,
            contact_phone=form.contact_phone.data or "",
            region_code=form.region_code.data or None,
        )
        try:
            register_issuer(services().database, issuer, by=viewer().account_id, now=services().now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"« {form.name.data} » est enregistrée. Vous pouvez signer une convention avec elle.", "success")
            return redirect(url_for("programme.issuers"))
    return render_template("programme/new_issuer.html", form=form)


@blueprint.get("/comptes-payeurs")
@staff(Role.PROGRAMME, Role.AUDITOR)
def paying_accounts() -> str:
    """List the paying accounts, the end of each IBAN alone."""
    rows = read_parties.paying_accounts(services().database)
    note_access(
        services().database,
        viewer().account_id,
        "Lecture des comptes payeurs",
        f"{len(rows)} comptes",
        services().now(),
    )
    return render_template("programme/paying_accounts.html", rows=rows, channels=CHANNELS)


@blueprint.route("/comptes-payeurs/nouveau", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("ouvrir un compte payeur")
def new_paying_account() -> str | Response:
    """Record a paying account."""
    form: Any = PayingAccountForm(id=str(new_id()))
    if form.validate_on_submit():
        account = NewPayingAccount(
            id_of(form), form.name.data, form.holder_name.data, form.iban.data, form.channel.data, form.bic.data or None
        )
        try:
            open_paying_account(services().database, account, by=viewer().account_id, now=services().now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"Le compte « {form.name.data} » est enregistré.", "success")
            return redirect(url_for("programme.paying_accounts"))
    return render_template("programme/new_paying_account.html", form=form)
