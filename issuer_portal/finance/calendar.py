"""When things are due: the calendar of each agreement, and the clock of what is late or will be."""

from flask import render_template, request
from werkzeug.wrappers import Response

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.settlement import calendar as calendars
from voucher.settlement.clock import SOON_DAYS, STAGE_WORDS, Stage, clock_counts, dues
from voucher.web.access import staff
from voucher.web.house import house
from voucher.web.listing import euros_cell, file_response, read_listing

STAGE_CHOICES = [(str(stage), word) for stage, (word, _) in STAGE_WORDS.items() if stage is not Stage.RUNNING]
COLUMNS = (
    ("À arrêter", (Stage.RUNNING, Stage.NOT_FROZEN)),
    ("À valider", (Stage.NOT_APPROVED,)),
    ("À transmettre", (Stage.NOT_SENT,)),
    ("Transmis", (Stage.LEFT,)),
    ("En attente ou refusé", (Stage.HELD, Stage.FAILED)),
)


@blueprint.get("/calendrier")
@staff(*READERS)
def calendar() -> str:
    """Show, by agreement, when its month ends and what waits for whom, what is late first."""
    here = house()
    rows = calendars.calendar(here.database, here.now(), issuer_id=scope())
    return render_template(
        "finance/calendar.html",
        rows=rows,
        columns=COLUMNS,
        rhythms=calendars.RHYTHM_WORDS,
        late_count=sum(row.late_count for row in rows),
        now=here.now(),
    )


@blueprint.get("/delais")
@staff(*READERS)
def clock() -> str | Response:
    """List what is late or will be within a week: since when, who holds it, for how many days."""
    here = house()
    found = dues(here.database, here.now(), issuer_id=scope())
    listing = read_listing(request.args, sorts=("due_on", "amount"), default_sort="due_on", filters=("etape",))
    rows = [one for one in found if listing.filters.get("etape", one.stage) == one.stage]
    rows.sort(
        key=lambda one: one.amount_cents if listing.sort == "amount" else one.due_on.toordinal(),
        reverse=listing.descending,
    )
    if listing.wants_file:
        headers = [
            "Lot, période ou structure", "Convention", "Collectivité", "Où en est-on", "Depuis le", "À payer avant le",
            "Jours restants", "Qui doit agir", "Quoi faire", "Structures", "Montant (€)",
        ]  # fmt: skip
        lines = (
            (
                row.label, row.agreement_number, row.issuer_name, STAGE_WORDS[row.stage][0], row.since_on, row.due_on,
                row.days_left, row.holder, row.act, row.structure_count, euros_cell(row.amount_cents),
            )
            for row in rows
        )  # fmt: skip
        return file_response("delais-de-paiement", headers, lines)
    return render_template(
        "finance/clock.html",
        counts=clock_counts(found),
        listing=listing,
        rows=rows[listing.offset : listing.offset + listing.limit],
        total=len(rows),
        choices=STAGE_CHOICES,
        words={str(stage): word for stage, word in STAGE_WORDS.items()},
        soon_days=SOON_DAYS,
        now=here.now(),
    )
