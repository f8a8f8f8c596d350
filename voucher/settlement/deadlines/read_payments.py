"""What a structure asks: what it was paid, what it will be, and why not yet."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.money import sum_cents
from voucher.network.model import Place
from voucher.programme.model import Agreement, Issuer
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.settlement.deadlines.payment_deadlines import Due, Stage, structure_dues
from voucher.settlement.deadlines.payment_steps import PaymentStep, advice_steps, done_step, step_of
from voucher.settlement.model.batches import AdviceLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.model.recoveries import Dispute, Overpayment
from voucher.settlement.payable.due_day import is_late, period_due_on
from voucher.settlement.payable.next_period import IN_A_BATCH
from voucher.settlement.payable.read_payment_facts import payment_facts
from voucher.settlement.payable.why_not_paid import Payee, payees
from voucher.settlement.recoveries.net_overpayments import released_unpaid
from voucher.settlement.words.causes import Holder
from voucher.settlement.words.dispute_sentences import DisputeFacts, dispute_said
from voucher.settlement.words.payment_facts import PaymentFacts
from voucher.settlement.words.payment_sentences import due_sentence, finance_of, said
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
    due_sentence: str
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

    @property
    def owed_cents(self) -> int:
        """All that is owed and can be paid: what is contested waits for a decision."""
        return self.open_cents + self.on_the_way_cents + self.waiting_cents


def owing(database: Database, structure_id: UUID, *, issuer_id: UUID | None = None) -> Owing:
    """Sum up a structure's money, of all or of one issuer: not yet in a batch, on the way, waiting for something, paid."""
    of_scope = select(Agreement.id).where(in_scope(Agreement.issuer_id, issuer_id))
    with database.read() as session:
        open_cents = session.scalar(
            select(func.sum(Redemption.amount_cents))
            .join(Period, Period.id == Redemption.period_id)
            .where(
                Redemption.structure_id == structure_id,
                Redemption.agreement_id.in_(of_scope),
                Redemption.state == RedemptionState.CONFIRMED,
                ~IN_A_BATCH,
            )
        )
        freed = (
            released_unpaid().where(Dispute.structure_id == structure_id, Dispute.agreement_id.in_(of_scope)).subquery()
        )
        freed_cents = session.scalar(select(func.sum(freed.c.cents)))
        suspended_cents = session.scalar(
            select(func.sum(Dispute.amount_cents)).where(
                Dispute.structure_id == structure_id,
                Dispute.agreement_id.in_(of_scope),
                Dispute.outcome.is_(None),
                Dispute.is_suspending,
            )
        )
        overpaid_cents = session.scalar(
            select(func.sum(Overpayment.amount_cents - Overpayment.recovered_cents)).where(
                Overpayment.structure_id == structure_id, Overpayment.agreement_id.in_(of_scope)
            )
        )
        states = {
            state: int(cents)
            for state, cents in session.execute(
                select(PaymentAdvice.state, func.sum(PaymentAdvice.amount_cents))
                .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
                .where(PaymentAdvice.structure_id == structure_id, SettlementBatch.agreement_id.in_(of_scope))
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
        advice_ids = {
            row.batch_id: row.id
            for row in session.execute(
                select(PaymentAdvice.id, PaymentAdvice.batch_id).where(
                    PaymentAdvice.structure_id == structure_id,
                    PaymentAdvice.batch_id.in_([due.batch_id for due in found if due.batch_id]),
                )
            )
        }
        facts = payment_facts(session, advice_ids.values(), now)
        payee = payees(session, [structure_id])[structure_id] if found else None
    return [
        WaitingPayment(
            due,
            step_of(
                said(
                    replace(facts[advice_ids[due.batch_id]], due_on=None)
                    if due.batch_id
                    else _in_no_batch(payee, due.agreement_id, due.issuer_name, due.stage is Stage.RUNNING, now)
                )
            ),
        )
        for due in found
    ]


def _in_no_batch(
    payee: Payee | None, agreement_id: UUID, issuer_name: str, is_running: bool, now: datetime
) -> PaymentFacts:
    """Return what is known of money that no batch holds; what would keep it from being paid is told before it does."""
    return PaymentFacts(
        today=paris_day(now),
        state=None,
        is_month_running=is_running,
        issuer_name=issuer_name,
        cause=None if payee is None else payee.cause(agreement_id),
    )


def redemption_payments(
    database: Database,
    structure_id: UUID,
    asked: Asked,
    *,
    now: datetime,
    redemption_id: UUID | None = None,
) -> Page[RedemptionPayment]:
    """Return a page of a structure's redemptions by time, each with its payment. Filter: `place` (place id)."""
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
            PaymentAdvice.due_on.label("written_due_on"),
            AdviceLine.nature.label("line_nature"),
            Redemption.agreement_id,
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
            (Overpayment.amount_cents - Overpayment.recovered_cents).label("left_cents"),
            Overpayment.claimed_at,
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
        .outerjoin(Overpayment, Overpayment.dispute_id == standing.id)
        .where(Redemption.structure_id == structure_id, Redemption.state != RedemptionState.UNDONE)
    )
    if redemption_id is not None:
        query = query.where(Redemption.id == redemption_id)
    if place := asked.filters.get("place"):
        query = query.where(Place.name == place)
    with database.read() as session:
        page = page_of(session, query, {"redeemed_at": Redemption.redeemed_at}, [Redemption.id], asked)
        steps = _Steps(session, structure_id, now)
        return page.of(_payment(row, steps, now) for row in page.rows)


def _payment(row: Any, steps: "_Steps", now: datetime) -> RedemptionPayment:
    found: tuple[PaymentStep, ...] = ()
    paid_on = last_id = None
    if row.advice_id is not None and not row.is_suspending:
        found, paid_on, last_id = steps.of(row.advice_id)
    elif not row.is_suspending:
        found = (steps.in_no_batch(row),)
    is_owed = row.state == RedemptionState.CONFIRMED
    # The day that its batch wrote stands, whatever the agreement says since.
    is_written = row.written_due_on is not None and row.line_nature == LineNature.PERIOD
    due_on = (
        row.written_due_on if is_written else period_due_on(row.opened_at, row.ends_at, row.closed_at, row.payment_days)
    )
    return RedemptionPayment(
        redemption_id=row.id,
        place_name=row.name,
        redeemed_at=row.redeemed_at,
        voucher_count=row.voucher_count,
        amount_cents=row.amount_cents,
        advice_id=last_id,
        paid_on=paid_on,
        due_on=due_on,
        due_sentence=due_sentence(due_on, paid_on or paris_day(now), is_paid=paid_on is not None) if is_owed else "",
        is_late=is_owed and is_late(due_on, paris_day(now), paid_on),
        steps=(done_step("Chèques encaissés", row.redeemed_at), *found, *_contested(row)),
        dispute_id=row.dispute_id,
        is_clawed_back=row.dispute_id is not None and row.decided_at is not None,
    )


def _contested(row: Any) -> list[PaymentStep]:
    """Return what a dispute that stands makes of a payment."""
    if row.dispute_id is None:
        return []
    is_decided = row.decided_at is not None
    told = dispute_said(
        DisputeFacts(
            is_upheld=True if is_decided else None,
            is_suspending=row.is_suspending,
            left_cents=row.left_cents,
            is_claimed=row.claimed_at is not None,
        )
    )
    holder, who = (Holder.NOBODY, "") if is_decided else (Holder.FINANCE, finance_of(row.issuer_name))
    return [
        PaymentStep(
            f"{told.what} {told.money}", row.decided_at if is_decided else row.contested_at, holder, who, told.act
        )
    ]


class _Steps:
    """The steps of advices, each followed to the one that took it up; read once for all the redemptions it pays."""

    def __init__(self, session: Session, structure_id: UUID, now: datetime) -> None:
        self._session = session
        self._structure_id = structure_id
        self._now = now
        self._known: dict[UUID, tuple[tuple[PaymentStep, ...], date | None, UUID]] = {}
        self._payee: Payee | None = None

    def of(self, advice_id: UUID) -> tuple[tuple[PaymentStep, ...], date | None, UUID]:
        """Return the steps after the use, the day of payment if it is paid, and the last advice."""
        if advice_id not in self._known:
            self._known[advice_id] = self._read(advice_id)
        return self._known[advice_id]

    def in_no_batch(self, row: Any) -> PaymentStep:
        """Return the step of a redemption that no batch holds."""
        if self._payee is None:
            self._payee = payees(self._session, [self._structure_id])[self._structure_id]
        is_running = row.closed_at is None and row.ends_at is not None and row.ends_at > self._now
        return step_of(said(_in_no_batch(self._payee, row.agreement_id, row.issuer_name, is_running, self._now)))

    def _read(self, advice_id: UUID) -> tuple[tuple[PaymentStep, ...], date | None, UUID]:
        steps: list[PaymentStep] = []
        current: UUID | None = advice_id
        paid_on = None
        last = advice_id
        while current is not None:
            last = current
            row = self._session.execute(
                select(
                    PaymentAdvice.is_payable,
                    SettlementBatch.number,
                    SettlementBatch.frozen_at,
                    SettlementBatch.approved_at,
                )
                .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
                .where(PaymentAdvice.id == current)
            ).one()
            facts = payment_facts(self._session, [current], self._now)[current]
            steps += advice_steps(facts, row.number, row.frozen_at, row.approved_at if row.is_payable else None)
            paid_on = facts.paid_on if facts.state in (AdviceState.PAID, AdviceState.SETTLED) else None
            current = (
                self._session.scalar(
                    select(AdviceLine.advice_id).where(
                        AdviceLine.nature == LineNature.CARRIED_OVER, AdviceLine.source_id == current
                    )
                )
                if facts.state is AdviceState.TAKEN_UP
                else None
            )
        return tuple(steps), paid_on, last
