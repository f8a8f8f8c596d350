"""Défaire un rapprochement: what a line was taken for was wrong, made by a person or by itself; its money waits again (4711).

Refused when something rests on it since: a payment that came back, a return that another batch took up.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from voucher.funding.receive import undo_receipt, undo_refund
from voucher.funding.return_advance import undo_return
from voucher.kernel.clean_input import required_text
from voucher.kernel.database import Database, changed
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.model import Entry
from voucher.ledger.post import Event, post_event, reverse_on_its_day
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.proposals import LineProposal
from voucher.settlement.model.states import Cause, change
from voucher.settlement.reconciliation.apply_match import Line, line_to_use
from voucher.settlement.reconciliation.bank_turn import close_ended_batches, take_bank_turn
from voucher.settlement.reconciliation.line_entries import DIRECT, IDENTIFIED
from voucher.settlement.reconciliation.refund_line import reject_refund, undo_refund_debit
from voucher.settlement.reconciliation.withdraw_rejections import reject_again
from voucher.settlement.recoveries.repay_or_write_off import undo_repayment
from voucher.settlement.words.states import AdviceState, BatchState, MatchKind
from voucher.settlement.words.transitions import PaymentWhy

REASON_LENGTH_MAX = 200


def undo_match(
    database: Database, match_id: UUID, reason: str, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Undo a match: the line waits again, and what it was matched with is as before. Again, it changes nothing.

    Raises Refused: no reason, an unknown match, something rests on it since.
    """
    why = required_text(reason, "reason", REASON_LENGTH_MAX)
    with database.write() as session:
        take_bank_turn(session)
        if session.scalar(select(LineProposal.id).where(LineProposal.id == match_id)) is not None:
            raise Refused(
                "two_people",
                "Deux personnes ont fait ce rapprochement. Demandez de le défaire : une autre personne le confirmera.",
            )
        undo_in(session, match_id, why, by=by, now=now, issuer_id=issuer_id)


def undo_in(
    session: Session, match_id: UUID, why: str, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Do the same inside a transaction that holds the turn of bank files, whoever made the match."""
    parts = session.execute(
        select(*BankMatch.__table__.columns).where(BankMatch.id == match_id).order_by(BankMatch.part)
    ).all()
    if not parts:
        raise Refused("unknown_match", "Ce rapprochement n’existe pas. Rechargez la page.")
    line = line_to_use(session, parts[0].line_id, issuer_id)
    undo = (
        update(BankMatch)
        .where(BankMatch.id == match_id, BankMatch.undone_at.is_(None))
        .values(undone_at=now, undone_by=by, undone_reason=why)
        .execution_options(synchronize_session=False)
    )
    if changed(session, undo) == 0:
        return
    kind = parts[0].kind
    if kind is MatchKind.PAYMENT:
        _put_back_in_transit(session, parts, line, by, now)
    elif kind is MatchKind.RETURN:
        _pay_again(session, parts, line, by, now)
    _let_wait_again(session, parts)
    if kind in _OF_FUNDERS:
        _OF_FUNDERS[kind](session, match_id, by=by, now=now)
    elif kind in _OF_REFUNDS:
        _OF_REFUNDS[kind](session, match_id)
    elif kind is MatchKind.OVERPAYMENT:
        for part in parts:
            undo_repayment(session, line.id, part.target_id, by=by, now=now)
    elif kind is not MatchKind.OFFSET:
        _reverse(session, parts[0], line, by, now)


_OF_FUNDERS: Mapping[MatchKind, Callable[..., None]] = {
    MatchKind.FUNDS: undo_receipt,
    MatchKind.ADVANCE_REFUND: undo_refund,
    MatchKind.ADVANCE_RETURN: undo_return,
}
"""What a match says of a funder's money, and what takes it back there, with its entry."""

_OF_REFUNDS: Mapping[MatchKind, Callable[[Session, UUID], None]] = {
    MatchKind.REFUND: reject_refund,
    MatchKind.REFUND_DEBIT: undo_refund_debit,
}
"""What a match says of money sent back, and what takes it back there: no entry, and the match says who and when."""


def _let_wait_again(session: Session, parts: Sequence[Line]) -> None:
    """Give each line of a match what the match used of it."""
    cents = Counter[UUID]()
    for part in parts:
        cents[part.line_id] += part.amount_cents
    for line_id, used_cents in cents.items():
        session.execute(
            update(BankLine)
            .where(BankLine.id == line_id)
            .values(matched_cents=BankLine.matched_cents - used_cents)
            .execution_options(synchronize_session=False)
        )


def _put_back_in_transit(session: Session, parts: Sequence[Line], line: Line, by: UUID, now: datetime) -> None:
    """Make the payments of a match wait for the bank again, and open their batch again; those it had refused are refused again."""
    advices = select(BankMatch.advice_id.label("advice_id")).where(BankMatch.id == parts[0].id)
    cause = _undone(PaymentWhy.PAYMENT_UNDONE, line, by, now)
    if change(session, advices, AdviceState.PAID, AdviceState.IN_FILE, cause) != len(parts):
        raise Refused(
            "match_rested_on",
            "Un virement de cette ligne est revenu depuis. Défaites d’abord le rapprochement de son retour.",
        )
    of_match = exists().where(PaymentAdvice.batch_id == SettlementBatch.id, PaymentAdvice.id.in_(advices))
    session.execute(
        update(SettlementBatch)
        .where(of_match, SettlementBatch.state == BatchState.CLOSED)
        .values(state=BatchState.EXPORTED, closed_at=None)
        .execution_options(synchronize_session=False)
    )
    reject_again(session, advices, by=by, now=now)
    close_ended_batches(session, now)


def _pay_again(session: Session, parts: Sequence[Line], line: Line, by: UUID, now: datetime) -> None:
    """Make a payment that was thought returned paid again."""
    cause = _undone(PaymentWhy.RETURN_UNDONE, line, by, now)
    if not change(session, [parts[0].advice_id], AdviceState.RETURNED, AdviceState.PAID, cause):
        raise Refused(
            "match_rested_on",
            "Un autre lot a repris ce règlement depuis. Le retour ne peut plus être défait : appelez votre banque.",
        )


def _undone(why: PaymentWhy, line: Line, by: UUID, now: datetime) -> Cause:
    """Say that a line is not a payment's after all: it counts from the bank's day, as the reversal does."""
    return Cause(why=why, by=by, at=now, effective_on=line.booked_on, line_id=line.id)


def _reverse(session: Session, match: Line, line: Line, by: UUID, now: datetime) -> None:
    """Reverse the match's entry on its day; a line matched as it came in gets, on the bank's day, the entry of one that waits."""
    entry_id = session.execute(
        select(Entry.id).where(Entry.event_id == match.id, Entry.event_type.in_((*DIRECT, *IDENTIFIED)))
    ).scalar_one()
    reverse_on_its_day(session, Event(EventType.MATCH_UNDONE, match.id, now, "Rapprochement défait", by), entry_id)
    if match.is_automatic:
        event_type = EventType.UNKNOWN_CREDIT_BOOKED if line.is_credit else EventType.UNKNOWN_DEBIT_BOOKED
        narration = "Ligne de relevé à identifier, rapprochement défait"
        event = Event(event_type, line.id, now, narration, by, line.booked_on)
        post_event(session, event, {Dimension.BANK_ACCOUNT: line.paying_account_id}, {line.id: line.amount_cents})
