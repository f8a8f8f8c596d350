"""What structures owe back: a list, each with what came back of it; the demand of a revenue order; giving up, by two people."""

from functools import partial
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, TextAreaField
from wtforms.validators import InputRequired, Length

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.audit import note_access
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.settlement.recoveries import read_overpayments as read
from voucher.settlement.recoveries.repay_or_write_off import REASON_LENGTH_MAX, ask_write_off, write_off
from voucher.settlement.recoveries.revenue_order import claim_overpayment
from voucher.settlement.words.labels import DISPUTE_REASONS, OVERPAYMENT_STATES, RECOVERY_KINDS
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, SeenNumberField, show_refusal
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, state_column
from voucher.web.tags import OVERPAYMENT_TAGS
from voucher.web.views import download, flash_refusal, id_of

STATE_CHOICES = [(state, word) for state, word in OVERPAYMENT_STATES.items()]
MEDIA_TYPES = {"pdf": "application/pdf", "csv": "text/csv; charset=utf-8"}


class ClaimForm(HouseForm):
    """The act of claiming: it carries the demand's id, so that a double click makes one."""

    id = HiddenField()


class AskWriteOffForm(HouseForm):
    """Why what is left should be given up."""

    reason = TextAreaField("Pourquoi abandonner", validators=[InputRequired(), Length(max=REASON_LENGTH_MAX)])


class WriteOffForm(HouseForm):
    """The act of giving up: it carries what the person saw."""

    left_cents = SeenNumberField(validators=[InputRequired()])


def _overpayment_url(row: read.OverpaymentLine) -> str:
    return url_for("finance.overpayment", overpayment_id=row.id)


OVERPAYMENTS = Table(
    "Trop-perçus",
    (
        Column[read.OverpaymentLine]("structure_name", "Structure", link=_overpayment_url),
        Column("redeemed_at", "Encaissé le", Kind.INSTANT, under="structure_name"),
        Column("agreement_number", "Convention"),
        Column("reason", "Motif", value=lambda row: DISPUTE_REASONS[row.reason]),
        state_column("state", "État", OVERPAYMENT_TAGS, lambda row: row.state),
        Column("amount_cents", "Montant", Kind.EUROS, is_summed=True),
        Column("recovered_cents", "Revenu", Kind.EUROS, is_summed=True),
        Column("left", "Reste", Kind.EUROS, lambda row: row.left_cents, is_sorted=True, is_summed=True),
        Column("decided_at", "Constaté le", Kind.INSTANT, is_sorted=True),
    ),
    default_sort="-decided_at",
    filters=("etat", "structure"),
    one="trop-perçu",
    many="trop-perçus",
)


@blueprint.get("/trop-percus")
@staff(*READERS, deputies=True)
def overpayments() -> str | Response:
    """List the overpayments, the newest first."""
    here = services()
    listing = read_listing(request.args, OVERPAYMENTS)
    days = here.settings.revenue_order_days
    find = partial(read.overpayments, here.database, days=days, now=here.now(), issuer_id=scope())
    if listing.wants_file:
        return list_file(OVERPAYMENTS, listing, find)
    return render_template(
        "finance/overpayments.html",
        listing=listing,
        lines=drawn(OVERPAYMENTS, listing, find),
        choices=STATE_CHOICES,
        days=days,
    )


@blueprint.get("/trop-percus/<uuid:overpayment_id>")
@staff(*READERS, deputies=True)
def overpayment(overpayment_id: UUID) -> str:
    """Show an overpayment: what came back of it, and the act of this step."""
    return _show(_overpayment(overpayment_id))


@blueprint.post("/trop-percus/<uuid:overpayment_id>/titre")
@staff(Role.FINANCE_PREPARER)
@asks_again("demander un titre de recette")
def claim(overpayment_id: UUID) -> Response:
    """Ask for a revenue order."""
    here = services()
    form: Any = ClaimForm()
    if not form.validate():
        abort(400)
    try:
        claimed = claim_overpayment(
            here.database,
            id_of(form),
            overpayment_id,
            days=here.settings.revenue_order_days,
            by=viewer().account_id,
            now=here.now(),
            issuer_id=scope(),
        )
    except Refused as refused:
        if refused.code == "unknown_overpayment":
            abort(404)
        flash_refusal(refused)
    else:
        flash(
            f"La demande {claimed.number} est écrite, pour {format_euros(claimed.amount_cents)}. Téléchargez-la et donnez-la à la "
            "collectivité. Rien ne sera plus retenu sur les règlements.",
            "success",
        )
    return redirect(url_for("finance.overpayment", overpayment_id=overpayment_id))


