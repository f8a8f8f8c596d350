"""The board's drawings, each with its sentence and its table: funnel, money, map."""

from dataclasses import dataclass, replace

from voucher.kernel.money import thousands
from voucher.programme.territories import REGIONS
from voucher.reporting.coverage import Coverage, RegionCoverage
from voucher.reporting.funnel import STEPS, WORDS, Funnel, Rate, Step
from voucher.reporting.small_cells import SMALL_CELL_MAX
from voucher.reporting.stages import Money
from voucher.web import charts
from voucher.web.filters import euros, percent, plural
from voucher.web.tile_map import tile_map

SMALL = f"moins de {SMALL_CELL_MAX + 1}"
HIDDEN = "masqué"
NOT_COUNTED = "non recensés"


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """An amount of the board, its name and what it means, in cents."""

    name: str
    definition: str
    amount_cents: int


def funnel_chart(found: Funnel) -> charts.Chart:
    """Draw the six steps, with vouchers, euros and the share of what was ordered."""
    chart = charts.funnel(
        "De la commande au paiement",
        _of_hundred(found.handover_rate, "fabriqués", "remis")
        + " "
        + _of_hundred(found.usage_rate, "remis", "utilisés"),
        [charts.Bar(WORDS[step].name, found[step].voucher_count) for step in STEPS],
    )
    ordered = found[Step.ORDERED].voucher_count
    rows = [
        (
            WORDS[step].name,
            thousands(found[step].voucher_count),
            euros(found[step].amount_cents),
            percent(found[step].voucher_count, ordered),
        )
        for step in STEPS
    ]
    heads = ("Chèques", "Euros", "Part des chèques commandés")
    return replace(chart, columns=[{"label": "Étape"}, *({"label": head, "number": True} for head in heads)], rows=rows)


def money_lines(money: Money) -> list[MoneyLine]:
    """Return what is held, then what may be spent, then what is owed, then what was paid."""
    stock, handed_over = money.totals[2], money.totals[3]
    held = (
        []
        if money.bank_cents is None
        else [MoneyLine("En banque", "Ce que tiennent les comptes payeurs, d’après leurs relevés.", money.bank_cents)]
    )
    return [
        *held,
        *(MoneyLine(stage.name, stage.definition, cents) for stage, cents in money.owed),
        MoneyLine("Chez les personnes", "Chèques remis, pas encore utilisés.", handed_over),
        MoneyLine("En stock", "Chèques émis, pas encore remis.", stock),
        MoneyLine("Payé aux structures", "Confirmé par une ligne de la banque.", money.paid_cents),
    ]


def money_chart(money: Money) -> charts.Chart:
    """Draw what is held beside what is owed and what may still be."""
    held = [] if money.bank_cents is None else [charts.Bar("En banque", money.bank_cents)]
    items = [
        *held,
        charts.Bar("Dû aux structures", money.owed_cents),
        charts.Bar("Chez les personnes", money.totals[3]),
        charts.Bar("En stock", money.totals[2]),
    ]
    return charts.bars("Argent tenu, argent dû", _cover(money), items, "Euros", euros)


def coverage_chart(found: Coverage) -> charts.Chart:
    """Draw redemptions by region, with places and the census of 2018 beside."""
    heads = ("Encaissements", "Euros", "Lieux", "En 2018")
    names = {region.code: region.name for region in REGIONS}
    chart = tile_map(
        "Encaissements par région",
        _coverage_sentence(found),
        {row.code: _tile_value(row) for row in found.rows if row.code in names},
        names,
        [{"label": "Région"}, *({"label": head, "number": True} for head in heads)],
        [coverage_cells(row) for row in found.rows],
    )
    return replace(chart, totals=coverage_cells(found.total))


def _tile_value(row: RegionCoverage) -> int | str:
    if row.used is None:
        return f"< {SMALL_CELL_MAX + 1}" if row.is_small else HIDDEN
    return row.used.redemption_count


def coverage_cells(row: RegionCoverage) -> tuple[str, ...]:
    """Return a region's line: a count too small to be shown says so, and hides what would tell it."""
    beside = (
        thousands(row.place_count),
        NOT_COUNTED if row.third_place_count is None else thousands(row.third_place_count),
    )
    if row.used is None:
        return row.name, SMALL if row.is_small else HIDDEN, HIDDEN, *beside
    return row.name, thousands(row.used.redemption_count), euros(row.used.amount_cents), *beside


def _of_hundred(rate: Rate, whole: str, part: str) -> str:
    if not rate.whole_count:
        return f"Aucun chèque n’est encore {whole.removesuffix('s')}."
    return f"Sur 100 chèques {whole}, {round(rate.part_count * 100 / rate.whole_count)} sont {part}."


def _cover(money: Money) -> str:
    if money.bank_cents is None:
        return f"{euros(money.owed_cents)} sont dus ; {euros(money.outstanding_cents)} peuvent encore l’être."
    missing = money.owed_cents - money.bank_cents
    if missing > 0:
        return f"Il manque {euros(missing)} en banque pour payer ce qui est dû."
    if not money.owed_cents and not money.outstanding_cents:
        return "Rien n’est dû, et aucun chèque ne circule."
    left = money.bank_cents - money.owed_cents
    if left >= money.outstanding_cents:
        return "La banque couvre ce qui est dû, et tous les chèques qui peuvent encore être utilisés."
    return (
        f"La banque couvre ce qui est dû. Il faudra encore {euros(money.outstanding_cents - left)} "
        "si tous les chèques sont utilisés."
    )


def _coverage_sentence(found: Coverage) -> str:
    shown = [row for row in found.rows if row.used is not None and row.used.redemption_count]
    if not shown:
        return "Aucun encaissement ne peut être montré pour le moment."
    most = max(shown, key=lambda row: row.used.redemption_count if row.used else 0)
    regions = {region.code for region in REGIONS}
    without = sum(1 for row in found.rows if row.code in regions and row.used and not row.used.redemption_count)
    nothing = (
        f"{plural(without, 'région')} sur {len(regions)} n’en {'ont' if without > 1 else 'a'} aucun. "
        if without
        else ""
    )
    return f"Le plus d’encaissements : {most.name}. {nothing}Chaque petit carré plein vaut un quart de ce maximum."
