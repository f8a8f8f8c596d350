"""Arrêter un lot: fix what each structure is paid of the oldest closed period, or of the open one, which closes; and where.

One transaction. It takes the lock that every redemption shares, so that none falls between two periods; what comes after
goes to the next one. Nothing is written on a redemption: a period is summed once (ledger.md §3).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database
from voucher.kernel.idempotency import is_replay, is_same
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import EventType
from voucher.ledger.post import Event, post
from voucher.programme.model import Agreement
from voucher.redemption.model import Period
from voucher.redemption.period import close_period, lock_periods, open_period
from voucher.settlement.batches.deputies import refuse_if_deputy
from voucher.settlement.batches.write_advices import batch_movements, write_advices
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.model.states import Cause, change
from voucher.settlement.payable.next_period import is_over, next_period
from voucher.settlement.payable.owed import Owed, owed_by
from voucher.settlement.words.causes import ended
from voucher.settlement.words.states import AdviceState, BatchState
from voucher.settlement.words.transitions import PaymentWhy


@dataclass(frozen=True, slots=True)
class Frozen:
    """A batch that was frozen: how many structures it pays and how much, how many wait."""

    batch_id: UUID
    number: str
    advice_count: int
    total_cents: int
    held_count: int


def freeze_batch(
    database: Database,
    batch_id: UUID,
    agreement_id: UUID,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
    seen_number: str | None = None,
) -> Frozen:
    """Freeze what an agreement owes; the same command again changes nothing. Raises Refused.

    `batch_id` is made by the form. `issuer_id` is the scope of who acts: another issuer's agreement does not exist for them.
    The oldest closed period is settled first; without one, the open period is closed now, its month over or not.
    `seen_number` is the batch that the person saw: another one is not frozen in its stead.
    A structure without usable bank details, suspended, blocked or owed too little is held: its money stays owed (4670) and
    waits for a later batch. A period whose month is over and that pays nobody makes a batch that is closed at once.
    """
    with database.write() as session:
        refuse_if_deputy(session, by=by, now=now)
        agreement = session.execute(
            select(Agreement.number, Agreement.settlement_channel).where(
                Agreement.id == agreement_id, in_scope(Agreement.issuer_id, issuer_id)
            )
        ).one_or_none()
        if agreement is None:
            raise Refused("unknown_agreement", "Cette convention n’existe pas. Choisissez-la dans la liste.")
        # The lock is taken: a concurrent freeze of this agreement has committed or rolled back.
        lock_periods(session, agreement_id)
        if (standing := standing_batch(session, batch_id, agreement_id)) is not None:
            return standing
        period = next_period(session, agreement_id)
        if period is not None and period.closed_at is None:
            close_period(session, agreement_id, by, now)
        owed = owed_by(session, agreement_id, period.id if period else None, now=now)
        payable = [one for one in owed if one.is_payable]
        settled = [one for one in owed if one.is_settled]
        held_count = sum(1 for one in owed if one.why_held and one.period_cents)
        if not payable and not settled and not (held_count and period is not None and is_over(period, now)):
            raise _nothing(session, agreement_id, owed)
        # An amount that failed may be all there is: it is paid by a period without redemptions.
        period_id = period.id if period else _empty_period(session, agreement_id, by, now)
        period_number = session.execute(select(Period.number).where(Period.id == period_id)).scalar_one()
        frozen = Frozen(
            batch_id,
            f"{agreement.number}/{period_number:02d}",
            len(payable),
            sum(one.amount_cents for one in payable),
            held_count,
        )
        if seen_number is not None and seen_number != frozen.number:
            raise Refused(
                "period_changed",
                f"Quelqu’un vient d’arrêter le lot {seen_number}. Rien de plus n’a été arrêté. Relisez.",
            )
        session.execute(
            insert(SettlementBatch).values(
                id=batch_id,
                number=frozen.number,
                agreement_id=agreement_id,
                period_id=period_id,
                channel=agreement.settlement_channel,
                state=BatchState.FROZEN if payable else BatchState.CLOSED,
                advice_count=frozen.advice_count,
                total_cents=frozen.total_cents,
                frozen_at=now,
                frozen_by=by,
                closed_at=None if payable else now,
            )
        )
        write_advices(session, batch_id, period_id, owed, by=by, now=now)
        carry_over(session, batch_id, [*payable, *settled], by=by, now=now)
        movements = batch_movements(agreement_id, owed)
        if movements:
            post(session, Event(EventType.BATCH_FROZEN, batch_id, now, f"Lot {frozen.number}", by), movements)
    return frozen


def standing_batch(
    session: Session, batch_id: UUID, agreement_id: UUID, structure_ids: Collection[UUID] | None = None
) -> Frozen | None:
    """Return the batch of this id if the same command was done before. Raises Refused if it was another one.

    `structure_ids` are those of an urgent batch, which alone has no period; None for an ordinary one.
    """
    if not is_replay(session, SettlementBatch, {"id": batch_id, "agreement_id": agreement_id}):
        return None
    batch = session.get_one(SettlementBatch, batch_id)
    is_urgent = batch.period_id is None
    paid = select(PaymentAdvice.structure_id).where(PaymentAdvice.batch_id == batch_id)
    is_same(
        (is_urgent, set(session.scalars(paid)) if is_urgent else set()),
        (structure_ids is not None, set(structure_ids or ())),
    )
    held = session.scalars(
        select(PaymentAdvice.id).where(
            PaymentAdvice.batch_id == batch_id,
            PaymentAdvice.is_payable.is_(False),
            PaymentAdvice.state != AdviceState.SETTLED,
        )
    ).all()
    return Frozen(batch.id, batch.number, batch.advice_count, batch.total_cents, len(held))


def _nothing(session: Session, agreement_id: UUID, owed: Sequence[Owed]) -> Refused:
    if owed:
        one = owed[0]
        others = f" et {len(owed) - 1} de plus" if len(owed) > 1 else ""
        return Refused(
            "nothing_payable",
            f"Aucune structure ne peut être payée. {one.name}{others} : {ended(one.why_held)} Rien n’a été arrêté. "
            "Complétez leur RIB ou levez ce qui les bloque, puis recommencez.",
        )
    last = session.execute(
        select(SettlementBatch.number, SettlementBatch.frozen_at)
        .where(SettlementBatch.agreement_id == agreement_id)
        .order_by(SettlementBatch.frozen_at.desc())
        .limit(1)
    ).one_or_none()
    if last is None:
        return Refused(
            "nothing_to_settle", "Aucun chèque n’est encaissé sur cette convention. Revenez après les premiers."
        )
    return Refused(
        "nothing_to_settle",
        f"Rien n’est à régler : le lot {last.number} a été arrêté le {french_instant(last.frozen_at)}. Ouvrez ce lot, "
        "ou attendez de nouveaux encaissements.",
    )


def _empty_period(session: Session, agreement_id: UUID, by: UUID, now: datetime) -> UUID:
    open_period(session, agreement_id, now)
    period_id = close_period(session, agreement_id, by, now)
    assert period_id is not None, "the period was opened two lines above, under the lock"
    return period_id


def carry_over(session: Session, batch_id: UUID, payable: Sequence[Owed], *, by: UUID, now: datetime) -> None:
    """End the advices whose amounts this batch carries. Each was read under the lock: all must still be as they were."""
    taken: dict[AdviceState, list[UUID]] = {}
    for one in payable:
        for carried in one.carried:
            taken.setdefault(carried.state, []).append(carried.advice_id)
    cause = Cause(why=PaymentWhy.TAKEN_UP, by=by, at=now, batch_id=batch_id)
    for before, advice_ids in sorted(taken.items()):
        if change(session, sorted(advice_ids), before, AdviceState.TAKEN_UP, cause) != len(advice_ids):
            raise Refused("advice_changed", "Un règlement vient de changer. Rien n’a été arrêté. Recommencez.")
