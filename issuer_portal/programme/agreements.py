"""Agreements: list, sign, follow stage by stage, commit."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import BooleanField, FieldList, FormField, HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional

from issuer_portal.programme.folder import SeenField, blueprint, is_seen
from voucher.access.rules import Role
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.programme import read, read_parties
from voucher.programme.commit import NewCommitment, commit
from voucher.programme.read import CHANNELS
from voucher.programme.rules import (
    FUNDERS_MAX,
    parts_of,
    refuse_bad_amount,
    refuse_bad_terms,
    refuse_part_of_voucher,
    three_dates_of,
)
from voucher.programme.sign_agreement import FunderShare, NewAgreement, sign_agreement, terms_of
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.filters import plural
from voucher.web.forms import CountField, DateField, EurosField, HouseForm, PercentField, SelectField, show_refusal
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing
from voucher.web.views import id_of

ALL_CHOICES = Asked(limit=1_000, is_counted=False)


class ShareForm(HouseForm):
    """One funder's line: which of its envelopes pays, and which share of each voucher."""

    class Meta(HouseForm.Meta):
        csrf = False  # the whole form has its token

    envelope_id = SelectField("Enveloppe du financeur", validators=[Optional()])
    share = PercentField("Part de chaque chèque", validators=[Optional()])


class AgreementForm(HouseForm):
    """What is signed."""

    id = HiddenField()
    seen = SeenField()
    number = StringField("Numéro de la convention", validators=[InputRequired(), Length(max=30)])
    name = StringField("Nom", validators=[InputRequired(), Length(max=120)])
    issuer_id = SelectField("Collectivité émettrice", validators=[InputRequired()])
    paying_account_id = SelectField("Compte qui paie les structures", validators=[InputRequired()])
    commitment_number = StringField("Numéro d’engagement du comptable", validators=[Optional(), Length(max=30)])
    service_code = StringField("Code service du comptable", validators=[Optional(), Length(max=30)])
    shares = FieldList(FormField(ShareForm), min_entries=FUNDERS_MAX, max_entries=FUNDERS_MAX)
    ceiling_cents = EurosField("Plafond", validators=[InputRequired()])
    face_value_cents = EurosField("Valeur d’un chèque", validators=[InputRequired()])
    booklet_size = CountField("Chèques par carnet", validators=[InputRequired()])
    is_handover_required = BooleanField("Un carnet doit être remis avant que ses chèques servent")
    signed_on = DateField("Signée le", validators=[InputRequired()])
    use_by = DateField("À utiliser avant la fin du", validators=[InputRequired()])
    grace_until = DateField("Tolérance au comptoir jusqu’au", validators=[InputRequired()])
    present_by = DateField("À présenter au paiement avant la fin du", validators=[InputRequired()])


class CommitForm(HouseForm):
    """An amount to commit."""

    id = HiddenField()
    seen = SeenField()
    amount_cents = EurosField("Montant à engager", validators=[InputRequired()])
    reference = StringField("Référence de la décision", validators=[InputRequired(), Length(max=60)])


AGREEMENTS = Table(
    "Conventions",
    (
        Column[read.AgreementLine](
            "number", "Numéro", is_sorted=True, link=lambda row: url_for("programme.agreement", agreement_id=row.id)
        ),
        Column("name", "Nom"),
        Column("issuer", "Collectivité", value=lambda row: row.issuer_name, is_sorted=True),
        Column("channel", "Circuit", value=lambda row: CHANNELS[row.settlement_channel]),
        Column("signed_on", "Signée le", Kind.DAY, under="number"),
        Column("use_by", "À utiliser avant", Kind.DAY),
        Column("ceiling", "Plafond", Kind.EUROS, lambda row: row.ceiling_cents, is_sorted=True, is_summed=True),
        Column("committed", "Engagé", Kind.EUROS, lambda row: row.committed_cents, is_sorted=True, is_summed=True),
        Column("issued_cents", "Émis", Kind.EUROS, is_summed=True),
    ),
    default_sort="number",
    filters=("nom", "circuit"),
    one="convention",
)


