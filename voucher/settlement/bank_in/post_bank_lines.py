"""What new bank lines change, by set-based statements: the advices they pay or bring back, and their entries."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, literal, select
from sqlalchemy.orm import Session

from voucher.ledger.chart import EventType
from voucher.ledger.post_many import post_many
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.states import Cause, by_reason, change
from voucher.settlement.reconciliation.line_entries import is_posted
from voucher.settlement.words.states import AdviceState, MatchKind
from voucher.settlement.words.transitions import PaymentWhy


def pay_and_return(
    session: Session, bank_file: str, *, by: UUID, now: datetime, reasons: Mapping[UUID, str] | None = None
) -> None:
    """Let the lines that a file brought first change their advices: first what was paid, then what came back.

    `reasons` says, by advice, why it came back, where the file gives words and the lines no code.
    """
    paid = Cause(why=PaymentWhy.DEBITED, by=by, at=now)
    change(session, _told(bank_file, MatchKind.PAYMENT), AdviceState.IN_FILE, AdviceState.PAID, paid)
    returns = _told(bank_file, MatchKind.RETURN)
    if reasons is None:
        cause = Cause(why=PaymentWhy.CAME_BACK, by=by, at=now)
        coded = returns.add_columns(func.coalesce(BankLine.return_reason, "").label("reason"))
        change(session, coded, AdviceState.PAID, AdviceState.RETURNED, cause)
        return
    for reason, some in by_reason(reasons):
        cause = Cause(why=PaymentWhy.CAME_BACK, by=by, at=now, reason=reason)
        change(session, returns.where(BankMatch.advice_id.in_(some)), AdviceState.PAID, AdviceState.RETURNED, cause)


def _told(bank_file: str, kind: MatchKind) -> Select[*tuple[Any, ...]]:
    """Select the payments that the lines of a file pay or bring back, each with its line and the bank's day."""
    return (
        select(
            BankMatch.advice_id.label("advice_id"),
            BankLine.id.label("line_id"),
            BankLine.booked_on.label("effective_on"),
        )
        .join(BankMatch, BankMatch.line_id == BankLine.id)
        .where(
            BankLine.bank_file == bank_file,
            BankMatch.kind == kind,
            BankMatch.is_automatic,
            # The file may come again: what a person undid since stays undone.
            BankMatch.undone_at.is_(None),
        )
    )


def post_lines(session: Session, bank_file: str, *, by: UUID, now: datetime, is_again: bool = False) -> None:
    """Post one entry for each line that a file brought first; `is_again`: some of them were posted when it first came."""
    new_lines = _new_lines(bank_file)
    if is_again:
        new_lines = new_lines.where(~is_posted())
    direct = new_lines.join(
        BankMatch, (BankMatch.line_id == BankLine.id) & BankMatch.is_automatic & (BankMatch.part == 1)
    )
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
        .where(BankMatch.kind == MatchKind.PAYMENT, BankMatch.amount_cents < BankLine.amount_cents)
    )
    charges = direct.add_columns(literal("Frais de la banque").label("narration"))
    charges = charges.where(BankMatch.kind == MatchKind.CHARGE)
    unknown = new_lines.add_columns(literal("Ligne de relevé à identifier").label("narration")).where(
        BankLine.matched_cents == 0
    )
    # No match is worth more than its line: this says « as much as ». Of an equality PostgreSQL would expect one row, and loop.
    paid = of_advice.where(BankMatch.kind == MatchKind.PAYMENT, BankMatch.amount_cents >= BankLine.amount_cents)
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
        post_many(session, event_type, lines, by=by, now=now)


def _new_lines(bank_file: str) -> Select[*tuple[Any, ...]]:
    return select(
        BankLine.id,
        BankLine.amount_cents,
        BankLine.booked_on.label("effective_on"),
        BankLine.paying_account_id.label("bank_account_id"),
    ).where(BankLine.bank_file == bank_file)
