"""Scan, hand over, print: the three gestures of a desk with a queue."""

from functools import partial
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from voucher.access.rules import Role
from voucher.distribution import read, read_stock
from voucher.distribution.hand_over import ReadyBooklet, look_up
from voucher.distribution.hand_over import hand_over as hand_booklet_over
from voucher.distribution.words import BOOKLET_STATES
from voucher.issuing.doors import Door
from voucher.issuing.recognise_code import Distrust
from voucher.kernel.clean_input import postcode
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network.read import places_near
from voucher.web.access import staff, viewer
from voucher.web.forms import HouseForm, SerialField, show_refusal
from voucher.web.headers import scanner_page, shows_code
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, state_column
from voucher.web.tags import BOOKLET_TAGS
from voucher.web.typed_codes import TooMany, TypedCodes
from voucher.web.views import flash_refusal, id_of, own

PLACES_IN_LETTER = 6
CODE_LENGTH_MAX = 300
typed_codes = TypedCodes(Door.DESK)
_TOO_MANY = {
    TooMany.BY_PERSON: "Vous avez tapé trop de codes faux. Attendez dix minutes, ou scannez la couverture.",
    TooMany.BY_VOUCHER: "Le code de ce carnet a été mal tapé trop de fois. Scannez la couverture, ou revenez dans une heure.",
}

blueprint = Blueprint("prescriber", __name__, url_prefix="/prescripteur", template_folder="templates")


class ScanForm(HouseForm):
    """What a camera, a USB scanner or a person gives."""

    code = StringField("Code de la couverture", validators=[InputRequired(), Length(max=CODE_LENGTH_MAX)])


class HandoverForm(HouseForm):
    """The booklet to hand over; its hidden id makes a double submit harmless."""

    id = HiddenField(default=lambda: str(new_id()))
    booklet_number = SerialField("Carnet", validators=[InputRequired()])


def own_prescriber() -> UUID:
    """Return the prescriber of the person who looks."""
    return own(Role.PRESCRIBER)


@blueprint.route("/", methods=["GET", "POST"])
@staff(Role.PRESCRIBER)
@scanner_page
@shows_code
def home() -> str:
    """Scan or type a cover; then show the booklet and the one act."""
    here, form = services(), ScanForm()
    prescriber_id = own_prescriber()
    if form.validate_on_submit():
        try:
            booklet = _look_up(form.code.data, prescriber_id)
        except Refused as refused:
            show_refusal(form, refused)
        else:
            act = HandoverForm(formdata=None, booklet_number=booklet.booklet_number)
            return render_template("prescriber/booklet.html", booklet=booklet, form=act)
    return render_template(
        "prescriber/home.html",
        form=form,
        stock=read_stock.prescriber_stock(here.database, prescriber_id),
        last=read.handovers(here.database, prescriber_id),
        last_max=read.HANDOVERS_SHOWN_MAX,
    )


def _look_up(code: str, prescriber_id: UUID) -> ReadyBooklet:
    """Look a code up; a typed one that was guessed wrong counts. Raises Refused, also when there were too many."""
    here, person = services(), str(viewer().account_id)
    now = here.now()
    if (too_many := typed_codes.begin(person, code, now)) is not None:
        raise Refused("typing_locked", _TOO_MANY[too_many], "code")
    try:
        booklet = look_up(here.database, code, prescriber_id, now=now)
    except Refused as refused:
        typed_codes.end(person, code, now, is_wrong=refused.code == Distrust.UNKNOWN_CODE)
        raise
    typed_codes.end(person, code, now, is_wrong=False)
    return booklet


@blueprint.post("/remettre")
@staff(Role.PRESCRIBER)
def hand_over() -> str | Response:
    """Hand the booklet over, then show its receipt."""
    here, form = services(), HandoverForm()
    number = form.booklet_number.data
    if not form.validate_on_submit() or number is None:
        flash("Scannez de nouveau le carnet. Rien n’a changé.", "warn")
        return redirect(url_for("prescriber.home"))
    handover_id = id_of(form)
    try:
        done = hand_booklet_over(
            here.database,
            handover_id,
            number,
            own_prescriber(),
            by=viewer().account_id,
            now=here.now(),
        )
    except Refused as refused:
        flash_refusal(refused)
        return redirect(url_for("prescriber.home"))
    return redirect(url_for("prescriber.receipt", handover_id=done.handover_id))


@blueprint.get("/remises/<uuid:handover_id>")
@staff(Role.PRESCRIBER)
def receipt(handover_id: UUID) -> str:
    """Show the receipt of a hand-over and the letter to print, with the places near the person."""
    here = services()
    found = read.handover(here.database, handover_id, own_prescriber())
    if found is None:
        abort(404)
    try:
        near = postcode(request.args.get("code_postal", ""), "code_postal")
    except Refused:
        near = found.postcode
    return render_template(
        "prescriber/receipt.html",
        handover=found,
        postcode=near,
        places=places_near(here.database, postcode=near, limit=PLACES_IN_LETTER),
        settings=here.settings,
    )


STOCK = Table(
    "Carnets",
    (
        Column[read.BookletLine]("number", "Carnet", Kind.BOOKLET, is_sorted=True),
        state_column("state", "État", BOOKLET_TAGS, lambda row: row.state),
        Column("size", "Chèques", Kind.COUNT, is_summed=True),
        Column("value", "Valeur", Kind.EUROS, lambda row: row.size * row.face_value_cents, is_summed=True),
        Column("use_by", "À utiliser avant le", Kind.DAY),
    ),
    default_sort="number",
    filters=("numero", "etat"),
    one="carnet",
    file_name="stock",
)


@blueprint.get("/stock")
@staff(Role.PRESCRIBER)
def stock() -> str | Response:
    """List the booklets of this prescriber."""
    listing = read_listing(request.args, STOCK)
    prescriber_id, database = own_prescriber(), services().database
    find = partial(read.booklets, database, prescriber_id=prescriber_id)
    if listing.wants_file:
        return list_file(STOCK, listing, find)
    return render_template(
        "prescriber/stock.html",
        listing=listing,
        lines=drawn(STOCK, listing, find),
        stock=read_stock.prescriber_stock(database, prescriber_id),
        state_choices=[(state, word) for state, word in BOOKLET_STATES.items()],
    )
