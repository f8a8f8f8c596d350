"""Money that a funder sent, or that it gets back, as a bank line says. These functions work inside the transaction of the match.

The line's money waits in 4711 (its bank account's) since it was booked. A receipt takes of it what the call still asks
for; what is beyond stays in 4711, to be identified by another match. A match takes effect on the day the bank booked the line, and
so does what takes it back (ADR 23).

Each takes the funder's turn before it locks a row: a final balance that is being drawn up comes before, or after, never between. The
turn of bank files, where a match holds it, was taken before.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import case, insert, select, update
from sqlalchemy.orm import Session

from voucher.funding.accounts import funder_of, take_funding_turn
from voucher.funding.model import AdvanceRefund, CallState, FundingClose, FundsCall, FundsReceipt
from voucher.kernel.database import changed
from voucher.kernel.idempotency import is_same
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, entry_of, post_event, reverse_on_its_day
from voucher.programme.model import Agreement


@dataclass(frozen=True, slots=True)
class BookedMoney:
    """What a bank line offers: its account, what of it is not identified yet (cents above zero), its day."""

    paying_account_id: UUID
    amount_cents: int
    booked_on: date


def receive_funds(
    session: Session,
    match_id: UUID,
    call_id: UUID,
    line: BookedMoney,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
    part_cents: int | None = None,
) -> int:
    """Let a booked credit pay a call; return the cents taken of it, the rest waits in 4711. The same match again takes the same.

    It takes what it can, or the very part that a person chose, `part_cents`. Raises Refused: unknown call, another bank account, nothing
    more is due on the call, or less than the part.
    """
    earlier = session.execute(select(*FundsReceipt.__table__.columns).where(FundsReceipt.id == match_id)).one_or_none()
    if earlier is not None:
        is_same(earlier.call_id, call_id)
        refuse_undone(earlier.undone_at)
        return int(earlier.amount_cents)
    _take_turn(session, FundsCall, call_id)
    call = session.get(FundsCall, call_id, with_for_update=True)
    if call is None:
        raise Refused("unknown_call", "Cet appel de fonds n’existe pas. Choisissez-le dans la liste.")
    refuse_other_account(session, call.agreement_id, call.funder_id, line, issuer_id)
    due_cents = 0 if call.state == CallState.CANCELLED else call.called_cents - call.received_cents
    taken_cents = min(line.amount_cents, due_cents) if part_cents is None else part_cents
    if due_cents <= 0:
        raise Refused("nothing_due", f"L’appel {call.reference} n’attend plus rien. Choisissez-en un autre.")
    if not 0 < taken_cents <= due_cents:
        raise Refused(
            "beyond_the_call",
            f"L’appel {call.reference} attend {format_euros(due_cents)}. Écrivez cette part, ou moins.",
        )
    session.execute(
        insert(FundsReceipt).values(
            id=match_id,
            call_id=call_id,
            paying_account_id=line.paying_account_id,
            amount_cents=taken_cents,
            booked_on=line.booked_on,
            received_at=now,
            received_by=by,
        )
    )
    if not _change_received(session, call_id, taken_cents):
        raise Refused(
            "call_changed", f"L’appel {call.reference} vient de changer. Rechargez la page, puis recommencez."
        )
    dimensions = {Dimension.AGREEMENT: call.agreement_id, Dimension.BANK_ACCOUNT: line.paying_account_id}
    event = Event(EventType.FUNDS_IDENTIFIED, match_id, now, f"Reçu pour l’appel {call.reference}", by, line.booked_on)
    post_event(session, event, dimensions, {call.funder_id: taken_cents})
    return taken_cents


def undo_receipt(session: Session, match_id: UUID, *, by: UUID, now: datetime) -> None:
    """Take back what a match said: the call is due again, the money waits in 4711 again. Again, it changes nothing.

    Posts MATCH_UNDONE under the match's id. Raises Refused for an unknown match.
    """
    receipt = session.execute(
        select(FundsReceipt.call_id, FundsReceipt.amount_cents).where(FundsReceipt.id == match_id)
    ).one_or_none()
    if receipt is None:
        raise Refused("unknown_match", "Ce rapprochement n’existe pas. Rechargez la page.")
    _take_turn(session, FundsCall, receipt.call_id)
    undone = (
        update(FundsReceipt)
        .where(FundsReceipt.id == match_id, FundsReceipt.undone_at.is_(None))
        .values(undone_at=now, undone_by=by)
    )
    if changed(session, undone) == 0:
        return
    _change_received(session, receipt.call_id, -receipt.amount_cents)
    event = Event(EventType.MATCH_UNDONE, match_id, now, "Rapprochement d’un appel de fonds défait", by)
    reverse_on_its_day(session, event, entry_of(session, EventType.FUNDS_IDENTIFIED, match_id))


def refund_advance(
    session: Session,
    match_id: UUID,
    close_id: UUID,
    line: BookedMoney,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
    part_cents: int | None = None,
) -> int:
    """Let a booked debit give back what remained of an advance; return the cents taken of it. The same match again takes the same.

    It takes what it can, or the very part that people chose, `part_cents`.
    Raises Refused: unknown final balance, another bank account, nothing more to give back.
    """
    earlier = session.execute(
        select(*AdvanceRefund.__table__.columns).where(AdvanceRefund.id == match_id)
    ).one_or_none()
    if earlier is not None:
        is_same(earlier.close_id, close_id)
        refuse_undone(earlier.undone_at)
        return int(earlier.amount_cents)
    _take_turn(session, FundingClose, close_id)
    close = session.get(FundingClose, close_id, with_for_update=True)
    if close is None:
        raise Refused("unknown_close", "Ce décompte final n’existe pas. Choisissez-le dans la liste.")
    agreement = refuse_other_account(session, close.agreement_id, close.funder_id, line, issuer_id)
    due_cents = close.refund_cents - close.refunded_cents
    taken_cents = min(line.amount_cents, due_cents) if part_cents is None else part_cents
    if not 0 < taken_cents <= due_cents:
        raise Refused("nothing_to_refund", "Il n’y a plus rien à rendre à ce financeur. Choisissez-en un autre.")
    session.execute(
        insert(AdvanceRefund).values(
            id=match_id,
            close_id=close_id,
            paying_account_id=line.paying_account_id,
            amount_cents=taken_cents,
            booked_on=line.booked_on,
            refunded_at=now,
            refunded_by=by,
        )
    )
    _change_refunded(session, close_id, taken_cents)
    dimensions = {Dimension.AGREEMENT: close.agreement_id, Dimension.BANK_ACCOUNT: line.paying_account_id}
    narration = f"Avance rendue, {format_euros(taken_cents)}, convention {agreement.number}"
    event = Event(EventType.ADVANCE_REFUNDED, match_id, now, narration, by, line.booked_on)
    post_event(session, event, dimensions, {close.funder_id: taken_cents})
    return taken_cents


def undo_refund(session: Session, match_id: UUID, *, by: UUID, now: datetime) -> None:
    """Take back what a match said of a refund; again, it changes nothing. Posts MATCH_UNDONE. Raises Refused."""
    refund = session.execute(
        select(AdvanceRefund.close_id, AdvanceRefund.amount_cents).where(AdvanceRefund.id == match_id)
    ).one_or_none()
    if refund is None:
        raise Refused("unknown_match", "Ce rapprochement n’existe pas. Rechargez la page.")
    _take_turn(session, FundingClose, refund.close_id)
    undone = (
        update(AdvanceRefund)
        .where(AdvanceRefund.id == match_id, AdvanceRefund.undone_at.is_(None))
        .values(undone_at=now, undone_by=by)
    )
    if changed(session, undone) == 0:
        return
    _change_refunded(session, refund.close_id, -refund.amount_cents)
    event = Event(EventType.MATCH_UNDONE, match_id, now, "Rapprochement d’une avance rendue défait", by)
    reverse_on_its_day(session, event, entry_of(session, EventType.ADVANCE_REFUNDED, match_id))


def refuse_undone(undone_at: datetime | None) -> None:
    """Refuse to make again, by the same form, a match that a person undid."""
    if undone_at is not None:
        raise Refused("match_undone", "Ce rapprochement a été défait depuis. Rechargez la page, puis recommencez.")


def refuse_other_account(
    session: Session, agreement_id: UUID, funder_id: UUID, line: BookedMoney, issuer_id: UUID | None
) -> Agreement:
    """Return the agreement that a line's account pays. Raises Refused: out of scope, or another account."""
    agreement, _ = funder_of(session, agreement_id, funder_id, issuer_id)
    if agreement.paying_account_id != line.paying_account_id:
        raise Refused(
            "other_account",
            "Cette ligne est d’un autre compte que celui de la convention. Choisissez une convention de ce compte.",
        )
    return agreement


