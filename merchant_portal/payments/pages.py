"""Pages of a structure's payments. The structure comes from the person's role, never from the address."""

from uuid import UUID

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.settlement.batches.advice_document import advice_document
from voucher.settlement.batches.read_advice import AdvicePage, advice
from voucher.settlement.batches.read_advices import advices
from voucher.settlement.deadlines.read_payments import RedemptionPayment, owing, redemption_payments, waiting_payments
from voucher.settlement.formats_out.documents import Contact
from voucher.settlement.payable.read_payment_facts import said_of
from voucher.settlement.recoveries.read_disputes import dispute, disputes
from voucher.settlement.words.causes import Holder
from voucher.settlement.words.labels import ADVICE_STATES, DISPUTE_REASONS, DISPUTE_STATES
from voucher.settlement.words.past_sentences import past_sentences
from voucher.web.access import staff, viewer
from voucher.web.listing import euros_cell, file_response, read_listing
from voucher.web.services import services
from voucher.web.tags import ADVICE_TAGS, DISPUTE_TAGS, STAGE_TAGS

STATE_CHOICES = [(str(state), word) for state, word in ADVICE_STATES.items()]
DISPUTE_CHOICES = [(state, word) for state, word in DISPUTE_STATES.items()]

blueprint = Blueprint("payments", __name__, url_prefix="/comptoir/paiements", template_folder="templates")


@blueprint.context_processor
def words() -> dict[str, object]:
    """Give templates the words of settlement."""
    shared = {"dispute_words": DISPUTE_TAGS, "reasons": DISPUTE_REASONS, "dispute_choices": DISPUTE_CHOICES}
    return shared | {"advice_words": ADVICE_TAGS}


def own_structure() -> UUID:
    """Return the structure that the person manages."""
    structure_id = viewer().scope(Role.PLACE_MANAGER)
    if structure_id is None:
        abort(404)
    return structure_id


@blueprint.get("/")
@staff(Role.PLACE_MANAGER)
def home() -> str | Response:
    """Show what is owed and the payments, the newest first."""
    database, structure_id = services().database, own_structure()
    listing = read_listing(request.args, sorts=("frozen_at", "amount"), default_sort="-frozen_at", filters=("etat",))
    rows, total = advices(
        database,
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
        structure_id=structure_id,
    )
    told = said_of(database, [row.id for row in rows], services().now())
    if listing.wants_file:
        headers = [
            "Référence",
            "Lot",
            "Chèques",
            "Montant (€)",
            "État",
            "Où en est-on",
            "Qui doit agir, et quoi faire",
            "Payé le",
        ]
        lines = (
            (
                row.reference,
                row.batch_number,
                row.voucher_count,
                euros_cell(row.amount_cents),
                ADVICE_STATES[row.state],
                told[row.id].sentence,
                told[row.id].next_for_structure,
                row.paid_on,
            )
            for row in rows
        )
        return file_response("nos-paiements", headers, lines)
    waiting = waiting_payments(database, structure_id, services().now())
    yours_cents = sum(one.due.amount_cents for one in waiting if one.step.holder is Holder.STRUCTURE)
    return render_template(
        "payments/home.html",
        listing=listing,
        rows=rows,
        told=told,
        total=total,
        owing=owing(database, structure_id),
        waiting=waiting,
        yours_cents=yours_cents,
        stage_words=STAGE_TAGS,
        choices=STATE_CHOICES,
    )


@blueprint.get("/<uuid:advice_id>")
@staff(Role.PLACE_MANAGER)
def payment(advice_id: UUID) -> str:
    """Show one payment, with what it is made of."""
    page = _own(advice_id)
    events = [
        {"what": f"Lot {page.batch_number} arrêté", "at": page.frozen_at},
        *([{"what": "Lot validé", "at": page.approved_at}] if page.approved_at and page.facts.sent_on else []),
        *({"what": what, "on": on} for what, on in past_sentences(page.facts)),
    ]
    return render_template("payments/payment.html", page=page, said=page.said, events=events)