@blueprint.get("/conventions")
@staff(Role.PROGRAMME, Role.AUDITOR)
def agreements() -> str | Response:
    """List agreements."""
    listing = read_listing(request.args, AGREEMENTS)
    find = partial(read.agreements, services().database)
    if listing.wants_file:
        return list_file(AGREEMENTS, listing, find)
    return render_template(
        "programme/agreements.html", listing=listing, lines=drawn(AGREEMENTS, listing, find), channels=CHANNELS
    )


@blueprint.route("/conventions/nouvelle", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("signer une convention")
def new_agreement() -> str | Response:
    """Sign an agreement."""
    form: Any = _agreement_form()
    consequences: list[str] = []
    if form.validate_on_submit():
        try:
            signed = _signed_terms(form)
            consequences = _signature_consequences(signed)
            if is_seen(form, consequences):
                sign_agreement(services().database, signed, by=viewer().account_id, now=services().now())
                flash(f"La convention {signed.number} est signée. Engagez maintenant des crédits.", "success")
                return redirect(url_for("programme.agreement", agreement_id=signed.id))
        except Refused as refused:
            consequences = []
            _show_at_line(form, refused)
    return render_template("programme/new_agreement.html", form=form, missing=_missing(form), consequences=consequences)


@blueprint.get("/conventions/<uuid:agreement_id>")
@staff(Role.PROGRAMME, Role.AUDITOR)
def agreement(agreement_id: UUID) -> str:
    """Show an agreement with its stages by funder."""
    return _agreement_page(_found(agreement_id), CommitForm(id=str(new_id())))


@blueprint.post("/conventions/<uuid:agreement_id>/engager")
@staff(Role.PROGRAMME)
@asks_again("engager des crédits")
def commit_credits(agreement_id: UUID) -> str | Response:
    """Commit credits to an agreement."""
    form: Any = CommitForm()
    page = _found(agreement_id)
    consequences: list[str] = []
    if form.validate_on_submit():
        command = NewCommitment(id_of(form), agreement_id, form.amount_cents.data, form.reference.data)
        try:
            consequences = _commitment_consequences(page, command.amount_cents)
            if is_seen(form, consequences):
                commit(services().database, command, by=viewer().account_id, now=services().now())
                amount = format_euros(command.amount_cents)
                flash(f"{amount} sont engagés. La collectivité peut commander des chèques.", "success")
                return redirect(url_for("programme.agreement", agreement_id=agreement_id))
        except Refused as refused:
            consequences = []
            show_refusal(form, refused)
    return _agreement_page(page, form, consequences)


def _found(agreement_id: UUID) -> read.AgreementPage:
    page = read.agreement(services().database, agreement_id)
    if page is None:
        abort(404)
    return page


def _agreement_page(page: read.AgreementPage, form: CommitForm, consequences: Sequence[str] = ()) -> str:
    return render_template(
        "programme/agreement.html",
        page=page,
        form=form,
        channels=CHANNELS,
        rhythms=read.RHYTHMS,
        consequences=consequences,
    )


def _commitment_consequences(page: read.AgreementPage, amount_cents: int) -> list[str]:
    """Say what a commitment will take from whom. Raises Refused where the amount is not of whole vouchers below the ceiling."""
    refuse_bad_amount(amount_cents, "amount_cents")
    refuse_part_of_voucher(amount_cents, page.face_value_cents, "amount_cents")
    present = [share for share in page.shares if not share.is_ended]
    basis_points = [share.share_basis_points for share in present]
    parts = parts_of(amount_cents, page.face_value_cents, basis_points, page.set_committed_cents)
    takers = zip((share.funder_name for share in present), parts, strict=True)
    return [
        f"{format_euros(amount_cents)} pourront être émis : {plural(amount_cents // page.face_value_cents, 'chèque')}.",
        *(f"{format_euros(part_cents)} sont à la charge de {name}." for name, part_cents in takers),
        "Un engagement ne se reprend pas.",
    ]


def _signature_consequences(agreement: NewAgreement) -> list[str]:
    """Say what a signature will reserve in which envelope. Raises Refused where the terms cannot stand."""
    refuse_bad_terms(terms_of(agreement))
    known = read_parties.envelopes(services().database, ALL_CHOICES).rows
    labels = {row.id: f"{row.funder_name}, enveloppe « {row.name} »" for row in known}
    parts = parts_of(
        agreement.ceiling_cents, agreement.face_value_cents, [share.share_basis_points for share in agreement.shares]
    )
    takers = zip((labels[share.envelope_id] for share in agreement.shares), parts, strict=True)
    return [
        *(f"{format_euros(part_cents)} seront réservés : {label}." for label, part_cents in takers),
        f"Les chèques vaudront {format_euros(agreement.face_value_cents)}, à utiliser avant la fin du {french_date(agreement.use_by)}.",
        "Une signature ne se reprend pas.",
    ]


def _agreement_form() -> Any:
    database, today = services().database, paris_day(services().now())
    usual = three_dates_of(today)
    form: Any = AgreementForm(
        id=str(new_id()),
        face_value_cents=1_000,
        booklet_size=10,
        is_handover_required=True,
        signed_on=today,
        use_by=usual.use_by,
        grace_until=usual.grace_until,
        present_by=usual.present_by,
    )
    issuers = read_parties.issuers(database, ALL_CHOICES).rows
    accounts = read_parties.paying_accounts(database)
    form.issuer_id.choices = _choices((row.id, row.name) for row in issuers)
    form.paying_account_id.choices = _choices((row.id, f"{row.name} — {CHANNELS[row.channel]}") for row in accounts)
    envelopes = [("", "Choisissez"), *_envelope_labels().items()]
    for line in form.shares:
        line.envelope_id.choices = envelopes
    return form


def _envelope_labels() -> dict[str, str]:
    envelopes = read_parties.envelopes(services().database, ALL_CHOICES).rows
    return {str(row.id): f"{row.funder_name} — {row.name} (reste {format_euros(row.left_cents)})" for row in envelopes}


def _choices(pairs: Any) -> list[tuple[str, str]]:
    return [("", "Choisissez"), *((str(key), label) for key, label in pairs)]


def _missing(form: Any) -> list[tuple[str, str]]:
    """Return what must be recorded before anything can be signed, with the page that does it."""
    needs = (
        (form.issuer_id, "une collectivité", "programme.new_issuer"),
        (form.paying_account_id, "un compte payeur", "programme.new_paying_account"),
        (form.shares[0].envelope_id, "une enveloppe", "programme.new_envelope"),
    )
    return [(label, url_for(endpoint)) for field, label, endpoint in needs if len(field.choices) == 1]


def _show_at_line(form: Any, refused: Refused) -> None:
    """Put what is said of the shares at the first line, and anything else at its own field."""
    if refused.field == "shares":
        show_refusal(form.shares[0].form, Refused(refused.code, refused.sentence, "share"))
    else:
        show_refusal(form, refused)


def _signed_terms(form: Any) -> NewAgreement:
    account_id = UUID(form.paying_account_id.data)
    accounts = read_parties.paying_accounts(services().database)
    channel = next((row.channel for row in accounts if row.id == account_id), "")
    return NewAgreement(
        id=id_of(form),
        number=form.number.data,
        name=form.name.data,
        issuer_id=UUID(form.issuer_id.data),
        paying_account_id=account_id,
        settlement_channel=channel,
        ceiling_cents=form.ceiling_cents.data,
        face_value_cents=form.face_value_cents.data,
        booklet_size=form.booklet_size.data,
        is_handover_required=form.is_handover_required.data,
        signed_on=form.signed_on.data,
        use_by=form.use_by.data,
        grace_until=form.grace_until.data,
        present_by=form.present_by.data,
        shares=_shares(form),
        commitment_number=form.commitment_number.data or "",
        service_code=form.service_code.data or "",
    )


def _shares(form: Any) -> tuple[FunderShare, ...]:
    """Return the lines that were filled. Raises Refused when one has an envelope without a share, or a share without one."""
    shares = []
    for rank, line in enumerate(form.shares, 1):
        envelope_id, basis_points = line.envelope_id.data, line.share.data
        if bool(envelope_id) != (basis_points is not None):
            raise Refused(
                "line_not_whole", f"Financeur {rank} : donnez l’enveloppe et la part, ou videz la ligne.", "shares"
            )
        if envelope_id:
            shares.append(FunderShare(UUID(envelope_id), basis_points))
    return tuple(shares)
