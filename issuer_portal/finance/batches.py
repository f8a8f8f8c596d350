"""A batch from its preview to its files: frozen by a preparer, approved by another person, sent by a preparer."""

from functools import partial
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField

from issuer_portal.finance.batch_tables import BATCHES, TO_FREEZE, ToldAdvice, advices_of_batch, payable_cents
from issuer_portal.finance.folder import READERS, batch_or_404, blueprint, scope
from voucher.access.audit import note_access
from voucher.access.read import names_of, person
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked, Page
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.kernel.typed_numbers import rank_number
from voucher.settlement.batches import read
from voucher.settlement.batches.approve import Standing, approve_batch
from voucher.settlement.batches.batch_anomalies import batch_anomalies
from voucher.settlement.batches.deputies import Person
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import Frozen, freeze_batch
from voucher.settlement.batches.preview import preview_batch
from voucher.settlement.batches.read_advices import advices
from voucher.settlement.payable.read_payment_facts import said_of
from voucher.settlement.payable.why_waiting import batch_waiting, by_title
from voucher.settlement.reports.read_duplicates import announced_in
from voucher.settlement.reports.read_payees import ASK_NAME, MAY_WAIT, doubtful_names, payee_checks
from voucher.settlement.words.labels import ADVICE_STATES, BATCH_STATES, FILE_KINDS
from voucher.settlement.words.payment_sentences import still_owed
from voucher.settlement.words.states import AdviceState
from voucher.web.access import deputyship, staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.filters import plural
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.patience import takes_long
from voucher.web.services import services
from voucher.web.tables import drawn, list_file, read_listing, rows_reader
from voucher.web.views import download, flash_refusal, id_of, posted_cents

STATE_CHOICES = [(str(state), word) for state, word in BATCH_STATES.items()]
ADVICE_CHOICES = [(str(state), word) for state, word in ADVICE_STATES.items()]


class FreezeForm(HouseForm):
    """The act of freezing: it carries the batch's id, so that a double click makes one batch, and the number that was seen."""

    id = HiddenField()
    seen_number = HiddenField()


@blueprint.get("/lots")
@staff(*READERS, deputies=True)
def batches() -> str | Response:
    """List the batches, the newest first."""
    listing = read_listing(request.args, BATCHES)
    find = partial(read.batches, services().database, issuer_id=scope())
    if listing.wants_file:
        return list_file(BATCHES, listing, find)
    return render_template(
        "finance/batches.html", listing=listing, lines=drawn(BATCHES, listing, find), choices=STATE_CHOICES
    )


