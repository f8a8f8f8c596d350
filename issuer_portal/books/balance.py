"""The trial balance and what is behind it: auxiliary accounts, the ledger of one account, journals by month."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import Any

from flask import abort, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.books.folder import READERS, blueprint, day_asked, numbers, year_asked, year_choices
from voucher.accounting.balance import AuxiliaryLine, CodeLine, Sums, Totals, auxiliaries, totals, trial_balance
from voucher.accounting.fec import JOURNAL_NAMES
from voucher.accounting.ledgers import JournalMonth, LedgerLine, account_lines, account_sums, journal_months
from voucher.kernel.calendar import french_month
from voucher.kernel.keyset import Asked, Page
from voucher.ledger import read
from voucher.ledger.chart import CHART, Book
from voucher.ledger.chart_file import PRESENTED
from voucher.reporting.account_names import account_names
from voucher.web.access import staff
from voucher.web.patience import takes_long
from voucher.web.services import services
from voucher.web.tables import Cell, Column, Kind, Table, drawn, list_file, read_listing, whole
from voucher.web.views import whole_programme

BOOKS = {
    Book.GENERAL: "Comptabilité générale",
    Book.BUDGET: "Suivi budgétaire, hors bilan",
}


def _amount(
    key: str, heading: str, cents: Callable[[Sums], int], of: Callable[[Any], Sums], *, is_sorted: bool = False
) -> Column[Any]:
    return Column(
        key,
        heading,
        Kind.EUROS,
        lambda row: max(cents(of(row)), 0),
        is_sorted=is_sorted,
        is_summed=True,
        hides_zero=True,
    )


def balance_columns(of: Callable[[Any], Sums], *, is_sorted: bool) -> tuple[Column[Any], ...]:
    """Return the six amounts of a balance: what was open, what moved, what is left; each balance on its own side."""
    return (
        _amount("opening_debit", "Ouverture, débit", lambda sums: sums.opening_cents, of),
        _amount("opening_credit", "Ouverture, crédit", lambda sums: -sums.opening_cents, of),
        _amount("debit", "Débits", lambda sums: sums.debit_cents, of),
        _amount("credit", "Crédits", lambda sums: sums.credit_cents, of),
        _amount("closing_debit", "Solde débiteur", lambda sums: sums.closing_cents, of),
        _amount("solde", "Solde créditeur", lambda sums: -sums.closing_cents, of, is_sorted=is_sorted),
    )


def _said_totals(total: Totals) -> dict[str, Cell]:
    return {
        "opening_debit": total.opening_debit_cents,
        "opening_credit": total.opening_credit_cents,
        "debit": total.debit_cents,
        "credit": total.credit_cents,
        "closing_debit": total.closing_debit_cents,
        "solde": total.closing_credit_cents,
    }


def trial_table(year: int, until: date, book: Book | None = None) -> Table[CodeLine]:
    """Return the trial balance of a book, or of both in one file."""
    shown = numbers()

    def link(row: CodeLine) -> str | None:
        asked = {"annee": year, "jour": until.isoformat()}
        return url_for("books.auxiliary", code=row.code, **asked) if row.account_count else None  # type: ignore[arg-type]

    return Table(
        BOOKS[book] if book else "Balance",
        (
            Column[CodeLine]("book", "Livre", value=lambda row: BOOKS[PRESENTED[row.code].book], under="name"),
            Column("own_code", "Code", value=lambda row: row.code, under="code"),
            Column("code", "Compte", value=lambda row: shown[row.code].number, is_sorted=True, link=link),
            Column("name", "Nom", value=lambda row: shown[row.code].name),
            *balance_columns(lambda row: row.sums, is_sorted=False),
        ),
        default_sort="code",
        filters=("annee", "jour", "livre"),
        part=str(book) if book else "",
        file_name=f"balance-{year}",
        what="cette balance",
    )


@blueprint.get("/balance")
@staff(*READERS)
@takes_long
def trial() -> str | Response:
    """Show the trial balance of a year, up to a day."""
    whole_programme()
    listing = read_listing(request.args, trial_table(0, date.min))
    year = year_asked(listing.filters)
    until = day_asked(listing.filters, year)
    book = next((one for one in Book if one == listing.filters.get("livre")), None)
    rows = trial_balance(services().database, year, until, book=book)
    if listing.wants_file:
        asked = next((one for one in Book if one == listing.part), None)
        kept = [row for row in rows if asked is None or PRESENTED[row.code].book is asked]
        return list_file(trial_table(year, until, asked), listing, _by_code(kept))
    return render_template(
        "books/balance.html",
        listing=listing,
        books=[
            (drawn(trial_table(year, until, one), listing, _by_code(kept)), totals(row.sums for row in kept))
            for one, kept in _by_book(rows)
        ],
        year=year,
        until=until,
        book_choices=[(str(one), word) for one, word in BOOKS.items()],
        years=year_choices(),
    )


def _by_code(rows: Sequence[CodeLine]) -> Callable[[Asked], Page[CodeLine]]:
    # The chart is short: its balance is one page.
    return lambda asked: Page.whole(rows[::-1] if asked.descending else rows)


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
    table = auxiliary_table(request.args.get("annee"))
    listing = read_listing(request.args, table)
    year = year_asked(listing.filters)
    until = day_asked(listing.filters, year)

    def find(asked: Asked) -> Page[AuxiliaryLine]:
        return auxiliaries(services().database, code, year, until, asked)[0]

    if listing.wants_file:
        return list_file(table, listing, find, f"balance-{code}-{year}")
    page, total = auxiliaries(services().database, code, year, until, listing.asked)
    return render_template(
        "books/auxiliary.html",
        listing=listing,
        code=code,
        lines=drawn(table, listing, lambda _: page, totals=_said_totals(total)),
        total=total,
        year=year,
        until=until,
        years=year_choices(),
    )


def auxiliary_table(year: str | None) -> Table[AuxiliaryLine]:
    """Return the accounts of a code; each leads to its ledger of the year shown."""
    return Table(
        "Comptes auxiliaires",
        (
            Column[AuxiliaryLine](
                "tiers",
                "Tenu pour",
                value=lambda row: row.third_name or "Compte",
                is_sorted=True,
                link=lambda row: url_for("books.account", account_id=row.account_id, annee=year),
            ),
            Column("agreement_number", "Convention"),
            *balance_columns(lambda row: row.sums, is_sorted=True),
        ),
        default_sort="tiers",
        filters=("annee", "jour", "tiers", "ouverts"),
        one="compte",
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
    table = ledger_table(request.args.get("annee"))
    listing = read_listing(request.args, table)
    year = year_asked(listing.filters)
    is_open_only = listing.filters.get("lettrage") == "non"
    find = partial(account_lines, database, account_id, year, is_open_only=is_open_only)
    if listing.wants_file:
        return list_file(table, listing, find, f"grand-livre-{found.code}-{year}")
    return render_template(
        "books/account.html",
        listing=listing,
        account=found,
        sums=account_sums(database, account_id, year),
        lines=drawn(table, listing, find),
        kept_for=account_names(database, [found])[found.id],
        year=year,
        years=year_choices(),
    )


def ledger_table(year: str | None) -> Table[LedgerLine]:
    """Return the ledger of an account; each movement leads to its entry, and to the other account of the year shown."""
    shown = numbers()
    return Table(
        "Mouvements du compte",
        (
            Column[LedgerLine](
                "day",
                "Jour",
                Kind.DAY,
                lambda row: row.effective_on,
                link=lambda row: url_for("ledger.entry", entry_id=row.entry_id),
            ),
            Column("journal", "Journal"),
            Column("narration", "Libellé"),
            Column(
                "other",
                "Contrepartie",
                value=lambda row: shown[row.other_code].number,
                link=lambda row: url_for("books.account", account_id=row.other_id, annee=year),
            ),
            Column("debit_cents", "Débit", Kind.EUROS, is_summed=True, hides_zero=True),
            Column("credit_cents", "Crédit", Kind.EUROS, is_summed=True, hides_zero=True),
            Column("balance_cents", "Solde", Kind.EUROS),
            Column("letter", "Lettre"),
        ),
        filters=("annee", "lettrage"),
        one="mouvement",
    )


JOURNALS = Table(
    "Journaux par mois",
    (
        Column[JournalMonth]("journal", "Journal", is_sorted=True),
        Column("name", "Nom", value=lambda row: JOURNAL_NAMES[row.journal], under="journal"),
        Column(
            "month",
            "Mois",
            value=lambda row: french_month(row.first_on),
            link=lambda row: url_for(
                "ledger.entries", journal=row.journal, du=row.first_on.isoformat(), au=row.last_on.isoformat()
            ),
        ),
        Column("first_on", "Du", Kind.DAY, under="month"),
        Column("last_on", "Au", Kind.DAY, under="month"),
        Column("entry_count", "Écritures", Kind.COUNT, is_summed=True),
        Column("total_cents", "Total", Kind.EUROS, is_summed=True),
    ),
    default_sort="journal",
    filters=("annee",),
)


@blueprint.get("/journaux")
@staff(*READERS)
def journals() -> str | Response:
    """Show each journal month by month."""
    whole_programme()
    listing = read_listing(request.args, JOURNALS)
    year = year_asked(listing.filters)
    rows = journal_months(services().database, year)
    find = whole(rows[::-1] if listing.is_descending else rows)
    if listing.wants_file:
        return list_file(JOURNALS, listing, find, f"journaux-{year}")
    return render_template(
        "books/journals.html", listing=listing, lines=drawn(JOURNALS, listing, find), year=year, years=year_choices()
    )
