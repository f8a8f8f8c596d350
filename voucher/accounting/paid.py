"""Which uses were paid at the end of a day: a structure's uses of a period follow the payment that carries them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.calendar import end_of_day
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import AdviceLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.recoveries import Recovery
from voucher.settlement.words.states import AdviceState, LineNature

Source = tuple[UUID, UUID]
"""A period and a structure."""

_PAYS = (EventType.TRANSFER_BOOKED, EventType.DEBIT_IDENTIFIED)
_RETURNS = (EventType.TRANSFER_RETURNED, EventType.CREDIT_IDENTIFIED)


@dataclass(frozen=True, slots=True)
class SettledParts:
    """What was settled at the end of a day: the payment that paid each source; the one that carries each of the others; what
    overpayments compensate of these, in cents."""

    paid: Mapping[Source, UUID]
    carried_by: Mapping[Source, UUID]
    netted_cents: Mapping[UUID, int]


def settled_parts(session: Session, agreement_id: UUID, day: date) -> SettledParts:
    """Return what was settled of an agreement at the end of a day, by the books of that day."""
    end = end_of_day(day)
    advices = {
        row.id: row
        for row in session.execute(
            select(PaymentAdvice.id, PaymentAdvice.structure_id, PaymentAdvice.state, SettlementBatch.frozen_at)
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .where(SettlementBatch.agreement_id == agreement_id, SettlementBatch.frozen_at < end)
        )
    }
    booked = _booked(session, agreement_id, day)
    sources: dict[UUID, list[Source]] = {}
    takers: dict[UUID, UUID] = {}
    rows = session.execute(
        select(AdviceLine.advice_id, AdviceLine.nature, AdviceLine.source_id, AdviceLine.structure_id)
        .join(PaymentAdvice, PaymentAdvice.id == AdviceLine.advice_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(SettlementBatch.agreement_id == agreement_id, SettlementBatch.frozen_at < end)
    )
    for row in rows:
        if row.nature == LineNature.PERIOD:
            sources.setdefault(row.advice_id, []).append((row.source_id, row.structure_id))
        elif row.nature == LineNature.CARRIED_OVER:
            takers[row.source_id] = row.advice_id
    paid: dict[Source, UUID] = {}
    carried_by: dict[Source, UUID] = {}
    for advice_id, own in sources.items():
        chain = _chain(advice_id, takers)
        payer = next((one for one in chain if booked.get(one, 0) > 0), None)
        if payer is None and advices[chain[-1]].state == AdviceState.SETTLED:
            payer = chain[-1]
        if payer is not None:
            paid |= dict.fromkeys(own, payer)
        else:
            carried_by |= dict.fromkeys(own, chain[-1])
    netted_cents: dict[UUID, int] = {}
    for advice_id, cents in _netted(session, agreement_id, end).items():
        last = _chain(advice_id, takers)[-1]
        netted_cents[last] = netted_cents.get(last, 0) + cents
    return SettledParts(paid, carried_by, netted_cents)


def _chain(advice_id: UUID, takers: Mapping[UUID, UUID]) -> list[UUID]:
    """Return a payment and those that took it up, one after the other."""
    chain = [advice_id]
    while (taker := takers.get(chain[-1])) is not None:
        chain.append(taker)
    return chain


def _booked(session: Session, agreement_id: UUID, day: date) -> Mapping[UUID, int]:
    """Return, by payment, how many times it was paid less how many times it came back, in entries that took effect by that day."""
    reversal = aliased(Entry)
    sign = case((Entry.event_type.in_(_PAYS), 1), else_=-1)
    stands = case((and_(reversal.id.is_not(None), reversal.effective_on <= day), 0), else_=sign)
    rows = session.execute(
        select(BankMatch.advice_id, func.sum(stands))
        .join(Entry, and_(Entry.event_id == BankMatch.id, Entry.event_type.in_((*_PAYS, *_RETURNS))))
        .outerjoin(reversal, reversal.reverses_id == Entry.id)
        .join(PaymentAdvice, PaymentAdvice.id == BankMatch.advice_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(SettlementBatch.agreement_id == agreement_id, Entry.effective_on <= day)
        .group_by(BankMatch.advice_id)
    )
    return {advice_id: int(times) for advice_id, times in rows if advice_id is not None}


def _netted(session: Session, agreement_id: UUID, end: datetime) -> dict[UUID, int]:
    """Return what overpayments compensate of each payment that was not paid yet, in cents."""
    rows = session.execute(
        select(Recovery.advice_id, func.sum(Recovery.amount_cents))
        .join(PaymentAdvice, PaymentAdvice.id == Recovery.advice_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(
            SettlementBatch.agreement_id == agreement_id,
            Recovery.recovered_at < end,
            (Recovery.cancelled_at.is_(None)) | (Recovery.cancelled_at >= end),
        )
        .group_by(Recovery.advice_id)
    )
    return {advice_id: int(cents) for advice_id, cents in rows if advice_id is not None}
