"""The trial balance and what is behind it: auxiliary accounts, the ledger of one account, journals by month."""

from collections.abc import Sequence

from flask import abort, render_template, request
from werkzeug.wrappers import Response

from issuer_portal.books.folder import READERS, blueprint, day_asked, numbers, whole_programme, year_asked, year_choices
from voucher.accounting.balance import CodeLine, Sums, auxiliaries, totals, trial_balance
from voucher.accounting.fec import JOURNAL_NAMES
from voucher.accounting.ledgers import account_ledger, journal_months
from voucher.ledger import read
from voucher.ledger.chart import CHART, Book
from voucher.ledger.chart_file import PRESENTED
from voucher.reporting.account_names import account_names
from voucher.web.access import staff
from voucher.web.listing import Cell, euros_cell, file_response, read_listing
from voucher.web.patience import takes_long
from voucher.web.services import services

BOOKS = {
    Book.GENERAL: "Comptabilité générale",
    Book.BUDGET: "Suivi budgétaire, hors bilan",
}
HEADERS = [
    "Ouverture débit (€)",
    "Ouverture crédit (€)",
    "Débits (€)",
    "Crédits (€)",
    "Solde débiteur (€)",
    "Solde créditeur (€)",
]


@blueprint.get("/balance")
@staff(*READERS)
@takes_long
def trial() -> str | Response:
    """Show the trial balance of a year, up to a day."""
    whole_programme()
    listing = read_listing(request.args, sorts=("code",), default_sort="code", filters=("annee", "jour", "livre"))
    year = year_asked(listing.filters)
    until = day_asked(listing.filters, year)
    book = next((one for one in Book if one == listing.filters.get("livre")), None)
    rows = trial_balance(services().database, year, until, book=book)
    if listing.descending:
        rows.reverse()
    shown = numbers()
    if listing.wants_file:
        lines = [
            [BOOKS[one], row.code, shown[row.code].number, shown[row.code].name, *_cells(row.sums)]
            for one, kept in _by_book(rows)
            for row in kept
        ]
        return file_response(f"balance-{year}", ["Livre", "Code", "Compte", "Nom", *HEADERS], lines)
    return render_template(
        "books/balance.html",
        listing=listing,
        books=[(BOOKS[one], kept, totals(row.sums for row in kept)) for one, kept in _by_book(rows)],
        year=year,
        until=until,
        book_choices=[(str(one), word) for one, word in BOOKS.items()],
        years=year_choices(),
    )


def _by_book(rows: Sequence[CodeLine]) -> list[tuple[Book, list[CodeLine]]]:
    """Part the lines by book: no movement crosses two, and each has totals of its own."""
    parted = [(book, [row for row in rows if PRESENTED[row.code].book is book]) for book in BOOKS]
    return [(book, kept) for book, kept in parted if kept]


@blueprint.get("/balance/<code>")
@staff(*READERS)
def auxiliary(code: str) -> str | Response:
    """Show the accounts of a code: who they are kept for, and their sums."""
    whole_programme()
    if code not in CHART:
        abort(404)
    listing = read_listing(
        request.args, sorts=("tiers", "solde"), default_sort="tiers", filters=("annee", "jour", "tiers", "ouverts")
    )
    year = year_asked(listing.filters)
    until = day_asked(listing.filters, year)
    rows, count, total = auxiliaries(
        services().database,
        code,
        year,
        until,
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
    )
    if listing.wants_file:
        lines = ([row.third_name, row.agreement_number, *_cells(row.sums)] for row in rows)
        return file_response(f"balance-{code}-{year}", ["Tenu pour", "Convention", *HEADERS], lines)
    return render_template(
        "books/auxiliary.html",
        listing=listing,
        code=code,
        rows=rows,
        count=count,
        total=total,
        year=year,
        until=until,
        years=year_choices(),
    )


@blueprint.get("/comptes/<int:account_id>")
@staff(*READERS)
def account(account_id: int) -> str | Response:
    """Show the ledger of an account: movements, running balance, letters."""
    whole_programme()
    database = services().database
    found = read.account(database, account_id)
    if found is None:
        abort(404)
    listing = read_listing(request.args, sorts=("at",), default_sort="at", filters=("annee", "lettrage"))
    year = year_asked(listing.filters)
    ledger = account_ledger(
        database,
        account_id,
        year,
        is_open_only=listing.filters.get("lettrage") == "non",
        limit=listing.limit,
        offset=listing.offset,
    )
    kept_for = account_names(database, [found])[found.id]
    if listing.wants_file:
        lines = (
            (
                row.effective_on,
                row.journal,
                row.narration,
                numbers()[row.other_code].number,
                euros_cell(row.debit_cents),
                euros_cell(row.credit_cents),
                euros_cell(row.balance_cents),
                row.letter,
            )
            for row in ledger.lines
        )
        headers = ["Jour", "Journal", "Libellé", "Contrepartie", "Débit (€)", "Crédit (€)", "Solde (€)", "Lettre"]
        return file_response(f"grand-livre-{found.code}-{year}", headers, lines)
    return render_template(
        "books/account.html",
        listing=listing,
        account=found,
        ledger=ledger,
        kept_for=kept_for,
        year=year,
        years=year_choices(),
    )


@blueprint.get("/journaux")
@staff(*READERS)
def journals() -> str | Response:
    """Show each journal month by month."""
    whole_programme()
    listing = read_listing(request.args, sorts=("journal",), default_sort="journal", filters=("annee",))
    year = year_asked(listing.filters)
    rows = journal_months(services().database, year)
    if listing.descending:
        rows.reverse()
    if listing.wants_file:
        lines: list[list[Cell]] = [
            [row.journal, JOURNAL_NAMES[row.journal], row.first_on, row.entry_count, euros_cell(row.total_cents)]
            for row in rows
        ]
        return file_response(f"journaux-{year}", ["Journal", "Nom", "Mois", "Écritures", "Total (€)"], lines)
    return render_template(
        "books/journals.html", listing=listing, rows=rows, names=JOURNAL_NAMES, year=year, years=year_choices()
    )


def _cells(sums: Sums) -> list[Cell]:
    opening, closing = sums.opening_cents, sums.closing_cents
    cents = (max(opening, 0), max(-opening, 0), sums.debit_cents, sums.credit_cents, max(closing, 0), max(-closing, 0))
    return [euros_cell(one) for one in cents]
