"""What stands behind the vouchers in circulation, at any day, for those who work here: every figure with its accounts."""

from datetime import date, datetime
from uuid import UUID

from flask import abort, render_template, request
from werkzeug.wrappers import Response

from issuer_portal.funding.folder import READERS, blueprint, scope, today
from voucher.funding.backing import sum_of
from voucher.funding.stop import AgreementBacking, agreement_backings, named_parts, programme_backing
from voucher.kernel.calendar import end_of_day
from voucher.kernel.typed_days import asked_day
from voucher.ledger.chart import CHART
from voucher.web.access import staff
from voucher.web.listing import FILE_FORMATS, Cell, euros_cell, file_response
from voucher.web.services import services


@blueprint.get("/fonds")
@staff(*READERS)
def backing() -> str | Response:
    """Show the backing of each agreement and of all, today or on a day that is past."""
    day, before = _asked()
    rows = _rows(day, before)
    if request.args.get("format") in FILE_FORMATS:
        heads = ["Convention", "Collectivité", "Détenu (€)", "À recevoir (€)", "Appels en retard (€)", "En circulation (€)", "Dû (€)",
                 "En banque, sur le dû et la circulation (€)", "Avec l’argent promis (€)", "Crédit libre (€)"]  # fmt: skip
        lines = [_cells(one) for one in rows]
        return file_response(f"fonds-disponibles-{day.isoformat()}", heads, lines)
    parts = [one.backing for one in rows]
    return render_template(
        "funding/backing.html",
        day=day,
        is_past=before is not None,
        rows=rows,
        total=sum_of(parts),
        whole=programme_backing(services().database, parts, before) if scope() is None else None,
        alert_percent=services().settings.backing_alert_percent,
        stop_percent=services().settings.backing_stop_percent,
    )


@blueprint.get("/fonds/<uuid:agreement_id>")
@staff(*READERS)
def agreement_backing(agreement_id: UUID) -> str:
    """Show the accounts behind the backing of an agreement."""
    day, before = _asked()
    found = next((one for one in _rows(day, before) if one.agreement_id == agreement_id), None)
    if found is None:
        abort(404)
    accounts = [(code, CHART[code].name, cents) for code, cents in sorted(found.backing.by_code.items()) if cents]
    return render_template(
        "funding/agreement_backing.html",
        one=found,
        day=day,
        is_past=before is not None,
        accounts=accounts,
        funders=named_parts(services().database, found.backing),
    )


def _cells(one: AgreementBacking) -> list[Cell]:
    backing = one.backing
    figures = (
        backing.held_cents,
        backing.undrawn_cents,
        backing.overdue_cents,
        backing.outstanding_cents,
        backing.payable_cents,
        backing.banked_cents,
        backing.covered_cents,
        backing.free_cents,
    )
    return [one.number, one.issuer_name, *map(euros_cell, figures)]


def _rows(day: date, before: datetime | None) -> list[AgreementBacking]:
    here = services()
    return agreement_backings(
        here.database,
        on=day,
        alert_percent=here.settings.backing_alert_percent,
        stop_percent=here.settings.backing_stop_percent,
        issuer_id=scope(),
        before=before,
    )


def _asked() -> tuple[date, datetime | None]:
    """Return the day asked and the instant at which it ended; today, and no instant, where none that is past is asked."""
    day = asked_day(request.args.get("jour"))
    return (day, end_of_day(day)) if day and date(2019, 1, 1) <= day < today() else (today(), None)
