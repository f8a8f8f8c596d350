"""Finance's dashboards of what is owed and what cash it will take; each figure leads to its rows."""

from functools import partial

from flask import render_template, request
from werkzeug.wrappers import Response

from issuer_portal.finance.dashboard_tables import CASH, DEBTS, OWED_BY_STATE, REDEMPTIONS, cash_rows, owed_by_structure
from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.rules import Role
from voucher.kernel.calendar import french_month
from voucher.kernel.money import format_euros
from voucher.reporting import rejects
from voucher.reporting.ageing import Ageing, ageing
from voucher.reporting.cash_forecast import cash, window_days
from voucher.reporting.cash_rules import SCENARIO_WORDS, CashForecast, Scenario
from voucher.reporting.debts import AGES, STATE_WORDS
from voucher.reporting.redemption_rows import redemption_rows, redemption_sums
from voucher.reporting.timeline import timeline
from voucher.settlement.deadlines.payment_deadlines import late_now
from voucher.web import charts
from voucher.web.access import staff, viewer
from voucher.web.filters import euros
from voucher.web.services import services
from voucher.web.tables import drawn, list_file, read_listing, rows_reader, whole

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
    table = owed_by_structure(request.args)
    listing = read_listing(request.args, table)
    found = ageing(here.database, now=here.now(), issuer_id=scope())
    kept = found.kept(listing.asked.filters)
    states = whole(list(found.matrix().items()))
    find = rows_reader(
        kept.by_structure(),
        {
            "name": lambda row: row.name.casefold(),
            "total": lambda row: row.total_cents,
            "old": lambda row: row.cents[-1],
        },
        lambda row: (str(row.structure_id),),
    )
    if listing.wants_file:
        is_states = listing.part == OWED_BY_STATE.part
        return list_file(OWED_BY_STATE, listing, states) if is_states else list_file(table, listing, find)
    return render_template(
        "finance/owed.html",
        listing=listing,
        counts=late_now(here.database, here.now(), issuer_id=scope()),
        found=found,
        by_state=drawn(OWED_BY_STATE, listing, states),
        lines=drawn(table, listing, find),
        chart=_ageing_chart(found),
        age_choices=AGE_CHOICES,
        state_choices=STATE_CHOICES,
    )


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
    listing = read_listing(request.args, DEBTS)
    found = ageing(here.database, now=here.now(), issuer_id=scope()).kept(listing.asked.filters)
    find = rows_reader(
        found.debts,
        {"days": lambda row: row.days, "amount": lambda row: row.debt.amount_cents},
        lambda row: (row.structure_name, row.agreement_number, row.debt.state, row.debt.reference, str(row.debt.since)),
    )
    if listing.wants_file:
        return list_file(DEBTS, listing, find)
    return render_template(
        "finance/debts.html",
        listing=listing,
        lines=drawn(DEBTS, listing, find),
        total_cents=found.total_cents,
        age_choices=AGE_CHOICES,
        state_choices=STATE_CHOICES,
    )


@blueprint.get("/tableau-de-bord/encaissements")
@staff(*READERS, deputies=True)
def redemptions() -> str | Response:
    """List redemptions: those that no batch holds, or those of some days."""
    here = services()
    listing = read_listing(request.args, REDEMPTIONS)
    find = partial(redemption_rows, here.database, now=here.now(), issuer_id=scope())
    if listing.wants_file:
        return list_file(REDEMPTIONS, listing, find)
    vouchers, cents = redemption_sums(here.database, listing.asked.filters, now=here.now(), issuer_id=scope())
    return render_template(
        "finance/redemptions.html",
        listing=listing,
        lines=drawn(REDEMPTIONS, listing, find, totals={"voucher_count": vouchers, "amount": cents}),
        total_cents=cents,
        age_choices=AGE_CHOICES,
        is_open="du" not in listing.filters and "au" not in listing.filters,
    )


@blueprint.get("/tableau-de-bord/tresorerie")
@staff(*READERS, deputies=True)
def cash_page() -> str | Response:
    """Show what cash comes and goes until the vouchers are no longer valid, in three scenarios."""
    here = services()
    listing = read_listing(request.args, CASH)
    every = cash(here.database, now=here.now(), issuer_id=scope())
    found = every.kept(listing.filters.get("convention", ""))
    if listing.wants_file:
        return list_file(CASH, listing, whole(cash_rows(found)))
    asked = listing.filters.get("scenario")
    scenario = Scenario(asked) if asked in set(Scenario) else Scenario.EXPECTED
    forecasts = {one: found.of(one) for one in Scenario}
    return render_template(
        "finance/cash.html",
        listing=listing,
        found=found,
        facts=[agreement.facts for agreement in found.agreements],
        forecast=forecasts[scenario],
        chart=_cash_chart(forecasts) if found.agreements else None,
        scenario=scenario,
        words=SCENARIO_WORDS,
        choices=SCENARIO_CHOICES,
        agreements=[(agreement.number, f"{agreement.number}, {agreement.name}") for agreement in every.agreements],
        windows=[window_days(found.today, rank) for rank in range(3)],
        may_read_ledger=viewer().may(Role.AUDITOR, Role.PROGRAMME) or scope() is None,
    )


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
