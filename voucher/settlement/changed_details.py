"""What changed since a batch was frozen: a payment never leaves to an account that two people did not see."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from voucher.network.model import BankDetails, Structure, StructureState
from voucher.settlement.model import AdviceState, PaymentAdvice, PaymentHold, SettlementBatch


@dataclass(frozen=True, slots=True)
class ChangedDetails:
    """An advice still to pay whose structure changed its RIB, was suspended or blocked, since the batch was frozen."""

    advice_id: UUID
    reference: str
    structure_name: str
    amount_cents: int
    sentence: str


def changed_details(session: Session, batch_id: UUID) -> list[ChangedDetails]:
    """Return the advices of a batch that cannot leave as they were frozen, by structure."""
    is_blocked = exists().where(
        PaymentHold.structure_id == PaymentAdvice.structure_id,
        PaymentHold.lifted_at.is_(None),
        or_(PaymentHold.agreement_id.is_(None), PaymentHold.agreement_id == SettlementBatch.agreement_id),
    )
    rows = session.execute(
        select(
            PaymentAdvice.id,
            PaymentAdvice.reference,
            Structure.name,
            PaymentAdvice.amount_cents,
            Structure.state,
            is_blocked,
        )
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .outerjoin(BankDetails, and_(BankDetails.structure_id == Structure.id, BankDetails.ended_at.is_(None)))
        .where(
            PaymentAdvice.batch_id == batch_id,
            PaymentAdvice.state == AdviceState.DUE,
            or_(
                Structure.state == StructureState.SUSPENDED,
                is_blocked,
                BankDetails.iban.is_distinct_from(PaymentAdvice.iban),
                BankDetails.holder_name.is_distinct_from(PaymentAdvice.holder_name),
                BankDetails.bic.is_distinct_from(PaymentAdvice.bic),
            ),
        )
        .order_by(Structure.name)
    )
    return [ChangedDetails(*row[:4], _sentence(row.state, row[5])) for row in rows]


def _sentence(state: str, is_blocked: bool) -> str:
    if state == StructureState.SUSPENDED:
        return "La structure a été suspendue depuis l’arrêt du lot."
    if is_blocked:
        return "Le paiement de la structure a été bloqué depuis l’arrêt du lot."
    return "Le RIB de la structure a changé depuis l’arrêt du lot."
