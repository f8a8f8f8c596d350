"""Annual accounts (art. R.1611-10 CGCT): those of a year, one of them with what is behind each figure, its documents."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField

from issuer_portal.books.folder import READERS, blueprint, scope, year_asked, year_choices
from voucher.access.audit import note_access
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.accounting.annual_account import DEFINITIONS, FIGURES, USED, AgreementAccount, annual_account
from voucher.accounting.documents import annual_account_csv
from voucher.accounting.produce import DueAccount, accounts_of_year, kept_accounts, kept_content, produce_account
from voucher.accounting.uses_of_year import UsesRow, uses_of_year
from voucher.kernel.calendar import paris_day
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.close_year import YEAR_MAX, YEAR_MIN
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line
from voucher.web.forms import HouseForm
from voucher.web.patience import takes_long
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, whole
from voucher.web.views import download, flash_refusal, id_of


class ProduceForm(HouseForm):
    """The act of producing an account: its id makes a double click harmless."""

    id = HiddenField()


ACCOUNTS = Table(
    "Comptes annuels",
    (
        Column[DueAccount](
            "agreement_number",
            "Convention",
            link=lambda row: url_for("books.annual", agreement_id=row.agreement_id, year=row.year),
        ),
        Column("agreement_name", "Nom", under="agreement_number"),
        Column("issuer_name", "Collectivité"),
        Column(
            "state",
            "État",
            Kind.TAG,
            lambda row: "Produit" if row.produced_at else "À produire",
            tag=lambda row: "success" if row.produced_at else "wait",
        ),
        Column("produced_at", "Produit le", Kind.INSTANT, under="state"),
    ),
    filters=("annee",),
    one="convention",
)
USES = Table(
    "Encaissements",
    (
        Column[UsesRow]("vintage", "Millésime", Kind.RANK),
        Column("first_booklet_number", "Premier carnet", Kind.BOOKLET),
        Column("period_number", "Période", Kind.RANK),
        Column("structure_name", "Structure"),
        Column("voucher_count", "Chèques", Kind.COUNT, is_summed=True),
        Column("amount_cents", "Montant", Kind.EUROS, is_summed=True),
        Column("is_paid", "Payé"),
        Column("reference", "Règlement"),
    ),
)


@blueprint.get("/comptes-annuels")
@staff(*READERS)
def annual_accounts() -> str | Response:
    """List the agreements of a year, with what was produced."""
    listing = read_listing(request.args, ACCOUNTS)
    year = year_asked(listing.filters, default=paris_day(services().now()).year - 1)
    find = whole(accounts_of_year(services().database, year, issuer_id=scope()))
    if listing.wants_file:
        return list_file(ACCOUNTS, listing, find, f"comptes-annuels-{year}")
    return render_template(
        "books/annual_accounts.html",
        listing=listing,
        lines=drawn(ACCOUNTS, listing, find),
        year=year,
        years=_choices(year),
    )


def _choices(year: int) -> list[tuple[str, str]]:
    """Return the years that the filter offers, and the one shown."""
    return sorted({*year_choices(), (str(year), str(year))}, reverse=True)


def _account(agreement_id: UUID, year: int) -> AgreementAccount:
    found = (
        annual_account(services().database, agreement_id, year, issuer_id=scope())
        if YEAR_MIN <= year <= YEAR_MAX
        else None
    )
    if found is None:
        abort(404)
    return found


@blueprint.route("/comptes-annuels/<uuid:agreement_id>/<int:year>", methods=["GET", "POST"])
@staff(*READERS)
@leaves_line("produire un compte annuel")
@takes_long
def annual(agreement_id: UUID, year: int) -> str | Response:
    """Show an agreement's account; a preparer may produce it."""
    here = services()
    page = _account(agreement_id, year)
    form: Any = ProduceForm(id=str(new_id()))
    if form.validate_on_submit():
        if not viewer().may(Role.FINANCE_PREPARER):
            abort(403)
        account_id = id_of(form)
        try:
            produce_account(
                here.database, account_id, agreement_id, year, by=viewer().account_id, now=here.now(), issuer_id=scope()
            )
        except Refused as refused:
            flash_refusal(refused)
        else:
            flash(f"Le compte annuel {year} est produit. Il est gardé ici, octet pour octet.", "success")
        return redirect(url_for("books.annual", agreement_id=agreement_id, year=year))
    kept = kept_accounts(here.database, agreement_id, year)
    return render_template(
        "books/annual.html",
        page=page,
        form=form,
        figures=FIGURES,
        definitions=DEFINITIONS,
        used=USED,
        kept=kept,
        names=names_of(here.database, {one.produced_by for one in kept}),
        is_over=paris_day(here.now()).year > year,
    )


@blueprint.get("/comptes-annuels/<uuid:agreement_id>/<int:year>.csv")
@staff(*READERS)
@takes_long
def annual_csv(agreement_id: UUID, year: int) -> Response:
    """Download the rows behind an account, order by order."""
    page = _account(agreement_id, year)
    name = f"compte-annuel-{page.agreement_number.replace('/', '-')}-{year}.csv"
    return download(name, annual_account_csv(page), "text/csv; charset=utf-8")


@blueprint.get("/comptes-annuels/<uuid:agreement_id>/<int:year>/encaissements.csv")
@staff(*READERS)
@takes_long
def annual_uses(agreement_id: UUID, year: int) -> Response:
    """Download the rows behind what was used: by order, period and structure, with the payment that carries them."""
    page = _account(agreement_id, year)
    listing = read_listing(request.args, USES)
    rows = whole(list(uses_of_year(services().database, agreement_id, year)))
    return list_file(USES, listing, rows, f"encaissements-{page.agreement_number}-{year}")


@blueprint.get("/comptes-annuels/fichiers/<uuid:account_id>.pdf")
@staff(*READERS)
def annual_pdf(account_id: UUID) -> Response:
    """Download an account as it was produced."""
    here = services()
    found = kept_content(here.database, account_id, issuer_id=scope())
    if found is None:
        abort(404)
    note_access(here.database, viewer().account_id, "Compte annuel téléchargé", found[0], here.now())
    return download(found[0], found[1], "application/pdf")
