"""Contested redemptions: choose one, say why on facts, let another person decide."""

from functools import partial
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, TextAreaField
from wtforms.validators import InputRequired, Length

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.settlement.recoveries import read_disputes as read
from voucher.settlement.recoveries.dispute import FACTS_LENGTH_MAX, NewDispute, decide_dispute, open_dispute
from voucher.settlement.words.dispute_sentences import DisputeFacts, dispute_said
from voucher.settlement.words.labels import DISPUTE_REASONS, DISPUTE_STATES
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.filters import instant
from voucher.web.forms import HouseForm, RadioField, show_refusal
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, state_column
from voucher.web.tags import DISPUTE_TAGS
from voucher.web.views import id_of

STATE_CHOICES = [(state, word) for state, word in DISPUTE_STATES.items()]
REASON_CHOICES = [(str(reason), word) for reason, word in DISPUTE_REASONS.items()]
OUTCOME_CHOICES = [
    ("dismissed", "La contestation est levée : l’encaissement est dû"),
    ("upheld", "La contestation est fondée : l’encaissement est repris"),
]


class ContestForm(HouseForm):
    """Why a redemption is contested; it carries the dispute's id, so that a double click opens one."""

    id = HiddenField()
    reason = RadioField("Pourquoi", choices=REASON_CHOICES, validators=[InputRequired()])
    facts = TextAreaField("Les faits", validators=[InputRequired(), Length(max=FACTS_LENGTH_MAX)])


class DecideForm(HouseForm):
    """What a second person decides, and why."""

    outcome = RadioField("Décision", choices=OUTCOME_CHOICES, validators=[InputRequired()])
    decision = TextAreaField("Ce qui fonde la décision", validators=[InputRequired(), Length(max=FACTS_LENGTH_MAX)])


DISPUTES = Table(
    "Contestations",
    (
        Column[read.DisputeLine](
            "structure_name", "Structure", link=lambda row: url_for("finance.dispute", dispute_id=row.id)
        ),
        Column("redeemed_at", "Encaissé le", Kind.INSTANT, under="structure_name"),
        Column("place_name", "Lieu", under="structure_name"),
        Column("agreement_number", "Convention"),
        Column("reason", "Motif", value=lambda row: DISPUTE_REASONS[row.reason]),
        state_column("state", "État", DISPUTE_TAGS, lambda row: row.state),
        Column("voucher_count", "Chèques", Kind.COUNT, is_summed=True),
        Column("amount", "Montant", Kind.EUROS, lambda row: row.amount_cents, is_sorted=True, is_summed=True),
        Column("opened_at", "Ouverte le", Kind.INSTANT, is_sorted=True),
    ),
    default_sort="-opened_at",
    filters=("etat", "structure"),
    one="contestation",
)
CONTESTABLE = Table(
    "Encaissements confirmés",
    (
        Column[read.Contestable]("redeemed_at", "Encaissé le", Kind.INSTANT, is_sorted=True),
        Column("structure_name", "Structure"),
        Column("place_name", "Lieu"),
        Column("service", "Service", under="place_name"),
        Column("booklet_number", "Carnet", Kind.BOOKLET),
        Column("voucher_count", "Chèques", Kind.COUNT),
        Column("amount_cents", "Montant", Kind.EUROS),
        Column(
            "act",
            "Agir",
            value=lambda _: "Contester",
            link=lambda row: url_for("finance.contest", redemption_id=row.id),
            link_label=lambda row: f"l’encaissement du {instant(row.redeemed_at)}, {row.structure_name}",
        ),
    ),
    default_sort="-redeemed_at",
    filters=("structure", "carnet", "jour"),
    one="encaissement",
)


@blueprint.get("/contestations")
@staff(*READERS, deputies=True)
def disputes() -> str | Response:
    """List the disputes, the newest first."""
    listing = read_listing(request.args, DISPUTES)
    find = partial(read.disputes, services().database, issuer_id=scope())
    if listing.wants_file:
        return list_file(DISPUTES, listing, find)
    return render_template(
        "finance/disputes.html", listing=listing, lines=drawn(DISPUTES, listing, find), choices=STATE_CHOICES
    )


@blueprint.get("/contestations/encaissements")
@staff(Role.FINANCE_PREPARER)
def contestable() -> str:
    """Find the redemption to contest."""
    listing = read_listing(request.args, CONTESTABLE)
    find = partial(read.contestable, services().database, issuer_id=scope())
    return render_template("finance/contestable.html", listing=listing, lines=drawn(CONTESTABLE, listing, find))


@blueprint.route("/contestations/encaissements/<uuid:redemption_id>", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER)
@asks_again("contester un encaissement")
def contest(redemption_id: UUID) -> str | Response:
    """Show a redemption; contest it."""
    here = services()
    found = read.contested(here.database, redemption_id, issuer_id=scope())
    if found is None:
        abort(404)
    form: Any = ContestForm(id=str(new_id()))
    if form.validate_on_submit():
        new = NewDispute(id_of(form), redemption_id, form.reason.data, form.facts.data)
        try:
            is_suspending = open_dispute(here.database, new, by=viewer().account_id, now=here.now(), issuer_id=scope())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            told = dispute_said(DisputeFacts(is_upheld=None, is_suspending=is_suspending))
            flash(f"L’encaissement est contesté. {told.money} Une autre personne doit décider.", "success")
            return redirect(url_for("finance.dispute", dispute_id=new.id))
    return render_template("finance/contest.html", one=found, form=form)


@blueprint.route("/contestations/<uuid:dispute_id>", methods=["GET", "POST"])
@staff(*READERS, deputies=True)
@asks_again("décider d’une contestation")
def dispute(dispute_id: UUID) -> str | Response:
    """Show a dispute; an approver who did not open it decides."""
    here = services()
    page = read.dispute(here.database, dispute_id, issuer_id=scope())
    if page is None:
        abort(404)
    form: Any = DecideForm()
    if form.validate_on_submit():
        if not viewer().may(Role.FINANCE_APPROVER):
            abort(403)
        try:
            decide_dispute(
                here.database,
                dispute_id,
                form.outcome.data,
                form.decision.data,
                by=viewer().account_id,
                now=here.now(),
                issuer_id=scope(),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash("La décision est écrite.", "success")
            return redirect(url_for("finance.dispute", dispute_id=dispute_id))
    people = {one for one in (page.opened_by, page.decided_by) if one is not None}
    return render_template(
        "finance/dispute.html",
        page=page,
        line=page.line,
        form=form,
        events=_events(page, names_of(here.database, people)),
        is_own=page.opened_by == viewer().account_id,
        **_words(),
    )


def _events(page: read.DisputePage, names: dict[UUID, str]) -> list[dict[str, object]]:
    line = page.line
    events: list[dict[str, object]] = [
        {"what": "Encaissé", "at": line.redeemed_at, "who": line.place_name},
        {"what": "Contesté", "at": line.opened_at, "who": names.get(page.opened_by), "detail": page.facts},
    ]
    if line.decided_at is not None:
        what = "Contestation levée" if line.state == "dismissed" else "Contestation fondée, encaissement repris"
        who = names.get(page.decided_by) if page.decided_by else None
        events.append({"what": what, "at": line.decided_at, "who": who, "detail": page.decision})
    return events


def _words() -> dict[str, object]:
    return {"dispute_words": DISPUTE_TAGS, "reasons": DISPUTE_REASONS}
