"""Calls for funds: the list, one call with the list behind it and its documents, an advance, a cancellation."""

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField
from wtforms.validators import InputRequired

from issuer_portal.funding.folder import READERS, blueprint, scope, today
from issuer_portal.funding.uses_table import uses_table
from voucher.access.audit import note_access
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.funding import read
from voucher.funding.call import DUE_DAYS, call_advance, refuse_advance
from voucher.funding.cancel import cancel_call
from voucher.funding.documents import MEDIA_TYPES, keep_call_documents
from voucher.funding.statement import Statement, statement
from voucher.funding.uses import UseLine, uses_of_call
from voucher.kernel.calendar import french_date
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked, Page
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.network.names import names_of_structures
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import EurosField, HouseForm, show_refusal
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, state_column
from voucher.web.tags import CALL_TAGS
from voucher.web.views import download, flash_refusal, id_of

STATE_CHOICES = [("due", "À recevoir"), *((state, word) for state, word in read.STATES.items())]


class AdvanceForm(HouseForm):
    """Money asked for before vouchers are used."""

    id = HiddenField()
    seen_cents = HiddenField()  # the amount whose consequences the person saw
    amount_cents = EurosField("Montant de l’avance", validators=[InputRequired()])


CALLS = Table(
    "Appels de fonds",
    (
        Column[read.CallLine](
            "reference", "Référence", is_sorted=True, link=lambda row: url_for("funding.call", call_id=row.id)
        ),
        Column("agreement_number", "Convention", under="funder_name"),
        Column(
            "funder_name",
            "Financeur",
            link=lambda row: url_for("funding.statement_page", agreement_id=row.agreement_id, funder_id=row.funder_id),
        ),
        Column("kind", "Objet", value=lambda row: "Avance" if row.is_advance else "Usages", under="reference"),
        state_column("state", "État", CALL_TAGS, lambda row: row.state),
        Column("called_on", "Appelé le", Kind.DAY, is_sorted=True),
        Column("due_on", "À payer avant le", Kind.DAY, is_sorted=True),
        Column("used_cents", "Utilisé", Kind.EUROS, is_summed=True),
        Column("advance_used_cents", "Payé par l’avance", Kind.EUROS, is_summed=True),
        Column("amount", "À verser", Kind.EUROS, lambda row: row.called_cents, is_sorted=True, is_summed=True),
        Column("received_cents", "Reçu", Kind.EUROS, is_summed=True),
    ),
    default_sort="-called_on",
    filters=("etat", "appel"),
    one="appel",
)


@blueprint.get("/appels")
@staff(*READERS)
def calls() -> str | Response:
    """List the calls, the newest first."""
    listing = read_listing(request.args, CALLS)
    find = partial(read.calls, services().database, today=today(), issuer_id=scope())
    if listing.wants_file:
        return list_file(CALLS, listing, find)
    return render_template(
        "funding/calls.html", listing=listing, lines=drawn(CALLS, listing, find), choices=STATE_CHOICES
    )


@blueprint.get("/appels/<uuid:call_id>")
@staff(*READERS)
def call(call_id: UUID) -> str | Response:
    """Show a call, what was received for it, its documents and the entries behind it."""
    here = services()
    page = _found(call_id)
    table = uses_table()
    listing = read_listing(request.args, table)

    def find(asked: Asked) -> Page[UseLine]:
        return uses_of_call(here.database, call_id, asked, names_of_structures, issuer_id=scope())

    if listing.wants_file:
        return list_file(table, listing, find, f"appel-{page.line.reference}")
    return render_template(
        "funding/call.html",
        page=page,
        lines=drawn(table, listing, find),
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
@asks_again("annuler un appel de fonds")
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
@asks_again("demander une avance")
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
                called = call_advance(here.database, id_of(form), agreement_id, funder_id, amount_cents, **act)
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
