"""A transfer that the bank refused, then debited all the same: the booked line is what counts (ADR 7).

The rejection is withdrawn, the money is in transit again, and the line pays it as any other. Were it left aside, the next batch
would pay the structure a second time.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from voucher.kernel.database import among
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post_event
from voucher.settlement.model import AdviceState, PaymentAdvice, SettlementBatch


def hold_rejected(session: Session, references: Sequence[str]) -> None:
    """Keep the rejected advices of these references from being taken up by a batch until the end of the transaction."""
    session.execute(
        select(PaymentAdvice.id)
        .where(among(session, PaymentAdvice.reference, references), PaymentAdvice.state == AdviceState.REJECTED)
        .order_by(PaymentAdvice.id)
        .with_for_update()
    )


def withdraw_rejections(session: Session, advice_ids: Sequence[UUID], *, by: UUID, now: datetime) -> None:
    """Put those of these advices that are rejected back in transit (4670 to 5115); the caller has a debit that pays each."""
    withdrawn = session.execute(
        update(PaymentAdvice)
        .where(PaymentAdvice.id.in_(advice_ids), PaymentAdvice.state == AdviceState.REJECTED)
        .values(state=AdviceState.IN_FILE, state_reason="")
        .returning(
            PaymentAdvice.id,
            PaymentAdvice.batch_id,
            PaymentAdvice.structure_id,
            PaymentAdvice.reference,
            PaymentAdvice.amount_cents,
        )
        .execution_options(synchronize_session=False)
    ).all()
    for advice in withdrawn:
        agreement_id = session.execute(
            select(SettlementBatch.agreement_id).where(SettlementBatch.id == advice.batch_id)
        ).scalar_one()
        event = Event(EventType.REJECTION_WITHDRAWN, advice.id, now, f"Virement {advice.reference}", by)
        dimensions = {Dimension.AGREEMENT: agreement_id, Dimension.STRUCTURE: advice.structure_id}
        post_event(session, event, dimensions, {advice.structure_id: advice.amount_cents})
