"""A payment that will not be made: it leaves transit and is owed again (5115 to 4670), with the reason."""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import literal, select, update
from sqlalchemy.orm import Session

from voucher.kernel.chunks import chunks
from voucher.ledger.chart import EventType
from voucher.ledger.post import Event, reverse
from voucher.ledger.post_many import post_many
from voucher.settlement.formats_in.iso_reasons import NEVER_CAME
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.reconciliation.withdraw_rejections import withdrawals
from voucher.settlement.words.states import AdviceState


def reject_advices(session: Session, reasons: Mapping[UUID, str], *, on: date, by: UUID, now: datetime) -> list[UUID]:
    """Reject those of these advices that are in transit, each for its reason, and post it; return them. The next batch takes them up.

    None of them may be one of `withdraw_rejections.rejected_twice`.
    """
    rejected = _change(session, reasons, AdviceState.IN_FILE, AdviceState.REJECTED)
    before = {one: withdrawal for some in chunks(rejected) for one, withdrawal in withdrawals(session, some).items()}
    for advice_id in sorted(before):
        # It had been rejected, and that was withdrawn: the rejection stands again, not before it was withdrawn.
        day = max(on, before[advice_id].on)
        event = Event(EventType.MATCH_UNDONE, advice_id, now, "Rejet rétabli", by, day)
        reverse(session, event, before[advice_id].entry_id)
    for some in chunks([one for one in rejected if one not in before]):
        facts = (
            select(
                PaymentAdvice.id,
                PaymentAdvice.amount_cents,
                literal(on).label("effective_on"),
                literal("Virement ").concat(PaymentAdvice.reference).label("narration"),
                SettlementBatch.agreement_id,
                PaymentAdvice.structure_id,
            )
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .where(PaymentAdvice.id.in_(some))
        )
        post_many(session, EventType.TRANSFER_REJECTED, facts, by=by, now=now)
    return rejected


def say_reasons(session: Session, reasons: Mapping[UUID, str], state: AdviceState) -> None:
    """Write why advices are in a state, in the words of who said it."""
    _change(session, reasons, state, state)


def say_why_rejected(session: Session, reasons: Mapping[UUID, str]) -> None:
    """Write why a bank or an accountant refuses transfers that people offered again because their first sending never came.

    A dead account is then not paid again (ADR 18). Other rejections keep the reason that they had.
    """
    given = {one: reason for one, reason in reasons.items() if reason}
    for some in chunks(sorted(given)):
        unsaid = select(PaymentAdvice.id).where(PaymentAdvice.id.in_(some), PaymentAdvice.state_reason == NEVER_CAME)
        say_reasons(session, {one: given[one] for one in session.scalars(unsaid)}, AdviceState.REJECTED)


def _change(session: Session, reasons: Mapping[UUID, str], before: AdviceState, after: AdviceState) -> list[UUID]:
    """Change the advices that are in a state, those of one reason together; return them."""
    by_reason: dict[str, list[UUID]] = {}
    for advice_id, reason in reasons.items():
        by_reason.setdefault(reason[:200], []).append(advice_id)
    done: list[UUID] = []
    for reason, ids in sorted(by_reason.items()):
        for some in chunks(sorted(ids)):
            change = (
                update(PaymentAdvice)
                .where(PaymentAdvice.id.in_(some), PaymentAdvice.state == before)
                .values(state=after, state_reason=reason)
                .returning(PaymentAdvice.id)
                .execution_options(synchronize_session=False)
            )
            done += session.scalars(change).all()
    return done
