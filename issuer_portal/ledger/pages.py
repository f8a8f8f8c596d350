"""Pages of the ledger. Finance held for one issuer sees that issuer's accounts alone."""

from uuid import UUID

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.ledger import read, read_seals, search
from voucher.ledger.chart import CHART, RULES, Journal
from voucher.programme.names import funder_names
from voucher.reporting import stages as reporting
from voucher.reporting.account_names import account_names
from voucher.web.access import staff, viewer
from voucher.web.listing import FILE_FORMATS, Cell, euros_cell, file_response, read_listing
from voucher.web.services import services

READERS = (Role.AUDITOR, Role.PROGRAMME, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)
EVENT_CHOICES = [(str(event_type), rule.name) for event_type, rule in RULES.items()]

blueprint = Blueprint("ledger", __name__, url_prefix="/registre", template_folder="templates")


def whole_programme() -> None:
    """Stop a person whose finance role is held for one issuer: the ledger holds every issuer's accounts."""
    who = viewer()
    if (
        not who.may(Role.AUDITOR, Role.PROGRAMME)
        and who.scope(Role.FINANCE_PREPARER, Role.FINANCE_APPROVER) is not None
    ):
        abort(403)


@blueprint.get("/")
@staff(*READERS)
def stages() -> str | Response:
    """Show the money by stage and by funder."""
    who = viewer()
    issuer_id = None
    if not who.may(Role.AUDITOR, Role.PROGRAMME):
        issuer_id = who.scope(Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)
    money = reporting.money(services().database, issuer_id)
    if request.args.get("format") in FILE_FORMATS:
        headers = ["Financeur", *(f"{stage.name} (€)" for stage in reporting.BUDGET_STAGES), "Total (€)"]
        lines: list[list[Cell]] = [
            [one.name, *(euros_cell(cents) for cents in (*one.cents, one.total_cents))] for one in money.funders
        ]
        return file_response("argent-par-etape", headers, lines)
    return render_template("ledger/stages.html", money=money, stages=reporting.BUDGET_STAGES, now=services().now())


@blueprint.get("/comptes")
@staff(*READERS)
def accounts() -> str | Response:
    """List accounts with their balances, by class or in full."""
    whole_programme()
    database = services().database
    listing = read_listing(request.args, sorts=("code",), default_sort="code", filters=("compte", "financeur"))
    found = [
        one
        for one in read.balances(database)
        if one.code.startswith(listing.filters.get("compte", ""))
        and listing.filters.get("financeur", str(one.funder_id)) == str(one.funder_id)
    ]
    if listing.descending:
        found.reverse()
    names = account_names(database, found)
    if listing.wants_file:
        lines = (
            (
                one.code,
                one.name,
                names[one.id],
                euros_cell(one.debit_cents),
                euros_cell(one.credit_cents),
                euros_cell(one.balance_cents),
            )
            for one in found
        )
        return file_response("comptes", ["Compte", "Nom", "Tenu pour", "Débit (€)", "Crédit (€)", "Solde (€)"], lines)
    page = found[listing.offset : listing.offset + listing.limit]
    classes = [(code, f"{code} {line.name}") for code, line in CHART.items()]
    funders = [(str(one.id), one.name) for one in funder_names(database)]
    return render_template(
        "ledger/accounts.html",
        listing=listing,
        rows=page,
        total=len(found),
        names=names,
        classes=classes,
        funders=funders,
        debit_cents=sum(one.debit_cents for one in found),
        credit_cents=sum(one.credit_cents for one in found),
    )


@blueprint.get("/comptes/<int:account_id>")
@staff(*READERS)
def account(account_id: int) -> str | Response:
    """Show one account's movements."""
    whole_programme()
    database = services().database
    found = read.account(database, account_id)
    if found is None:
        abort(404)
    listing = read_listing(request.args, sorts=("at",), default_sort="-at")
    rows, total = read.account_movements(
        database, account_id, descending=listing.descending, limit=listing.limit, offset=listing.offset
    )
    if listing.wants_file:
        lines = (
            (row.posted_at, row.narration, row.other_code, euros_cell(row.debit_cents), euros_cell(row.credit_cents))
            for row in rows
        )
        return file_response(
            f"compte-{found.code}", ["Date", "Libellé", "Contrepartie", "Débit (€)", "Crédit (€)"], lines
        )
    return render_template(
        "ledger/account.html",
        listing=listing,
        account=found,
        kept_for=account_names(database, [found])[found.id],
        rows=rows,
        total=total,
    )


@blueprint.get("/ecritures")
@staff(*READERS)
def entries() -> str | Response:
    """Search entries."""
    whole_programme()
    listing = read_listing(
        request.args, sorts=("posted_at", "total"), default_sort="-posted_at", filters=search.FILTERS
    )
    rows, total = read.entries(
        services().database,
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
    )
    if listing.wants_file:
        lines = (
            (row.posted_at, row.journal, row.event_name, row.narration, euros_cell(row.total_cents), str(row.id))
            for row in rows
        )
        return file_response("ecritures", ["Date", "Journal", "Événement", "Libellé", "Montant (€)", "Écriture"], lines)
    return render_template(
        "ledger/entries.html",
        listing=listing,
        rows=rows,
        total=total,
        unreadable=search.unreadable(listing.filters),
        events=EVENT_CHOICES,
        journals=[(str(one), str(one)) for one in Journal],
        codes=[(code, f"{code} {line.name}") for code, line in CHART.items()],
    )


@blueprint.get("/ecritures/<uuid:entry_id>")
@staff(*READERS)
def entry(entry_id: UUID) -> str:
    """Show one entry with its movements."""
    whole_programme()
    database = services().database
    found = read.entry(database, entry_id)
    if found is None:
        abort(404)
    sides = [
        read.account(database, number) for move in found.movements[:200] for number in (move.debit_id, move.credit_id)
    ]
    names = account_names(database, [side for side in sides if side is not None])
    who = names_of(database, {found.posted_by}).get(found.posted_by) if found.posted_by else None
    return render_template(
        "ledger/entry.html", page=found, names=names, chart=CHART, who=who, leaf=read_seals.leaf_of(database, entry_id)
    )