@blueprint.get("/<uuid:advice_id>/bordereau.pdf")
@staff(Role.PLACE_MANAGER)
def payment_pdf(advice_id: UUID) -> Response:
    """Download the paper of a payment."""
    here = services()
    page = _own(advice_id)
    if not page.has_document:
        abort(404)
    contact = Contact(here.settings.programme_name, here.settings.help_contact, here.settings.help_phone)
    name, content = advice_document(page, contact)
    note_access(here.database, viewer().account_id, "Bordereau téléchargé", f"règlement {page.reference}", here.now())
    response = Response(content, content_type="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/encaissements")
@staff(Role.PLACE_MANAGER)
def redemptions() -> str | Response:
    """List every redemption with where its payment stands."""
    listing = read_listing(request.args, sorts=("redeemed_at",), default_sort="-redeemed_at", filters=("lieu",))
    rows, total = redemption_payments(
        services().database,
        own_structure(),
        now=services().now(),
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
    )
    if listing.wants_file:
        headers = [
            "Encaissé le",
            "Lieu",
            "Chèques",
            "Montant (€)",
            "Où en est le paiement",
            "Qui doit agir",
            "Que faire",
            "À payer au plus tard le",
            "Payé le",
        ]
        lines = (
            (
                row.redeemed_at,
                row.place_name,
                row.voucher_count,
                euros_cell(row.amount_cents),
                row.now.what,
                row.now.who,
                f"{row.now.next} {row.due_sentence}".strip(),
                row.due_on,
                row.paid_on,
            )
            for row in rows
        )
        return file_response("encaissements", headers, lines)
    return render_template("payments/redemptions.html", listing=listing, rows=rows, total=total)


@blueprint.get("/encaissements/<uuid:redemption_id>")
@staff(Role.PLACE_MANAGER)
def why(redemption_id: UUID) -> str:
    """Say why a redemption is not paid yet: who holds it, until when, what they must do."""
    rows, _ = redemption_payments(
        services().database,
        own_structure(),
        now=services().now(),
        descending=True,
        limit=1,
        offset=0,
        filters={},
        redemption_id=redemption_id,
    )
    if not rows:
        abort(404)
    return render_template("payments/why.html", one=rows[0], events=_events(rows[0]), nobody=Holder.NOBODY)


@blueprint.get("/contestations")
@staff(Role.PLACE_MANAGER)
def contested() -> str | Response:
    """List what was contested, and what was clawed back."""
    listing = read_listing(request.args, sorts=("opened_at", "amount"), default_sort="-opened_at", filters=("etat",))
    rows, total = disputes(
        services().database,
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
        structure_id=own_structure(),
    )
    if listing.wants_file:
        headers = ["Ouverte le", "Lieu", "Encaissé le", "Motif", "Chèques", "Montant (€)", "État"]
        lines = (
            (
                row.opened_at,
                row.place_name,
                row.redeemed_at,
                DISPUTE_REASONS[row.reason],
                row.voucher_count,
                euros_cell(row.amount_cents),
                DISPUTE_STATES[row.state],
            )
            for row in rows
        )
        return file_response("encaissements-contestes", headers, lines)
    return render_template("payments/contested.html", listing=listing, rows=rows, total=total)


@blueprint.get("/contestations/<uuid:dispute_id>")
@staff(Role.PLACE_MANAGER)
def contested_one(dispute_id: UUID) -> str:
    """Say why a redemption was contested, what was decided, what it changes and whom to call."""
    here = services()
    page = dispute(here.database, dispute_id, structure_id=own_structure())
    if page is None:
        abort(404)
    settings = here.settings
    contact = [text for text in (settings.programme_name, settings.help_phone, settings.help_contact) if text]
    return render_template("payments/contested_one.html", page=page, line=page.line, contact=contact)


def _events(one: RedemptionPayment) -> list[dict[str, object]]:
    """Return the steps as a timeline takes them; the last one is late when its day is over."""
    last = len(one.steps) - 1
    return [
        {
            "what": step.what,
            "at": step.at,
            "on": step.on,
            "who": step.who,
            "detail": step.next,
            "is_late": one.is_late and rank == last and one.paid_on is None,
        }
        for rank, step in enumerate(one.steps)
    ]


def _own(advice_id: UUID) -> AdvicePage:
    found = advice(services().database, advice_id, now=services().now(), structure_id=own_structure())
    if found is None:
        abort(404)
    return found
