"""What must be true of the RIBs that payments went to: confirmed before they were frozen, by another than who approved them."""

from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.network.model import BankDetails, Structure
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch

ROWS_MAX = 100
CLOCKS_MAX = timedelta(days=1)

_SAME_ACCOUNT = and_(
    BankDetails.structure_id == PaymentAdvice.structure_id,
    BankDetails.iban == PaymentAdvice.iban,
    BankDetails.holder_name == PaymentAdvice.holder_name,
    BankDetails.bic.is_not_distinct_from(PaymentAdvice.bic),
)


@cache
def _query_payments_go_to_confirmed_ribs() -> Select[*tuple[Any, ...]]:
    # Clocks of several machines may disagree by some hours: only what is past doubt is said.
    first = select(func.min(BankDetails.confirmed_at)).where(_SAME_ACCOUNT).scalar_subquery()
    is_confirmed = exists().where(_SAME_ACCOUNT, BankDetails.confirmed_at <= SettlementBatch.frozen_at)
    return (
        select(PaymentAdvice.reference, PaymentAdvice.amount_cents, Structure.name, SettlementBatch.frozen_at, first)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .where(PaymentAdvice.is_payable, ~is_confirmed)
        .order_by(PaymentAdvice.reference)
        .limit(ROWS_MAX)
    )


def check_payments_go_to_confirmed_ribs(session: Session) -> list[Violation]:
    """Un règlement va sur un RIB confirmé avant l’arrêt de son lot."""
    rows = session.execute(_query_payments_go_to_confirmed_ribs())
    return [
        Violation(
            "payments_go_to_confirmed_ribs",
            f"règlement {reference}",
            f"{format_euros(cents)} à {name}, sur un RIB que personne n’avait confirmé",
        )
        for reference, cents, name, frozen_at, confirmed_at in rows
        if confirmed_at is None or confirmed_at > frozen_at + CLOCKS_MAX
    ]


@cache
def _query_who_approves_confirmed_no_rib() -> Select[*tuple[Any, ...]]:
    return (
        select(SettlementBatch.number, PaymentAdvice.reference, Structure.name)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .join(BankDetails, _SAME_ACCOUNT)
        .where(
            PaymentAdvice.is_payable,
            BankDetails.confirmed_by == SettlementBatch.approved_by,
            BankDetails.confirmed_at <= SettlementBatch.approved_at,
            or_(BankDetails.ended_at.is_(None), BankDetails.ended_at > SettlementBatch.approved_at),
        )
        .order_by(SettlementBatch.number, PaymentAdvice.reference)
        .limit(ROWS_MAX)
    )


def check_who_approves_confirmed_no_rib(session: Session) -> list[Violation]:
    """Qui valide un lot n’a confirmé aucun des RIB qu’il paie."""
    rows = session.execute(_query_who_approves_confirmed_no_rib())
    return [
        Violation(
            "who_approves_confirmed_no_rib",
            f"lot {number}",
            f"le règlement {reference} va sur le RIB de {name}, confirmé par qui a validé le lot",
        )
        for number, reference, name in rows
    ]


CHECKS: tuple[Check, ...] = (check_payments_go_to_confirmed_ribs, check_who_approves_confirmed_no_rib)
