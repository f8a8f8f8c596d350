"""Mettre un règlement de côté: take one structure out of a batch that has not left yet.

The way out when a RIB changed after the freeze, or a structure was suspended: the money stays owed to it (4670), whole again if
a part was netted, and the next batch takes it up with the details of that moment. The total is another one, so an approval already given is withdrawn.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import case, select, update

from voucher.kernel.calendar import not_before
from voucher.kernel.clean_input import required_text
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Case, Dimension, EventType, movements_of
from voucher.ledger.post import Event, post
from voucher.settlement.batches.deputies import refuse_if_deputy
from voucher.settlement.batches.find_batch import batch_row, unknown_batch
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.states import Cause, change
from voucher.settlement.recoveries.net_overpayments import restore_netted
from voucher.settlement.words.states import AdviceState, BatchState
from voucher.settlement.words.transitions import PaymentWhy


def set_aside(
    database: Database, advice_id: UUID, reason: str, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Hold one advice of a frozen or approved batch; again, it changes nothing. Raises Refused; a reason is required.

    A batch that loses its last payment is closed.
    """
    why = required_text(reason, "reason", 200)
    with database.write() as session:
        refuse_if_deputy(session, by=by, now=now)
        advice = session.execute(
            select(*PaymentAdvice.__table__.columns).where(PaymentAdvice.id == advice_id)
        ).one_or_none()
        batch = None if advice is None else batch_row(session, advice.batch_id, issuer_id, lock=True)
        if advice is None or batch is None:
            raise unknown_batch()
        cause = Cause(why=PaymentWhy.SET_ASIDE, by=by, at=now, reason=why, batch_id=batch.id)
        if not change(session, [advice_id], AdviceState.DUE, AdviceState.HELD, cause):
            # Asked again now that the batch is held: another may have done it while we waited.
            if session.scalar(select(PaymentAdvice.is_payable).where(PaymentAdvice.id == advice_id)) is False:
                return
            raise Refused("already_sent", "Ce règlement est déjà transmis. Il ne peut plus être mis de côté.")
        restored_cents = restore_netted(session, advice_id, advice.structure_id, by=by, now=now)
        if restored_cents:
            session.execute(
                update(PaymentAdvice)
                .where(PaymentAdvice.id == advice_id)
                .values(amount_cents=PaymentAdvice.amount_cents + restored_cents)
                .execution_options(synchronize_session=False)
            )
        is_last = batch.advice_count == 1
        session.execute(
            update(SettlementBatch)
            .where(SettlementBatch.id == batch.id)
            .values(
                advice_count=SettlementBatch.advice_count - 1,
                total_cents=SettlementBatch.total_cents - advice.amount_cents,
                state=case((SettlementBatch.advice_count == 1, BatchState.CLOSED), else_=BatchState.FROZEN),
                closed_at=not_before(now, batch.frozen_at) if is_last else None,
                approved_by=None,
                approved_at=None,
                approved_as_id=None,
            )
            .execution_options(synchronize_session=False)
        )
        event = Event(
            EventType.ADVICE_SET_ASIDE, advice_id, now, f"Lot {batch.number} : règlement {advice.reference}", by
        )
        of = {Dimension.AGREEMENT: batch.agreement_id, Dimension.STRUCTURE: advice.structure_id}
        ordered = movements_of(event.event_type, of, {advice.structure_id: advice.amount_cents})
        restored = movements_of(event.event_type, of, {advice.structure_id: restored_cents}, Case.NETTED)
        post(session, event, [*ordered, *restored])
