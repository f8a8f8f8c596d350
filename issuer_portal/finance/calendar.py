"""When things are due: the calendar of each agreement, and the clock of what is late or will be."""

from flask import render_template, request
from werkzeug.wrappers import Response

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.reporting.closings import CLOSE_WORDS, closings
from voucher.settlement.deadlines import finance_calendar as calendars
from voucher.settlement.deadlines.deadlines_by_action import DueGroup, by_act
from voucher.settlement.deadlines.payment_deadlines import SOON_DAYS, STAGE_WORDS, Due, Stage, dues, late_now
from voucher.web.access import staff
from voucher.web.listing import euros_cell, file_response, read_listing
from voucher.web.services import services
from voucher.web.tags import STAGE_TAGS

STAGE_CHOICES = [(str(stage), word) for stage, word in STAGE_WORDS.items() if stage is not Stage.RUNNING]
COLUMNS = (
    ("À arrêter", (Stage.RUNNING, Stage.NOT_FROZEN)),
    ("À valider", (Stage.NOT_APPROVED,)),
    ("À transmettre", (Stage.NOT_SENT,)),
    ("Transmis", (Stage.LEFT,)),
    ("En attente ou refusé", (Stage.HELD, Stage.FAILED)),
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
    names = ("etape", "convention", "cause", "structure", "echeance")
    listing = read_listing(request.args, sorts=("since", "due_on", "amount"), default_sort="-since", filters=names)
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
    if listing.wants_file:
        headers = [
            "Lot, période ou structure", "Convention", "Collectivité", "Où en est-on", "Depuis le", "À payer avant le",
            "Jours restants", "Qui doit agir", "Quoi faire", "Structures", "Montant (€)",
        ]  # fmt: skip
        lines = (
            (
                row.label, row.agreement_number, row.issuer_name, STAGE_WORDS[row.stage], row.since_on, row.due_on,
                row.days_left, row.holder, row.act, row.structure_count, euros_cell(row.amount_cents),
            )
            for row in found
        )  # fmt: skip
        return file_response("delais-de-paiement", headers, lines)
    rows: list[Due] | list[DueGroup]
    if "structure" in wanted:
        rows = sorted(found, key=lambda one: _sort_key(listing.sort, one, one), reverse=listing.descending)
    else:
        rows = sorted(
            by_act(found), key=lambda one: _sort_key(listing.sort, one, one.first), reverse=listing.descending
        )
    return render_template(
        "finance/clock_lines.html" if "structure" in wanted else "finance/clock.html",
        counts=counts,
        is_whole=is_whole,
        listing=listing,
        rows=rows[listing.offset : listing.offset + listing.limit],
        total=len(rows),
        total_cents=sum(one.amount_cents for one in found),
        late_cents=sum(one.amount_cents for one in found if one.is_late),
        choices=STAGE_CHOICES,
        causes=[(title, title) for title in sorted({one.title for one in whole if one.title})],
        words=STAGE_TAGS,
        soon_days=SOON_DAYS,
        now=here.now(),
    )


def _sort_key(sort: str, row: Due | DueGroup, first: Due) -> int:
    return {
        "since": row.since_on.toordinal(),
        "due_on": first.due_on.toordinal(),
        "amount": row.amount_cents,
    }[sort]
