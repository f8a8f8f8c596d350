"""Debits that may be a second payment of what is paid or owed already: they wait, and name one of our transfers or its whole file.

A credit may be the bank's correction of such a debit: were it taken for the return of the first one, the structure, which has its
money, would be paid again. And what is owed again is not paid while such a debit says that it may have been.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.chunks import chunks
from voucher.kernel.database import among
from voucher.programme.model import Agreement
from voucher.settlement.formats_out.references import message_id, payment_information_id
from voucher.settlement.model.batches import AdviceLine, BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.words.states import LineNature


def debited_again(session: Session, advice_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these advices that a debit of their account names, by their reference or their file's, and that waits."""
    found: set[UUID] = set()
    for ids in chunks(sorted(advice_ids)):
        advices = session.execute(
            select(
                PaymentAdvice.id,
                PaymentAdvice.reference,
                PaymentAdvice.batch_id,
                func.coalesce(PaymentAdvice.part, 1).label("part"),
                PaymentAdvice.is_payable,
                Agreement.paying_account_id,
            )
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
            .where(PaymentAdvice.id.in_(ids))
        ).all()
        # What was held was in no file of its batch.
        files = {(row.batch_id, row.part) for row in advices if row.is_payable}
        messages = sorted({message_id(*file) for file in files})
        blocks = sorted({payment_information_id(*file) for file in files})
        named = {
            (row.paying_account_id, name)
            for row in session.execute(
                select(
                    BankLine.paying_account_id,
                    BankLine.end_to_end_id,
                    BankLine.message_id,
                    BankLine.payment_information_id,
                ).where(
                    BankLine.is_credit.is_(False),
                    BankLine.matched_cents < BankLine.amount_cents,
                    or_(
                        among(session, BankLine.end_to_end_id, [row.reference for row in advices]),
                        among(session, BankLine.message_id, messages),
                        among(session, BankLine.payment_information_id, blocks),
                    ),
                )
            )
            for name in ([row.end_to_end_id] if row.end_to_end_id else [row.message_id, row.payment_information_id])
        }
        found |= {
            row.id
            for row in advices
            if any(
                (row.paying_account_id, name) in named
                for name in (
                    [
                        row.reference,
                        message_id(row.batch_id, row.part),
                        payment_information_id(row.batch_id, row.part),
                    ]
                    if row.is_payable
                    else [row.reference]
                )
            )
        }
    return found


def maybe_paid(session: Session, advice_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these advices that such a debit may have paid, or what they carry over, however far back."""
    carried: dict[UUID, set[UUID]] = {
        each_id: {each_id} for each_id in advice_ids
    }  # each advice, and those of ours that carry it
    newest = set(carried)
    while newest:
        rows = [
            row
            for ids in chunks(sorted(newest))
            for row in session.execute(
                select(AdviceLine.advice_id, AdviceLine.source_id).where(
                    AdviceLine.nature == LineNature.CARRIED_OVER, AdviceLine.advice_id.in_(ids)
                )
            )
        ]
        newest = set()
        for taker_id, source_id in rows:
            if source_id not in carried:
                newest.add(source_id)
            carried.setdefault(source_id, set()).update(carried[taker_id])
    return {ours for one in debited_again(session, carried) for ours in carried[one]}
