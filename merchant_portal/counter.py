"""Where the mediator stands, what was redeemed there today, and receipts."""

from datetime import date, timedelta
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from voucher.access.rules import Role
from voucher.access.sessions import choose_place
from voucher.kernel.calendar import paris_day
from voucher.kernel.keyset import Asked
from voucher.kernel.typed_days import asked_day
from voucher.network import read as network
from voucher.redemption import read
from voucher.redemption.answers import Counter, Undone
from voucher.redemption.undo import undo
from voucher.web.access import staff, viewer
from voucher.web.filters import plural, round_euros
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, list_file, read_listing, state_column, whole
from voucher.web.tags import REDEMPTION_TAGS
from voucher.web.views import own, posted_id

blueprint = Blueprint("counter", __name__, url_prefix="/comptoir", template_folder="templates")
PLACES_MAX = 500
FIRST_DAY = date(2019, 1, 1)  # of the programme


def own_structure() -> UUID:
    """Return the structure for which the person may redeem."""
    return own(Role.MEDIATOR)


def own_counter() -> Counter | None:
    """Return the place the person stands at, or None when it is not chosen yet."""
    place_id = viewer().place_id
    return None if place_id is None else Counter(place_id, own_structure())


def place_of(counter: Counter | None) -> network.PlaceLine | None:
    """Return a counter's place as pages show it; None when there is none, or it is another structure's or closed."""
    found = network.place(services().database, counter.place_id, counter.structure_id) if counter else None
    return found.line if found and found.line.is_open else None


def own_place() -> network.PlaceLine | None:
    """Return the chosen place as pages show it, or None."""
    return place_of(own_counter())


@blueprint.get("/lieux")
@staff(Role.MEDIATOR)
def places() -> str | Response:
    """Choose one's place among the structure's open ones; the only one is chosen by itself."""
    here = services()
    asked = Asked(filters={"state": "open"}, limit=PLACES_MAX, is_counted=False)
    rows = network.places(here.database, asked, structure_id=own_structure()).rows
    if len(rows) == 1 and viewer().place_id != rows[0].id:
        choose_place(here.database, viewer(), rows[0].id)
        return redirect(url_for("counter.scan"))
    return render_template("counter/places.html", rows=rows, chosen_id=viewer().place_id)


@blueprint.post("/lieux")
@staff(Role.MEDIATOR)
def choose() -> Response:
    """Stand at a place of one's structure."""
    here = services()
    place_id = posted_id("place_id")
    found = network.place(here.database, place_id, own_structure())
    if found is None or not found.line.is_open:
        abort(404)
    choose_place(here.database, viewer(), place_id)
    flash(f"Vous êtes à : {found.line.name}.", "success")
    return redirect(url_for("counter.scan"))


TODAY = Table(
    "Encaissements du jour",
    (
        Column[read.RedemptionLine]("redeemed_at", "Heure", Kind.INSTANT),
        Column("booklet_number", "Carnet", Kind.BOOKLET),
        Column("voucher_count", "Chèques", Kind.COUNT, is_summed=True),
        Column("amount_cents", "Montant", Kind.EUROS, is_summed=True),
        Column("service", "Service"),
        state_column("standing", "État", REDEMPTION_TAGS, lambda row: row.standing),
    ),
)


@blueprint.get("/aujourdhui")
@staff(Role.MEDIATOR)
def today() -> str | Response:
    """Show what the place redeemed on a day, today unless the address says another (`jour`)."""
    here, counter = services(), own_counter()
    place = own_place()
    if counter is None or place is None:
        return redirect(url_for("counter.places"))
    now = here.now()
    on = _day(request.args.get("jour", ""), paris_day(now))
    day = read.counter_day(here.database, counter, on, undo_minutes=here.settings.redemption_undo_minutes, now=now)
    listing = read_listing(request.args, TODAY)
    if listing.wants_file:
        return list_file(TODAY, listing, whole(day.lines), f"encaissements-{on.isoformat()}")
    return render_template(
        "counter/today.html",
        day=day,
        standings=REDEMPTION_TAGS,
        place=place,
        is_today=on == paris_day(now),
        before=on - timedelta(days=1),
        after=on + timedelta(days=1),
    )


@blueprint.get("/encaissements/<uuid:redemption_id>")
@staff(Role.MEDIATOR)
def receipt(redemption_id: UUID) -> str:
    """Show a receipt, ready to print; right after redeeming, what was done and how to undo it."""
    here = services()
    found = read.receipt(
        here.database,
        redemption_id,
        own_structure(),
        undo_minutes=here.settings.redemption_undo_minutes,
        now=here.now(),
    )
    if found is None:
        abort(404)
    is_here = found.line.place_id == viewer().place_id
    return render_template("counter/receipt.html", receipt=found, is_new="fait" in request.args, is_here=is_here)


@blueprint.post("/encaissements/<uuid:redemption_id>/annuler")
@staff(Role.MEDIATOR)
def undo_redemption(redemption_id: UUID) -> Response:
    """Undo a redemption of this place."""
    here, counter = services(), own_counter()
    if counter is None:
        return redirect(url_for("counter.places"))
    answer = undo(
        here.database,
        redemption_id,
        counter,
        undo_minutes=here.settings.redemption_undo_minutes,
        by=viewer().account_id,
        now=here.now(),
    )
    if isinstance(answer, Undone):
        flash(
            f"{plural(len(answer.serials), 'chèque')}, {round_euros(answer.amount_cents)} : encaissement annulé. "
            "Rien n’a été débité. Les chèques peuvent resservir.",
            "success",
        )
    else:
        flash(f"{answer.sentence} Besoin d’aide : {here.settings.help_phone}.", "danger")
    return redirect(url_for("counter.today"))


def _day(text: str, default: date) -> date:
    return max(FIRST_DAY, min(asked_day(text) or default, default))
