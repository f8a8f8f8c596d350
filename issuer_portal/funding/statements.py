"""A funder's statement on an agreement, on all of them, and its final balance."""

from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.funding.folder import READERS, blueprint, scope, today
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.funding.close import close_funding, close_preview
from voucher.funding.documents import MEDIA_TYPES, keep_balance_document, keep_call_documents
from voucher.funding.statement import Statement, receipt_steps, statement, statement_pdf, statements_of_funder
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.network.names import names_of_structures
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.filters import slug
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, whole
from voucher.web.views import download, flash_refusal, posted_cents, posted_id

_PATH = "/conventions/<uuid:agreement_id>/financeurs/<uuid:funder_id>"


FIGURES = Table(
    "Montants",
    (
        Column[tuple[str, int]]("name", "Ligne", value=lambda row: row[0]),
        Column("cents", "Montant", Kind.EUROS, lambda row: row[1]),
    ),
)


def _statement_url(row: Statement) -> str:
    return url_for("funding.statement_page", agreement_id=row.agreement_id, funder_id=row.funder_id)


OF_FUNDER = Table(
    "Conventions du financeur",
    (
        Column[Statement]("agreement_number", "Convention", link=_statement_url),
        Column("ceiling_cents", "Plafond", Kind.EUROS, lambda row: row.part.ceiling_cents, under="agreement_number"),
        Column("committed_cents", "Engagé", Kind.EUROS, lambda row: row.part.committed_cents, is_summed=True),
        Column("outstanding_cents", "En circulation", Kind.EUROS, is_summed=True),
        Column("used_cents", "Utilisé", Kind.EUROS, is_summed=True),
        Column("called_cents", "Appelé", Kind.EUROS, is_summed=True),
        Column("received_cents", "Reçu", Kind.EUROS, is_summed=True),
        Column("due_cents", "À recevoir", Kind.EUROS, is_summed=True),
        Column("overdue_cents", "Appels en retard", Kind.EUROS, is_summed=True),
        Column("advance_cents", "Avance", Kind.EUROS, is_summed=True),
    ),
)


@blueprint.get(_PATH)
@staff(*READERS)
def statement_page(agreement_id: UUID, funder_id: UUID) -> str | Response:
    """Show a funder's statement on an agreement; each figure leads to the list behind it."""
    page = _found(agreement_id, funder_id)
    listing = read_listing(request.args, FIGURES)
    if listing.wants_file:
        name = f"releve-{page.agreement_number}-{page.funder_name}"
        return list_file(FIGURES, listing, whole(page.figures), name)
    preview = close_preview(services().database, agreement_id, funder_id) if _is_over(page) else None
    return render_template(
        "funding/statement.html",
        page=page,
        close_id=new_id(),
        is_over=_is_over(page),
        preview=preview,
        receipt_steps=receipt_steps(page.receipts),
    )


@blueprint.get(f"{_PATH}/releve.pdf")
@staff(*READERS)
def statement_file(agreement_id: UUID, funder_id: UUID) -> Response:
    """Download a statement as of today."""
    page = _found(agreement_id, funder_id)
    name = f"releve-{slug(page.agreement_number)}-{slug(page.funder_name)}-{today().isoformat()}.pdf"
    return download(name, statement_pdf(page, today()), "application/pdf")


@blueprint.post(f"{_PATH}/clore")
@staff(Role.FINANCE_PREPARER)
@asks_again("arrêter un solde")
def close(agreement_id: UUID, funder_id: UUID) -> Response:
    """Draw up the final balance."""
    here = services()
    _found(agreement_id, funder_id)
    try:
        done = close_funding(
            here.database,
            posted_id("id"),
            agreement_id,
            funder_id,
            by=viewer().account_id,
            now=here.now(),
            issuer_id=scope(),
            seen_cents=(posted_cents("due_cents"), posted_cents("refund_cents")),
            kept_cents=posted_cents("kept_cents"),
        )
    except Refused as refused:
        flash_refusal(refused)
    else:
        if done.last_call_id is not None:
            keep_call_documents(here.database, done.last_call_id, names_of_structures, now=here.now())
        keep_balance_document(here.database, done.close_id, now=here.now())
        rest = (
            f"Il faut rendre {format_euros(done.refund_cents)} au financeur."
            if done.refund_cents
            else f"Il reste {format_euros(done.due_cents)} à recevoir."
        )
        flash(f"Le décompte final est fait. {rest} Envoyez-lui le document.", "success")
    return redirect(url_for("funding.statement_page", agreement_id=agreement_id, funder_id=funder_id))


@blueprint.get(f"{_PATH}/decomptes/<uuid:balance_id>.pdf")
@staff(*READERS)
def balance_file(agreement_id: UUID, funder_id: UUID, balance_id: UUID) -> Response:
    """Download a final balance as it was made; the trail keeps who took it, for it may hold an IBAN."""
    here = services()
    page = _found(agreement_id, funder_id)
    if balance_id not in {one.id for one in page.closes}:
        abort(404)
    kept = keep_balance_document(here.database, balance_id, now=here.now())
    note_access(here.database, viewer().account_id, "Décompte final téléchargé", kept.name, here.now())
    return download(kept.name, kept.content, MEDIA_TYPES[kept.kind])


@blueprint.get("/financeurs/<uuid:funder_id>")
@staff(*READERS)
def funder(funder_id: UUID) -> str | Response:
    """Show a funder over all its agreements."""
    found = statements_of_funder(services().database, funder_id, today=today(), issuer_id=scope())
    if found is None:
        abort(404)
    name, rows = found
    listing, find = read_listing(request.args, OF_FUNDER), whole(rows)
    if listing.wants_file:
        return list_file(OF_FUNDER, listing, find, f"financeur-{name}")
    return render_template(
        "funding/funder.html",
        name=name,
        lines=drawn(OF_FUNDER, listing, find),
        due_cents=sum(row.due_cents for row in rows),
    )


def _found(agreement_id: UUID, funder_id: UUID) -> Statement:
    page = statement(services().database, agreement_id, funder_id, today=today(), issuer_id=scope())
    if page is None:
        abort(404)
    return page


def _is_over(page: Statement) -> bool:
    return today() > page.present_by
