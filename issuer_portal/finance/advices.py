"""One payment: what it is made of, where it stands, its paper; and setting it aside while it has not left."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.audit import note_access
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.refusals import Refused
from voucher.settlement.batches.advice_document import advice_document
from voucher.settlement.batches.freeze_urgent import UrgentOffer, urgent_offers
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.batches.read_advice import AdvicePage, advice
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.formats_out.documents import Contact
from voucher.settlement.payable.owed import CARRIED_STATES
from voucher.settlement.payable.payment_history import HistoryEvent, payment_history
from voucher.settlement.reports.read_duplicates import duplicates_of
from voucher.settlement.reports.read_payees import ASK_NAME, MAY_WAIT, payee_checks
from voucher.settlement.words.labels import ADVICE_STATES
from voucher.settlement.words.payment_sentences import still_owed
from voucher.settlement.words.states import AdviceState
from voucher.settlement.words.transitions import PaymentWhy, happened
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.services import services
from voucher.web.views import download


class SetAsideForm(HouseForm):
    """Why a payment does not leave with its batch."""

    reason = StringField("Raison", validators=[InputRequired(), Length(max=200)])


@blueprint.route("/reglements/<uuid:advice_id>", methods=["GET", "POST"])
@staff(*READERS, deputies=True)
@asks_again("mettre un paiement de côté")
def advice_page(advice_id: UUID) -> str | Response:
    """Show a payment; a preparer may set it aside."""
    here = services()
    page = _advice(advice_id)
    form: Any = SetAsideForm()
    if form.validate_on_submit():
        if not viewer().may(Role.FINANCE_PREPARER):
            abort(403)
        try:
            set_aside(
                here.database,
                advice_id,
                form.reason.data,
                by=viewer().account_id,
                now=here.now(),
                issuer_id=scope(),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"Le règlement est mis de côté. {still_owed(1)} Le lot est à valider de nouveau.", "success")
            return redirect(url_for("finance.batch", batch_id=page.batch_id))
    note_access(here.database, viewer().account_id, "Lecture d’un RIB", f"règlement {page.reference}", here.now())
    return render_template(
        "finance/advice.html",
        page=page,
        form=form,
        doubled=duplicates_of(here.database, page.batch_id, advice_id=advice_id, limit=1, issuer_id=scope()),
        payee=payee_checks(here.database, page.batch_id, advice_id=advice_id).get(advice_id),
        may_wait=MAY_WAIT,
        ask_name=ASK_NAME,
        offer=_offer(page),
        history=_history(advice_id),
    )


@blueprint.get("/reglements/<uuid:advice_id>/bordereau.pdf")
@staff(*READERS, deputies=True)
def advice_pdf(advice_id: UUID) -> Response:
    """Download a payment's paper."""
    here = services()
    page = _advice(advice_id)
    if not page.has_document:
        abort(404)
    contact = Contact(here.settings.programme_name, here.settings.help_contact, here.settings.help_phone)
    name, content = advice_document(page, contact)
    note_access(here.database, viewer().account_id, "Bordereau téléchargé", f"règlement {page.reference}", here.now())
    return download(name, content, "application/pdf")


def _offer(page: AdvicePage) -> UrgentOffer | None:
    """Return what an urgent batch would pay again of what failed, or None where this payment did not fail."""
    if page.state not in CARRIED_STATES:
        return None
    here = services()
    offers = urgent_offers(here.database, {page.agreement_id}, now=here.now(), issuer_id=scope())
    return offers.get((page.agreement_id, page.structure_id))


def _history(advice_id: UUID) -> list[dict[str, object]]:
    """Return what happened to the payment, the first thing first, for a timeline."""
    here = services()
    events = payment_history(here.database, advice_id, issuer_id=scope())
    names = names_of(here.database, {event.made_by for event in events if event.made_by is not None})
    return [
        {
            "what": happened(event.why, event.after, event.line_origin),
            "at": event.happened_at,
            "who": "" if event.made_by is None else names.get(event.made_by, ""),
            "detail": " ".join(_details(event)),
        }
        for event in events
    ]


def _details(one: HistoryEvent) -> Iterator[str]:
    if one.why is PaymentWhy.RESUMED:
        yield f"{ADVICE_STATES[one.after]}."
    if one.effective_on != paris_day(one.happened_at):
        yield f"{'Jour de la banque' if one.line_id else 'Jour retenu'} : {french_date(one.effective_on)}."
    if one.batch_number is not None:
        yield f"Lot {one.batch_number}."
    if one.file_name is not None:
        yield f"Fichier {one.file_name}."
    if one.reason and one.after in (AdviceState.REJECTED, AdviceState.RETURNED):
        yield explain(one.reason).sentence
    elif one.reason and one.why in (PaymentWhy.FROZEN, PaymentWhy.SET_ASIDE):
        yield f"« {one.reason} »"


def _advice(advice_id: UUID) -> AdvicePage:
    found = advice(services().database, advice_id, now=services().now(), issuer_id=scope())
    if found is None:
        abort(404)
    return found
