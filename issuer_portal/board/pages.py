"""One page, dated and defined, for the whole programme or one agreement; each of its tables as a CSV file."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from uuid import UUID

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from issuer_portal.board import drawings
from issuer_portal.board.links import WORDINGS, how_many, link_of
from voucher.access.rules import Role
from voucher.kernel.keyset import Asked
from voucher.programme.read import agreements
from voucher.reporting import stages
from voucher.reporting.coverage import RegionCoverage, coverage
from voucher.reporting.decisions import Decision, decisions
from voucher.reporting.funnel import ENDS, STEPS, WORDS, funnel
from voucher.web.access import staff, viewer
from voucher.web.services import services
from voucher.web.tables import Cell, Column, Kind, Listing, Table, list_file, read_listing, whole

READERS = (Role.PROGRAMME, Role.AUDITOR)
AGREEMENTS_MAX = 1000
ALL_DECISIONS = 100

blueprint = Blueprint("board", __name__, url_prefix="/tableau", template_folder="templates")


@dataclass(frozen=True, slots=True)
class BoardLine:
    """A figure of the board: its name, what it means, when it was read."""

    name: str
    definition: str
    read_at: datetime
    _: KW_ONLY
    voucher_count: int = 0
    amount_cents: int = 0


STEPS_TABLE = Table(
    "Étapes",
    (
        Column[BoardLine]("name", "Étape"),
        Column("voucher_count", "Chèques", Kind.COUNT),
        Column("amount_cents", "Valeur", Kind.EUROS),
        Column("definition", "Ce que cela veut dire"),
        Column("read_at", "Lu le", Kind.INSTANT),
    ),
    filters=("convention",),
)
MONEY_TABLE = Table(
    "Argent",
    (
        Column[BoardLine]("name", "Argent"),
        Column("amount_cents", "Montant", Kind.EUROS),
        Column("definition", "Ce que cela veut dire"),
        Column("read_at", "Lu le", Kind.INSTANT),
    ),
)
DECISIONS_TABLE = Table(
    "Décisions",
    (
        Column[Decision]("title", "À décider"),
        Column("count", "Nombre", Kind.COUNT),
        Column("what", "De quoi", value=lambda row: WORDINGS[row.risk].many),
        Column("amount_cents", "Montant", Kind.EUROS),
        Column("on", "Depuis ou avant", Kind.DAY),
        Column("is_urgent", "Urgent"),
        Column("sentence", "Que faire"),
    ),
)


def regions_table(read_at: datetime) -> Table[RegionCoverage]:
    """Return the list of regions; a number that would let somebody be recognised is not said."""

    def used(name: str, hidden: str) -> Callable[[RegionCoverage], Cell]:
        return lambda row: getattr(row.used, name) if row.used is not None else hidden

    return Table(
        "Régions",
        (
            Column[RegionCoverage]("name", "Région"),
            Column("code", "Code"),
            Column("third_place_count", "Tiers-lieux en 2018", Kind.COUNT),
            Column("place_count", "Lieux ouverts", Kind.COUNT),
            Column(
                "redemption_count",
                "Encaissements",
                Kind.COUNT,
                lambda row: used("redemption_count", drawings.SMALL if row.is_small else drawings.HIDDEN)(row),
            ),
            Column("voucher_count", "Chèques", Kind.COUNT, used("voucher_count", drawings.HIDDEN)),
            Column("amount_cents", "Valeur", Kind.EUROS, used("amount_cents", drawings.HIDDEN)),
            Column("read_at", "Lu le", Kind.INSTANT, lambda _: read_at),
        ),
    )


def _asked() -> tuple[Listing, UUID | None, list[tuple[str, str]]]:
    """Return what was asked, the agreement chosen (None: the whole programme) and those that may be."""
    listing = read_listing(request.args, STEPS_TABLE)
    lines = agreements(services().database, Asked(limit=AGREEMENTS_MAX, is_counted=False)).rows
    choices = [(str(line.id), f"{line.number}, {line.issuer_name}") for line in lines]
    chosen = listing.filters.get("convention")
    return listing, UUID(chosen) if chosen in dict(choices) else None, choices


@blueprint.get("/")
@staff(*READERS)
def home() -> str:
    """Show the board."""
    listing, agreement_id, choices = _asked()
    database, now = services().database, services().now()
    found = funnel(database, now=now, agreement_id=agreement_id)
    money = stages.money(database, agreement_id=agreement_id)
    regions = coverage(database, now=now, agreement_id=agreement_id)
    risks, risk_count = decisions(database, now=now, agreement_id=agreement_id)
    return render_template(
        "board/home.html",
        listing=listing,
        choices=choices,
        convention=str(agreement_id) if agreement_id else None,
        agreement=dict(choices).get(str(agreement_id)),
        now=now,
        funnel=found,
        steps=STEPS,
        ends=ENDS,
        words=WORDS,
        funnel_chart=drawings.funnel_chart(found),
        money=money,
        money_chart=drawings.money_chart(money),
        coverage=regions,
        coverage_chart=drawings.coverage_chart(regions),
        small=drawings.SMALL,
        decisions=[(risk, how_many(risk), WORDINGS[risk.risk].amount, link_of(risk, viewer())) for risk in risks],
        decision_count=risk_count,
    )


@blueprint.get("/<name>.csv")
@staff(*READERS)
def table(name: str) -> Response:
    """Give one table of the board as a file: etapes, argent, regions, decisions."""
    made = _TABLES.get(name)
    if made is None:
        abort(404)
    listing, agreement_id, _ = _asked()
    return made(listing, agreement_id, f"tableau-{name}")


def _steps(listing: Listing, agreement_id: UUID | None, name: str) -> Response:
    found = funnel(services().database, now=services().now(), agreement_id=agreement_id)
    rows = [
        BoardLine(
            WORDS[step].name,
            WORDS[step].definition,
            found.read_at,
            voucher_count=found[step].voucher_count,
            amount_cents=found[step].amount_cents,
        )
        for step in (*STEPS, *ENDS)
    ]
    return list_file(STEPS_TABLE, listing, whole(rows), name)


def _money(listing: Listing, agreement_id: UUID | None, name: str) -> Response:
    now = services().now()
    lines = drawings.money_lines(stages.money(services().database, agreement_id=agreement_id))
    rows = [BoardLine(line.name, line.definition, now, amount_cents=line.amount_cents) for line in lines]
    return list_file(MONEY_TABLE, listing, whole(rows), name)


def _regions(listing: Listing, agreement_id: UUID | None, name: str) -> Response:
    found = coverage(services().database, now=services().now(), agreement_id=agreement_id)
    return list_file(regions_table(found.read_at), listing, whole((*found.rows, found.total)), name)


def _decisions(listing: Listing, agreement_id: UUID | None, name: str) -> Response:
    found, _ = decisions(services().database, now=services().now(), agreement_id=agreement_id, limit=ALL_DECISIONS)
    return list_file(DECISIONS_TABLE, listing, whole(found), name)


_TABLES = {"etapes": _steps, "argent": _money, "regions": _regions, "decisions": _decisions}
