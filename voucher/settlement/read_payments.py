"""What a structure asks: what it was paid, what it will be, and why not yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import and_, false, func, or_, select
from sqlalchemy.orm import aliased

from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.money import sum_cents
from voucher.network.model import Place
from voucher.programme.model import Agreement, Issuer, SettlementChannel
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.redemption.period import last_day
from voucher.settlement.due_periods import IN_A_BATCH
from voucher.settlement.held import Held
from voucher.settlement.model import AdviceLine, AdviceState, BatchState, LineNature, PaymentAdvice, SettlementBatch
from voucher.settlement.model_overpayments import Dispute, DisputeOutcome, Overpayment
from voucher.settlement.overpayments import released_unpaid
from voucher.settlement.reasons import explain
from voucher.settlement.waiting import Waiting, why_waiting


class Holder(StrEnum):
    """Who a payment waits for."""

    FINANCE = "finance"
    APPROVER = "approver"
    BANK = "bank"
    ACCOUNTANT = "accountant"
    STRUCTURE = "structure"
    PROGRAMME = "programme"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class PaymentStep:
    """Where a payment stands: what happened last, who holds it now, what they must do."""

    what: str
    at: datetime | None
    holder: Holder
    who: str
    next: str


@dataclass(frozen=True, slots=True)
class RedemptionPayment:
    """One redemption of a structure and the state of its payment. `due_on`: the days of the agreement after its period's end."""

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

    @property
    def now(self) -> PaymentStep:
        """The last step: who holds the payment."""
        return self.steps[-1]


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


def redemption_payments(
    database: Database,
    structure_id: UUID,
    *,
    now: datetime,
    descending: bool,
    limit: int,
    offset: int,
    filters: Mapping[str, str],
    redemption_id: UUID | None = None,
) -> tuple[list[RedemptionPayment], int]:
    """Return a page of a structure's redemptions by time, each with its payment, and how many there are. Filter: `lieu` (place id)."""
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
    if place := filters.get("lieu"):
        query = query.where(Place.name == place)
    with database.read() as session:
        total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
        at = Redemption.redeemed_at.desc() if descending else Redemption.redeemed_at
        rows = session.execute(query.order_by(at, Redemption.id).limit(limit).offset(offset)).all()
        steps = _Steps(session, now)
        return [_payment(row, steps, now) for row in rows], total


def _payment(row: Any, steps: "_Steps", now: datetime) -> RedemptionPayment:
    found: tuple[PaymentStep, ...] = ()
    paid_on = last_id = None
    if not row.is_suspending:
        found, paid_on, last_id = steps.of(row.advice_id, row.issuer_name)
    is_owed = row.state == RedemptionState.CONFIRMED
    due_on = last_day(row.opened_at, row.ends_at, row.closed_at) + timedelta(days=row.payment_days)
    return RedemptionPayment(
        row.id,
        row.name,
        row.redeemed_at,
        row.voucher_count,
        row.amount_cents,
        last_id,
        paid_on,
        due_on,
        is_owed and (paid_on or paris_day(now)) > due_on,
        (PaymentStep("Chèques encaissés", row.redeemed_at, Holder.NOBODY, "", ""), *found, *_contested(row)),
        row.dispute_id,
    )


def _contested(row: Any) -> list[PaymentStep]:
    """Return what a dispute that stands makes of a payment."""
    if row.dispute_id is None:
        return []
    if row.decided_at is not None:
        back = "" if row.is_suspending else "La somme est retenue sur vos règlements suivants."
        return [PaymentStep("Repris : ces chèques ne vous sont plus dus", row.decided_at, Holder.NOBODY, "", back)]
    what = "Contesté : le paiement est suspendu" if row.is_suspending else "Contesté : rien n’est retiré pour le moment"
    finance = f"Le service des finances, {row.issuer_name}"
    return [PaymentStep(what, row.contested_at, Holder.FINANCE, finance, "Il doit décider. Lisez le motif.")]