def _take_turn(session: Session, table: type[FundsCall | FundingClose], row_id: UUID) -> None:
    """Take the turn of the funder of a call, or of a final balance; of none where there is no such row."""
    known = session.execute(select(table.agreement_id, table.funder_id).where(table.id == row_id)).one_or_none()
    if known is not None:
        take_funding_turn(session, known.agreement_id, known.funder_id)


def _change_received(session: Session, call_id: UUID, by_cents: int) -> bool:
    """Say that a call received more, or less; False where it would be more than it asks, or nothing is asked any more."""
    after = FundsCall.received_cents + by_cents
    state = case(
        (after == FundsCall.called_cents, CallState.PAID.value),
        (after == 0, CallState.CALLED.value),
        else_=CallState.PARTLY_PAID.value,
    )
    change = (
        update(FundsCall)
        .where(
            FundsCall.id == call_id, FundsCall.state != CallState.CANCELLED, after.between(0, FundsCall.called_cents)
        )
        .values(received_cents=after, state=state)
        .execution_options(synchronize_session=False)
    )
    count = changed(session, change)
    session.expire_all()
    return count == 1


def _change_refunded(session: Session, close_id: UUID, by_cents: int) -> None:
    session.execute(
        update(FundingClose)
        .where(FundingClose.id == close_id)
        .values(refunded_cents=FundingClose.refunded_cents + by_cents)
        .execution_options(synchronize_session=False)
    )
    session.expire_all()