@blueprint.get("/trop-percus/<uuid:overpayment_id>/demande/<kind>")
@staff(*READERS, deputies=True)
def order_file(overpayment_id: UUID, kind: str) -> Response:
    """Download a demand as it was written; the trail keeps who took it."""
    here = services()
    found = read.order_file(here.database, overpayment_id, kind, issuer_id=scope())
    if found is None:
        abort(404)
    name, content = found
    note_access(here.database, viewer().account_id, "Demande de titre téléchargée", name, here.now())
    return download(name, content, MEDIA_TYPES[kind])


@blueprint.post("/trop-percus/<uuid:overpayment_id>/demander-abandon")
@staff(Role.FINANCE_PREPARER)
@asks_again("demander d’abandonner une somme")
def ask_giving_up(overpayment_id: UUID) -> str | Response:
    """Ask to give up what is left."""
    here = services()
    page = _overpayment(overpayment_id)
    form: Any = AskWriteOffForm()
    if form.validate_on_submit():
        try:
            ask_write_off(
                here.database,
                overpayment_id,
                form.reason.data,
                by=viewer().account_id,
                now=here.now(),
                issuer_id=scope(),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash("La demande d’abandon est écrite. Une autre personne doit l’accepter.", "success")
            return redirect(url_for("finance.overpayment", overpayment_id=overpayment_id))
    return _show(page, form)


@blueprint.post("/trop-percus/<uuid:overpayment_id>/abandonner")
@staff(Role.FINANCE_APPROVER)
@asks_again("abandonner une somme")
def give_up(overpayment_id: UUID) -> Response:
    """Give up what is left, as another person asked."""
    here = services()
    form: Any = WriteOffForm()
    if not form.validate():
        abort(400)
    try:
        write_off(
            here.database,
            overpayment_id,
            by=viewer().account_id,
            now=here.now(),
            issuer_id=scope(),
            seen_cents=form.left_cents.data,
        )
    except Refused as refused:
        if refused.code == "unknown_overpayment":
            abort(404)
        flash_refusal(refused)
    else:
        flash("Le reste du trop-perçu est abandonné.", "success")
    return redirect(url_for("finance.overpayment", overpayment_id=overpayment_id))


def _overpayment(overpayment_id: UUID) -> read.OverpaymentPage:
    here = services()
    found = read.overpayment(
        here.database, overpayment_id, days=here.settings.revenue_order_days, now=here.now(), issuer_id=scope()
    )
    if found is None:
        abort(404)
    return found


def _show(page: read.OverpaymentPage, ask_form: Any = None) -> str:
    people = {
        page.decided_by,
        page.write_off_asked_by,
        page.written_off_by,
        page.order.claimed_by if page.order else None,
    }
    return render_template(
        "finance/overpayment.html",
        page=page,
        line=page.line,
        events=_events(page, names_of(services().database, {person for person in people if person is not None})),
        claim_form=ClaimForm(id=str(new_id())),
        ask_form=ask_form or AskWriteOffForm(),
        write_off_form=WriteOffForm(left_cents=page.line.left_cents),
        is_own=page.write_off_asked_by == viewer().account_id,
        now=services().now(),
        **_words(),
    )


def _events(page: read.OverpaymentPage, names: dict[UUID, str]) -> list[dict[str, object]]:
    events: list[dict[str, Any]] = [
        {"what": "Encaissé", "at": page.line.redeemed_at, "who": page.line.place_name},
        {
            "what": f"Repris : {format_euros(page.line.amount_cents)} à rendre",
            "at": page.line.decided_at,
            "who": names.get(page.decided_by),
            "detail": page.decision,
        },
    ]
    for recovery in page.recoveries:
        by = f"lot {recovery.batch_number}" if recovery.batch_number else ""
        what = f"{RECOVERY_KINDS[recovery.kind]} : {format_euros(recovery.amount_cents)}"
        events.append({"what": what, "at": recovery.recovered_at, "detail": by})
        if recovery.cancelled_at is not None:
            events.append(
                {
                    "what": f"Annulé : {format_euros(recovery.amount_cents)} à rendre de nouveau",
                    "at": recovery.cancelled_at,
                }
            )
    if page.order is not None:
        events.append(
            {
                "what": f"Titre demandé : {page.order.number}, {format_euros(page.order.amount_cents)}",
                "at": page.order.claimed_at,
                "who": names.get(page.order.claimed_by),
            }
        )
    if page.write_off_asked_at is not None and page.write_off_asked_by is not None:
        events.append(
            {
                "what": "Abandon demandé",
                "at": page.write_off_asked_at,
                "who": names.get(page.write_off_asked_by),
                "detail": page.write_off_reason,
            }
        )
    if page.written_off_at is not None and page.written_off_by is not None:
        events.append({"what": "Abandon accepté", "at": page.written_off_at, "who": names.get(page.written_off_by)})
    return sorted(events, key=lambda event: event["at"])


def _words() -> dict[str, object]:
    return {"overpayment_words": OVERPAYMENT_TAGS, "reasons": DISPUTE_REASONS}
