"""Prescribers and the stock entrusted to them."""

from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.issuer.forms import EntrustForm, PrescriberForm, booklet_range
from issuer_portal.issuer.home import blueprint, own_issuer
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.distribution import read, read_stock
from voucher.distribution.entrust import StockMove, entrust
from voucher.distribution.prescribers import NewPrescriber, register_prescriber
from voucher.distribution.words import PRESCRIBER_KINDS
from voucher.kernel.labels import booklet_label
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.forms import show_refusal
from voucher.web.listing import file_response, read_listing
from voucher.web.services import services

TO_ISSUER = ""  # without a giver it is no choice, and the use case says so


@blueprint.get("/prescripteurs")
@staff(Role.ISSUER)
def prescribers() -> str | Response:
    """List prescribers with their stock."""
    sorts = {"name": lambda row: row.name.casefold(), "stock": lambda row: row.stock_count}
    listing = read_listing(request.args, sorts=tuple(sorts), default_sort="name", filters=("nom",))
    rows = read_stock.prescribers(services().database, own_issuer(), listing.filters)
    rows.sort(key=sorts[listing.sort], reverse=listing.descending)
    if listing.wants_file:
        headers = ["Prescripteur", "Genre", "Commune", "Carnets en stock", "Carnets remis", "Dernière remise"]
        lines = (
            (
                row.name,
                PRESCRIBER_KINDS[row.kind],
                row.city,
                row.stock_count,
                row.handed_over_count,
                row.last_handover_at,
            )
            for row in rows
        )
        return file_response("prescripteurs", headers, lines)
    shown = rows[listing.offset : listing.offset + listing.limit]
    return render_template(
        "issuer/prescribers.html", listing=listing, rows=shown, total=len(rows), kinds=PRESCRIBER_KINDS
    )


@blueprint.route("/prescripteurs/nouveau", methods=["GET", "POST"])
@staff(Role.ISSUER)
def new_prescriber() -> str | Response:
    """Register a prescriber."""
    here, form = services(), PrescriberForm()
    if form.validate_on_submit():
        prescriber = NewPrescriber(
            id=form.command_id,
            issuer_id=own_issuer(),
            name=form.name.data,
            kind=form.kind.data,
            postcode=form.postcode.data,
            city=form.city.data,
            address=form.address.data or "",
            contact_email=form.contact_email.data or "",
        )
        try:
            register_prescriber(here.database, prescriber, by=viewer().account_id, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"{prescriber.name} est enregistré. Confiez-lui des carnets.", "success")
            return redirect(url_for("issuer.prescriber", prescriber_id=prescriber.id))
    return render_template("issuer/new_prescriber.html", form=form)


@blueprint.get("/prescripteurs/<uuid:prescriber_id>")
@staff(Role.ISSUER)
def prescriber(prescriber_id: UUID) -> str:
    """Show a prescriber: its stock and what moved. Its contact is shown: a line in the audit trail."""
    here = services()
    found = read_stock.prescriber(here.database, prescriber_id, own_issuer())
    if found is None:
        abort(404)
    if found.contact_email:
        note_access(here.database, viewer().account_id, "contact d’un prescripteur vu", str(prescriber_id), here.now())
    lines, total = read.booklets(here.database, prescriber_id=prescriber_id, filters={"etat": "issued"}, limit=50)
    return render_template(
        "issuer/prescriber.html",
        prescriber=found,
        kind=PRESCRIBER_KINDS[found.kind],
        stock=read_stock.prescriber_stock(here.database, prescriber_id),
        slips=read_stock.slips(here.database, prescriber_id),
        booklets=lines,
        total=total,
    )


@blueprint.route("/bordereaux/nouveau", methods=["GET", "POST"])
@staff(Role.ISSUER)
def new_slip() -> str | Response:
    """Entrust a range of booklets to a prescriber (`de` empty), or take it back from the one in `de`."""
    here, issuer_id = services(), own_issuer()
    giver = _giver(request.args.get("de", ""), issuer_id)
    form = EntrustForm()
    own = [(str(row.id), f"{row.name} ({row.city})") for row in read_stock.prescribers(here.database, issuer_id)]
    first = "La collectivité : reprendre ces carnets" if giver else "Choisissez un prescripteur"
    form.to_prescriber_id.choices = [
        (TO_ISSUER, first),
        *((value, word) for value, word in own if not giver or value != str(giver.id)),
    ]
    if request.method == "GET":
        form.to_prescriber_id.data = request.args.get("a", "")
    if form.validate_on_submit():
        move = StockMove(
            form.command_id,
            issuer_id,
            *booklet_range(form),
            UUID(form.to_prescriber_id.data) if form.to_prescriber_id.data else None,
            giver.id if giver else None,
        )
        try:
            entrust(here.database, move, by=viewer().account_id, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            last = move.first_booklet_number + move.booklet_count - 1
            flash(
                f"{move.booklet_count} carnets ont changé de mains : du {booklet_label(move.first_booklet_number)} "
                f"au {booklet_label(last)}.",
                "success",
            )
            shown = move.to_prescriber_id or move.from_prescriber_id
            return redirect(url_for("issuer.prescriber", prescriber_id=shown))
    return render_template("issuer/new_slip.html", form=form, giver=giver, has_prescribers=bool(own))


def _giver(text: str, issuer_id: UUID) -> read_stock.PrescriberFacts | None:
    if not text:
        return None
    try:
        found = read_stock.prescriber(services().database, UUID(text), issuer_id)
    except ValueError:
        found = None
    if found is None:
        abort(404)
    return found
