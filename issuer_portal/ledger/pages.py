"""Pages of the ledger. Finance held for one issuer sees that issuer's accounts alone."""

from collections.abc import Mapping
from functools import partial
from uuid import UUID

from flask import Blueprint, abort, render_template, request, url_for
from werkzeug.wrappers import Response

from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.ledger import read, read_seals, search
from voucher.ledger.chart import CHART, RULES, Journal
from voucher.programme.names import funder_names
from voucher.reporting import stages as reporting
from voucher.reporting.account_names import account_names
from voucher.web.access import staff, viewer
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, rows_reader, whole
from voucher.web.views import finance_scope, whole_programme

READERS = (Role.AUDITOR, Role.PROGRAMME, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)
EVENT_CHOICES = [(str(event_type), rule.name) for event_type, rule in RULES.items()]

blueprint = Blueprint("ledger", __name__, url_prefix="/registre", template_folder="templates")


def _stage(rank: int) -> Column[reporting.FunderStages]:
    stage = reporting.BUDGET_STAGES[rank]
    return Column(f"stage_{stage.code}", stage.name, Kind.EUROS, lambda row: row.cents[rank], is_summed=True)


STAGES = Table(
    "Argent de chaque financeur, par étape",
    (
        Column[reporting.FunderStages]("name", "Financeur"),
        *(_stage(rank) for rank in range(len(reporting.BUDGET_STAGES))),
        Column("total_cents", "Total", Kind.EUROS, is_summed=True),
    ),
    file_name="argent-par-etape",
)


def accounts_table(names: Mapping[int, str]) -> Table[read.AccountBalance]:
    """Return the list of accounts with their balances; `names` say whom each is kept for."""
    return Table(
        "Comptes et soldes",
        (
            Column[read.AccountBalance](
                "code", "Compte", is_sorted=True, link=lambda row: url_for("ledger.account", account_id=row.id)
            ),
            Column("name", "Nom"),
            Column("kept_for", "Tenu pour", value=lambda row: names[row.id]),
            Column("debit_cents", "Débit", Kind.EUROS, is_summed=True),
            Column("credit_cents", "Crédit", Kind.EUROS, is_summed=True),
            Column("balance_cents", "Solde", Kind.EUROS, is_summed=True),
        ),
        default_sort="code",
        filters=("compte", "financeur"),
        one="compte",
        file_name="comptes",
    )


MOVEMENTS = Table(
    "Mouvements du compte",
    (
        Column[read.AccountMovement](
            "at",
            "Date",
            Kind.INSTANT,
            lambda row: row.posted_at,
            is_sorted=True,
            link=lambda row: url_for("ledger.entry", entry_id=row.entry_id),
        ),
        Column("narration", "Libellé"),
        Column("other_code", "Contrepartie", link=lambda row: url_for("ledger.account", account_id=row.other_id)),
        Column("debit_cents", "Débit", Kind.EUROS, is_summed=True, hides_zero=True),
        Column("credit_cents", "Crédit", Kind.EUROS, is_summed=True, hides_zero=True),
    ),
    default_sort="-at",
    one="mouvement",
)
ENTRIES = Table(
    "Écritures",
    (
        Column[read.EntryLine](
            "posted_at",
            "Date",
            Kind.INSTANT,
            is_sorted=True,
            link=lambda row: url_for("ledger.entry", entry_id=row.id),
        ),
        Column("id", "Écriture", value=lambda row: str(row.id), under="narration"),
        Column("effective_on", "Jour d’effet", Kind.DAY),
        Column("journal", "Journal"),
        Column("event_name", "Événement"),
        Column("narration", "Libellé"),
        Column("total", "Montant", Kind.EUROS, lambda row: row.total_cents, is_sorted=True, is_summed=True),
    ),
    default_sort="-posted_at",
    filters=("quoi", "texte", "jour", "du", "au", "journal", "montant", "de", "a", "compte", "tiers"),
    one="écriture",
)


@blueprint.get("/")
@staff(*READERS)
def stages() -> str | Response:
    """Show the money by stage and by funder."""
    money = reporting.money(services().database, finance_scope(viewer()))
    listing, find = read_listing(request.args, STAGES), whole(money.funders)
    if listing.wants_file:
        return list_file(STAGES, listing, find)
    return render_template(
        "ledger/stages.html",
        money=money,
        lines=drawn(STAGES, listing, find),
        stages=reporting.BUDGET_STAGES,
        now=services().now(),
    )


@blueprint.get("/comptes")
@staff(*READERS)
def accounts() -> str | Response:
    """List accounts with their balances, by class or in full."""
    whole_programme()
    database = services().database
    every = read.balances(database)
    table = accounts_table(account_names(database, every))
    listing = read_listing(request.args, table)
    found = [
        one
        for one in every
        if one.code.startswith(listing.filters.get("compte", ""))
        and listing.filters.get("financeur", str(one.funder_id)) == str(one.funder_id)
    ]
    find = rows_reader(found, {"code": lambda row: row.code}, lambda row: (row.id,))
    if listing.wants_file:
        return list_file(table, listing, find)
    return render_template(
        "ledger/accounts.html",
        listing=listing,
        lines=drawn(table, listing, find),
        classes=[(code, f"{code} {line.name}") for code, line in CHART.items()],
        funders=[(str(name.id), name.name) for name in funder_names(database)],
        is_balanced=sum(one.debit_cents for one in found) == sum(one.credit_cents for one in found),
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
    listing = read_listing(request.args, MOVEMENTS)
    find = partial(read.account_movements, database, account_id)
    if listing.wants_file:
        return list_file(MOVEMENTS, listing, find, f"compte-{found.code}")
    return render_template(
        "ledger/account.html",
        account=found,
        kept_for=account_names(database, [found])[found.id],
        lines=drawn(
            MOVEMENTS,
            listing,
            find,
            totals={"debit_cents": found.debit_cents, "credit_cents": found.credit_cents},
        ),
    )


@blueprint.get("/ecritures")
@staff(*READERS)
def entries() -> str | Response:
    """Search entries."""
    whole_programme()
    listing = read_listing(request.args, ENTRIES)
    find = partial(read.entries, services().database)
    if listing.wants_file:
        return list_file(ENTRIES, listing, find)
    return render_template(
        "ledger/entries.html",
        listing=listing,
        lines=drawn(ENTRIES, listing, find),
        unreadable=search.unreadable(listing.asked.filters),
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
