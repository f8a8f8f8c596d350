"""What looks unusual in a batch that is frozen and has not left: the same signs as before the freeze, for who approves and sends it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.database import Database
from voucher.network.model import Structure
from voucher.settlement.batches.anomalies import Anomaly, anomalies_of
from voucher.settlement.model.batches import AdviceLine, PaymentAdvice, SettlementBatch
from voucher.settlement.payable.owed import Carried, Owed
from voucher.settlement.payable.payment_history import taken_up_from
from voucher.settlement.words.states import AdviceState, LineNature


def batch_anomalies(database: Database, batch_id: UUID, *, now: datetime) -> tuple[Anomaly, ...]:
    """Return what looks unusual in the payments of a batch that wait to leave; none once it left."""
    with database.read() as session:
        owed = _ordered(session, batch_id)
        if not owed:
            return ()
        batch = session.get_one(SettlementBatch, batch_id)
        return tuple(anomalies_of(session, batch.agreement_id, batch.period_id, owed, now, batch_id=batch_id))


def _ordered(session: Session, batch_id: UUID) -> list[Owed]:
    """Return what a batch pays and has not sent, as it was owed, to the accounts that were frozen."""
    waits = (PaymentAdvice.batch_id == batch_id, PaymentAdvice.state == AdviceState.DUE)
    lines = session.execute(
        select(AdviceLine.advice_id, AdviceLine.amount_cents, AdviceLine.voucher_count)
        .join(PaymentAdvice, PaymentAdvice.id == AdviceLine.advice_id)
        .where(*waits, AdviceLine.nature == LineNature.PERIOD)
    )
    period = {advice_id: (cents, vouchers) for advice_id, cents, vouchers in lines}
    carried = _carried(session, batch_id)
    rows = session.execute(
        select(
            PaymentAdvice.id,
            PaymentAdvice.structure_id,
            Structure.name,
            Structure.pivot,
            PaymentAdvice.holder_name,
            PaymentAdvice.iban,
            PaymentAdvice.bic,
            PaymentAdvice.due_on,
            PaymentAdvice.amount_cents,
        )
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .where(*waits)
        .order_by(Structure.name)
    )
    return [
        Owed(
            structure_id=row.structure_id,
            name=row.name,
            pivot=row.pivot,
            period_cents=period.get(row.id, (0, 0))[0],
            period_voucher_count=period.get(row.id, (0, 0))[1],
            carried=tuple(carried.get(row.id, ())),
            holder_name=row.holder_name,
            iban=row.iban,
            bic=row.bic,
            cause=None,
            due_on=row.due_on,
            gross_cents=row.amount_cents,
            netted=(),
        )
        for row in rows
    ]


def _carried(session: Session, batch_id: UUID) -> dict[UUID, list[Carried]]:
    """Return what each advice of a batch took up, in the state from which it took it."""
    taker, source, before = aliased(PaymentAdvice), aliased(PaymentAdvice), aliased(SettlementBatch)
    rows = session.execute(
        select(
            AdviceLine.advice_id,
            source.id,
            source.structure_id,
            before.number,
            source.amount_cents,
            source.voucher_count,
            taken_up_from(source).label("state"),
            source.state_reason,
            source.iban,
            source.due_on,
        )
        .join(taker, taker.id == AdviceLine.advice_id)
        .join(source, source.id == AdviceLine.source_id)
        .join(before, before.id == source.batch_id)
        .where(
            taker.batch_id == batch_id,
            taker.state == AdviceState.DUE,
            AdviceLine.nature == LineNature.CARRIED_OVER,
        )
        .order_by(before.frozen_at)
    )
    found: dict[UUID, list[Carried]] = {}
    for row in rows:
        one = Carried(
            advice_id=row.id,
            structure_id=row.structure_id,
            batch_number=row.number,
            amount_cents=row.amount_cents,
            voucher_count=row.voucher_count,
            state=row.state,
            state_reason=row.state_reason,
            iban=row.iban,
            due_on=row.due_on,
        )
        found.setdefault(row.advice_id, []).append(one)
    return found
