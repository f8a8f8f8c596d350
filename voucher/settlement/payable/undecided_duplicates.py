"""Transfers that a bank calls duplicates of a first sending: nobody is owed again until two people say that the first never came.

In transit they were, in transit they stay. A debit of the bank answers by itself: the first stood.
"""

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.chunks import chunks
from voucher.settlement.model.bank_reports import DuplicateAnswer, TransferReport
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.words.states import AdviceState, DuplicateOutcome, ReportKind

ANSWERS_NEEDED = 2


def decision(answers: Mapping[UUID, DuplicateOutcome]) -> DuplicateOutcome | None:
    """Return what people (by account) decided: two of them say the same, and none the contrary; else None. Pure."""
    said = set(answers.values())
    return said.pop() if len(answers) >= ANSWERS_NEEDED and len(said) == 1 else None


def is_announced() -> ColumnElement[bool]:
    """Return the condition that a bank called an advice a duplicate."""
    return exists().where(
        TransferReport.advice_id == PaymentAdvice.id, TransferReport.kind == ReportKind.DUPLICATE
    )  # fmt: skip


def is_decided(outcome: DuplicateOutcome) -> ColumnElement[bool]:
    """Return the condition that two people answered so for an advice: `decision`, in SQL, since two answers at most stand for it."""
    same = aliased(DuplicateAnswer)
    count = (
        select(func.count(same.answered_by.distinct()))
        .where(same.advice_id == PaymentAdvice.id, same.outcome == outcome, same.withdrawn_at.is_(None))
        .correlate(PaymentAdvice)
        .scalar_subquery()
    )
    return count >= ANSWERS_NEEDED


def is_open() -> ColumnElement[bool]:
    """Return the condition that an advice waits for two people to say which sending stands."""
    is_in_transit = PaymentAdvice.state == AdviceState.IN_FILE
    return is_in_transit & is_announced() & ~is_decided(DuplicateOutcome.STANDS)


def open_duplicates(session: Session, advice_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these advices that wait for such an answer."""
    return {
        one
        for ids in chunks(sorted(set(advice_ids)))
        for one in session.scalars(select(PaymentAdvice.id).where(PaymentAdvice.id.in_(ids), is_open()))
    }
