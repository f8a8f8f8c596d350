"""The first page of funders' money: what can be called now, what is awaited, what is late."""

from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.funding.folder import READERS, blueprint, scope, today
from issuer_portal.funding.uses_table import uses_table
from voucher.access.rules import Role
from voucher.funding import read
from voucher.funding.call import call_funds
from voucher.funding.documents import keep_call_documents
from voucher.funding.statement import statement
from voucher.funding.uses import UseLine, uses_to_call
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked, Page
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.network.names import names_of_structures
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.services import services
from voucher.web.tables import drawn, list_file, read_listing
from voucher.web.views import flash_refusal, posted_cents, posted_id

AWAITED_MAX = 20


@blueprint.get("/")
@staff(*READERS)
def home() -> str:
    """Show what can be called, one button each with its figure, then the calls that are awaited or late."""
    database, issuer_id = services().database, scope()
    asked = Asked(sort="due_on", filters={"state": "due"}, limit=AWAITED_MAX)
    awaited = read.calls(database, asked, today=today(), issuer_id=issuer_id)
    return render_template(
        "funding/home.html",
        rows=read.to_call(database, issuer_id=issuer_id),
        ids=new_id,
        awaited=awaited.rows,
        awaited_count=awaited.count,
    )


@blueprint.post("/appeler")
@staff(Role.FINANCE_PREPARER)
@asks_again("appeler des fonds")
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
    table = uses_table()
    listing = read_listing(request.args, table)

    def find(asked: Asked) -> Page[UseLine]:
        return uses_to_call(database, agreement_id, funder_id, asked, names_of_structures)

    if listing.wants_file:
        return list_file(table, listing, find, f"a-appeler-{page.agreement_number}-{page.funder_name}")
    return render_template("funding/uses.html", page=page, lines=drawn(table, listing, find))