@blueprint.route("/conventions/<uuid:agreement_id>/arreter", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER)
@asks_again("arrêter un lot")
@takes_long
def freeze(agreement_id: UUID) -> str | Response:
    """Show what would be frozen, anomalies first; freeze it."""
    here = services()
    preview = preview_batch(here.database, agreement_id, now=here.now(), issuer_id=scope())
    if preview is None:
        abort(404)
    form: Any = FreezeForm(id=str(new_id()), seen_number=preview.number)
    if form.validate_on_submit():
        try:
            frozen = freeze_batch(
                here.database,
                id_of(form),
                agreement_id,
                by=viewer().account_id,
                now=here.now(),
                issuer_id=scope(),
                seen_number=form.seen_number.data or None,
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(_frozen_sentence(frozen), "success")
            return redirect(url_for("finance.batch", batch_id=frozen.batch_id))
    listing = read_listing(request.args, TO_FREEZE)
    find = rows_reader(
        preview.owed,
        {"name": lambda row: row.name.casefold(), "amount": payable_cents},
        lambda row: (row.name, row.pivot),
    )
    if listing.wants_file:
        return list_file(TO_FREEZE, listing, find, f"a-regler-{preview.number}")
    return render_template(
        "finance/freeze.html", form=form, preview=preview, listing=listing, lines=drawn(TO_FREEZE, listing, find)
    )


def _frozen_sentence(frozen: Frozen) -> str:
    held = f" {plural(frozen.held_count, 'structure')} en attente." if frozen.held_count else ""
    if not frozen.advice_count:
        return f"Le lot {frozen.number} est arrêté sans paiement.{held} {still_owed(frozen.held_count)}"
    return (
        f"Le lot {frozen.number} est arrêté : {plural(frozen.advice_count, 'structure')}, "
        f"{format_euros(frozen.total_cents)}.{held} Une autre personne doit maintenant le valider."
    )


@blueprint.get("/lots/<uuid:batch_id>")
@staff(*READERS, deputies=True)
def batch(batch_id: UUID) -> str | Response:
    """Show a batch: its steps, its control sum, what is wrong, its advices, and the act of this step only."""
    here, page = services(), batch_or_404(batch_id)
    waits = batch_waiting(here.database, page.id, here.now())
    payees = payee_checks(here.database, page.id)
    announced = announced_in(here.database, page.id)
    table = advices_of_batch(waits, payees, announced)
    listing = read_listing(request.args, table)

    def find(asked: Asked) -> Page[ToldAdvice]:
        found = advices(here.database, asked, batch_id=page.id, issuer_id=scope())
        told = said_of(here.database, [row.id for row in found.rows], here.now())
        return found.of(ToldAdvice(row, told[row.id]) for row in found.rows)

    if listing.wants_file:
        return list_file(table, listing, find, f"lot-{page.number}")
    people = {one for one in (page.frozen_by, page.approved_by, page.approved_for, page.exported_by) if one is not None}
    return render_template(
        "finance/batch.html",
        page=page,
        steps=_steps(page, names_of(services().database, people)),
        listing=listing,
        lines=drawn(table, listing, find),
        choices=ADVICE_CHOICES,
        doubtful_names=doubtful_names(payees.values()),
        may_wait=MAY_WAIT,
        ask_name=ASK_NAME,
        announced=announced,
        why_held=by_title(wait for wait in waits.values() if wait.state is AdviceState.HELD),
        why_failed={
            str(state): by_title(wait for wait in waits.values() if wait.state is state)
            for state in (AdviceState.REJECTED, AdviceState.RETURNED)
        },
        still_owed=still_owed,
        signs=batch_anomalies(services().database, page.id, now=services().now()),
        is_own=page.frozen_by == viewer().account_id,
        in_place_of=standing.approver.name if (standing := _standing()) else None,
    )


def _standing() -> Standing | None:
    """Return as whose deputy the person would approve, or None for an approver."""
    found = deputyship()
    if found is None:
        return None
    approver = person(services().database, found.approver_id, now=services().now())
    assert approver is not None, "accounts are closed, never deleted"
    return Standing(found.id, Person(approver.id, approver.name, approver.email), viewer().name)


def _steps(page: read.BatchPage, names: dict[UUID, str]) -> list[dict[str, object]]:
    """Return the line of steps: who did what and when, what is to be done now."""
    is_empty = page.advice_count == 0
    done = (
        ("Arrêter", page.frozen_by, page.frozen_at),
        ("Valider", page.approved_by, page.approved_at),
        ("Transmettre", page.exported_by, page.exported_at),
        ("Payer", None, page.closed_at),
    )
    steps: list[dict[str, object]] = []
    is_current_given = False
    for label, who, at in done:
        if is_empty and label != "Arrêter":
            state = "stopped"
        elif at is not None:
            state = "done"
        else:
            state = "todo" if is_current_given else "current"
            is_current_given = True
        steps.append(
            {
                "label": label,
                "state": state,
                "who": _who(page, who, names) if who else None,
                "at": None if state == "stopped" else at,
            }
        )
    return steps


def _who(page: read.BatchPage, who: UUID, names: dict[UUID, str]) -> str | None:
    if who == page.approved_by and page.approved_for is not None:
        return f"{names.get(who, '')}, en remplacement de {names.get(page.approved_for, '')}"
    return names.get(who)


@blueprint.route("/lots/<uuid:batch_id>/valider", methods=["GET", "POST"])
@staff(Role.FINANCE_APPROVER, deputies=True)
@asks_again("valider un lot")
def approve(batch_id: UUID) -> Response:
    """Approve a batch, of which the form carries the total that the person saw."""
    here, page = services(), batch_or_404(batch_id)
    if request.method == "GET":  # who gave up before the act comes back to the batch
        return redirect(url_for("finance.batch", batch_id=batch_id))
    try:
        approve_batch(
            here.database,
            batch_id,
            by=viewer().account_id,
            now=here.now(),
            issuer_id=scope(),
            seen_total_cents=posted_cents("total_cents"),
            standing=_standing(),
        )
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash(
            f"Le lot {page.number} est validé : {format_euros(page.total_cents)}. Il peut maintenant être transmis.",
            "success",
        )
    return redirect(url_for("finance.batch", batch_id=batch_id))


@blueprint.post("/lots/<uuid:batch_id>/transmettre")
@staff(Role.FINANCE_PREPARER)
@asks_again("transmettre un lot")
@takes_long
def export(batch_id: UUID) -> Response:
    """Write the files of a batch; once written they are given again, the same."""
    page = batch_or_404(batch_id)
    try:
        export_batch(services().database, batch_id, by=viewer().account_id, now=services().now(), issuer_id=scope())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash(f"Le lot {page.number} est prêt. Téléchargez ses fichiers et donnez-les à qui doit payer.", "success")
    return redirect(url_for("finance.batch", batch_id=batch_id))


@blueprint.get("/lots/<uuid:batch_id>/fichiers/<kind>")
@staff(*READERS, deputies=True)
def file(batch_id: UUID, kind: str) -> Response:
    """Download a file of a batch, as it was written; the trail keeps who took it."""
    here = services()
    if kind not in FILE_KINDS:
        abort(404)
    part = rank_number(request.args.get("partie", "1"))
    if part is None:
        abort(404)
    found = read.kept_file(here.database, batch_id, kind, part, issuer_id=scope())
    if found is None:
        abort(404)
    note_access(here.database, viewer().account_id, "Fichier de règlement téléchargé", found.name, here.now())
    return download(found.name, found.content, FILE_KINDS[found.kind][1])
