"""Why each payment that waits (held, rejected, returned, or called a duplicate by the bank) is not made now, who must act and what they
do: one answer for all pages.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.payable.owed import CARRIED_STATES
from voucher.settlement.payable.read_payment_facts import payment_facts
from voucher.settlement.payable.undecided_duplicates import is_open
from voucher.settlement.words.causes import Held
from voucher.settlement.words.payment_facts import PaymentFacts
from voucher.settlement.words.payment_sentences import Said, said
from voucher.settlement.words.states import AdviceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why a payment waits, as the office reads it: `act` is why and what to do, said once; `said` is the whole.

    `is_set_aside`: a person took it out of its batch, and said why. `held` is what keeps the structure from being paid, None when the next batch can pay it.
    """

    held: Held | None
    said: Said
    act: str
    is_set_aside: bool = False

    @property
    def title(self) -> str:
        """Why, in a few words, by which a list gathers it."""
        return self.said.title

    @property
    def holder(self) -> str:
        """Who must act."""
        return self.said.office_who


@dataclass(frozen=True, slots=True)
class WaitingAdvice:
    """Why an advice waits, and how much it is. `state` says whether it was never sent, came back, or is in doubt."""

    waiting: Waiting
    amount_cents: int
    state: AdviceState


def why_waiting(session: Session, advice_ids: Collection[UUID], now: datetime) -> dict[UUID, Waiting]:
    """Return why these advices wait, those that do not wait left out."""
    facts = payment_facts(session, advice_ids, now)
    return {key: waiting_of(one) for key, one in facts.items() if _is_waiting(one)}


def waiting_of(facts: PaymentFacts) -> Waiting:
    """Return why a payment waits."""
    told = said(facts)
    act = f"{told.what} {told.office_act}" if facts.cause is None else facts.cause.act
    is_set_aside = facts.cause is None and facts.set_aside_because != ""
    return Waiting(
        held=None if facts.cause is None else facts.cause.held, said=told, act=act, is_set_aside=is_set_aside
    )


def batch_waiting(database: Database, batch_id: UUID, now: datetime) -> dict[UUID, WaitingAdvice]:
    """Return what waits of a batch, by advice, with its amount."""
    with database.read() as session:
        rows = session.execute(
            select(PaymentAdvice.id, PaymentAdvice.amount_cents, PaymentAdvice.state).where(
                PaymentAdvice.batch_id == batch_id, _waits()
            )
        ).all()
        waits = why_waiting(session, [row.id for row in rows], now)
    return {row.id: WaitingAdvice(waits[row.id], row.amount_cents, row.state) for row in rows}


def by_title(found: Iterable[WaitingAdvice]) -> list[tuple[str, int, int]]:
    """Return why advices wait, in a few words, each with how many and how many cents, the most first."""
    sums: dict[str, tuple[int, int]] = {}
    for one in found:
        count, cents = sums.get(one.waiting.title, (0, 0))
        sums[one.waiting.title] = (count + 1, cents + one.amount_cents)
    return sorted(((title, *of) for title, of in sums.items()), key=lambda row: (-row[2], row[0]))


def _is_waiting(facts: PaymentFacts) -> bool:
    is_doubled = facts.state is AdviceState.IN_FILE and facts.cause is not None
    return is_doubled or facts.state in CARRIED_STATES


def _waits() -> ColumnElement[bool]:
    """Return the condition that an advice waits: for a batch to take it up, or in transit for an answer about a duplicate."""
    return or_(PaymentAdvice.state.in_(CARRIED_STATES), is_open())
