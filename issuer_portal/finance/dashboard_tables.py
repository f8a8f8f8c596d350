"""The lists behind finance's dashboards of what is owed and of the cash it will take."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from flask import url_for

from voucher.kernel.calendar import french_month
from voucher.reporting.ageing import NamedDebt, StructureAge
from voucher.reporting.cash_forecast import Cash
from voucher.reporting.cash_rules import SCENARIO_WORDS
from voucher.reporting.debts import AGES, STATE_WORDS, DebtState
from voucher.reporting.redemption_rows import RedemptionRow
from voucher.web.tables import Column, Kind, Table

StateAges = tuple[DebtState, tuple[int, ...]]


def _state_age(rank: int) -> Column[StateAges]:
    age = AGES[rank]
    return Column(
        age.key,
        age.label,
        Kind.EUROS,
        lambda row: row[1][rank],
        is_summed=True,
        link=lambda row: url_for("finance.debts", etat=row[0], age=age.key) if row[1][rank] else None,
        link_label=lambda row: f"{STATE_WORDS[row[0]][0].lower()}, {age.label.lower()}",
    )


OWED_BY_STATE = Table(
    "Ce qui est dû, par état",
    (
        Column[StateAges]("state", "État", value=lambda row: STATE_WORDS[row[0]][0]),
        Column("definition", "Définition", value=lambda row: STATE_WORDS[row[0]][1], under="state"),
        *(_state_age(rank) for rank in range(len(AGES))),
        Column(
            "total",
            "Total",
            Kind.EUROS,
            lambda row: sum(row[1]),
            is_summed=True,
            link=lambda row: url_for("finance.debts", etat=row[0]),
            link_label=lambda row: STATE_WORDS[row[0]][0].lower(),
        ),
    ),
    part="etats",
    file_name="balance-agee-par-etat",
)


def owed_by_structure(wanted: Mapping[str, str]) -> Table[StructureAge]:
    """Return the aged balance by structure; each figure leads to its debts, filtered as the list is."""
    kept: dict[str, Any] = {name: wanted.get(name) or None for name in ("etat", "convention")}

    def of_age(rank: int) -> Column[StructureAge]:
        age = AGES[rank]
        return Column(
            "old" if rank == len(AGES) - 1 else age.key,
            age.label,
            Kind.EUROS,
            lambda row: row.cents[rank],
            is_sorted=rank == len(AGES) - 1,
            is_summed=True,
            link=lambda row: (
                url_for("finance.debts", structure=row.pivot, age=age.key, **kept) if row.cents[rank] else None
            ),
            link_label=lambda row: f"{row.name}, {age.label.lower()}",
        )

    return Table(
        "Ce qui est dû, par structure",
        (
            Column[StructureAge]("name", "Structure", is_sorted=True),
            Column("pivot", "SIRET ou RNA", under="name"),
            *(of_age(rank) for rank in range(len(AGES))),
            Column(
                "total",
                "Total",
                Kind.EUROS,
                lambda row: row.total_cents,
                is_sorted=True,
                is_summed=True,
                link=lambda row: url_for("finance.debts", structure=row.pivot, age=wanted.get("age") or None, **kept),
                link_label=lambda row: row.name,
            ),
        ),
        default_sort="-total",
        filters=("etat", "age", "convention", "structure"),
        one="structure",
        file_name="balance-agee",
    )


def _detail(row: NamedDebt) -> str:
    if row.debt.advice_id:
        return f"Règlement {row.debt.reference}"
    return "Les encaissements" if row.debt.state is DebtState.NOT_FROZEN else "Les contestations"


def _detail_url(row: NamedDebt) -> str:
    if row.debt.advice_id:
        return url_for("finance.advice_page", advice_id=row.debt.advice_id)
    if row.debt.state is DebtState.NOT_FROZEN:
        return url_for("finance.redemptions", structure=row.pivot, convention=row.agreement_number, age=row.age.key)
    return url_for("finance.disputes", structure=row.pivot)


DEBTS = Table(
    "Ce qui est dû",
    (
        Column[NamedDebt]("structure_name", "Structure"),
        Column("pivot", "SIRET ou RNA", under="structure_name"),
        Column("agreement_number", "Convention"),
        Column("state", "État", value=lambda row: STATE_WORDS[row.debt.state][0]),
        Column("since", "Depuis le", Kind.DAY, lambda row: row.debt.since),
        Column("days", "Jours", Kind.COUNT, is_sorted=True),
        Column("amount", "Montant", Kind.EUROS, lambda row: row.debt.amount_cents, is_sorted=True, is_summed=True),
        Column(
            "detail",
            "Le détail",
            value=_detail,
            link=_detail_url,
            link_label=lambda row: f"{row.structure_name}, {row.age.label.lower()}",
        ),
    ),
    default_sort="-days",
    filters=("etat", "age", "convention", "structure"),
    one="ligne",
    file_name="dettes",
)
REDEMPTIONS = Table(
    "Encaissements",
    (
        Column[RedemptionRow]("at", "Encaissé le", Kind.INSTANT, lambda row: row.redeemed_at, is_sorted=True),
        Column("structure_name", "Structure"),
        Column("place_name", "Lieu"),
        Column("agreement_number", "Convention"),
        Column("voucher_count", "Chèques", Kind.COUNT, is_summed=True),
        Column("amount", "Montant", Kind.EUROS, lambda row: row.amount_cents, is_sorted=True, is_summed=True),
    ),
    default_sort="at",
    filters=("du", "au", "age", "convention", "structure"),
    one="encaissement",
)


@dataclass(frozen=True, slots=True)
class CashRow:
    """A month of a scenario of an agreement, or what is in no month of it; cents."""

    agreement_number: str
    scenario: str
    month: str
    _: KW_ONLY
    used_cents: int | None
    paid_cents: int
    received_cents: int
    cash_cents: int | None


CASH = Table(
    "Prévision de trésorerie",
    (
        Column[CashRow]("agreement_number", "Convention"),
        Column("scenario", "Scénario"),
        Column("month", "Mois"),
        Column("used_cents", "Utilisation prévue", Kind.EUROS),
        Column("paid_cents", "Paiement prévu", Kind.EUROS),
        Column("received_cents", "Recette prévue", Kind.EUROS),
        Column("cash_cents", "Trésorerie à la fin", Kind.EUROS),
    ),
    filters=("convention", "scenario"),
)


def cash_rows(found: Cash) -> list[CashRow]:
    """Return all months of all scenarios of each agreement, then what is in no month."""
    months = [
        CashRow(
            agreement.number,
            SCENARIO_WORDS[scenario][0],
            "ensuite" if month.first is None else french_month(month.first),
            used_cents=month.used_cents,
            paid_cents=month.paid_cents,
            received_cents=month.received_cents,
            cash_cents=month.cash_cents,
        )
        for agreement in found.agreements
        for scenario, forecast in agreement.forecasts.items()
        for month in forecast.months
    ]
    apart = [
        CashRow(
            agreement.number,
            SCENARIO_WORDS[scenario][0],
            name,
            used_cents=None,
            paid_cents=paid_cents,
            received_cents=received_cents,
            cash_cents=None,
        )
        for agreement in found.agreements
        for scenario, forecast in agreement.forecasts.items()
        for name, paid_cents, received_cents in (
            ("aucun : dette bloquée", forecast.blocked_cents, 0),
            ("aucun : appel en retard", 0, forecast.late_cents),
        )
        if paid_cents or received_cents
    ]
    return months + apart
