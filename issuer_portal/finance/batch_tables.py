"""The lists of batches, of what a batch would freeze, and of the payments of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from flask import url_for

from voucher.settlement.batches.read import BatchLine
from voucher.settlement.batches.read_advices import AdviceRow
from voucher.settlement.payable.owed import Owed
from voucher.settlement.payable.why_waiting import WaitingAdvice
from voucher.settlement.reports.read_payees import PayeeCheck
from voucher.settlement.words.labels import CHANNELS
from voucher.settlement.words.payment_sentences import Said
from voucher.web.tables import Column, Kind, Table, state_column
from voucher.web.tags import ADVICE_TAGS, BATCH_TAGS, PAYEE_TAGS

BATCHES = Table(
    "Lots de règlement",
    (
        Column[BatchLine]("number", "Lot", is_sorted=True, link=lambda row: url_for("finance.batch", batch_id=row.id)),
        Column("agreement_name", "Convention"),
        Column("issuer_name", "Collectivité", under="agreement_name"),
        Column("channel", "Circuit", value=lambda row: CHANNELS[row.channel]),
        state_column("state", "État", BATCH_TAGS, lambda row: row.state),
        Column("advice_count", "Règlements", Kind.COUNT, is_summed=True),
        Column("paid_count", "Payés", Kind.COUNT, is_summed=True),
        Column(
            "failed_count",
            "Refusés",
            Kind.COUNT,
            is_summed=True,
            under="state",
            hides_zero=True,
            tag=lambda _: "danger",
        ),
        Column(
            "held_count", "En attente", Kind.COUNT, is_summed=True, under="state", hides_zero=True, tag=lambda _: "warn"
        ),
        Column("total", "Total", Kind.EUROS, lambda row: row.total_cents, is_sorted=True, is_summed=True),
        Column("frozen_at", "Arrêté le", Kind.INSTANT, is_sorted=True),
    ),
    default_sort="-frozen_at",
    filters=("etat", "lot"),
    one="lot",
)


def payable_cents(row: Owed) -> int:
    """Return what a batch would pay to a structure: nothing while it waits."""
    return row.amount_cents if row.is_payable else 0


def _why_not(row: Owed) -> str:
    return "" if row.is_payable else "Soldée" if row.is_settled else "En attente"


TO_FREEZE = Table(
    "Ce qui est dû à chaque structure",
    (
        Column[Owed]("name", "Structure", is_sorted=True),
        Column("pivot", "SIRET ou RNA"),
        Column("voucher_count", "Chèques", Kind.COUNT, is_summed=True),
        Column("period_cents", "Encaissé", Kind.EUROS, is_summed=True),
        Column(
            "carried_cents",
            "Repris d’avant",
            Kind.EUROS,
            lambda row: row.gross_cents - row.period_cents,
            is_summed=True,
        ),
        Column("netted_cents", "Retenu", Kind.EUROS, is_summed=True),
        Column("amount", "À payer", Kind.EUROS, payable_cents, is_sorted=True, is_summed=True),
        Column(
            "state",
            "Part dans ce lot",
            Kind.TAG,
            _why_not,
            tag=lambda row: "success" if row.is_settled else "warn",
            under="amount",
        ),
        Column("why_held", "Pourquoi en attente", under="name"),
    ),
    default_sort="name",
    one="structure",
)


@dataclass(frozen=True, slots=True)
class ToldAdvice:
    """A payment of a list, and what is said of it."""

    row: AdviceRow
    said: Said


def advices_of_batch(
    waits: Mapping[UUID, WaitingAdvice], payees: Mapping[UUID, PayeeCheck], announced: Mapping[UUID, bool]
) -> Table[ToldAdvice]:
    """Return the list of a batch's payments, with what the bank says of them and where they stand."""

    def name_sentence(one: ToldAdvice) -> str:
        found = payees.get(one.row.id)
        return "" if found is None or found.is_match else found.sentence

    def next_act(one: ToldAdvice) -> str:
        return one.said.next_for_office if one.row.id in waits else ""

    return Table(
        "Règlements du lot",
        (
            Column[ToldAdvice](
                "structure",
                "Structure",
                value=lambda one: one.row.structure_name,
                is_sorted=True,
                link=lambda one: url_for("finance.advice_page", advice_id=one.row.id),
            ),
            Column("pivot", "SIRET", value=lambda one: one.row.pivot, under="structure"),
            Column("reference", "Référence", value=lambda one: one.row.reference),
            state_column("state", "État", ADVICE_TAGS, lambda one: one.row.state),
            Column(
                "payee",
                "Contrôle du nom",
                Kind.TAG,
                lambda one: PAYEE_TAGS[payees[one.row.id].code][0] if one.row.id in payees else "",
                tag=lambda one: PAYEE_TAGS[payees[one.row.id].code][1],
                under="state",
            ),
            Column(
                "announced",
                "Doublon",
                Kind.TAG,
                lambda one: "Doublon annoncé" if one.row.id in announced else "",
                tag=lambda one: "warn" if announced[one.row.id] else "neutral",
                under="state",
            ),
            Column("payee_sentence", "Nom du titulaire, selon la banque", value=name_sentence, under="state"),
            Column("sentence", "Où en est-on", value=lambda one: one.said.sentence, under="state"),
            Column("next_act", "Qui doit agir, et quoi faire", value=next_act, under="state"),
            Column("paid_on", "Payé le", Kind.DAY, lambda one: one.row.paid_on, under="reference"),
            Column("voucher_count", "Chèques", Kind.COUNT, lambda one: one.row.voucher_count, is_summed=True),
            Column("amount", "Montant", Kind.EUROS, lambda one: one.row.amount_cents, is_sorted=True, is_summed=True),
        ),
        default_sort="structure",
        filters=("etat", "structure"),
        one="règlement",
    )
