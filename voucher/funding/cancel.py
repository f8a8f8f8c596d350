"""Cancel a call that nothing paid: its entries are reversed, and its uses can be called again. Its number stays taken."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from voucher.funding.accounts import account, balance_cents, funder_of, take_funding_turn
from voucher.funding.call import advance_use_of, refuse_closed
from voucher.funding.model import CallKind, CallState, FundsCall, FundsCallUse
from voucher.kernel.database import Database, changed
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Code, EventType
from voucher.ledger.post import Event, entry_of, reverse


def cancel_call(database: Database, call_id: UUID, *, by: UUID, now: datetime, issuer_id: UUID | None = None) -> None:
    """Cancel a call; again, it changes nothing. Raises Refused: something was received, or its advance was used since."""
    with database.write() as session:
        call = session.get(FundsCall, call_id)
        if call is None:
            raise Refused("unknown_call", "Cet appel n’existe pas. Choisissez-le dans la liste.")
        funder_of(session, call.agreement_id, call.funder_id, issuer_id)
        take_funding_turn(session, call.agreement_id, call.funder_id)
        cancelled = (
            update(FundsCall)
            .where(FundsCall.id == call_id, FundsCall.state != CallState.CANCELLED, FundsCall.received_cents == 0)
            .values(state=CallState.CANCELLED, cancelled_at=now, cancelled_by=by)
            .execution_options(synchronize_session=False)
        )
        if changed(session, cancelled) == 0:
            session.refresh(call)
            if call.state == CallState.CANCELLED:
                return
            raise Refused(
                "call_received",
                f"{format_euros(call.received_cents)} ont été reçus pour cet appel. Défaites d’abord leur rapprochement.",
            )
        refuse_closed(session, call.agreement_id, call.funder_id)
        _reverse(session, call, by, now)
        session.execute(delete(FundsCallUse).where(FundsCallUse.call_id == call_id))


def _reverse(session: Session, call: FundsCall, by: UUID, now: datetime) -> None:
    told = []
    if call.kind == CallKind.ADVANCE:
        left_cents = -balance_cents(session, account(Code.ADVANCES, call.agreement_id, call.funder_id))
        if left_cents < call.called_cents:
            raise Refused(
                "advance_used",
                f"De cette avance, {format_euros(call.called_cents - left_cents)} ont déjà servi. Annulez d’abord les appels "
                "qui l’ont utilisée.",
            )
        told.append((EventType.ADVANCE_CALLED, call.id))
    else:
        if call.called_cents:
            told.append((EventType.FUNDS_CALLED, call.id))
        if call.advance_used_cents:
            told.append((EventType.ADVANCE_USED, advance_use_of(call.id)))
    for event_type, event_id in told:
        event = Event(EventType.CALL_CANCELLED, event_id, now, f"Appel annulé {call.reference}", by)
        reverse(session, event, entry_of(session, event_type, event_id))
