"""Rapprocher à la main: say which payment an unidentified bank line is.

Needed where the bank does not carry our reference: a public accountant pays from its own software, a transfer comes back
without its EndToEndId. The amount must be the payment's to the cent, on the account that pays it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Result, Row, select, update
from sqlalchemy.orm import Session

from voucher.kernel.database import Database, changed
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post_event
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.bank_files import close_ended_batches, take_bank_turn
from voucher.settlement.model import AdviceState, BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.scope import account_in_scope
from voucher.settlement.withdraw_rejections import withdraw_rejections


def match_line(
    database: Database, line_id: UUID, advice_id: UUID, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Match a line to identify with an advice: a debit pays it, a credit brings it back; again, it changes nothing.

    Raises Refused: the line is used, the amounts differ, the advice was not sent (for a debit) or not paid (a credit).
    """
    with database.write() as session:
        take_bank_turn(session)
        line = session.execute(
            select(*BankLine.__table__.columns)
            .join(PayingAccount, PayingAccount.id == BankLine.paying_account_id)
            .where(BankLine.id == line_id, account_in_scope(issuer_id))
        ).one_or_none()
        advice = _advice(session, advice_id).one_or_none()
        if line is None or advice is None or advice.paying_account_id != line.paying_account_id:
            raise Refused("unknown_line", "Cette ligne ou ce règlement n’existe pas. Choisissez dans la liste.")
        if line.advice_id == advice_id:
            return
        if line.advice_id is not None:
            raise Refused("line_used", "Cette ligne est déjà rapprochée d’un autre règlement.")
        if line.amount_cents != advice.amount_cents:
            raise Refused(
                "amounts_differ",
                f"La ligne est de {format_euros(line.amount_cents)}, le règlement de {format_euros(advice.amount_cents)}. "
                "Choisissez un règlement du même montant.",
            )
        use_line(session, line, advice, by=by, now=now)
        close_ended_batches(session, now)


def use_line(
    session: Session, line: Row[*tuple[Any, ...]], advice: Row[*tuple[Any, ...]], *, by: UUID, now: datetime
) -> None:
    """Let a booked line that waited (4711) pay an advice or bring it back. Raises Refused when the advice does not expect it."""
    before, after = (
        (AdviceState.PAID, {"state": AdviceState.RETURNED, "state_reason": line.return_reason or ""})
        if line.is_credit
        else (AdviceState.IN_FILE, {"state": AdviceState.PAID, "paid_on": line.booked_on})
    )
    if not line.is_credit:
        withdraw_rejections(session, [advice.id], by=by, now=now)
    change = (
        update(PaymentAdvice)
        .where(PaymentAdvice.id == advice.id, PaymentAdvice.state == before)
        .values(**after)
        .execution_options(synchronize_session=False)
    )
    if changed(session, change) == 0:
        raise Refused("not_expected", "Ce règlement n’attend pas cette ligne. Regardez son état, puis recommencez.")
    session.execute(
        update(BankLine)
        .where(BankLine.id == line.id, BankLine.advice_id.is_(None))
        .values(advice_id=advice.id)
        .execution_options(synchronize_session=False)
    )
    event_type = EventType.CREDIT_IDENTIFIED if line.is_credit else EventType.DEBIT_IDENTIFIED
    dimensions = {
        Dimension.AGREEMENT: advice.agreement_id,
        Dimension.STRUCTURE: advice.structure_id,
        Dimension.BANK_ACCOUNT: line.paying_account_id,
    }
    event = Event(event_type, line.id, now, f"Virement {advice.reference}", by)
    post_event(session, event, dimensions, {advice.structure_id: line.amount_cents})


def match_parked_returns(session: Session, *, by: UUID, now: datetime) -> int:
    """Use the returns that came before their debits, now that these came; return how many."""
    rows = session.execute(
        select(BankLine.id, PaymentAdvice.id)
        .join(PaymentAdvice, PaymentAdvice.reference == BankLine.end_to_end_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(
            BankLine.advice_id.is_(None),
            BankLine.is_credit,
            BankLine.amount_cents == PaymentAdvice.amount_cents,
            BankLine.paying_account_id == Agreement.paying_account_id,
            PaymentAdvice.state == AdviceState.PAID,
        )
    ).all()
    # A second return of one advice stays to be identified.
    first = {advice_id: line_id for line_id, advice_id in reversed(rows)}
    for advice_id, line_id in first.items():
        line = session.execute(select(*BankLine.__table__.columns).where(BankLine.id == line_id)).one()
        use_line(session, line, _advice(session, advice_id).one(), by=by, now=now)
    return len(first)


def _advice(session: Session, advice_id: UUID) -> Result[*tuple[Any, ...]]:
    return session.execute(
        select(*PaymentAdvice.__table__.columns, SettlementBatch.agreement_id, Agreement.paying_account_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(PaymentAdvice.id == advice_id)
    )
