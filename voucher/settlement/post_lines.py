"""What new bank lines change, by set-based statements: the advices they pay or bring back, and their entries."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, literal, select, update
from sqlalchemy.orm import Session

from voucher.ledger.chart import EventType
from voucher.ledger.post_facts import post_facts
from voucher.settlement.model import AdviceState, BankLine, PaymentAdvice, SettlementBatch


def pay_and_return(session: Session, bank_file: str) -> None:
    """Let the lines that a file brought first change their advices: first what was paid, then what came back."""
    debits = select(BankLine.advice_id).where(BankLine.bank_file == bank_file, BankLine.is_credit.is_(False))
    credits_ = select(BankLine.advice_id).where(BankLine.bank_file == bank_file, BankLine.is_credit)
    of_advice = BankLine.advice_id == PaymentAdvice.id
    paid_on = select(BankLine.booked_on).where(of_advice, BankLine.is_credit.is_(False)).scalar_subquery()
    reason = select(func.coalesce(BankLine.return_reason, "")).where(of_advice, BankLine.is_credit).scalar_subquery()
    pay = (
        update(PaymentAdvice)
        .where(PaymentAdvice.state == AdviceState.IN_FILE, PaymentAdvice.id.in_(debits))
        .values(state=AdviceState.PAID, paid_on=paid_on)
    )
    bring_back = (
        update(PaymentAdvice)
        .where(PaymentAdvice.state == AdviceState.PAID, PaymentAdvice.id.in_(credits_))
        .values(state=AdviceState.RETURNED, state_reason=reason)
    )
    for statement in (pay, bring_back):
        session.execute(statement.execution_options(synchronize_session=False))


def post_lines(session: Session, bank_file: str, *, by: UUID, now: datetime) -> None:
    """Post one entry for each line that a file brought first."""
    matched = _new_lines(bank_file).add_columns(
        literal("Virement ").concat(PaymentAdvice.reference).label("narration"),
        SettlementBatch.agreement_id,
        PaymentAdvice.structure_id,
    )
    matched = matched.join(PaymentAdvice, PaymentAdvice.id == BankLine.advice_id).join(
        SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id
    )
    unknown = (
        _new_lines(bank_file)
        .add_columns(literal("Ligne de relevé à identifier").label("narration"))
        .where(BankLine.advice_id.is_(None))
    )
    debit, credit = BankLine.is_credit.is_(False), BankLine.is_credit.is_(True)
    for event_type, lines in (
        (EventType.TRANSFER_BOOKED, matched.where(debit)),
        (EventType.TRANSFER_RETURNED, matched.where(credit)),
        (EventType.UNKNOWN_DEBIT_BOOKED, unknown.where(debit)),
        (EventType.UNKNOWN_CREDIT_BOOKED, unknown.where(credit)),
    ):
        post_facts(session, event_type, lines, by=by, now=now)


def _new_lines(bank_file: str) -> Select[*tuple[Any, ...]]:
    return select(
        BankLine.id,
        BankLine.amount_cents,
        BankLine.booked_on.label("effective_on"),
        BankLine.paying_account_id.label("bank_account_id"),
    ).where(BankLine.bank_file == bank_file)