class _Steps:
    """The steps of advices, each followed to the one that took it up; read once for all the redemptions it pays."""

    def __init__(self, session: Any, now: datetime) -> None:
        self._session = session
        self._now = now
        self._known: dict[UUID, tuple[tuple[PaymentStep, ...], date | None, UUID]] = {}

    def of(self, advice_id: UUID | None, issuer_name: str) -> tuple[tuple[PaymentStep, ...], date | None, UUID | None]:
        """Return the steps after the use, the day of payment if it is paid, and the last advice."""
        if advice_id is None:
            step = PaymentStep(
                "Dans aucun lot de règlement pour le moment",
                None,
                Holder.FINANCE,
                f"Le service des finances, {issuer_name}",
                "Il doit arrêter le prochain lot.",
            )
            return (step,), None, None
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
            steps += _steps_of(row, issuer_name, waiting)
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


def _who_lifts(waiting: Waiting, finance: str) -> tuple[tuple[Holder, str], str]:
    """Return who can make a payment that waits leave, and what they must do."""
    match waiting.held:
        case Held.SUSPENDED:
            return (Holder.PROGRAMME, "Le programme"), "Appelez le programme pour lever la suspension."
        case Held.BLOCKED:
            return (Holder.FINANCE, finance), "Appelez le service des finances pour en parler."
        case Held.BELOW_MINIMUM:
            return (Holder.FINANCE, finance), "Le lot qui atteint le minimum vous paiera."
        case Held.NO_RIB | Held.BAD_RIB | Held.REFUSED_ACCOUNT:
            return (Holder.STRUCTURE, "Votre structure"), "Donnez votre RIB à jour. Le lot suivant vous paiera."
        case None:
            return (Holder.FINANCE, finance), "Le lot suivant vous paiera."


def _steps_of(row: Any, issuer_name: str, waiting: Waiting | None) -> list[PaymentStep]:
    """Return what happened to one advice, the last step saying who holds it."""
    finance = f"Le service des finances, {issuer_name}"
    is_operator = row.channel == SettlementChannel.MANDATED_OPERATOR
    bank = (Holder.BANK, "La banque") if is_operator else (Holder.ACCOUNTANT, "Le comptable public")
    nobody = (Holder.NOBODY, "", "")
    done = [PaymentStep(f"Mis dans le lot {row.number}", row.frozen_at, *nobody)]
    if row.is_payable and row.approved_at:
        done.append(PaymentStep("Lot validé par une deuxième personne", row.approved_at, *nobody))
    if row.is_payable and row.exported_at:
        done.append(PaymentStep(f"Transmis : {bank[1].lower()} doit payer", row.exported_at, *nobody))
    match AdviceState(row.state):
        case AdviceState.HELD if waiting is not None:
            who, act = _who_lifts(waiting, finance)
            # Its own page does not tell a structure to ask itself for its RIB.
            is_own = waiting.held in (Held.NO_RIB, Held.REFUSED_ACCOUNT)
            what = f"{waiting.title}." if is_own else waiting.sentence
            done.append(PaymentStep(f"En attente. {what}", None, *who, act))
        case AdviceState.DUE if row.batch_state == BatchState.FROZEN:
            done.append(
                PaymentStep(
                    "En attente de validation",
                    None,
                    Holder.APPROVER,
                    finance,
                    "Une deuxième personne doit valider le lot.",
                )
            )
        case AdviceState.DUE:
            done.append(PaymentStep("Prêt à partir", None, Holder.FINANCE, finance, "Il doit transmettre le lot."))
        case AdviceState.IN_FILE:
            done.append(
                PaymentStep("En cours de paiement", None, *bank, "Le virement doit paraître sur le relevé de compte.")
            )
        case AdviceState.PAID:
            done.append(PaymentStep(f"Payé, confirmé par {bank[1].lower()}", None, *nobody))
        case AdviceState.REJECTED | AdviceState.RETURNED if waiting is not None:
            who, act = _who_lifts(waiting, finance)
            what = f"Virement refusé par {bank[1].lower()}. {explain(row.state_reason).sentence}"
            done.append(PaymentStep(what, None, *who, act))
        case AdviceState.SETTLED:
            done.append(PaymentStep("Soldé sans virement : la somme a rendu un trop-perçu", None, *nobody))
        case AdviceState.TAKEN_UP:
            done.append(PaymentStep("Le paiement n’a pas abouti : un lot suivant l’a repris", None, *nobody))
    return done
