"""The issuer's first page: where its stock is, what does not move; its agreements one by one; its signing keys."""

from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from voucher.access.rules import Role
from voucher.distribution import read_stock
from voucher.issuing import read as issuing
from voucher.issuing.keys import make_key
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.services import services
from voucher.web.views import flash_refusal, own

blueprint = Blueprint("issuer", __name__, url_prefix="/emetteur", template_folder="templates")


def own_issuer() -> UUID:
    """Return the issuer of the person who looks."""
    return own(Role.ISSUER)


@blueprint.get("/")
@staff(Role.ISSUER)
def home() -> str:
    """Show where the stock is, and what needs an act."""
    issuer_id, database = own_issuer(), services().database
    return render_template(
        "issuer/home.html",
        stock=read_stock.stock(database, issuer_id),
        still=read_stock.still_stock(database, issuer_id, now=services().now()),
        still_days=read_stock.STILL_DAYS,
        unfinished=[batch for batch in issuing.batches(database, issuer_id=issuer_id) if batch.finished_at is None],
        agreements=issuing.agreements(database, issuer_id),
        has_key=any(key.state == "active" for key in issuing.keys(database, issuer_id)),
        now=services().now(),
    )


@blueprint.get("/conventions/<uuid:agreement_id>")
@staff(Role.ISSUER)
def agreement(agreement_id: UUID) -> str:
    """Show one agreement: its terms, its credit, its stock, its orders."""
    issuer_id, database = own_issuer(), services().database
    found = issuing.agreement(database, agreement_id, issuer_id)
    if found is None:
        abort(404)
    return render_template(
        "issuer/agreement.html",
        agreement=found,
        stock=read_stock.stock(database, issuer_id, agreement_id),
        batches=issuing.batches(database, issuer_id=issuer_id, agreement_id=agreement_id),
    )


@blueprint.post("/cle")
@staff(Role.ISSUER)
@asks_again("changer de clé de signature")
def new_key() -> Response:
    """Make the issuer's signing key; the one before, if any, is retired and its codes stay good."""
    here = services()
    try:
        key_id = make_key(
            here.database,
            own_issuer(),
            master_secret=here.settings.master_secret,
            by=viewer().account_id,
            now=here.now(),
        )
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash(f"La clé de signature n° {key_id} est créée. Vous pouvez commander des carnets.", "success")
    return redirect(url_for("issuer.home"))
