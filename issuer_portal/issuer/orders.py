"""Ordering, watching an order being made, and its paper."""

from io import BytesIO
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from issuer_portal.issuer.forms import OrderForm, PrintForm, booklet_range
from issuer_portal.issuer.home import blueprint, own_issuer
from issuer_portal.issuer.making import VOUCHERS_AT_ONCE_MAX, make_behind
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.issuing import read
from voucher.issuing.make_batch import is_being_made, make_batch
from voucher.issuing.order import order_vouchers
from voucher.issuing.print_batch import VOUCHERS_PER_DOWNLOAD_MAX, print_range
from voucher.kernel.money import thousands
from voucher.kernel.number_labels import booklet_label
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import show_refusal
from voucher.web.headers import shows_code
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, rows_reader
from voucher.web.views import id_of

PARTS_SHOWN_MAX = 20


def _is_made(batch: read.Batch) -> str:
    return (
        "Fabriqué"
        if batch.finished_at
        else f"{thousands(batch.made_booklet_count)} sur {thousands(batch.booklet_count)}"
    )


ORDERS = Table(
    "Commandes",
    (
        Column[read.Batch](
            "number",
            "Premier carnet",
            Kind.BOOKLET,
            lambda row: row.first_booklet_number,
            is_sorted=True,
            link=lambda row: url_for("issuer.batch", batch_id=row.id),
        ),
        Column("last_booklet_number", "Dernier carnet", Kind.BOOKLET, under="number"),
        Column(
            "agreement_number",
            "Convention",
            link=lambda row: url_for("issuer.agreement", agreement_id=row.agreement_id),
        ),
        Column("booklet_count", "Carnets", Kind.COUNT, is_summed=True),
        Column("voucher_count", "Chèques", Kind.COUNT, is_summed=True),
        Column("value_cents", "Valeur", Kind.EUROS, is_summed=True),
        Column("ordered_at", "Commandé le", Kind.INSTANT),
        Column("making", "Fabrication", Kind.TAG, _is_made, tag=lambda row: "success" if row.finished_at else "wait"),
        Column("made_booklet_count", "Carnets fabriqués", Kind.COUNT, under="making"),
    ),
    default_sort="-number",
    one="commande",
)


@blueprint.get("/commandes")
@staff(Role.ISSUER)
def orders() -> str | Response:
    """List the orders, the newest first."""
    listing = read_listing(request.args, ORDERS)
    batches = read.batches(services().database, issuer_id=own_issuer())
    find = rows_reader(batches, {"number": lambda row: row.first_booklet_number}, lambda _: ())
    if listing.wants_file:
        return list_file(ORDERS, listing, find)
    return render_template("issuer/orders.html", lines=drawn(ORDERS, listing, find))


@blueprint.route("/conventions/<uuid:agreement_id>/commander", methods=["GET", "POST"])
@staff(Role.ISSUER)
@asks_again("commander des chèques")
def order(agreement_id: UUID) -> str | Response:
    """Order booklets: first the consequence, then the act."""
    here = services()
    agreement = read.agreement(here.database, agreement_id, own_issuer())
    if agreement is None:
        abort(404)
    form = OrderForm()
    if not form.validate_on_submit():
        return render_template("issuer/order.html", form=form, agreement=agreement, count=None)
    count = form.booklet_count.data
    if form.takes() and count:
        try:
            ordered = order_vouchers(
                here.database,
                id_of(form),
                agreement_id,
                count,
                by=viewer().account_id,
                now=here.now(),
                issuer_id=own_issuer(),
                stop_percent=here.settings.backing_stop_percent,
            )
        except Refused as refused:
            show_refusal(form, refused)
            return render_template("issuer/order.html", form=form, agreement=agreement, count=None)
        flash("La commande est enregistrée. Son crédit est réservé.", "success")
        _make(ordered.batch_id, ordered.voucher_count)
        return redirect(url_for("issuer.batch", batch_id=ordered.batch_id))
    if not count or count > agreement.orderable_booklet_count:
        most = agreement.orderable_booklet_count
        form.booklet_count.errors = [
            "Commandez au moins un carnet."
            if not count
            else f"Le crédit permet {most} carnets au plus. Baissez ce nombre."
        ]
        count = None
    return render_template("issuer/order.html", form=form, agreement=agreement, count=count)


@blueprint.get("/commandes/<uuid:batch_id>")
@staff(Role.ISSUER)
def batch(batch_id: UUID) -> str:
    """Show an order: how far its making went, and its paper."""
    found = _own_batch(batch_id)
    return render_template(
        "issuer/batch.html",
        batch=found,
        is_being_made=found.finished_at is None and is_being_made(services().database, batch_id),
        parts=_parts(found)[:PARTS_SHOWN_MAX],
        has_more_parts=len(_parts(found)) > PARTS_SHOWN_MAX,
        print_form=PrintForm(formdata=None),
    )


@blueprint.post("/commandes/<uuid:batch_id>/fabriquer")
@staff(Role.ISSUER)
def make(batch_id: UUID) -> Response:
    """Go on with the making of an order that was interrupted."""
    found = _own_batch(batch_id)
    _make(batch_id, found.voucher_count - found.made_booklet_count * found.booklet_size)
    return redirect(url_for("issuer.batch", batch_id=batch_id))


@blueprint.get("/commandes/<uuid:batch_id>/carnets.pdf")
@staff(Role.ISSUER)
@shows_code
def print_booklets(batch_id: UUID) -> Response | tuple[str, int]:
    """Give a PDF of some booklets; leave a line in the audit trail, because each code on it is money."""
    here, found = services(), _own_batch(batch_id)
    form = PrintForm(request.args)
    if form.validate():
        first, count = booklet_range(form)
        out = BytesIO()
        try:
            print_range(here.database, batch_id, first, count, out, settings=here.settings, issuer_id=own_issuer())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            last = first + count - 1
            note_access(here.database, viewer().account_id, "carnets imprimés", f"carnets {first} à {last}", here.now())
            out.seek(0)
            return send_file(out, "application/pdf", as_attachment=True, download_name=f"carnets-{first}-{last}.pdf")
    page = render_template(
        "issuer/batch.html", batch=found, is_being_made=False, parts=[], has_more_parts=True, print_form=form
    )
    return page, 422


def _own_batch(batch_id: UUID) -> read.Batch:
    found = read.batch(services().database, batch_id, own_issuer())
    if found is None:
        abort(404)
    return found


def _make(batch_id: UUID, voucher_count: int) -> None:
    """Make a small order at once; start a big one behind the page."""
    here = services()
    maker = make_batch if voucher_count <= VOUCHERS_AT_ONCE_MAX else make_behind
    maker(here.database, batch_id, master_secret=here.settings.master_secret, now=here.now())


def _parts(batch: read.Batch) -> list[tuple[int, int, str]]:
    """Cut what is made into files of a size a page can give: (first booklet, count, words)."""
    if batch.key_state == "revoked":
        return []
    step = max(1, VOUCHERS_PER_DOWNLOAD_MAX // batch.booklet_size)
    end = batch.first_booklet_number + batch.made_booklet_count
    parts = []
    for first in range(batch.first_booklet_number, end, step):
        count = min(step, end - first)
        parts.append((first, count, f"Carnets {booklet_label(first)} à {booklet_label(first + count - 1)} (PDF)"))
    return parts
