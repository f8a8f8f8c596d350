"""One import, match or answer at a time, and the batches that it ends."""

from datetime import datetime

from sqlalchemy import case, exists, update
from sqlalchemy.orm import Session

from voucher.kernel.database import take_turn
from voucher.settlement.batches.write_to_structures import notify_failed
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.words.states import AdviceState, BatchState


def take_bank_turn(session: Session) -> None:
    """Let one transaction at a time change what banks say: imports and matches by hand."""
    take_turn(session, "bank files")


def close_ended_batches(session: Session, now: datetime) -> None:
    """End what a bank changed: close the exported batches of which no payment is awaited any more, and write to the
    structures whose transfer came back.
    """
    notify_failed(session, now)
    awaited = exists().where(
        PaymentAdvice.batch_id == SettlementBatch.id, PaymentAdvice.state.in_((AdviceState.DUE, AdviceState.IN_FILE))
    )
    session.execute(
        update(SettlementBatch)
        .where(SettlementBatch.state == BatchState.EXPORTED, ~awaited)
        .values(
            state=BatchState.CLOSED,
            closed_at=case((SettlementBatch.exported_at > now, SettlementBatch.exported_at), else_=now),
        )
        .execution_options(synchronize_session=False)
    )
