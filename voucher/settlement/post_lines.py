"""What new bank lines change, by set-based statements: the advices they pay or bring back, and their entries."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, literal, select, update
from sqlalchemy.orm import Session

from voucher.ledger.chart import EventType
from voucher.ledger.post_facts import post_facts
from voucher.settlement.model import AdviceState, BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model_bank import BankMatch, MatchKind


def pay_and_return(session: Session, bank_file: str) -> None:
    """Let the lines that a file brought first change their advices: first what was paid, then what came back."""
    of_file = select(BankMatch.advice_id).join(BankLine, BankLine.id == BankMatch.id)
    of_file = of_file.where(BankLine.bank_file == bank_file)
    of_advice = (BankMatch.advice_id == PaymentAdvice.id) & BankMatch.undone_at.is_(None)
    line = select(BankLine.booked_on).join(BankMatch, BankMatch.line_id == BankLine.id)
    paid_on = line.where(of_advice, BankMatch.kind == MatchKind.PAYMENT).scalar_subquery()
    reason = (
        select(func.coalesce(BankLine.return_reason, ""))
        .join(BankMatch, BankMatch.line_id == BankLine.id)
        .where(of_advice, BankMatch.kind == MatchKind.RETURN)
        .scalar_subquery()
    )
    pay = (
        update(PaymentAdvice)
        .where(
            PaymentAdvice.state == AdviceState.IN_FILE,
            PaymentAdvice.id.in_(of_file.where(BankMatch.kind == MatchKind.PAYMENT)),
        )
        .values(state=AdviceState.PAID, paid_on=paid_on)
    )
    bring_back = (
        update(PaymentAdvice)
        .where(
            PaymentAdvice.state == AdviceState.PAID,
            PaymentAdvice.id.in_(of_file.where(BankMatch.kind == MatchKind.RETURN)),
        )
        .values(state=AdviceState.RETURNED, state_reason=reason)
    )
    for statement in (pay, bring_back):
        session.execute(statement.execution_options(synchronize_session=False))


def post_lines(session: Session, bank_file: str, *, by: UUID, now: datetime) -> None:
    """Post one entry for each line that a file brought first."""
    direct = _new_lines(bank_file).join(BankMatch, (BankMatch.id == BankLine.id) & (BankMatch.part == 1))
    of_advice = (
        direct.add_columns(
            literal("Virement ").concat(PaymentAdvice.reference).label("narration"),
            SettlementBatch.agreement_id,
            PaymentAdvice.structure_id,
        )
        .join(PaymentAdvice, PaymentAdvice.id == BankMatch.advice_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
    )
    # A whole file has a line of its own, which the reference of one of its transfers would not name.
    of_file = (
        direct.add_columns(
            literal("Lot ").concat(SettlementBatch.number).concat(", en une ligne").label("narration"),
            SettlementBatch.agreement_id,
        )
        .join(PaymentAdvice, PaymentAdvice.id == BankMatch.advice_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(BankMatch.kind == MatchKind.PAYMENT, BankMatch.amount_cents != BankLine.amount_cents)
    )
    charges = direct.add_columns(literal("Frais de la banque").label("narration"))
    charges = charges.where(BankMatch.kind == MatchKind.CHARGE)
    unknown = (
        _new_lines(bank_file)
        .add_columns(literal("Ligne de relevé à identifier").label("narration"))
        .where(BankLine.matched_cents == 0)
    )
    paid = of_advice.where(BankMatch.kind == MatchKind.PAYMENT, BankMatch.amount_cents == BankLine.amount_cents)
    debit, credit = BankLine.is_credit.is_(False), BankLine.is_credit.is_(True)
    for event_type, lines in (
        (EventType.TRANSFER_BOOKED, paid),
        (EventType.TRANSFER_BOOKED, of_file),
        (EventType.TRANSFER_RETURNED, of_advice.where(BankMatch.kind == MatchKind.RETURN)),
        (EventType.BANK_CHARGED, charges.where(debit)),
        (EventType.BANK_CHARGE_REFUNDED, charges.where(credit)),
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
