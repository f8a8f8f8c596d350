"""Reprendre un encaissement déjà dans un lot: what the structure received, or is about to, is an overpayment (4671).

The funders owe nothing any more for it, in the very parts that its own entry called. It is netted from the structure's next
advices of the same agreement (`net_overpayments`), and claimed by a revenue order when that takes too long (`revenue_order`).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert
from sqlalchemy.orm import Session

from voucher.kernel.calendar import not_before
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart import EventType
from voucher.ledger.post import Event, post
from voucher.redemption.reverse import Reversal
from voucher.settlement.model.recoveries import Overpayment


def claw_back(
    session: Session, dispute: Row[*tuple[Any, ...]], reversal: Reversal, narration: str, *, by: UUID, now: datetime
) -> UUID:
    """Record what a structure owes back for an upheld dispute, with its entry; return the overpayment's id."""
    overpayment_id = new_id()
    session.execute(
        insert(Overpayment).values(
            id=overpayment_id,
            dispute_id=dispute.id,
            redemption_id=dispute.redemption_id,
            agreement_id=dispute.agreement_id,
            structure_id=dispute.structure_id,
            amount_cents=dispute.amount_cents,
            recovered_cents=0,
            decided_at=not_before(now, dispute.opened_at),
            decided_by=by,
        )
    )
    event = Event(EventType.REDEMPTION_CLAWED_BACK, overpayment_id, now, narration, by)
    post(session, event, reversal.movements(event.event_type))
    return overpayment_id
