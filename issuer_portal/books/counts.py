"""Inactive stock: what it is worth and who holds it; counts by hand, signed by a second person of the issuer."""

from functools import partial
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from issuer_portal.books.folder import READERS, blueprint, scope
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.accounting.documents import GAP_WORDS, Signatures, count_pdf
from voucher.accounting.inactive_stock import CountLine, CountPage, Holding, count_page, counts, inactive_stock
from voucher.accounting.stock_count import NewCount, record_count, sign_count
from voucher.distribution.read_stock import prescribers
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.filters import plural
from voucher.web.forms import DateField, HouseForm, SelectField, show_refusal
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, whole
from voucher.web.views import download, flash_refusal, id_of, own

THE_ISSUER = "La collectivité"
STATES = [("a-signer", "À signer"), ("signe", "Signé")]


class CountForm(HouseForm):
    """Booklets counted at one holder's."""

    id = HiddenField()
    prescriber_id = SelectField("Chez qui", validators=[Optional()])
    counted_on = DateField("Jour du comptage", validators=[InputRequired()])
    ranges = TextAreaField("Numéros des carnets trouvés", validators=[Optional(), Length(max=4000)])


class SignForm(HouseForm):
    """The act of signing."""


def own_issuer() -> UUID:
    """Return the issuer of the person who counts."""
    return own(Role.ISSUER)


def _readable_scope() -> UUID | None:
    """Return the issuer whose counts the person may read; None is every issuer's."""
    return own_issuer() if viewer().may(Role.ISSUER) else scope()


STOCK = Table(
    "Carnets non remis, par détenteur",
    (
        Column[Holding]("holder", "Détenteur", value=lambda row: row.holder_name or THE_ISSUER),
        Column("issuer_name", "Collectivité"),
        Column("booklet_count", "Carnets", Kind.COUNT, is_summed=True),
        Column("voucher_count", "Chèques", Kind.COUNT, is_summed=True),
        Column("cents", "Valeur", Kind.EUROS, is_summed=True),
    ),
    one="détenteur",
    file_name="valeurs-inactives",
)
COUNTS = Table(
    "Récolements",
    (
        Column[CountLine](
            "day",
            "Jour",
            Kind.DAY,
            lambda row: row.counted_on,
            is_sorted=True,
            link=lambda row: url_for("books.count", count_id=row.id),
        ),
        Column("holder", "Chez", value=lambda row: row.holder_name or THE_ISSUER),
        Column("expected_count", "Attendus", Kind.COUNT),
        Column("counted_count", "Comptés", Kind.COUNT),
        Column(
            "state",
            "État",
            Kind.TAG,
            lambda row: "Signé" if row.signed_at else "À signer",
            tag=lambda row: "success" if row.signed_at else "wait",
        ),
        Column("signed_at", "Signé le", Kind.INSTANT, under="state"),
    ),
    default_sort="-day",
    filters=("etat",),
    one="récolement",
)


@blueprint.get("/valeurs-inactives")
@staff(*READERS, Role.ISSUER)
def stock() -> str | Response:
    """Show the stock that is not handed over, by holder, against the ledger."""
    found = inactive_stock(services().database, _readable_scope())
    listing, find = read_listing(request.args, STOCK), whole(found.holdings)
    if listing.wants_file:
        return list_file(STOCK, listing, find)
    return render_template("books/stock.html", lines=drawn(STOCK, listing, find), stock=found, now=services().now())


@blueprint.get("/recolements")
@staff(*READERS, Role.ISSUER)
def counts_list() -> str | Response:
    """List the counts."""
    listing = read_listing(request.args, COUNTS)
    find = partial(counts, services().database, _readable_scope())
    if listing.wants_file:
        return list_file(COUNTS, listing, find)
    return render_template(
        "books/counts.html",
        listing=listing,
        lines=drawn(COUNTS, listing, find),
        states=STATES,
        may_count=viewer().may(Role.ISSUER),
    )


@blueprint.route("/recolements/nouveau", methods=["GET", "POST"])
@staff(Role.ISSUER)
@asks_again("enregistrer un récolement")
def new_count() -> str | Response:
    """Record a count."""
    here, issuer_id = services(), own_issuer()
    form: Any = CountForm(id=str(new_id()))
    form.prescriber_id.choices = [("", "La collectivité elle-même")] + [
        (str(prescriber.id), prescriber.name) for prescriber in prescribers(here.database, issuer_id)
    ]
    if form.validate_on_submit():
        count_id = id_of(form)
        prescriber_id = UUID(form.prescriber_id.data) if form.prescriber_id.data else None
        new = NewCount(count_id, issuer_id, prescriber_id, form.counted_on.data, form.ranges.data or "")
        try:
            gaps = record_count(here.database, new, by=viewer().account_id, now=here.now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            said = plural(len(gaps), "différence", "différences") if gaps else "Aucune différence"
            flash(f"Le récolement est enregistré. {said}. Une autre personne doit maintenant le signer.", "success")
            return redirect(url_for("books.count", count_id=count_id))
    return render_template("books/new_count.html", form=form)


def _count(count_id: UUID) -> CountPage:
    found = count_page(services().database, count_id, _readable_scope())
    if found is None:
        abort(404)
    return found


def _names(page: CountPage) -> Signatures:
    names = names_of(services().database, {one for one in (page.recorded_by, page.signed_by) if one is not None})
    return Signatures(
        names.get(page.recorded_by, "une personne"), names.get(page.signed_by) if page.signed_by is not None else None
    )


@blueprint.route("/recolements/<uuid:count_id>", methods=["GET", "POST"])
@staff(*READERS, Role.ISSUER)
@asks_again("signer un récolement")
def count(count_id: UUID) -> str | Response:
    """Show a count with its differences; a second person of the issuer signs it."""
    here, page = services(), _count(count_id)
    form: Any = SignForm()
    if form.validate_on_submit():
        if not viewer().may(Role.ISSUER):
            abort(403)
        try:
            sign_count(here.database, count_id, own_issuer(), by=viewer().account_id, now=here.now())
        except Refused as refused:
            flash_refusal(refused)
        else:
            flash("Le récolement est signé. Le procès-verbal est prêt.", "success")
        return redirect(url_for("books.count", count_id=count_id))
    return render_template(
        "books/count.html",
        page=page,
        form=form,
        names=_names(page),
        words={str(kind): word for kind, word in GAP_WORDS.items()},
        may_sign=viewer().may(Role.ISSUER) and page.recorded_by != viewer().account_id,
        may_act=viewer().may(Role.ISSUER),
    )


@blueprint.get("/recolements/<uuid:count_id>/pv.pdf")
@staff(*READERS, Role.ISSUER)
def count_document(count_id: UUID) -> Response:
    """Download the record of a count."""
    page = _count(count_id)
    return download(f"recolement-{page.counted_on.isoformat()}.pdf", count_pdf(page, _names(page)), "application/pdf")
