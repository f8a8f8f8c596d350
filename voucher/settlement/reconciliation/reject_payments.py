"""A payment that will not be made: it leaves transit and is owed again (5115 to 4670), with the reason."""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from voucher.ledger.chart import EventType
from voucher.ledger.post import Event, reverse
from voucher.ledger.post_many import post_many
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.states import Cause, by_reason, change, locked_in
from voucher.settlement.reconciliation.withdraw_rejections import standing_withdrawals
from voucher.settlement.words.causes import NEVER_CAME
from voucher.settlement.words.states import AdviceState
from voucher.settlement.words.transitions import PaymentWhy


def reject_advices(
    session: Session,
    reasons: Mapping[UUID, str],
    *,
    on: date,
    by: UUID,
    now: datetime,
    why: PaymentWhy = PaymentWhy.REJECTED,
    bank_file: str | None = None,
) -> list[UUID]:
    """Reject those of these advices that are in transit, each for its reason, and post it; return them. The next batch takes them up.

    `bank_file` is the one that says so.
    """
    rejected = locked_in(session, list(reasons), AdviceState.IN_FILE)
    withdrawn = standing_withdrawals(session, rejected)
    for advice_id in sorted(withdrawn):
        # It had been rejected, and that was withdrawn: the rejection stands again, not before it was withdrawn.
        withdrawal = withdrawn[advice_id]
        day = max(on, withdrawal.on)
        event = Event(EventType.MATCH_UNDONE, withdrawal.event_id, now, "Rejet rétabli", by, day)
        entry_id = reverse(session, event, withdrawal.entry_id)
        cause = Cause(
            why=why, by=by, at=now, effective_on=day, reason=reasons[advice_id], bank_file=bank_file, entry_id=entry_id
        )
        change(session, [advice_id], AdviceState.IN_FILE, AdviceState.REJECTED, cause)
    for reason, some in by_reason({one: reasons[one] for one in rejected if one not in withdrawn}):
        chosen = PaymentAdvice.id.in_(some)
        # Its first rejection has an entry that bears the payment's id.
        facts = select(PaymentAdvice.id.label("advice_id"), PaymentAdvice.id.label("entry_id")).where(chosen)
        cause = Cause(why=why, by=by, at=now, effective_on=on, reason=reason, bank_file=bank_file)
        change(session, facts, AdviceState.IN_FILE, AdviceState.REJECTED, cause)
        entries = (
            select(
                PaymentAdvice.id,
                PaymentAdvice.amount_cents,
                literal(on).label("effective_on"),
                literal("Virement ").concat(PaymentAdvice.reference).label("narration"),
                SettlementBatch.agreement_id,
                PaymentAdvice.structure_id,
            )
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .where(chosen)
        )
        post_many(session, EventType.TRANSFER_REJECTED, entries, by=by, now=now)
    return rejected


def say_why_rejected(session: Session, reasons: Mapping[UUID, str], *, bank_file: str, by: UUID, now: datetime) -> None:
    """Write why a bank or an accountant refuses transfers that people offered again because their first sending never came.

    A dead account is then not paid again (ADR 18). Other rejections keep the reason that they had.
    """
    for reason, some in by_reason({one: reason for one, reason in reasons.items() if reason}):
        unsaid = session.scalars(
            select(PaymentAdvice.id).where(PaymentAdvice.id.in_(some), PaymentAdvice.state_reason == NEVER_CAME)
        ).all()
        cause = Cause(why=PaymentWhy.REASON_GIVEN, by=by, at=now, reason=reason, bank_file=bank_file)
        change(session, unsaid, AdviceState.REJECTED, AdviceState.REJECTED, cause)
