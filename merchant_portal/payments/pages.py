"""Pages of a structure's payments. The structure comes from the person's role, never from the address."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from flask import Blueprint, abort, render_template, request, url_for
from werkzeug.wrappers import Response

from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.kernel.keyset import Asked, Page
from voucher.settlement.batches.advice_document import advice_document
from voucher.settlement.batches.read_advice import AdvicePage, advice
from voucher.settlement.batches.read_advices import AdviceRow, advices
from voucher.settlement.deadlines.read_payments import RedemptionPayment, owing, redemption_payments, waiting_payments
from voucher.settlement.formats_out.documents import Contact
from voucher.settlement.payable.read_payment_facts import said_of
from voucher.settlement.recoveries.read_disputes import DisputeLine, dispute, disputes
from voucher.settlement.words.causes import Holder
from voucher.settlement.words.labels import ADVICE_STATES, DISPUTE_REASONS, DISPUTE_STATES
from voucher.settlement.words.past_sentences import past_sentences
from voucher.settlement.words.payment_sentences import Said
from voucher.web.access import staff, viewer
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, state_column
from voucher.web.tags import ADVICE_TAGS, DISPUTE_TAGS, STAGE_TAGS
from voucher.web.views import download, own

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
    return own(Role.PLACE_MANAGER)


@dataclass(frozen=True, slots=True)
class ToldAdvice:
    """A payment of the structure, and what is said of it."""

    row: AdviceRow
    said: Said


PAYMENTS = Table(
    "Règlements",
    (
        Column[ToldAdvice](
            "reference",
            "Référence",
            value=lambda one: one.row.reference,
            link=lambda one: url_for("payments.payment", advice_id=one.row.id),
        ),
        Column("frozen_at", "Lot", value=lambda one: one.row.batch_number, is_sorted=True),
        state_column("state", "État", ADVICE_TAGS, lambda one: one.row.state),
        Column("sentence", "Où en est-on", value=lambda one: one.said.sentence, under="state"),
        Column(
            "next_act", "Qui doit agir, et quoi faire", value=lambda one: one.said.next_for_structure, under="state"
        ),
        Column("paid_on", "Payé le", Kind.DAY, lambda one: one.row.paid_on, under="frozen_at"),
        Column("voucher_count", "Chèques", Kind.COUNT, lambda one: one.row.voucher_count, is_summed=True),
        Column("amount", "Montant", Kind.EUROS, lambda one: one.row.amount_cents, is_sorted=True, is_summed=True),
    ),
    default_sort="-frozen_at",
    filters=("etat",),
    one="règlement",
    file_name="nos-paiements",
)


def _tag(row: RedemptionPayment) -> tuple[str, str]:
    if row.is_clawed_back:
        return "Repris", "warn"
    if row.paid_on and not row.dispute_id:
        return "", ""
    return ("En retard", "warn") if row.is_late else ("", "")


REDEMPTIONS = Table(
    "Encaissements",
    (
        Column[RedemptionPayment](
            "redeemed_at",
            "Encaissé le",
            Kind.INSTANT,
            is_sorted=True,
            link=lambda row: url_for("payments.why", redemption_id=row.redemption_id),
        ),
        Column("place_name", "Lieu"),
        Column("what", "Où en est-on", value=lambda row: row.now.what),
        Column("state", "État", Kind.TAG, lambda row: _tag(row)[0], tag=lambda row: _tag(row)[1], under="what"),
        Column("paid_on", "Payé le", Kind.DAY, under="what"),
        Column(
            "who",
            "Qui doit agir",
            value=lambda row: row.now.who or ("" if row.paid_on or row.is_clawed_back else "Personne pour le moment"),
        ),
        Column("next", "Que faire", value=lambda row: row.now.next, under="who"),
        Column("due_on", "Au plus tard le", Kind.DAY),
        Column("voucher_count", "Chèques", Kind.COUNT, is_summed=True),
        Column("amount_cents", "Montant", Kind.EUROS, is_summed=True),
    ),
    default_sort="-redeemed_at",
    filters=("lieu",),
    one="encaissement",
)
CONTESTED = Table(
    "Encaissements contestés",
    (
        Column[DisputeLine](
            "redeemed_at",
            "Encaissé le",
            Kind.INSTANT,
            link=lambda row: url_for("payments.contested_one", dispute_id=row.id),
        ),
        Column("place_name", "Lieu"),
        Column("reason", "Motif", value=lambda row: DISPUTE_REASONS[row.reason]),
        state_column("state", "État", DISPUTE_TAGS, lambda row: row.state),
        Column("voucher_count", "Chèques", Kind.COUNT, is_summed=True),
        Column("amount", "Montant", Kind.EUROS, lambda row: row.amount_cents, is_sorted=True, is_summed=True),
        Column("opened_at", "Ouverte le", Kind.INSTANT, is_sorted=True),
    ),
    default_sort="-opened_at",
    filters=("etat",),
    one="contestation",
    file_name="encaissements-contestes",
)


@blueprint.get("/")
@staff(Role.PLACE_MANAGER)
def home() -> str | Response:
    """Show what is owed and the payments, the newest first."""
    database, structure_id = services().database, own_structure()
    listing = read_listing(request.args, PAYMENTS)

    def find(asked: Asked) -> Page[ToldAdvice]:
        page = advices(database, asked, structure_id=structure_id)
        told = said_of(database, [row.id for row in page.rows], services().now())
        return page.of(ToldAdvice(row, told[row.id]) for row in page.rows)

    if listing.wants_file:
        return list_file(PAYMENTS, listing, find)
    waiting = waiting_payments(database, structure_id, services().now())
    yours_cents = sum(one.due.amount_cents for one in waiting if one.step.holder is Holder.STRUCTURE)
    return render_template(
        "payments/home.html",
        listing=listing,
        lines=drawn(PAYMENTS, listing, find),
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
    return download(name, content, "application/pdf")


@blueprint.get("/encaissements")
@staff(Role.PLACE_MANAGER)
def redemptions() -> str | Response:
    """List every redemption with where its payment stands."""
    listing = read_listing(request.args, REDEMPTIONS)
    find = partial(redemption_payments, services().database, own_structure(), now=services().now())
    if listing.wants_file:
        return list_file(REDEMPTIONS, listing, find)
    return render_template("payments/redemptions.html", lines=drawn(REDEMPTIONS, listing, find))


@blueprint.get("/encaissements/<uuid:redemption_id>")
@staff(Role.PLACE_MANAGER)
def why(redemption_id: UUID) -> str:
    """Say why a redemption is not paid yet: who holds it, until when, what they must do."""
    asked = Asked(limit=1, is_counted=False)
    rows = redemption_payments(
        services().database, own_structure(), asked, now=services().now(), redemption_id=redemption_id
    ).rows
    if not rows:
        abort(404)
    return render_template("payments/why.html", one=rows[0], events=_events(rows[0]), nobody=Holder.NOBODY)


@blueprint.get("/contestations")
@staff(Role.PLACE_MANAGER)
def contested() -> str | Response:
    """List what was contested, and what was clawed back."""
    listing = read_listing(request.args, CONTESTED)
    find = partial(disputes, services().database, structure_id=own_structure())
    if listing.wants_file:
        return list_file(CONTESTED, listing, find)
    return render_template("payments/contested.html", listing=listing, lines=drawn(CONTESTED, listing, find))


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
