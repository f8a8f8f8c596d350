"""What unpaid advices are made of, by the day each part had to be paid: the clock runs for each part, never for the whole.

An advice that carries others over is split, as far down as it goes, into the periods its money began with; what a dispute freed
into the period of its redemption. What a claw-back nets pays off the oldest part first.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.calendar import paris_day
from voucher.programme.model import Agreement
from voucher.redemption.model import Period, Redemption
from voucher.redemption.period import last_day
from voucher.settlement.model.batches import AdviceLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.recoveries import Dispute
from voucher.settlement.payable.due_day import due_on
from voucher.settlement.words.states import AdviceState, LineNature

UNPAID = (AdviceState.HELD, AdviceState.DUE, AdviceState.IN_FILE, AdviceState.REJECTED, AdviceState.RETURNED)
"""States in which an advice is owed and not paid."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an advice: owed since the end of its period, to be paid by `due_on`."""

    since: date
    due_on: date
    amount_cents: int


def unpaid_parts(session: Session, *conditions: ColumnElement[bool]) -> dict[UUID, list[Part]]:
    """Return the parts of unpaid advices, the oldest first; the conditions are on the advice, its batch, its agreement."""
    top = (PaymentAdvice.state.in_(UNPAID), *conditions)
    unpaid = (
        select(PaymentAdvice.id, PaymentAdvice.amount_cents, PaymentAdvice.due_on, SettlementBatch.frozen_at)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(*top)
    )
    origins = unpaid.with_only_columns(PaymentAdvice.id.label("unpaid_id"), PaymentAdvice.id.label("advice_id"))
    reached = origins.cte("reached", recursive=True)
    reached = reached.union_all(
        select(reached.c.unpaid_id, AdviceLine.source_id).join(
            AdviceLine, (AdviceLine.advice_id == reached.c.advice_id) & (AdviceLine.nature == LineNature.CARRIED_OVER)
        )
    )
    own = aliased(PaymentAdvice)
    period = (Period.opened_at, Period.ends_at, Period.closed_at)
    of_period = (
        select(reached.c.unpaid_id, *period, own.due_on, func.sum(AdviceLine.amount_cents))
        .join(own, own.id == reached.c.advice_id)
        .join(AdviceLine, and_(AdviceLine.advice_id == own.id, AdviceLine.nature == LineNature.PERIOD))
        .join(Period, Period.id == AdviceLine.source_id)
        .group_by(reached.c.unpaid_id, *period, own.due_on)
    )
    freed = (
        select(reached.c.unpaid_id, *period, Agreement.payment_days, func.sum(AdviceLine.amount_cents))
        .join(
            AdviceLine,
            and_(AdviceLine.advice_id == reached.c.advice_id, AdviceLine.nature == LineNature.RELEASED),
        )
        .join(Dispute, Dispute.id == AdviceLine.source_id)
        .join(Redemption, Redemption.id == Dispute.redemption_id)
        .join(Period, Period.id == Redemption.period_id)
        .join(Agreement, Agreement.id == Period.agreement_id)
        .group_by(reached.c.unpaid_id, *period, Agreement.payment_days)
    )
    found: dict[UUID, list[Part]] = defaultdict(list)
    for unpaid_id, *began, due_day, cents in session.execute(of_period):
        found[unpaid_id].append(Part(last_day(*began), due_day, int(cents)))
    for unpaid_id, opened_at, ends_at, closed_at, payment_days, cents in session.execute(freed):
        ended_on = last_day(opened_at, ends_at, closed_at)
        found[unpaid_id].append(Part(ended_on, due_on(ended_on, payment_days), int(cents)))
    return {
        row.id: parts_of(row.amount_cents, found[row.id], Part(paris_day(row.frozen_at), row.due_on, 0))
        for row in session.execute(unpaid)
    }


def parts_of(amount_cents: int, origins: Iterable[Part], otherwise: Part) -> list[Part]:
    """Split an advice's amount into parts.

    What `origins` has beyond the amount was netted, the oldest first; what they lack has the days of `otherwise`.
    """
    parts = sorted(origins, key=lambda one: (one.due_on, one.since))
    rest = amount_cents - sum(part.amount_cents for part in parts)
    if rest > 0:
        return [*parts, replace(otherwise, amount_cents=rest)]
    kept = []
    for one in parts:
        netted = min(one.amount_cents, -rest)
        rest += netted
        if one.amount_cents > netted:
            kept.append(replace(one, amount_cents=one.amount_cents - netted))
    return kept
