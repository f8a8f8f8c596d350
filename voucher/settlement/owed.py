"""What an agreement owes its structures at this moment: the confirmed redemptions of a period, and what earlier batches
could not pay. Preview shows it, freeze writes it; both read it here, so that they cannot differ.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, func, select
from sqlalchemy.orm import Session

from voucher.network.model import BankDetails, Structure, StructureState
from voucher.redemption.model import Redemption, RedemptionState
from voucher.settlement import sepa
from voucher.settlement.model import AdviceState, PaymentAdvice, SettlementBatch

CARRIED_STATES = (AdviceState.HELD, AdviceState.REJECTED, AdviceState.RETURNED)
"""States in which an advice is still owed and waits for the next batch."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Owed:
    """What one structure is owed, and where to pay it. `why_held` is a French sentence, empty when it can be paid."""

    structure_id: UUID
    name: str
    pivot: str
    period_cents: int
    period_voucher_count: int
    carried: tuple[Carried, ...]
    holder_name: str | None
    iban: str | None
    bic: str | None
    why_held: str

    @property
    def is_payable(self) -> bool:
        """Whether the structure goes into the batch's total."""
        return not self.why_held

    @property
    def amount_cents(self) -> int:
        """All that is owed: the period and what is carried over."""
        return self.period_cents + sum(one.amount_cents for one in self.carried)

    @property
    def voucher_count(self) -> int:
        """The vouchers behind that amount."""
        return self.period_voucher_count + sum(one.voucher_count for one in self.carried)


def owed_by(session: Session, agreement_id: UUID, period_id: UUID | None) -> list[Owed]:
    """Return what each structure is owed, in the order of structures' ids: one sum over the period, whatever its size."""
    sums = {} if period_id is None else {row[0]: row for row in session.execute(_period_sums(period_id))}
    carried: dict[UUID, list[Carried]] = {}
    for one in _carried(session, agreement_id):
        carried.setdefault(one.structure_id, []).append(one)
    found = []
    for row in _structures(session, [*sums, *carried]):
        period = sums.get(row.id)
        found.append(
            Owed(
                row.id,
                row.name,
                row.pivot,
                int(period[1]) if period else 0,
                int(period[2]) if period else 0,
                tuple(carried.get(row.id, ())),
                row.holder_name,
                row.iban,
                row.bic,
                _why_held(row.state, row.state_reason, row.holder_name, row.iban),
            )
        )
    return found


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
            PaymentAdvice.id,
            PaymentAdvice.structure_id,
            SettlementBatch.number,
            PaymentAdvice.amount_cents,
            PaymentAdvice.voucher_count,
            PaymentAdvice.state,
            PaymentAdvice.state_reason,
            PaymentAdvice.iban,
        )
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(SettlementBatch.agreement_id == agreement_id, PaymentAdvice.state.in_(CARRIED_STATES))
        .order_by(SettlementBatch.frozen_at, PaymentAdvice.id)
    )
    return [Carried(*row[:5], AdviceState(row[5]), *row[6:]) for row in rows]


def _structures(session: Session, wanted: Sequence[UUID]) -> Iterator[Row[*tuple[Any, ...]]]:
    query = (
        select(
            Structure.id,
            Structure.name,
            Structure.pivot,
            Structure.state,
            Structure.state_reason,
            BankDetails.holder_name,
            BankDetails.iban,
            BankDetails.bic,
        )
        .outerjoin(BankDetails, and_(BankDetails.structure_id == Structure.id, BankDetails.ended_at.is_(None)))
        .order_by(Structure.id)
    )
    ids = sorted(set(wanted))
    for start in range(0, len(ids), 1000):
        yield from session.execute(query.where(Structure.id.in_(ids[start : start + 1000])))


def _why_held(state: str, state_reason: str, holder_name: str | None, iban: str | None) -> str:
    """Return why a structure cannot be paid, with what to do; empty when it can."""
    if state == StructureState.SUSPENDED:
        return f"Structure suspendue : {state_reason}"[:200]
    if iban is None or holder_name is None:
        return "RIB manquant : demandez-le à la structure."
    try:
        sepa.checked_iban(iban)
        sepa.checked_name(holder_name, "Le nom du titulaire du compte")
    except sepa.WrongPayment as wrong:
        return f"RIB inutilisable : {wrong.sentence}"[:200]
    return ""


def carried_words(one: Carried) -> str:
    """Return what an advice brings from an earlier batch, in words: for the advice's lines and the preview."""
    why = {
        AdviceState.HELD: "mis de côté",
        AdviceState.REJECTED: "virement rejeté",
        AdviceState.RETURNED: "virement retourné",
    }[one.state]
    return f"Lot {one.batch_number}, {why}"
