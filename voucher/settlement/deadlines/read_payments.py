"""What a structure asks: what it was paid, what it will be, and why not yet."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, false, func, or_, select
from sqlalchemy.orm import aliased

from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.money import sum_cents
from voucher.network.model import Place
from voucher.programme.model import Agreement, Issuer
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.redemption.period import last_day
from voucher.settlement.deadlines.payment_deadlines import Due, Stage, structure_dues
from voucher.settlement.deadlines.payment_steps import Holder, PaymentStep, advice_steps, finance_of, waiting_step
from voucher.settlement.model.batches import AdviceLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.recoveries import Dispute, Overpayment
from voucher.settlement.payable.next_period import IN_A_BATCH
from voucher.settlement.payable.why_waiting import why_waiting
from voucher.settlement.recoveries.overpayments import released_unpaid
from voucher.settlement.words.states import AdviceState, DisputeOutcome, LineNature


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionPayment:
    """One redemption of a structure and the state of its payment. `due_on`: the days of the agreement after its period's end.

    One `is_clawed_back` is owed no more, whether or not it was paid before; of a contested one, `dispute_id` says which dispute.
    """

    redemption_id: UUID
    place_name: str
    redeemed_at: datetime
    voucher_count: int
    amount_cents: int
    advice_id: UUID | None
    paid_on: date | None
    due_on: date
    is_late: bool
    steps: tuple[PaymentStep, ...]
    dispute_id: UUID | None
    is_clawed_back: bool

    @property
    def now(self) -> PaymentStep:
        """The last step: who holds the payment."""
        return self.steps[-1]


@dataclass(frozen=True, slots=True)
class WaitingPayment:
    """A part of what a structure is owed, with its day, and the step where it stands, as the structure reads it."""

    due: Due
    step: PaymentStep


@dataclass(frozen=True, slots=True)
class Owing:
    """What a structure is owed and was paid, in cents; `suspended_cents` is contested, `overpaid_cents` is to be given back."""

    open_cents: int
    on_the_way_cents: int
    waiting_cents: int
    paid_cents: int
    suspended_cents: int
    overpaid_cents: int


def owing(database: Database, structure_id: UUID) -> Owing:
    """Sum up a structure's money: not yet in a batch, on the way, waiting for something, paid."""
    with database.read() as session:
        open_cents = session.scalar(
            select(func.sum(Redemption.amount_cents))
            .join(Period, Period.id == Redemption.period_id)
            .where(
                Redemption.structure_id == structure_id,
                Redemption.state == RedemptionState.CONFIRMED,
                ~IN_A_BATCH,
            )
        )
        freed = released_unpaid().where(Dispute.structure_id == structure_id).subquery()
        freed_cents = session.scalar(select(func.sum(freed.c.cents)))
        suspended_cents = session.scalar(
            select(func.sum(Dispute.amount_cents)).where(
                Dispute.structure_id == structure_id, Dispute.outcome.is_(None), Dispute.is_suspending
            )
        )
        overpaid_cents = session.scalar(
            select(func.sum(Overpayment.amount_cents - Overpayment.recovered_cents)).where(
                Overpayment.structure_id == structure_id
            )
        )
        states = {
            AdviceState(state): int(cents)
            for state, cents in session.execute(
                select(PaymentAdvice.state, func.sum(PaymentAdvice.amount_cents))
                .where(PaymentAdvice.structure_id == structure_id)
                .group_by(PaymentAdvice.state)
            )
        }

    def cents(*wanted: AdviceState) -> int:
        return sum(states.get(state, 0) for state in wanted)

    return Owing(
        sum_cents(open_cents) + sum_cents(freed_cents),
        cents(AdviceState.DUE, AdviceState.IN_FILE),
        cents(AdviceState.HELD, AdviceState.REJECTED, AdviceState.RETURNED),
        cents(AdviceState.PAID),
        sum_cents(suspended_cents),
        sum_cents(overpaid_cents),
    )


