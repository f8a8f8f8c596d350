"""Finance's dashboards of how payments go: the days that batches take, the transfers that do not arrive."""

from flask import render_template, request
from werkzeug.wrappers import Response

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.kernel.calendar import french_month
from voucher.reporting import rejects
from voucher.reporting.timeline import STEP_WORDS, Step, Timeline, timeline
from voucher.settlement.batches.freeze_urgent import urgent_offers
from voucher.settlement.deadlines.payment_deadlines import late_now
from voucher.settlement.payable.read_payment_facts import said_of
from voucher.web.access import staff
from voucher.web.listing import Cell, euros_cell, file_response, read_listing
from voucher.web.services import services

STEP_CHOICES = [(str(step), name) for step, (name, _) in STEP_WORDS.items()]
LATE_CHOICES = [("oui", "Hors délai"), ("non", "À temps")]
GROUPS = {"motif": rejects.by_reason, "banque": rejects.by_bank, "mois": rejects.by_month}
GROUP_HEADS = {"motif": "Motif", "banque": "Banque (BIC)", "mois": "Mois"}


@blueprint.get("/tableau-de-bord/lots")
@staff(*READERS, deputies=True)
def lives() -> str | Response:
    """Show each batch as a line of steps, with the days between and what is usual."""
    here = services()
    listing = read_listing(
        request.args,
        sorts=("frozen", "days", "total"),
        default_sort="-frozen",
        filters=("retard", "etape", "lot"),
    )
    found = timeline(here.database, now=here.now(), issuer_id=scope())
    if request.args.get("tableau") == "etapes" and listing.wants_file:
        return _steps_file(found)
    rows = sorted(
        found.kept(listing.filters),
        key=lambda one: {
            "frozen": one.frozen_on.toordinal(),
            "days": one.total_days if one.total_days is not None else one.waited_days + sum(one.days.values()),
            "total": one.total_cents,
        }[listing.sort],
        reverse=listing.descending,
    )
    if listing.wants_file:
        heads = [
            "Lot",
            "Convention",
            "Période close le",
            "Arrêté le",
            "Validé le",
            "Transmis le",
            "Payé le",
            "À payer avant le",
            *(f"{name} (jours)" for name, _ in STEP_WORDS.values()),
            "En tout (jours)",
            "Attend",
            "Hors délai",
            "Total (€)",
        ]
        lines = (
            (
                one.number,
                one.agreement_number,
                one.period_closed_on,
                one.frozen_on,
                one.approved_on,
                one.exported_on,
                one.ended_on,
                one.due_on,
                *(one.days.get(step) for step in Step),
                one.total_days,
                STEP_WORDS[one.waits][0] if one.waits else "",
                one.is_late,
                euros_cell(one.total_cents),
            )
            for one in rows
        )
        return file_response("duree-des-lots", heads, lines)
    return render_template(
        "finance/lives.html",
        listing=listing,
        found=found,
        counts=late_now(here.database, here.now(), issuer_id=scope()),
        rows=rows[listing.offset : listing.offset + listing.limit],
        total=len(rows),
        steps=STEP_WORDS,
        step_choices=STEP_CHOICES,
        late_choices=LATE_CHOICES,
    )


def _steps_file(found: Timeline) -> Response:
    lines: list[list[Cell]] = [
        [name, definition, _days(found.medians.get(step))] for step, (name, definition) in STEP_WORDS.items()
    ]
    lines.append(["En tout", "De la fin de la période au dernier paiement.", _days(found.median_total)])
    return file_response("duree-des-etapes", ["Étape", "Définition", "Jours (médiane)"], lines)


def _days(value: float | None) -> str | None:
    return None if value is None else f"{value:g}".replace(".", ",")


@blueprint.get("/tableau-de-bord/rejets")
@staff(*READERS, deputies=True)
def failures() -> str | Response:
    """Show rejects and returns by reason with what to do, by bank, by month."""
    found = rejects.failures(services().database, issuer_id=scope())
    grouping = request.args.get("tableau", "")
    listing = read_listing(request.args, sorts=("total",), default_sort="-total")
    if listing.wants_file:
        grouping = grouping if grouping in GROUPS else "motif"
        heads = [GROUP_HEADS[grouping], "Virements", "Montant (€)", "Encore dû (€)"]
        heads += ["Ce que dit la banque", "Que faire"] if grouping == "motif" else []
        lines = (
            (
                group.key,
                group.count,
                euros_cell(group.amount_cents),
                euros_cell(group.open_cents),
                *((group.first.reason.sentence, group.first.reason.what_to_do) if grouping == "motif" else ()),
            )
            for group in GROUPS[grouping](found)
        )
        return file_response(f"rejets-par-{grouping}", heads, lines)
    return render_template(
        "finance/failures.html",
        count=len(found),
        cents=sum(one.amount_cents for one in found),
        open_cents=sum(one.amount_cents for one in found if one.is_open),
        reasons=rejects.by_reason(found),
        banks=rejects.by_bank(found),
        months=[(group, french_month(group.first.on)) for group in rejects.by_month(found)],
    )


@blueprint.get("/tableau-de-bord/rejets/lignes")
@staff(*READERS, deputies=True)
def failure_rows() -> str | Response:
    """List the transfers that did not arrive."""
    listing = read_listing(
        request.args, sorts=("on", "amount"), default_sort="-on", filters=("motif", "banque", "mois", "structure")
    )
    found = rejects.failures(services().database, issuer_id=scope())
    rows = sorted(
        rejects.kept(found, listing.filters),
        key=lambda one: one.on.toordinal() if listing.sort == "on" else one.amount_cents,
        reverse=listing.descending,
    )
    shown = rows if listing.wants_file else rows[listing.offset : listing.offset + listing.limit]
    told = said_of(services().database, [one.advice_id for one in shown], services().now())
    if listing.wants_file:
        heads = ["Jour", "Structure", "SIRET ou RNA", "Règlement", "Lot", "Quoi", "Motif", "Ce que dit la banque"]
        heads += ["Où en est-on", "Qui doit agir, et quoi faire", "Banque (BIC)", "Montant (€)", "Encore dû"]
        lines = (
            (
                one.on,
                one.structure_name,
                one.pivot,
                one.reference,
                one.batch_number,
                "Retour" if one.is_return else "Rejet",
                one.reason.code,
                one.reason.sentence,
                told[one.advice_id].sentence,
                told[one.advice_id].next_for_office,
                one.bic,
                euros_cell(one.amount_cents),
                one.is_open,
            )
            for one in rows
        )
        return file_response("rejets-et-retours", heads, lines)
    return render_template(
        "finance/failure_rows.html",
        listing=listing,
        rows=shown,
        told=told,
        offers=urgent_offers(
            services().database,
            {one.agreement_id for one in shown if one.is_open},
            now=services().now(),
            issuer_id=scope(),
        ),
        total=len(rows),
        total_cents=sum(one.amount_cents for one in rows),
        reasons=[(group.key, f"{group.key} · {group.first.reason.sentence}") for group in rejects.by_reason(found)],
        banks=[(group.key, group.key) for group in rejects.by_bank(found)],
        months=[(group.key, french_month(group.first.on)) for group in rejects.by_month(found)],
    )
