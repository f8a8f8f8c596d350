"""Booklets one by one: find them, stop what is lost, destroy what will not be handed over."""

from functools import partial

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.issuer.forms import StopForm, VoidForm, booklet_range
from issuer_portal.issuer.home import blueprint, own_issuer
from voucher.access.rules import Role
from voucher.distribution import read, read_stock
from voucher.distribution.stop import stop_booklet
from voucher.distribution.void_stock import NewStockVoid, void_stock
from voucher.distribution.words import BOOKLET_STATES, STOP_REASONS, VOUCHER_STATES
from voucher.kernel.money import format_euros
from voucher.kernel.number_labels import booklet_label
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import show_refusal
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, state_column
from voucher.web.tags import BOOKLET_TAGS
from voucher.web.views import id_of

STATE_CHOICES = [(state, word) for state, word in BOOKLET_STATES.items()]


BOOKLETS = Table(
    "Carnets",
    (
        Column[read.BookletLine](
            "number",
            "Carnet",
            Kind.BOOKLET,
            is_sorted=True,
            link=lambda row: url_for("issuer.booklet", number=row.number),
        ),
        state_column("state", "État", BOOKLET_TAGS, lambda row: row.state),
        Column("size", "Chèques", Kind.COUNT, is_summed=True),
        Column("value", "Valeur", Kind.EUROS, lambda row: row.size * row.face_value_cents, is_summed=True),
        Column("agreement_number", "Convention"),
        Column("prescriber_name", "Prescripteur", value=lambda row: row.prescriber_name or "Chez vous"),
        Column("use_by", "À utiliser avant le", Kind.DAY),
    ),
    default_sort="number",
    filters=("numero", "etat", "convention", "prescripteur"),
    one="carnet",
)


@blueprint.get("/carnets")
@staff(Role.ISSUER)
def booklets() -> str | Response:
    """List booklets, by number."""
    database, issuer_id = services().database, own_issuer()
    listing = read_listing(request.args, BOOKLETS)
    find = partial(read.booklets, database, issuer_id=issuer_id)
    if listing.wants_file:
        return list_file(BOOKLETS, listing, find)
    return render_template(
        "issuer/booklets.html",
        listing=listing,
        lines=drawn(BOOKLETS, listing, find),
        state_choices=STATE_CHOICES,
        prescriber_choices=[(row.id, row.name) for row in read_stock.prescribers(database, issuer_id)],
    )


@blueprint.route("/carnets/<int:number>", methods=["GET", "POST"])
@staff(Role.ISSUER)
@asks_again("arrêter un carnet")
def booklet(number: int) -> str | Response:
    """Show a booklet; stop it, its consequence in view."""
    here = services()
    found = read.booklet(here.database, number, issuer_id=own_issuer())
    if found is None:
        abort(404)
    form = StopForm()
    if form.validate_on_submit():
        try:
            stopped = stop_booklet(
                here.database,
                id_of(form),
                number,
                form.reason.data,
                by=viewer().account_id,
                now=here.now(),
                issuer_id=own_issuer(),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(
                f"Le carnet {booklet_label(number)} est bloqué : {stopped.stopped_count} chèques, "
                f"{format_euros(stopped.released_cents)} rendus à la convention.",
                "success",
            )
            return redirect(url_for("issuer.booklet", number=number))
    return render_template(
        "issuer/booklet.html",
        booklet=found,
        form=form,
        states=BOOKLET_TAGS,
        made_of=", ".join(f"{count} {VOUCHER_STATES[state]}" for state, count in found.made_of.items()),
        reasons=STOP_REASONS,
    )


@blueprint.route("/carnets/annuler", methods=["GET", "POST"])
@staff(Role.ISSUER)
@asks_again("annuler des carnets")
def void() -> str | Response:
    """Destroy booklets that were not handed over: first the consequence, then the act."""
    here, issuer_id, form = services(), own_issuer(), VoidForm()
    consequence = None
    if form.validate_on_submit():
        first, count = booklet_range(form)
        if form.takes():
            void = NewStockVoid(id_of(form), issuer_id, first, count, form.reason.data)
            try:
                released_cents = void_stock(here.database, void, by=viewer().account_id, now=here.now())
            except Refused as refused:
                show_refusal(form, refused)
            else:
                flash(
                    f"{count} carnets sont annulés : {format_euros(released_cents)} rendus à la convention.", "success"
                )
                return redirect(url_for("issuer.booklets", etat="void"))
        else:
            there, value_cents = read.stock_range(here.database, issuer_id, first, count)
            if there == count:
                consequence = (first, count, value_cents)
            else:
                form.first_booklet_number.errors = [
                    f"Sur ces {count} carnets, {there} seulement sont encore en stock. Vérifiez les numéros."
                ]
    return render_template("issuer/void.html", form=form, consequence=consequence)
