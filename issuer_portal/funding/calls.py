"""Calls for funds: the list, one call with the list behind it and its documents, an advance, a cancellation."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField
from wtforms.validators import InputRequired

from issuer_portal.funding.folder import READERS, blueprint, download, flash_refusal, scope, today
from voucher.access.audit import note_access
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.funding import read
from voucher.funding.call import DUE_DAYS, call_advance, refuse_advance
from voucher.funding.cancel import cancel_call
from voucher.funding.documents import MEDIA_TYPES, keep_call_documents
from voucher.funding.statement import Statement, statement
from voucher.funding.uses import uses_of_call
from voucher.kernel.calendar import french_date
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.network.names import names_of_structures
from voucher.web.access import staff, viewer
from voucher.web.forms import EurosField, HouseForm, show_refusal
from voucher.web.listing import euros_cell, file_response, read_listing
from voucher.web.services import services

STATE_CHOICES = [("due", "À recevoir"), *((state, word) for state, word in read.STATES.items())]


class AdvanceForm(HouseForm):
    """Money asked for before vouchers are used."""

    id = HiddenField()
    seen_cents = HiddenField()  # the amount whose consequences the person saw
    amount_cents = EurosField("Montant de l’avance", validators=[InputRequired()])


@blueprint.get("/appels")
@staff(*READERS)
def calls() -> str | Response:
    """List the calls, the newest first."""
    listing = read_listing(
        request.args,
        sorts=("called_on", "due_on", "reference", "amount"),
        default_sort="-called_on",
        filters=("etat", "appel"),
    )
    rows, total = read.calls(
        services().database,
        today=today(),
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
        issuer_id=scope(),
    )
    if listing.wants_file:
        heads = ["Référence", "Convention", "Financeur", "Objet", "État", "Appelé le", "À payer avant le", "Utilisé (€)",
                 "Payé par l’avance (€)", "À verser (€)", "Reçu (€)"]  # fmt: skip
        lines = (
            (
                row.reference,
                row.agreement_number,
                row.funder_name,
                "Avance" if row.is_advance else "Usages",
                read.STATES[row.state],
                row.called_on,
                row.due_on,
                euros_cell(row.used_cents),
                euros_cell(row.advance_used_cents),
                euros_cell(row.called_cents),
                euros_cell(row.received_cents),
            )
            for row in rows
        )
        return file_response("appels-de-fonds", heads, lines)
    return render_template("funding/calls.html", listing=listing, rows=rows, total=total, choices=STATE_CHOICES)


@blueprint.get("/appels/<uuid:call_id>")
@staff(*READERS)
def call(call_id: UUID) -> str | Response:
    """Show a call, what was received for it, its documents and the entries behind it."""
    here = services()
    page = _found(call_id)
    listing = read_listing(request.args, sorts=("day",), default_sort="day")
    rows, total = uses_of_call(
        here.database,
        call_id,
        names_of_structures,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        issuer_id=scope(),
    )
    if listing.wants_file:
        heads = ["Jour", "Nature", "SIRET ou RNA", "Structure", "Montant (€)", "Écriture"]
        lines = (
            (row.used_on, row.event_name, row.pivot, row.structure_name, euros_cell(row.cents), str(row.entry_id))
            for row in rows
        )
        return file_response(f"appel-{page.line.reference}", heads, lines)
    return render_template(
        "funding/call.html",
        page=page,
        listing=listing,
        rows=rows,
        total=total,
        documents=keep_call_documents(here.database, call_id, names_of_structures, now=here.now()),
        names=names_of(here.database, {page.called_by}),
    )


@blueprint.get("/appels/<uuid:call_id>/fichiers/<kind>")
@staff(*READERS)
def call_file(call_id: UUID, kind: str) -> Response:
    """Download a document of a call as it was made; the trail keeps who took it, for it holds an IBAN."""
    here = services()
    _found(call_id)
    kept = keep_call_documents(here.database, call_id, names_of_structures, now=here.now())
    found = next((one for one in kept if one.kind == kind), None)
    if found is None:
        abort(404)
    note_access(here.database, viewer().account_id, "Appel de fonds téléchargé", found.name, here.now())
    return download(found.name, found.content, MEDIA_TYPES[found.kind])


@blueprint.post("/appels/<uuid:call_id>/annuler")
@staff(Role.FINANCE_PREPARER)
def cancel(call_id: UUID) -> Response:
    """Cancel a call that nothing paid."""
    here = services()
    page = _found(call_id)
    try:
        cancel_call(here.database, call_id, by=viewer().account_id, now=here.now(), issuer_id=scope())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash(
            f"L’appel {page.line.reference} est annulé. Prévenez le financeur. Son numéro ne servira plus.", "success"
        )
    return redirect(url_for("funding.call", call_id=call_id))


@blueprint.route("/conventions/<uuid:agreement_id>/financeurs/<uuid:funder_id>/avance", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER)
def advance(agreement_id: UUID, funder_id: UUID) -> str | Response:
    """Ask a funder for money in advance, once the person saw what follows of this very amount."""
    here = services()
    page = statement(here.database, agreement_id, funder_id, today=today(), issuer_id=scope())
    if page is None:
        abort(404)
    form: Any = AdvanceForm(id=str(new_id()))
    consequences: list[str] = []
    if form.validate_on_submit():
        amount_cents = form.amount_cents.data
        act: dict[str, Any] = {"by": viewer().account_id, "now": here.now(), "issuer_id": scope()}
        try:
            if form.seen_cents.data != str(amount_cents):
                refuse_advance(amount_cents, page.advance_ceiling_cents, page.present_by, today())
                consequences, form.seen_cents.data = _consequences(page, amount_cents), str(amount_cents)
            else:
                called = call_advance(here.database, _id_of(form), agreement_id, funder_id, amount_cents, **act)
                amount = format_euros(called.called_cents)
                flash(f"L’appel {called.reference} demande {amount} d’avance. Envoyez-le au financeur.", "success")
                return redirect(url_for("funding.call", call_id=called.call_id))
        except Refused as refused:
            show_refusal(form, refused)
    is_over = today() > page.present_by
    return render_template("funding/advance.html", form=form, page=page, is_over=is_over, consequences=consequences)


def _consequences(page: Statement, amount_cents: int) -> list[str]:
    due_on = french_date(today() + timedelta(days=DUE_DAYS))
    return [
        f"Un appel de fonds de {format_euros(amount_cents)} est fait à {page.funder_name}, à payer avant le {due_on}.",
        "Cette avance paiera sa part des prochains chèques utilisés, avant tout autre appel.",
        "Ce qui en restera au décompte final lui sera rendu.",
        f"Il pourra ensuite avancer {format_euros(page.advance_ceiling_after_cents(amount_cents))} au plus.",
        "Vous pourrez annuler cet appel tant qu’il n’a rien versé.",
    ]


def _found(call_id: UUID) -> read.CallPage:
    page = read.call(services().database, call_id, today=today(), issuer_id=scope())
    if page is None:
        abort(404)
    return page


def _id_of(form: Any) -> UUID:
    try:
        return UUID(form.id.data)
    except (TypeError, ValueError):
        abort(400)
