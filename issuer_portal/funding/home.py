"""The first page of funders' money: what can be called now, what is awaited, what is late."""

from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.funding.folder import READERS, blueprint, flash_refusal, posted_cents, posted_id, scope, today
from voucher.access.rules import Role
from voucher.funding import read
from voucher.funding.call import call_funds
from voucher.funding.documents import keep_call_documents
from voucher.funding.statement import statement
from voucher.funding.uses import uses_to_call
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.network.names import names_of_structures
from voucher.web.access import staff, viewer
from voucher.web.listing import euros_cell, file_response, read_listing
from voucher.web.services import services


@blueprint.get("/")
@staff(*READERS)
def home() -> str:
    """Show what can be called, one button each with its figure, then the calls that are awaited or late."""
    database, issuer_id = services().database, scope()
    ask = {"today": today(), "limit": 20, "sort": "due_on", "descending": False, "issuer_id": issuer_id}
    awaited, awaited_count = read.calls(database, filters={"etat": "due"}, **ask)  # type: ignore[arg-type]
    return render_template(
        "funding/home.html",
        rows=read.to_call(database, issuer_id=issuer_id),
        ids=new_id,
        awaited=awaited,
        awaited_count=awaited_count,
    )


@blueprint.post("/appeler")
@staff(Role.FINANCE_PREPARER)
def call_uses() -> Response:
    """Call what a funder owes for uses; the form carries the figure that the person saw and the call's id."""
    here = services()
    call_id, agreement_id, funder_id = posted_id("id"), posted_id("agreement_id"), posted_id("funder_id")
    try:
        called = call_funds(
            here.database,
            call_id,
            agreement_id,
            funder_id,
            by=viewer().account_id,
            now=here.now(),
            issuer_id=scope(),
            seen_cents=posted_cents("seen_cents"),
        )
    except Refused as refused:
        flash_refusal(refused)
        return redirect(url_for("funding.home"))
    keep_call_documents(here.database, call_id, names_of_structures, now=here.now())
    rest = (
        f"{format_euros(called.called_cents)} à verser."
        if called.called_cents
        else "Son avance paie tout : rien à verser."
    )
    flash(f"L’appel {called.reference} est fait. {rest} Envoyez maintenant ses documents au financeur.", "success")
    return redirect(url_for("funding.call", call_id=call_id))


@blueprint.get("/a-appeler/<uuid:agreement_id>/<uuid:funder_id>")
@staff(*READERS)
def uses(agreement_id: UUID, funder_id: UUID) -> str | Response:
    """List the entries behind a figure that can be called."""
    database = services().database
    page = statement(database, agreement_id, funder_id, today=today(), issuer_id=scope())
    if page is None:
        abort(404)
    listing = read_listing(request.args, sorts=("day",), default_sort="day")
    rows, total = uses_to_call(
        database,
        agreement_id,
        funder_id,
        names_of_structures,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
    )
    if listing.wants_file:
        heads = ["Jour", "Nature", "SIRET ou RNA", "Structure", "Montant (€)", "Écriture"]
        lines = (
            (row.used_on, row.event_name, row.pivot, row.structure_name, euros_cell(row.cents), str(row.entry_id))
            for row in rows
        )
        return file_response(f"a-appeler-{page.agreement_number}-{page.funder_name}", heads, lines)
    return render_template("funding/uses.html", page=page, listing=listing, rows=rows, total=total)
