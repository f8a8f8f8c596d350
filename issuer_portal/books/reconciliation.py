"""États de rapprochement bancaire: each account's bank and books at the end of a day, on a page and as a document."""

from collections.abc import Mapping
from datetime import date
from typing import NoReturn
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.books.folder import READERS, blueprint, scope
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.accounting.documents import DIFFERENCE_WORDS, ledger_parts, reconciliation_pdf
from voucher.accounting.reconciliation import Difference, DifferenceKind, Reconciliation, reconciliation
from voucher.accounting.reconciliation import reconciliations as all_accounts
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.number_labels import iban_end
from voucher.web.access import staff, viewer
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, whole
from voucher.web.views import FINANCE, download

RECONCILIATIONS = Table(
    "États de rapprochement",
    (
        Column[Reconciliation](
            "account_name",
            "Compte",
            link=lambda row: url_for("books.reconciliation_page", account_id=row.account_id, jour=row.on.isoformat()),
        ),
        Column("statement_on", "Relevé du", Kind.DAY, lambda row: row.statement_on or "Aucun à ce jour"),
        Column("statement_cents", "Solde du relevé", Kind.EUROS, is_summed=True),
        Column(
            "difference_cents",
            "Différences",
            Kind.EUROS,
            lambda row: row.expected_cents - row.statement_cents,
            is_summed=True,
        ),
        Column("ledger_cents", "Solde des livres", Kind.EUROS, is_summed=True),
        Column(
            "result",
            "Résultat",
            Kind.TAG,
            lambda row: "Écart non expliqué" if row.unexplained_cents else "Juste au centime",
            tag=lambda row: "danger" if row.unexplained_cents else "success",
        ),
        Column("unexplained_cents", "Non expliqué", Kind.EUROS, is_summed=True, hides_zero=True, under="result"),
    ),
    filters=("jour",),
)


@blueprint.get("/rapprochement")
@staff(*READERS)
def reconciliations() -> str | Response:
    """Show the état of every account at the end of a day."""
    listing = read_listing(request.args, RECONCILIATIONS)
    on = _day(listing.filters)
    find = whole(all_accounts(services().database, on, issuer_id=scope()))
    if listing.wants_file:
        return list_file(RECONCILIATIONS, listing, find, f"rapprochement-{on.isoformat()}")
    return render_template(
        "books/reconciliations.html", listing=listing, lines=drawn(RECONCILIATIONS, listing, find), on=on
    )


@blueprint.get("/rapprochement/<uuid:account_id>")
@staff(*READERS)
def reconciliation_page(account_id: UUID) -> str:
    """Show the état of an account at the end of a day, difference by difference."""
    listing = read_listing(request.args, RECONCILIATIONS)
    page = _found(account_id, _day(listing.filters))
    return render_template(
        "books/reconciliation.html",
        listing=listing,
        page=page,
        parts=ledger_parts(page),
        groups=[(DIFFERENCE_WORDS[kind], rows) for kind in DifferenceKind if (rows := page.of_kind(kind))],
        link=_link if viewer().may(*FINANCE, Role.AUDITOR) else lambda _one: "",
    )


@blueprint.get("/rapprochement/<uuid:account_id>.pdf")
@staff(*READERS)
def reconciliation_file(account_id: UUID) -> Response:
    """Download the same."""
    here = services()
    on = _day(request.args)
    page = _found(account_id, on)
    name = f"rapprochement-{iban_end(page.iban)}-{on.isoformat()}.pdf"
    note_access(here.database, viewer().account_id, "État de rapprochement téléchargé", name, here.now())
    return download(name, reconciliation_pdf(page, paris_day(here.now())), "application/pdf")


def _found(account_id: UUID, on: date) -> Reconciliation:
    found = reconciliation(services().database, account_id, on, issuer_id=scope())
    if found is None:
        abort(404)
    return found


def _day(filters: Mapping[str, str]) -> date:
    """Return the day asked for, today by default; one that is not come, or that cannot be read, is said, never replaced."""
    today = paris_day(services().now())
    text = filters.get("jour", "")
    if not text:
        return today
    try:
        on = date.fromisoformat(text)
    except ValueError:
        _start_again(f"Le jour « {text} » ne se lit pas. Choisissez un autre jour.")
    if on > today:
        _start_again(f"Le {french_date(on)} n’est pas encore venu. Choisissez un jour passé.")
    return on


def _start_again(sentence: str) -> NoReturn:
    flash(sentence, "warn")
    abort(redirect(url_for("books.reconciliations")))


def _link(one: Difference) -> str:
    """Return the page of what makes a difference, empty where it has none."""
    if one.id is None:
        return ""
    if one.kind is DifferenceKind.IN_TRANSIT:
        return url_for("finance.advice_page", advice_id=one.id)
    return url_for("finance.line", line_id=one.id)