def waiting_payments(database: Database, structure_id: UUID, now: datetime) -> list[WaitingPayment]:
    """Return all that a structure is owed, the first due first: who holds each part, and what they must do."""
    found = structure_dues(database, structure_id, now)
    with database.read() as session:
        channels = {
            row.id: row.channel
            for row in session.execute(
                select(SettlementBatch.id, SettlementBatch.channel).where(
                    SettlementBatch.id.in_([due.batch_id for due in found if due.batch_id])
                )
            )
        }
        advice_ids = [due.advice_id for due in found if due.advice_id]
        reasons = {
            row.id: row.state_reason
            for row in session.execute(
                select(PaymentAdvice.id, PaymentAdvice.state_reason).where(PaymentAdvice.id.in_(advice_ids))
            )
        }
        waits = why_waiting(session, advice_ids, now)
    return [
        WaitingPayment(
            due,
            waiting_step(
                due.stage,
                due.issuer_name,
                channel=channels[due.batch_id] if due.batch_id else None,
                reason=reasons[due.advice_id] if due.advice_id else "",
                waiting=waits.get(due.advice_id) if due.advice_id else None,
            ),
        )
        for due in found
    ]


def redemption_payments(
    database: Database,
    structure_id: UUID,
    asked: Asked,
    *,
    now: datetime,
    redemption_id: UUID | None = None,
) -> Page[RedemptionPayment]:
    """Return a page of a structure's redemptions by time, each with its payment. Filter: `lieu` (place id)."""
    freed, standing = aliased(Dispute), aliased(Dispute)
    in_period = and_(
        freed.id.is_(None),
        func.coalesce(standing.is_suspending, false()).is_(False),
        AdviceLine.nature == LineNature.PERIOD,
        AdviceLine.source_id == Redemption.period_id,
    )
    alone = and_(AdviceLine.nature == LineNature.RELEASED, AdviceLine.source_id == freed.id)
    line = and_(AdviceLine.structure_id == Redemption.structure_id, or_(in_period, alone))
    query = (
        select(
            Redemption.id,
            Place.name,
            Redemption.redeemed_at,
            Redemption.voucher_count,
            Redemption.amount_cents,
            PaymentAdvice.id.label("advice_id"),
            Issuer.name.label("issuer_name"),
            Agreement.payment_days,
            Period.opened_at,
            Period.ends_at,
            Period.closed_at,
            Redemption.state,
            standing.id.label("dispute_id"),
            standing.is_suspending,
            standing.opened_at.label("contested_at"),
            standing.decided_at,
        )
        .join(Period, Period.id == Redemption.period_id)
        # What freed it after its lot, and what stands against it: one at most of each.
        .outerjoin(freed, and_(freed.redemption_id == Redemption.id, freed.is_released))
        .outerjoin(
            standing,
            and_(
                standing.redemption_id == Redemption.id,
                or_(standing.outcome.is_(None), standing.outcome == DisputeOutcome.UPHELD),
            ),
        )
        .join(Place, Place.id == Redemption.place_id)
        .join(Agreement, Agreement.id == Redemption.agreement_id)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .outerjoin(AdviceLine, line)
        .outerjoin(PaymentAdvice, PaymentAdvice.id == AdviceLine.advice_id)
        .where(Redemption.structure_id == structure_id, Redemption.state != RedemptionState.UNDONE)
    )
    if redemption_id is not None:
        query = query.where(Redemption.id == redemption_id)
    if place := asked.filters.get("lieu"):
        query = query.where(Place.name == place)
    with database.read() as session:
        page = page_of(session, query, {"redeemed_at": Redemption.redeemed_at}, [Redemption.id], asked)
        steps = _Steps(session, now)
        return page.of(_payment(row, steps, now) for row in page.rows)


