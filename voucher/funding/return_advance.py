"""Give a funder's advance back before any final balance, as two people said of a bank line. These functions work inside its match.

Never more than what the funder advanced and that no call used: what it was asked for and has not sent is not its money here. Once a
final balance is drawn up, it says what is given back (`receive.refund_advance`).
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from voucher.funding.accounts import account, balance_cents, take_funding_turn
from voucher.funding.model import AdvanceReturn, CallKind, CallState, FundingClose, FundsCall
from voucher.funding.receive import BookedMoney, refuse_other_account
from voucher.kernel.database import changed
from voucher.kernel.money import format_euros, sum_cents
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Code, Dimension, EventType
from voucher.ledger.post import Event, entry_of, post_event, reverse_on_its_day


def returnable_cents(session: Session, agreement_id: UUID, funder_id: UUID) -> int:
    """Return what a funder advanced, sent, and that no call used nor line gave back; 0 once a final balance is drawn up."""
    if _last_close_at(session, agreement_id, funder_id) is not None:
        return 0
    asked_cents = session.scalar(
        select(func.sum(FundsCall.called_cents - FundsCall.received_cents)).where(
            FundsCall.agreement_id == agreement_id,
            FundsCall.funder_id == funder_id,
            FundsCall.kind == CallKind.ADVANCE,
            FundsCall.state != CallState.CANCELLED,
        )
    )
    held_cents = -balance_cents(session, account(Code.ADVANCES, agreement_id, funder_id))
    return max(held_cents - sum_cents(asked_cents), 0)


def returned_cents(session: Session, agreement_id: UUID, funder_id: UUID) -> int:
    """Return what was given back of a funder's advances before any final balance."""
    return sum_cents(
        session.scalar(
            select(func.sum(AdvanceReturn.amount_cents)).where(
                AdvanceReturn.agreement_id == agreement_id,
                AdvanceReturn.funder_id == funder_id,
                AdvanceReturn.undone_at.is_(None),
            )
        )
    )


def return_advance(
    session: Session,
    match_id: UUID,
    agreement_id: UUID,
    funder_id: UUID,
    line: BookedMoney,
    part_cents: int,
    *,
    by: UUID,
    now: datetime,
) -> None:
    """Let a part of a booked debit give an advance back. The caller has the funder's turn.

    Raises Refused: unknown parties, another bank account, more than can be given back.
    """
    agreement = refuse_other_account(session, agreement_id, funder_id, line, None)
    limit_cents = returnable_cents(session, agreement_id, funder_id)
    if not 0 < part_cents <= limit_cents:
        raise Refused(
            "nothing_to_refund",
            f"{format_euros(limit_cents)} de cette avance peuvent être rendus. Proposez cette somme, ou moins.",
        )
    session.execute(
        insert(AdvanceReturn).values(
            id=match_id,
            agreement_id=agreement_id,
            funder_id=funder_id,
            paying_account_id=line.paying_account_id,
            amount_cents=part_cents,
            booked_on=line.booked_on,
            returned_at=now,
            returned_by=by,
        )
    )
    dimensions = {Dimension.AGREEMENT: agreement_id, Dimension.BANK_ACCOUNT: line.paying_account_id}
    narration = f"Avance rendue avant le décompte, {format_euros(part_cents)}, convention {agreement.number}"
    event = Event(EventType.ADVANCE_RETURNED, match_id, now, narration, by, line.booked_on)
    post_event(session, event, dimensions, {funder_id: part_cents})


def undo_return(session: Session, match_id: UUID, *, by: UUID, now: datetime) -> None:
    """Take back what a match said was given back; again, it changes nothing. Raises Refused once a final balance counts it."""
    known = session.execute(
        select(AdvanceReturn.agreement_id, AdvanceReturn.funder_id).where(AdvanceReturn.id == match_id)
    ).one()
    # A final balance that is being drawn up counts it: it comes before, and is seen, or after.
    take_funding_turn(session, known.agreement_id, known.funder_id)
    undone = (
        update(AdvanceReturn)
        .where(AdvanceReturn.id == match_id, AdvanceReturn.undone_at.is_(None))
        .values(undone_at=now, undone_by=by)
        .execution_options(synchronize_session=False)
    )
    if changed(session, undone) == 0:
        return
    if _last_close_at(session, known.agreement_id, known.funder_id) is not None:
        raise Refused(
            "match_rested_on",
            "Le décompte final de ce financeur compte cette avance rendue. Elle ne peut plus être défaite : appelez le financeur.",
        )
    event = Event(EventType.MATCH_UNDONE, match_id, now, "Rapprochement d’une avance rendue défait", by)
    reverse_on_its_day(session, event, entry_of(session, EventType.ADVANCE_RETURNED, match_id))


def _last_close_at(session: Session, agreement_id: UUID, funder_id: UUID) -> datetime | None:
    return session.scalar(
        select(func.max(FundingClose.closed_at)).where(
            FundingClose.agreement_id == agreement_id, FundingClose.funder_id == funder_id
        )
    )
