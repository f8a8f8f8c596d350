"""How long batches take, step by step: the days between, what is usual, and which ones are late."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from statistics import median
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select

from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.programme.model import Agreement
from voucher.redemption.model import Period
from voucher.redemption.period import last_day
from voucher.settlement.model.batches import AdviceLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.payable.due_day import advice_due_on, is_late, period_due_on
from voucher.settlement.words.states import BatchState, LineNature


class Step(StrEnum):
    """What a batch waits for, in order: each ends where the next begins."""

    APPROVAL = "validation"
    EXPORT = "envoi"
    PAYMENT = "paiement"


STEP_WORDS: Mapping[Step, tuple[str, str]] = {
    Step.APPROVAL: ("Validation", "De l’arrêt à la validation par une deuxième personne."),
    Step.EXPORT: ("Envoi", "De la validation à l’envoi à la banque ou au comptable."),
    Step.PAYMENT: ("Paiement", "De l’envoi à la dernière ligne de banque."),
}
"""The name and the definition of each step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLife:
    """One batch on its line of time. `days` are those each ended step took; `waits` is the step it is in, None once ended.

    `due_on` is the day that its advices bear, the first of those that an urgent batch carries over; `ended_on` the last payment, or when nothing was
    left to pay. `waited_days` are those spent in the step it is in.
    """

    id: UUID
    number: str
    agreement_number: str
    total_cents: int
    period_closed_on: date
    frozen_on: date
    approved_on: date | None
    exported_on: date | None
    ended_on: date | None
    due_on: date
    days: Mapping[Step, int]
    waits: Step | None
    waited_days: int
    is_late: bool

    @property
    def total_days(self) -> int | None:
        """Days from the period's end to the last payment, None while it waits."""
        return None if self.ended_on is None else (self.ended_on - self.period_closed_on).days


@dataclass(frozen=True, slots=True)
class Timeline:
    """Batches, the newest first, and what is usual: the median of days of each step, over those that ended it."""

    batches: tuple[BatchLife, ...]
    medians: Mapping[Step, float]
    median_total: float | None

    @property
    def late(self) -> tuple[BatchLife, ...]:
        """Batches not paid by their day, or paid after it."""
        return tuple(batch for batch in self.batches if batch.is_late)

    def kept(self, filters: Mapping[str, str]) -> tuple[BatchLife, ...]:
        """Return some batches. Filters: `late` (oui, non), `step` (what it waits for), `batch` (part of a number)."""
        is_late = {"oui": True, "non": False}.get(filters.get("late", ""))
        words = filters.get("batch", "").casefold()
        return tuple(
            batch
            for batch in self.batches
            if (is_late is None or batch.is_late is is_late)
            and filters.get("step", batch.waits) == batch.waits
            and words in batch.number.casefold()
        )


def timeline(database: Database, *, now: datetime, issuer_id: UUID | None = None) -> Timeline:
    """Return every batch of the programme, or of one issuer, with its days."""
    pays_a_period = exists().where(AdviceLine.advice_id == PaymentAdvice.id, AdviceLine.nature == LineNature.PERIOD)
    advices = (
        select(
            PaymentAdvice.batch_id,
            func.max(PaymentAdvice.paid_on).label("paid_on"),
            func.max(PaymentAdvice.due_on).filter(pays_a_period).label("period_due_on"),
            func.min(PaymentAdvice.due_on).label("first_due_on"),
        )
        .group_by(PaymentAdvice.batch_id)
        .subquery()
    )
    query = (
        select(
            SettlementBatch.id,
            SettlementBatch.number,
            Agreement.number.label("agreement_number"),
            Agreement.payment_days,
            SettlementBatch.state,
            SettlementBatch.total_cents,
            Period.opened_at,
            Period.ends_at,
            Period.closed_at.label("period_closed_at"),
            SettlementBatch.frozen_at,
            SettlementBatch.approved_at,
            SettlementBatch.exported_at,
            SettlementBatch.closed_at,
            *(advices.c[name] for name in ("paid_on", "period_due_on", "first_due_on")),
        )
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .outerjoin(Period, Period.id == SettlementBatch.period_id)
        .outerjoin(advices, advices.c.batch_id == SettlementBatch.id)
        .where(in_scope(Agreement.issuer_id, issuer_id))
        .order_by(SettlementBatch.frozen_at.desc(), SettlementBatch.id)
    )
    today = paris_day(now)
    with database.read() as session:
        rows = session.execute(query).all()
    batches = tuple(
        batch_life(
            row.id,
            row.number,
            row.agreement_number,
            row.total_cents,
            # The same day as the clock's; an urgent batch has no period.
            period_closed_on=paris_day(row.frozen_at)
            if row.opened_at is None
            else last_day(row.opened_at, row.ends_at, row.period_closed_at),
            frozen_on=paris_day(row.frozen_at),
            approved_on=_day(row.approved_at),
            exported_on=_day(row.exported_at),
            ended_on=_ended_on(row.state, row.closed_at, row.paid_on),
            due_day=_due_day(row),
            today=today,
        )
        for row in rows
    )
    ended = {step: [batch.days[step] for batch in batches if step in batch.days] for step in Step}
    totals = [batch.total_days for batch in batches if batch.total_days is not None]
    return Timeline(
        batches,
        {step: float(median(days)) for step, days in ended.items() if days},
        float(median(totals)) if totals else None,
    )


def _due_day(row: Any) -> date:
    if row.period_due_on is not None or row.opened_at is None:
        return advice_due_on(row.period_due_on, [row.first_due_on])
    return period_due_on(row.opened_at, row.ends_at, row.period_closed_at, row.payment_days)


def _ended_on(state: str, closed_at: datetime | None, paid_on: date | None) -> date | None:
    if state != BatchState.CLOSED:
        return None
    return paid_on or _day(closed_at)


def _day(at: datetime | None) -> date | None:
    return None if at is None else paris_day(at)


def batch_life(
    batch_id: UUID,
    number: str,
    agreement_number: str,
    total_cents: int,
    *,
    period_closed_on: date,
    frozen_on: date,
    approved_on: date | None,
    exported_on: date | None,
    ended_on: date | None,
    due_day: date,
    today: date,
) -> BatchLife:
    """Return a batch with its days, from the days on which its steps ended."""
    ends = {Step.APPROVAL: approved_on, Step.EXPORT: exported_on, Step.PAYMENT: ended_on}
    days: dict[Step, int] = {}
    since = frozen_on
    waits = None
    for step, end in ends.items():
        if end is None:
            waits = step if ended_on is None else None  # what was emptied before it left waits for nothing
            break
        days[step] = max((end - since).days, 0)
        since = end
    return BatchLife(
        id=batch_id,
        number=number,
        agreement_number=agreement_number,
        total_cents=total_cents,
        period_closed_on=period_closed_on,
        frozen_on=frozen_on,
        approved_on=approved_on,
        exported_on=exported_on,
        ended_on=ended_on,
        due_on=due_day,
        days=days,
        waits=waits,
        waited_days=0 if waits is None else max((today - since).days, 0),
        is_late=is_late(due_day, today, ended_on),
    )
