"""What an agreement owes its structures at this moment: the confirmed redemptions of a period, what earlier batches could not
pay, what dismissed disputes freed; less what the structure owes back. Preview shows it, freeze writes it; both read it here,
so that they cannot differ.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import not_before, paris_day
from voucher.programme.model import Agreement
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.redemption.period import last_day
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.payable.due_day import advice_due_on, due_on, is_below_minimum, minimum_now
from voucher.settlement.payable.possible_double_payments import maybe_paid
from voucher.settlement.payable.why_not_paid import payees
from voucher.settlement.recoveries.net_overpayments import (
    OpenOverpayment,
    Released,
    net_of,
    open_overpayments,
    released_amounts,
)
from voucher.settlement.words.causes import Cause, below_minimum, maybe_paid_already
from voucher.settlement.words.states import AdviceState

CARRIED_STATES = (AdviceState.HELD, AdviceState.REJECTED, AdviceState.RETURNED)
"""States in which an advice is still owed and waits for the next batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """An advice of an earlier batch that is owed still; `state_reason` is a bank's code, or why it was held."""

    advice_id: UUID
    structure_id: UUID
    batch_number: str
    amount_cents: int
    voucher_count: int
    state: AdviceState
    state_reason: str
    iban: str | None
    due_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What one structure is owed, and where to pay it. `cause` says why it is not paid now, None when it can be.

    `due_on` is the day by which the period's money should be paid; without any, the first of what is carried over. `gross_cents` is all that is owed: the
    period, what is carried over, what disputes freed; `netted` the overpayments that this payment nets, each with its cents,
    none while the structure is held.
    """

    structure_id: UUID
    name: str
    pivot: str
    period_cents: int
    period_voucher_count: int
    carried: tuple[Carried, ...]
    holder_name: str | None
    iban: str | None
    bic: str | None
    cause: Cause | None
    due_on: date
    gross_cents: int
    netted: tuple[tuple[UUID, int], ...]
    released: tuple[Released, ...] = ()

    @property
    def why_held(self) -> str:
        """Why it is not paid now, with what to do: a French sentence, empty when it can be."""
        return "" if self.cause is None else self.cause.sentence

    @property
    def is_payable(self) -> bool:
        """Whether the structure goes into the batch's total."""
        return self.cause is None and self.amount_cents > 0

    @property
    def is_settled(self) -> bool:
        """Whether what the structure owes back pays all that it is owed: no transfer is needed."""
        return self.cause is None and self.amount_cents == 0

    @property
    def netted_cents(self) -> int:
        """What is netted in all."""
        return sum(cents for _, cents in self.netted)

    @property
    def amount_cents(self) -> int:
        """What is left to pay."""
        return self.gross_cents - self.netted_cents

    @property
    def voucher_count(self) -> int:
        """The vouchers behind all that is owed."""
        carried_count = sum(one.voucher_count for one in self.carried)
        return self.period_voucher_count + carried_count + sum(one.voucher_count for one in self.released)


