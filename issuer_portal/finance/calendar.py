"""When things are due: the calendar of each agreement, and the clock of what is late or will be."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from flask import render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.rules import Role
from voucher.reporting.closings import CLOSE_WORDS, closings
from voucher.settlement.deadlines import finance_calendar as calendars
from voucher.settlement.deadlines.deadlines_by_action import DueGroup, by_act
from voucher.settlement.deadlines.payment_deadlines import SOON_DAYS, STAGE_WORDS, Due, Stage, dues, late_now
from voucher.web.access import staff, viewer
from voucher.web.filters import day, plural
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, rows_reader
from voucher.web.tags import STAGE_TAGS

STAGE_CHOICES = [(str(stage), word) for stage, word in STAGE_WORDS.items() if stage is not Stage.RUNNING]
COLUMNS = (
    ("À arrêter", (Stage.RUNNING, Stage.NOT_FROZEN)),
    ("À valider", (Stage.NOT_APPROVED,)),
    ("À transmettre", (Stage.NOT_SENT,)),
    ("Transmis", (Stage.LEFT,)),
    ("En attente ou refusé", (Stage.HELD, Stage.FAILED)),
)


def _left(days: int) -> str:
    if days < 0:
        return f"{plural(-days, 'jour')} de retard"
    return "aujourd’hui" if days == 0 else f"dans {plural(days, 'jour')}"


def _due_word(one: Due) -> str:
    return one.title or STAGE_TAGS[one.stage][0]


DUES = Table(
    "Règlements qui attendent",
    (
        Column[Due](
            "label",
            "Lot, période ou structure",
            link=lambda row: url_for("finance.advice_page", advice_id=row.advice_id) if row.advice_id else None,
            link_label=lambda row: f"{row.agreement_number}, depuis le {day(row.since_on)}",
        ),
        Column("agreement_number", "Convention", under="label"),
        Column("issuer_name", "Collectivité", under="label"),
        Column("stage", "Où en est-on", Kind.TAG, _due_word, tag=lambda row: STAGE_TAGS[row.stage][1]),
        Column("holder", "Qui doit agir", under="stage"),
        Column("act", "Quoi faire", under="stage"),
        Column("since", "Depuis le", Kind.DAY, lambda row: row.since_on, is_sorted=True),
        Column("due_on", "À payer avant le", Kind.DAY, is_sorted=True),
        Column("left", "Délai", value=lambda row: _left(row.days_left)),
        Column("days_left", "Jours restants", Kind.COUNT, under="left"),
        Column("structure_count", "Structures", Kind.COUNT),
        Column("amount", "Montant", Kind.EUROS, lambda row: row.amount_cents, is_sorted=True, is_summed=True),
    ),
    default_sort="-since",
    filters=("etape", "convention", "cause", "structure", "echeance"),
    one="ligne",
    file_name="delais-de-paiement",
)


def due_groups(wanted: Mapping[str, str]) -> Table[DueGroup]:
    """Return the list of what a person must do; each leads to its lines, filtered as the list is."""
    may_prepare = viewer().may(Role.FINANCE_PREPARER)
    kept: dict[str, Any] = {name: wanted.get(name) for name in ("etape", "convention", "echeance")}

    def link(row: DueGroup) -> str | None:
        one = row.first
        if one.advice_id and row.line_count > 1:
            return url_for("finance.clock", structure=one.structure_id, cause=one.title, **kept)
        if one.advice_id:
            return url_for("finance.advice_page", advice_id=one.advice_id)
        if one.batch_id:
            return url_for("finance.batch", batch_id=one.batch_id)
        return url_for("finance.freeze", agreement_id=one.agreement_id) if may_prepare else None

    return Table(
        "Délais de paiement",
        (
            Column[DueGroup]("label", "Structure, lot ou période", value=lambda row: row.first.label, link=link),
            Column(
                "line_count",
                "Règlements",
                Kind.COUNT,
                lambda row: row.line_count if row.first.advice_id else None,
                under="label",
            ),
            Column("structure_count", "Structures", Kind.COUNT, under="label"),
            Column("late_cents", "En retard", Kind.EUROS, is_summed=True, hides_zero=True),
            Column("left", "Délai", value=lambda row: _left(row.first.days_left), under="late_cents"),
            Column(
                "stage",
                "Pourquoi, et qui doit agir",
                Kind.TAG,
                lambda row: _due_word(row.first),
                tag=lambda row: STAGE_TAGS[row.first.stage][1],
            ),
            Column("holder", "Qui doit agir", value=lambda row: row.first.holder, under="stage"),
            Column("act", "Quoi faire", value=lambda row: row.first.act, under="stage"),
            Column("since", "Depuis le", Kind.DAY, lambda row: row.since_on, is_sorted=True),
            Column("due_on", "À payer avant le", Kind.DAY, lambda row: row.first.due_on, is_sorted=True),
            Column("amount", "Montant", Kind.EUROS, lambda row: row.amount_cents, is_sorted=True, is_summed=True),
        ),
        default_sort="-since",
        one="ligne",
        part="actions",
    )


@blueprint.get("/calendrier")
@staff(*READERS, deputies=True)
def calendar() -> str:
    """Show, by agreement, when its month ends and what waits for whom, what is late first."""
    here = services()
    rows = calendars.calendar(here.database, here.now(), issuer_id=scope())
    return render_template(
        "finance/calendar.html",
        rows=rows,
        columns=COLUMNS,
        rhythms=calendars.RHYTHM_WORDS,
        counts=late_now(here.database, here.now(), issuer_id=scope()),
        closings=closings(here.database, now=here.now(), issuer_id=scope()),
        close_words=CLOSE_WORDS,
        now=here.now(),
    )


@blueprint.get("/delais")
@staff(*READERS, deputies=True)
def clock() -> str | Response:
    """List what is late or will be within a week, by structure and cause: since when, who holds it. One structure: line by line."""
    here = services()
    listing = read_listing(request.args, DUES)
    wanted = listing.filters
    counts = late_now(here.database, here.now(), issuer_id=scope())
    is_whole = wanted.get("echeance") == "toutes"
    within_days = None if is_whole else SOON_DAYS
    whole = dues(here.database, here.now(), issuer_id=scope(), within_days=within_days)
    found = [
        one
        for one in whole
        if wanted.get("etape", one.stage) == one.stage
        and wanted.get("convention", one.agreement_number) == one.agreement_number
        and wanted.get("cause", one.title) == one.title
        and wanted.get("structure", str(one.structure_id)) == str(one.structure_id)
    ]
    by_line = rows_reader(found, _sorts(lambda one: one), _ties)
    if "structure" in wanted:
        lines = drawn(DUES, listing, by_line) if not listing.wants_file else None
        template = "finance/clock_lines.html"
    else:
        table = due_groups(wanted)
        by_group = rows_reader(by_act(found), _sorts(lambda one: one.first), lambda one: (one.title, *_ties(one.first)))
        if listing.wants_file and listing.part == table.part:
            return list_file(table, listing, by_group)
        lines = drawn(table, listing, by_group) if not listing.wants_file else None
        template = "finance/clock.html"
    if listing.wants_file:
        return list_file(DUES, listing, by_line)
    return render_template(
        template,
        counts=counts,
        is_whole=is_whole,
        listing=listing,
        lines=lines,
        first=found[0] if found else None,
        total_cents=sum(one.amount_cents for one in found),
        choices=STAGE_CHOICES,
        causes=[(title, title) for title in sorted({one.title for one in whole if one.title})],
        soon_days=SOON_DAYS,
        now=here.now(),
        detail_urls=(listing.file_url("csv"), listing.file_url("xlsx")),
    )


def _sorts(first: Callable[[Any], Due]) -> dict[str, Callable[[Any], date | int]]:
    return {
        "since": lambda row: row.since_on,
        "due_on": lambda row: first(row).due_on,
        "amount": lambda row: row.amount_cents,
    }


def _ties(one: Due) -> tuple[str, ...]:
    return (str(one.agreement_id), str(one.batch_id), str(one.advice_id), one.label, one.due_on.isoformat(), one.stage)
