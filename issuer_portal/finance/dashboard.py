"""Finance's dashboards of what is owed and what cash it will take; each figure leads to its rows."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from flask import render_template, request
from werkzeug.wrappers import Response

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.rules import Role
from voucher.kernel.calendar import french_month
from voucher.kernel.money import format_euros
from voucher.reporting import rejects
from voucher.reporting.ageing import Ageing, ageing
from voucher.reporting.cash_forecast import Cash, cash, window_days
from voucher.reporting.cash_rules import SCENARIO_WORDS, CashForecast, Scenario
from voucher.reporting.debts import AGES, STATE_WORDS, DebtState
from voucher.reporting.redemption_rows import redemption_rows
from voucher.reporting.timeline import timeline
from voucher.settlement.deadlines.payment_deadlines import late_now
from voucher.web import charts
from voucher.web.access import staff, viewer
from voucher.web.filters import euros
from voucher.web.listing import Cell, euros_cell, file_response, read_listing
from voucher.web.services import services

AGE_CHOICES = [(age.key, age.label) for age in AGES]
STATE_CHOICES = [(str(state), word) for state, (word, _) in STATE_WORDS.items()]
SCENARIO_CHOICES = [(str(scenario), name) for scenario, (name, _) in SCENARIO_WORDS.items()]


@blueprint.get("/tableau-de-bord")
@staff(*READERS, deputies=True)
def dashboard() -> str:
    """Show the key figure of each dashboard."""
    here, issuer_id = services(), scope()
    now = here.now()
    failed = rejects.failures(here.database, issuer_id=issuer_id)
    owed = ageing(here.database, now=now, issuer_id=issuer_id)
    return render_template(
        "finance/dashboard.html",
        owed=owed,
        ages=AGES,
        expected=cash(here.database, now=now, issuer_id=issuer_id).of(Scenario.EXPECTED),
        lives=timeline(here.database, now=now, issuer_id=issuer_id),
        failed_count=len(failed),
        open_cents=sum(one.amount_cents for one in failed if one.is_open),
        now=now,
    )


@blueprint.get("/tableau-de-bord/dettes")
@staff(*READERS, deputies=True)
def owed() -> str | Response:
    """Show the aged balance: by state, then by structure."""
    here = services()
    listing = read_listing(
        request.args,
        sorts=("name", "total", "old"),
        default_sort="-total",
        filters=("etat", "age", "convention", "structure"),
    )
    found = ageing(here.database, now=here.now(), issuer_id=scope())
    if request.args.get("tableau") == "etats" and listing.wants_file:
        return _states_file(found)
    kept = found.kept(listing.filters)
    keys: dict[str, Any] = {
        "name": lambda row: row.name.casefold(),
        "total": lambda row: row.total_cents,
        "old": lambda row: row.cents[-1],
    }
    rows = sorted(kept.by_structure(), key=keys[listing.sort], reverse=listing.descending)
    if listing.wants_file:
        heads = ["Structure", "SIRET ou RNA", *(f"{age.label} (€)" for age in AGES), "Total (€)"]
        lines = ((row.name, row.pivot, *_cells(row.cents), euros_cell(row.total_cents)) for row in rows)
        return file_response("balance-agee", heads, lines)
    return render_template(
        "finance/owed.html",
        listing=listing,
        counts=late_now(here.database, here.now(), issuer_id=scope()),
        found=found,
        kept=kept,
        rows=rows[listing.offset : listing.offset + listing.limit],
        total=len(rows),
        ages=AGES,
        states=STATE_WORDS,
        chart=_ageing_chart(found),
        age_choices=AGE_CHOICES,
        state_choices=STATE_CHOICES,
    )


def _states_file(found: Ageing) -> Response:
    heads = ["État", *(f"{age.label} (€)" for age in AGES), "Total (€)"]
    lines: list[list[Cell]] = [
        [STATE_WORDS[state][0], *_cells(cents), euros_cell(sum(cents))] for state, cents in found.matrix().items()
    ]
    return file_response("balance-agee-par-etat", heads, lines)


def _cells(cents: Iterable[int]) -> tuple[Cell, ...]:
    return tuple(euros_cell(one) for one in cents)


def _ageing_chart(found: Ageing) -> charts.Chart:
    totals = found.column_totals()
    old = sum(totals[1:])
    sentence = (
        f"{format_euros(old)} sont dus depuis plus de 30 jours." if old else "Rien n’est dû depuis plus de 30 jours."
    )
    items = [charts.Bar(age.label, cents) for age, cents in zip(AGES, totals, strict=True)]
    return charts.bars("Ce qui est dû, par ancienneté", sentence, items, "Dû", format_euros)


@blueprint.get("/tableau-de-bord/dettes/lignes")
@staff(*READERS, deputies=True)
def debts() -> str | Response:
    """List the debts behind the aged balance, the oldest first."""
    here = services()
    listing = read_listing(
        request.args,
        sorts=("days", "amount"),
        default_sort="-days",
        filters=("etat", "age", "convention", "structure"),
    )
    found = ageing(here.database, now=here.now(), issuer_id=scope()).kept(listing.filters)
    rows = sorted(
        found.debts,
        key=lambda one: one.days if listing.sort == "days" else one.debt.amount_cents,
        reverse=listing.descending,
    )
    if listing.wants_file:
        heads = ["Structure", "SIRET ou RNA", "Convention", "État", "Depuis le", "Jours", "Règlement", "Montant (€)"]
        lines = (
            (
                one.structure_name,
                one.pivot,
                one.agreement_number,
                STATE_WORDS[one.debt.state][0],
                one.debt.since,
                one.days,
                one.debt.reference,
                euros_cell(one.debt.amount_cents),
            )
            for one in rows
        )
        return file_response("dettes", heads, lines)
    return render_template(
        "finance/debts.html",
        listing=listing,
        rows=rows[listing.offset : listing.offset + listing.limit],
        total=len(rows),
        total_cents=found.total_cents,
        states=STATE_WORDS,
        age_choices=AGE_CHOICES,
        state_choices=STATE_CHOICES,
        not_frozen=DebtState.NOT_FROZEN,
    )


@blueprint.get("/tableau-de-bord/encaissements")
@staff(*READERS, deputies=True)
def redemptions() -> str | Response:
    """List redemptions: those that no batch holds, or those of some days."""
    here = services()
    listing = read_listing(
        request.args,
        sorts=("at", "amount"),
        default_sort="at",
        filters=("du", "au", "age", "convention", "structure"),
    )
    rows, total, cents = redemption_rows(
        here.database,
        now=here.now(),
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
        issuer_id=scope(),
    )
    if listing.wants_file:
        heads = ["Encaissé le", "Structure", "Lieu", "Convention", "Chèques", "Montant (€)"]
        lines = (
            (
                row.redeemed_at,
                row.structure_name,
                row.place_name,
                row.agreement_number,
                row.voucher_count,
                euros_cell(row.amount_cents),
            )
            for row in rows
        )
        return file_response("encaissements", heads, lines)
    return render_template(
        "finance/redemptions.html",
        listing=listing,
        rows=rows,
        total=total,
        total_cents=cents,
        age_choices=AGE_CHOICES,
        is_open="du" not in listing.filters and "au" not in listing.filters,
    )


@blueprint.get("/tableau-de-bord/tresorerie")
@staff(*READERS, deputies=True)
def cash_page() -> str | Response:
    """Show what cash comes and goes until the vouchers are no longer valid, in three scenarios."""
    here = services()
    listing = read_listing(request.args, sorts=("mois",), default_sort="mois", filters=("convention", "scenario"))
    whole = cash(here.database, now=here.now(), issuer_id=scope())
    found = whole.kept(listing.filters.get("convention", ""))
    if listing.wants_file:
        return _cash_file(found)
    asked = listing.filters.get("scenario")
    scenario = Scenario(asked) if asked in set(Scenario) else Scenario.EXPECTED
    forecasts = {one: found.of(one) for one in Scenario}
    return render_template(
        "finance/cash.html",
        listing=listing,
        found=found,
        facts=[one.facts for one in found.agreements],
        forecast=forecasts[scenario],
        chart=_cash_chart(forecasts) if found.agreements else None,
        scenario=scenario,
        words=SCENARIO_WORDS,
        choices=SCENARIO_CHOICES,
        agreements=[(one.number, f"{one.number}, {one.name}") for one in whole.agreements],
        windows=[window_days(found.today, rank) for rank in range(3)],
        may_read_ledger=viewer().may(Role.AUDITOR, Role.PROGRAMME) or scope() is None,
    )


def _cash_file(found: Cash) -> Response:
    heads = [
        "Convention",
        "Scénario",
        "Mois",
        "Utilisation prévue (€)",
        "Paiement prévu (€)",
        "Recette prévue (€)",
        "Trésorerie à la fin (€)",
    ]
    months = (
        (
            one.number,
            SCENARIO_WORDS[scenario][0],
            "ensuite" if month.first is None else f"{month.first:%Y-%m}",
            *_cells((month.used_cents, month.paid_cents, month.received_cents, month.cash_cents)),
        )
        for one in found.agreements
        for scenario, forecast in one.forecasts.items()
        for month in forecast.months
    )
    apart = (
        (one.number, SCENARIO_WORDS[scenario][0], name, None, *_cells(cents), None)
        for one in found.agreements
        for scenario, forecast in one.forecasts.items()
        for name, cents in (
            ("aucun : dette bloquée", (forecast.blocked_cents, 0)),
            ("aucun : appel en retard", (0, forecast.late_cents)),
        )
        if any(cents)
    )
    lines: Iterable[tuple[Cell, ...]] = chain(months, apart)
    return file_response("prevision-de-tresorerie", heads, lines)


def _cash_chart(forecasts: dict[Scenario, CashForecast]) -> charts.Chart:
    months = forecasts[Scenario.EXPECTED].months
    labels = ["Aujourd’hui", *("Ensuite" if one.first is None else french_month(one.first) for one in months)]
    series = [
        (SCENARIO_WORDS[scenario][0], [forecast.held_cents, *(month.cash_cents for month in forecast.months)])
        for scenario, forecast in forecasts.items()
    ]
    return charts.curves(
        "La trésorerie à la fin de chaque mois",
        cash_sentence(forecasts),
        labels,
        series,
        euros,
        ("Fin de", "Trésorerie"),
    )


def cash_sentence(forecasts: dict[Scenario, CashForecast]) -> str:
    """Say in one sentence what the curves show: whether cash lacks, when first and how much at worst."""
    for scenario in (Scenario.EXPECTED, Scenario.ALL_USED):
        lowest = forecasts[scenario].lowest
        if lowest is not None and lowest.cash_cents < 0:
            when = "après la fin de validité" if lowest.first is None else f"fin {french_month(lowest.first)}"
            speed = "au rythme actuel" if scenario is Scenario.EXPECTED else "si tout est utilisé"
            return f"Il manque {format_euros(-lowest.cash_cents)} {when}, {speed}. Appelez les fonds avant."
    return "La trésorerie suffit, même si tout est utilisé."
