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
from voucher.kernel.keyset import Asked
from voucher.kernel.number_labels import booklet_label
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line
from voucher.web.forms import show_refusal
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, rows_reader
from voucher.web.views import id_of

TO_ISSUER = ""  # without a giver it is no choice, and the use case says so


PRESCRIBERS = Table(
    "Prescripteurs",
    (
        Column[read_stock.PrescriberStock](
            "name", "Prescripteur", is_sorted=True, link=lambda row: url_for("issuer.prescriber", prescriber_id=row.id)
        ),
        Column("kind", "Genre", value=lambda row: PRESCRIBER_KINDS[row.kind]),
        Column("city", "Commune"),
        Column("stock", "Carnets en stock", Kind.COUNT, lambda row: row.stock_count, is_sorted=True, is_summed=True),
        Column("handed_over_count", "Carnets remis", Kind.COUNT, is_summed=True),
        Column("last_handover_at", "Dernière remise", Kind.INSTANT),
    ),
    default_sort="name",
    filters=("nom",),
    one="prescripteur",
)


@blueprint.get("/prescripteurs")
@staff(Role.ISSUER)
def prescribers() -> str | Response:
    """List prescribers with their stock."""
    listing = read_listing(request.args, PRESCRIBERS)
    find = rows_reader(
        read_stock.prescribers(services().database, own_issuer(), listing.asked.filters),
        {"name": lambda row: row.name.casefold(), "stock": lambda row: row.stock_count},
        lambda row: (row.id,),
    )
    if listing.wants_file:
        return list_file(PRESCRIBERS, listing, find)
    return render_template("issuer/prescribers.html", listing=listing, lines=drawn(PRESCRIBERS, listing, find))


@blueprint.route("/prescripteurs/nouveau", methods=["GET", "POST"])
@staff(Role.ISSUER)
@leaves_line("enregistrer un prescripteur")
def new_prescriber() -> str | Response:
    """Register a prescriber."""
    here, form = services(), PrescriberForm()
    if form.validate_on_submit():
        prescriber = NewPrescriber(
            id=id_of(form),
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
    in_stock = read.booklets(here.database, Asked(filters={"state": "issued"}), prescriber_id=prescriber_id)
    stock = read_stock.prescriber_stock(here.database, prescriber_id)
    return render_template(
        "issuer/prescriber.html",
        prescriber=found,
        kind=PRESCRIBER_KINDS[found.kind],
        stock=stock,
        slips=read_stock.slips(here.database, prescriber_id),
        slips_max=read_stock.SLIPS_SHOWN_MAX,
        booklets=in_stock.rows,
        total=stock.stock_count,
    )


@blueprint.route("/bordereaux/nouveau", methods=["GET", "POST"])
@staff(Role.ISSUER)
@leaves_line("déplacer des carnets")
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
            id_of(form),
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
