"""Why each payment that waits (held, rejected, returned, or called a duplicate by the bank) is not made now, who must act and what
they do: one answer for all pages.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, exists, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.programme.model import Agreement
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.payable.announced_duplicates import is_open
from voucher.settlement.payable.next_period import next_period
from voucher.settlement.payable.owed import CARRIED_STATES, owed_by
from voucher.settlement.payable.possible_double_payments import maybe_paid
from voucher.settlement.payable.why_not_paid import (
    PREPARER,
    Cause,
    Held,
    duplicate_announced,
    maybe_paid_already,
    payees,
)
from voucher.settlement.words.states import AdviceState

_IDS_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why a payment waits: `title` in a few words, by which a list gathers it; `sentence` whole; who must act, and what to do;
    `act` is the sentence and what to do, said once.

    `is_set_aside`: a person took it out of its batch, and said why. `held` is what keeps the structure from being paid, None when the next batch can pay it.
    """

    held: Held | None
    title: str
    sentence: str
    holder: str
    what_to_do: str
    act: str
    is_set_aside: bool = False


@dataclass(frozen=True, slots=True)
class WaitingAdvice:
    """Why an advice waits, and how much it is. `is_held`: it was never sent; else it came back, or is in doubt."""

    waiting: Waiting
    amount_cents: int
    is_held: bool


def why_waiting(session: Session, advice_ids: Collection[UUID], now: datetime) -> dict[UUID, Waiting]:
    """Return why these advices wait, those that do not wait left out."""
    is_set_aside = exists().where(Entry.event_type == EventType.ADVICE_SET_ASIDE, Entry.event_id == PaymentAdvice.id)
    ids = sorted(set(advice_ids))
    rows: list[Row[*tuple[Any, ...]]] = []
    for start in range(0, len(ids), _IDS_MAX):
        rows += session.execute(
            select(
                PaymentAdvice.id,
                PaymentAdvice.structure_id,
                PaymentAdvice.state,
                PaymentAdvice.state_reason,
                SettlementBatch.agreement_id,
                Agreement.minimum_payment_cents,
                Agreement.present_by,
                is_set_aside.label("is_set_aside"),
            )
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
            .where(PaymentAdvice.id.in_(ids[start : start + _IDS_MAX]), _waits())
        ).all()
    now_paid = payees(session, [row.structure_id for row in rows])
    doubtful = maybe_paid(session, [row.id for row in rows if row.state != AdviceState.IN_FILE])
    held_by = {(row.agreement_id, row.structure_id) for row in rows if row.id in doubtful}
    small: dict[UUID, dict[UUID, Cause]] = {}
    found = {}
    for row in rows:
        if row.state == AdviceState.IN_FILE:
            found[row.id] = _waiting(row, duplicate_announced())
            continue
        cause = now_paid[row.structure_id].cause(row.agreement_id)
        if cause is None and (row.agreement_id, row.structure_id) in held_by:
            cause = maybe_paid_already()
        if cause is None and row.minimum_payment_cents and paris_day(now) <= row.present_by:
            if row.agreement_id not in small:
                small[row.agreement_id] = _causes_of_next(session, row.agreement_id, now)
            cause = small[row.agreement_id].get(row.structure_id)
        found[row.id] = _waiting(row, cause)
    return found


def batch_waiting(database: Database, batch_id: UUID, now: datetime) -> dict[UUID, WaitingAdvice]:
    """Return what waits of a batch, by advice, with its amount."""
    with database.read() as session:
        rows = session.execute(
            select(PaymentAdvice.id, PaymentAdvice.amount_cents, PaymentAdvice.state).where(
                PaymentAdvice.batch_id == batch_id, _waits()
            )
        ).all()
        waits = why_waiting(session, [row.id for row in rows], now)
    return {row.id: WaitingAdvice(waits[row.id], row.amount_cents, row.state == AdviceState.HELD) for row in rows}


def advice_waiting(database: Database, advice_id: UUID, now: datetime) -> Waiting | None:
    """Return why one advice waits, or None when it does not."""
    with database.read() as session:
        return why_waiting(session, [advice_id], now).get(advice_id)


def by_title(found: Iterable[WaitingAdvice]) -> list[tuple[str, int, int]]:
    """Return why advices wait, in a few words, each with how many and how many cents, the most first."""
    sums: dict[str, tuple[int, int]] = {}
    for one in found:
        count, cents = sums.get(one.waiting.title, (0, 0))
        sums[one.waiting.title] = (count + 1, cents + one.amount_cents)
    return sorted(((title, *of) for title, of in sums.items()), key=lambda row: (-row[2], row[0]))


def _waits() -> ColumnElement[bool]:
    """Return the condition that an advice waits: for a batch to take it up, or in transit for an answer about a duplicate."""
    return or_(PaymentAdvice.state.in_(CARRIED_STATES), is_open())


def _causes_of_next(session: Session, agreement_id: UUID, now: datetime) -> dict[UUID, Cause]:
    """Return what the next batch of an agreement would hold: only it knows which amounts are too small."""
    period = next_period(session, agreement_id)
    owed = owed_by(session, agreement_id, period.id if period else None, now=now)
    return {one.structure_id: one.cause for one in owed if one.cause is not None}


def _waiting(row: Row[*tuple[Any, ...]], cause: Cause | None) -> Waiting:
    if cause is not None:
        return Waiting(
            held=cause.held,
            title=cause.title,
            sentence=cause.sentence,
            holder=cause.holder,
            what_to_do=cause.what_to_do,
            act=cause.act,
        )
    if row.state == AdviceState.HELD:
        if row.is_set_aside:
            said = f"Mis de côté : {row.state_reason.rstrip('.')}."
            return replace(_ready("Mis de côté", said), is_set_aside=True)
        return _ready("Prêt à repartir", "Plus rien ne retient cette somme.")
    why = explain(row.state_reason)
    if why.account:
        return _ready("Prêt à repartir", f"{why.sentence} Un nouveau RIB est enregistré.")
    return _ready("Virement refusé", why.sentence, why.what_to_do)


def _ready(title: str, sentence: str, what_to_do: str = "Arrêter le lot suivant, ou payer sans attendre.") -> Waiting:
    """Why a payment waits that the next batch can make: the preparer holds it."""
    return Waiting(
        held=None,
        title=title,
        sentence=sentence,
        holder=PREPARER,
        what_to_do=what_to_do,
        act=f"{sentence} {what_to_do}",
    )
