"""One page, dated and defined, for the whole programme or one agreement; each of its tables as a CSV file."""

from uuid import UUID

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from issuer_portal.board import drawings
from issuer_portal.board.links import WORDINGS, how_many, link_of
from voucher.access.rules import Role
from voucher.programme.read import agreements
from voucher.reporting import stages
from voucher.reporting.coverage import coverage
from voucher.reporting.decisions import Decision, decisions
from voucher.reporting.funnel import ENDS, STEPS, WORDS, funnel
from voucher.web.access import staff, viewer
from voucher.web.listing import Cell, Listing, euros_cell, file_response, read_listing
from voucher.web.services import services

READERS = (Role.PROGRAMME, Role.AUDITOR)
AGREEMENTS_MAX = 1000
ALL_DECISIONS = 100

blueprint = Blueprint("board", __name__, url_prefix="/tableau", template_folder="templates")


def _asked() -> tuple[Listing, UUID | None, list[tuple[str, str]]]:
    """Return what was asked, the agreement chosen (None: the whole programme) and those that may be."""
    listing = read_listing(request.args, sorts=("step",), default_sort="step", filters=("convention",))
    lines, _ = agreements(services().database, limit=AGREEMENTS_MAX, filters={})
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
        decisions=[(one, how_many(one), WORDINGS[one.risk].amount, link_of(one, viewer())) for one in risks],
        decision_count=risk_count,
    )


@blueprint.get("/<name>.csv")
@staff(*READERS)
def table(name: str) -> Response:
    """Give one table of the board as a file: etapes, argent, regions, decisions."""
    made = _TABLES.get(name)
    if made is None:
        abort(404)
    _, agreement_id, _ = _asked()
    heads, lines = made(agreement_id)
    return file_response(f"tableau-{name}", heads, lines)


def _steps(agreement_id: UUID | None) -> tuple[list[str], list[list[Cell]]]:
    found = funnel(services().database, now=services().now(), agreement_id=agreement_id)
    return ["Étape", "Chèques", "Euros", "Ce que cela veut dire", "Lu le"], [
        [
            WORDS[step].name,
            found[step].voucher_count,
            euros_cell(found[step].amount_cents),
            WORDS[step].definition,
            found.read_at,
        ]
        for step in (*STEPS, *ENDS)
    ]


def _money(agreement_id: UUID | None) -> tuple[list[str], list[list[Cell]]]:
    now = services().now()
    lines = drawings.money_lines(stages.money(services().database, agreement_id=agreement_id))
    return ["Argent", "Euros", "Ce que cela veut dire", "Lu le"], [
        [line.name, euros_cell(line.amount_cents), line.definition, now] for line in lines
    ]


def _regions(agreement_id: UUID | None) -> tuple[list[str], list[list[Cell]]]:
    found = coverage(services().database, now=services().now(), agreement_id=agreement_id)
    heads = ["Région", "Code", "Tiers-lieux en 2018", "Lieux ouverts", "Encaissements", "Chèques", "Euros", "Lu le"]
    lines: list[list[Cell]] = []
    for row in (*found.rows, found.total):
        used: list[Cell] = [drawings.SMALL if row.is_small else drawings.HIDDEN, drawings.HIDDEN, drawings.HIDDEN]
        if row.used is not None:
            used = [row.used.redemption_count, row.used.voucher_count, euros_cell(row.used.amount_cents)]
        lines.append([row.name, row.code, row.third_place_count, row.place_count, *used, found.read_at])
    return heads, lines


def _decisions(agreement_id: UUID | None) -> tuple[list[str], list[list[Cell]]]:
    found, _ = decisions(services().database, now=services().now(), agreement_id=agreement_id, limit=ALL_DECISIONS)
    return ["À décider", "Nombre", "De quoi", "Euros", "Depuis ou avant", "Urgent", "Que faire"], [
        _decision_cells(one) for one in found
    ]


def _decision_cells(one: Decision) -> list[Cell]:
    words = WORDINGS[one.risk]
    return [one.title, one.count, words.many, euros_cell(one.amount_cents), one.on, one.is_urgent, one.sentence]


_TABLES = {"etapes": _steps, "argent": _money, "regions": _regions, "decisions": _decisions}