def owed_by(
    session: Session, agreement_id: UUID, period_id: UUID | None, *, now: datetime, has_minimum: bool = True
) -> list[Owed]:
    """Return what each structure is owed, in the order of structures' ids: one sum over the period, whatever its size.

    Without `has_minimum` the agreement's least payment holds nothing back.
    """
    terms = _terms(session, agreement_id, period_id, now)
    minimum_cents = terms.minimum_cents if has_minimum else 0
    sums = {} if period_id is None else {row[0]: row for row in session.execute(_period_sums(period_id))}
    carried: dict[UUID, list[Carried]] = {}
    for one in _carried(session, agreement_id):
        carried.setdefault(one.structure_id, []).append(one)
    released: dict[UUID, list[Released]] = {}
    for freed in released_amounts(session, agreement_id):
        released.setdefault(freed.structure_id, []).append(freed)
    overpaid: dict[UUID, list[OpenOverpayment]] = {}
    for debt in open_overpayments(session, agreement_id):
        overpaid.setdefault(debt.structure_id, []).append(debt)
    doubtful = maybe_paid(session, [one.advice_id for before in carried.values() for one in before])
    found = []
    for structure_id, payee in payees(session, [*sums, *carried, *released]).items():
        period, before = sums.get(structure_id), tuple(carried.get(structure_id, ()))
        period_cents = int(period[1]) if period else 0
        freed_before, debts = tuple(released.get(structure_id, ())), tuple(overpaid.get(structure_id, ()))
        gross_cents = period_cents + sum(one.amount_cents for one in before)
        gross_cents += sum(one.amount_cents for one in freed_before)
        netted = net_of(gross_cents, debts) if debts else ()
        cause = payee.cause(agreement_id)
        if cause is None and any(one.advice_id in doubtful for one in before):
            cause = maybe_paid_already()
        if cause is None and is_below_minimum(gross_cents - sum(cents for _, cents in netted), minimum_cents):
            cause = below_minimum(minimum_cents, terms.present_by)
        found.append(
            Owed(
                structure_id=structure_id,
                name=payee.name,
                pivot=payee.pivot,
                period_cents=period_cents,
                period_voucher_count=int(period[2]) if period else 0,
                carried=before,
                holder_name=payee.holder_name,
                iban=payee.iban,
                bic=payee.bic,
                cause=cause,
                due_on=advice_due_on(
                    terms.due_on if period else None,
                    [
                        *(one.due_on for one in before),
                        *(due_on(one.ended_on, terms.payment_days) for one in freed_before),
                    ],
                ),
                gross_cents=gross_cents,
                netted=() if cause else netted,
                released=freed_before,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the agreement says of a payment made now: less than `minimum_cents` waits; the period is due on `due_on`."""

    minimum_cents: int
    due_on: date
    payment_days: int
    present_by: date


def _terms(session: Session, agreement_id: UUID, period_id: UUID | None, now: datetime) -> _Terms:
    agreement = session.execute(
        select(Agreement.minimum_payment_cents, Agreement.present_by, Agreement.payment_days).where(
            Agreement.id == agreement_id
        )
    ).one()
    ended_on = paris_day(now)
    if period_id is not None:
        period = session.execute(
            select(Period.opened_at, Period.ends_at, Period.closed_at).where(Period.id == period_id)
        ).one()
        ended_on = last_day(period.opened_at, period.ends_at, period.closed_at or not_before(now, period.opened_at))
    return _Terms(
        minimum_now(agreement.minimum_payment_cents, agreement.present_by, paris_day(now)),
        due_on(ended_on, agreement.payment_days),
        agreement.payment_days,
        agreement.present_by,
    )


def _period_sums(period_id: UUID) -> Select[UUID, int, int]:
    """Sum a period by structure. The period is an equality on an index: no redemption is touched."""
    return (
        select(Redemption.structure_id, func.sum(Redemption.amount_cents), func.sum(Redemption.voucher_count))
        .where(Redemption.period_id == period_id, Redemption.state == RedemptionState.CONFIRMED)
        .group_by(Redemption.structure_id)
    )


def _carried(session: Session, agreement_id: UUID) -> list[Carried]:
    rows = session.execute(
        select(
            PaymentAdvice.id.label("advice_id"),
            PaymentAdvice.structure_id,
            SettlementBatch.number.label("batch_number"),
            PaymentAdvice.amount_cents,
            PaymentAdvice.voucher_count,
            PaymentAdvice.state,
            PaymentAdvice.state_reason,
            PaymentAdvice.iban,
            PaymentAdvice.due_on,
        )
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(SettlementBatch.agreement_id == agreement_id, PaymentAdvice.state.in_(CARRIED_STATES))
        .order_by(SettlementBatch.frozen_at, PaymentAdvice.id)
    )
    return [Carried(**row._asdict()) for row in rows]


def carried_words(one: Carried) -> str:
    """Return what an advice brings from an earlier batch, in words: for the advice's lines and the preview."""
    why = {
        AdviceState.HELD: "en attente",
        AdviceState.REJECTED: "virement rejeté",
        AdviceState.RETURNED: "virement retourné",
    }[one.state]
    return f"Lot {one.batch_number}, {why}"