def _payment(row: Any, steps: "_Steps", now: datetime) -> RedemptionPayment:
    found: tuple[PaymentStep, ...] = ()
    paid_on = last_id = None
    if not row.is_suspending:
        is_running = row.closed_at is None and row.ends_at is not None and row.ends_at > now
        found, paid_on, last_id = steps.of(row.advice_id, row.issuer_name, is_running=is_running)
    is_owed = row.state == RedemptionState.CONFIRMED
    due_on = last_day(row.opened_at, row.ends_at, row.closed_at) + timedelta(days=row.payment_days)
    return RedemptionPayment(
        redemption_id=row.id,
        place_name=row.name,
        redeemed_at=row.redeemed_at,
        voucher_count=row.voucher_count,
        amount_cents=row.amount_cents,
        advice_id=last_id,
        paid_on=paid_on,
        due_on=due_on,
        is_late=is_owed and (paid_on or paris_day(now)) > due_on,
        steps=(PaymentStep("Chèques encaissés", row.redeemed_at, Holder.NOBODY, "", ""), *found, *_contested(row)),
        dispute_id=row.dispute_id,
        is_clawed_back=row.dispute_id is not None and row.decided_at is not None,
    )


def _contested(row: Any) -> list[PaymentStep]:
    """Return what a dispute that stands makes of a payment."""
    if row.dispute_id is None:
        return []
    if row.decided_at is not None:
        back = "" if row.is_suspending else "La somme est retenue sur vos règlements suivants."
        return [PaymentStep("Repris : ces chèques ne vous sont plus dus", row.decided_at, Holder.NOBODY, "", back)]
    what = "Contesté : le paiement est suspendu" if row.is_suspending else "Contesté : rien n’est retiré pour le moment"
    finance = finance_of(row.issuer_name)
    return [PaymentStep(what, row.contested_at, Holder.FINANCE, finance, "Il doit décider. Lisez le motif.")]


class _Steps:
    """The steps of advices, each followed to the one that took it up; read once for all the redemptions it pays."""

    def __init__(self, session: Any, now: datetime) -> None:
        self._session = session
        self._now = now
        self._known: dict[UUID, tuple[tuple[PaymentStep, ...], date | None, UUID]] = {}

    def of(
        self, advice_id: UUID | None, issuer_name: str, *, is_running: bool
    ) -> tuple[tuple[PaymentStep, ...], date | None, UUID | None]:
        """Return the steps after the use, the day of payment if it is paid, and the last advice."""
        if advice_id is None:
            return (waiting_step(Stage.RUNNING if is_running else Stage.NOT_FROZEN, issuer_name),), None, None
        if advice_id not in self._known:
            self._known[advice_id] = self._read(advice_id, issuer_name)
        return self._known[advice_id]

    def _read(self, advice_id: UUID, issuer_name: str) -> tuple[tuple[PaymentStep, ...], date | None, UUID]:
        steps: list[PaymentStep] = []
        current: UUID | None = advice_id
        paid_on = None
        last = advice_id
        while current is not None:
            last = current
            row = self._session.execute(
                select(*PaymentAdvice.__table__.columns, *_BATCH)
                .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
                .where(PaymentAdvice.id == current)
            ).one()
            waiting = why_waiting(self._session, [current], self._now).get(current)
            steps += advice_steps(row, issuer_name, waiting)
            paid_on = row.paid_on if row.state in (AdviceState.PAID, AdviceState.SETTLED) else None
            current = (
                self._session.scalar(
                    select(AdviceLine.advice_id).where(
                        AdviceLine.nature == LineNature.CARRIED_OVER, AdviceLine.source_id == current
                    )
                )
                if row.state == AdviceState.TAKEN_UP
                else None
            )
        return tuple(steps), paid_on, last


_BATCH = (
    SettlementBatch.number,
    SettlementBatch.channel,
    SettlementBatch.state.label("batch_state"),
    SettlementBatch.frozen_at,
    SettlementBatch.approved_at,
    SettlementBatch.exported_at,
)
