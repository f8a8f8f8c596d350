"""What must be true of the duplicates that banks announce: no transfer is offered again but by the answers of two people."""

from functools import cache
from typing import Any

from sqlalchemy import ScalarSelect, Select, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.calendar import french_instant
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.settlement.formats_in.iso_reasons import DUPLICATES
from voucher.settlement.model.bank_reports import DuplicateAnswer, TransferReport
from voucher.settlement.model.batches import BankFile, PaymentAdvice
from voucher.settlement.payable.undecided_duplicates import ANSWERS_NEEDED, is_announced
from voucher.settlement.words.causes import NEVER_CAME
from voucher.settlement.words.states import AdviceState, DuplicateOutcome, ReportKind

ROWS_MAX = 100


@cache
def _query_a_duplicate_is_offered_again_by_two_people() -> Select[*tuple[Any, ...]]:
    never = _people(DuplicateOutcome.NEVER_CAME)
    stands = _people(DuplicateOutcome.STANDS)
    announced_at = (
        select(func.min(BankFile.imported_at))
        .join(TransferReport, TransferReport.bank_file == BankFile.sha256)
        .where(TransferReport.advice_id == PaymentAdvice.id, TransferReport.kind == ReportKind.DUPLICATE)
        .correlate(PaymentAdvice)
        .scalar_subquery()
    )
    rejection = aliased(Entry)
    return (
        select(
            PaymentAdvice.reference, PaymentAdvice.amount_cents, PaymentAdvice.state_reason, never.label("never_count")
        )
        .join(
            rejection,
            (rejection.event_id == PaymentAdvice.id) & (rejection.event_type == EventType.TRANSFER_REJECTED),
        )
        .where(
            PaymentAdvice.state.in_((AdviceState.REJECTED, AdviceState.TAKEN_UP)),
            PaymentAdvice.paid_on.is_(None),
            or_(
                PaymentAdvice.state_reason.in_(DUPLICATES),
                (PaymentAdvice.state_reason == NEVER_CAME) & is_announced(),
                announced_at < rejection.posted_at,
            ),
            never < ANSWERS_NEEDED,
            # What the bank rejects once two people said that the first stands is that first.
            ~(
                (stands >= ANSWERS_NEEDED)
                & exists().where(
                    TransferReport.advice_id == PaymentAdvice.id, TransferReport.kind == ReportKind.REJECTION
                )
            ),
        )
        .limit(ROWS_MAX)
    )


def check_a_duplicate_is_offered_again_by_two_people(session: Session) -> list[Violation]:
    """Un virement dont la banque annonce un doublon n’est à payer de nouveau que si deux personnes ont répondu, ou si elle l’a rejeté."""
    rows = session.execute(_query_a_duplicate_is_offered_again_by_two_people())
    return [
        Violation(
            "a_duplicate_is_offered_again_by_two_people",
            f"règlement {row.reference}",
            f"{format_euros(row.amount_cents)} à payer de nouveau : réponses « la première n’existe pas » {row.never_count}, il en faut {ANSWERS_NEEDED}",
        )
        for row in rows
    ]


def check_a_duplicate_is_answered_by_different_people(session: Session) -> list[Violation]:
    """Une personne répond une fois à un doublon annoncé, avec sa raison, et après l’annonce."""
    first, second = aliased(DuplicateAnswer), aliased(DuplicateAnswer)
    same = (
        select(PaymentAdvice.reference, func.count().label("count"))
        .join(first, first.advice_id == PaymentAdvice.id)
        .where(first.withdrawn_at.is_(None))
        .group_by(PaymentAdvice.reference, first.answered_by)
        .having(func.count() > 1)
        .limit(ROWS_MAX)
    )
    unasked = (
        select(PaymentAdvice.reference, second.answered_at)
        .join(second, second.advice_id == PaymentAdvice.id)
        .where(~is_announced())
        .limit(ROWS_MAX)
    )
    return [
        *(
            Violation(
                "a_duplicate_is_answered_by_different_people",
                f"règlement {row.reference}",
                f"la même personne y répond {row.count} fois",
            )
            for row in session.execute(same)
        ),
        *(
            Violation(
                "a_duplicate_is_answered_by_different_people",
                f"règlement {row.reference}",
                f"réponse du {french_instant(row.answered_at)}, sans doublon annoncé",
            )
            for row in session.execute(unasked)
        ),
    ]


def _people(outcome: DuplicateOutcome) -> ScalarSelect[int]:
    """Return how many people answered so for an advice, of the answers that stand."""
    answer = aliased(DuplicateAnswer)
    return (
        select(func.count(answer.answered_by.distinct()))
        .where(
            answer.advice_id == PaymentAdvice.id,
            answer.outcome == outcome,
            answer.withdrawn_at.is_(None),
        )
        .correlate(PaymentAdvice)
        .scalar_subquery()
    )


CHECKS: tuple[Check, ...] = (
    check_a_duplicate_is_offered_again_by_two_people,
    check_a_duplicate_is_answered_by_different_people,
)
