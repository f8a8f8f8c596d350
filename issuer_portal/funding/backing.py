"""What stands behind the vouchers in circulation, at any day, for those who work here: every figure with its accounts."""

from datetime import date, datetime
from uuid import UUID

from flask import abort, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.funding.folder import READERS, blueprint, scope, today
from voucher.funding.backing import Backing, sum_of
from voucher.funding.issuing_stop import AgreementBacking, agreement_backings, named_parts, programme_backing
from voucher.kernel.calendar import end_of_day
from voucher.kernel.typed_days import asked_day
from voucher.ledger.chart import CHART
from voucher.web.access import staff
from voucher.web.services import services
from voucher.web.tables import Cell, Column, Kind, Table, drawn, list_file, read_listing, whole

NOTHING_DUE = "Rien à payer"
AMOUNTS = (
    ("held_cents", "Détenu"),
    ("undrawn_cents", "À recevoir"),
    ("overdue_cents", "Appels en retard"),
    ("outstanding_cents", "En circulation"),
    ("payable_cents", "Dû, trop-perçus déduits"),
    ("free_cents", "Crédit libre"),
)


def _rate(basis_points: int | None) -> int | str:
    return NOTHING_DUE if basis_points is None else basis_points


def _amount(name: str, heading: str) -> Column[AgreementBacking]:
    return Column(name, heading, Kind.EUROS, lambda row: getattr(row.backing, name), is_summed=True)


def backing_table(past: date | None) -> Table[AgreementBacking]:
    """Return the list of agreements with what stands behind their vouchers; `past` is the day shown, where it is not today."""
    asked = past.isoformat() if past else None
    return Table(
        "Fonds par convention",
        (
            Column[AgreementBacking](
                "number",
                "Convention",
                link=lambda row: url_for("funding.agreement_backing", agreement_id=row.agreement_id, jour=asked),
            ),
            Column("issuer_name", "Collectivité", under="number"),
            Column("cash", "En banque", Kind.PERCENT, lambda row: _rate(row.backing.cash_basis_points)),
            Column(
                "banked_cents", "En banque, en euros", Kind.EUROS, lambda row: row.backing.banked_cents, under="cash"
            ),
            Column(
                "coverage", "Avec l’argent promis", Kind.PERCENT, lambda row: _rate(row.backing.coverage_basis_points)
            ),
            Column(
                "covered_cents",
                "Avec l’argent promis, en euros",
                Kind.EUROS,
                lambda row: row.backing.covered_cents,
                under="coverage",
            ),
            *(_amount(name, heading) for name, heading in AMOUNTS),
        ),
        filters=("jour",),
        total_heading="Ensemble",
    )


def _totals(shown: Backing, total: Backing) -> dict[str, Cell]:
    return {
        "cash": _rate(shown.cash_basis_points),
        "coverage": _rate(shown.coverage_basis_points),
        **{name: getattr(total, name) for name, _ in AMOUNTS},
    }


@blueprint.get("/fonds")
@staff(*READERS)
def backing() -> str | Response:
    """Show the backing of each agreement and of all, today or on a day that is past."""
    day, before = _asked()
    rows = _rows(day, before)
    table = backing_table(day if before is not None else None)
    listing, find = read_listing(request.args, table), whole(rows)
    if listing.wants_file:
        return list_file(table, listing, find, f"fonds-disponibles-{day.isoformat()}")
    parts = [row.backing for row in rows]
    total = sum_of(parts)
    whole_backing = programme_backing(services().database, parts, before) if scope() is None else None
    shown = whole_backing.backing if whole_backing else total
    return render_template(
        "funding/backing.html",
        day=day,
        is_past=before is not None,
        rows=rows,
        lines=drawn(table, listing, find, totals=_totals(shown, total)),
        total=total,
        whole=whole_backing,
        alert_percent=services().settings.backing_alert_percent,
        stop_percent=services().settings.backing_stop_percent,
    )


@blueprint.get("/fonds/<uuid:agreement_id>")
@staff(*READERS)
def agreement_backing(agreement_id: UUID) -> str:
    """Show the accounts behind the backing of an agreement."""
    day, before = _asked()
    found = next((row for row in _rows(day, before) if row.agreement_id == agreement_id), None)
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
