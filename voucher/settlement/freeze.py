"""Arrêter un lot: close an agreement's open period and fix what each structure is paid, on which account.

One transaction. It takes the lock that every redemption shares, so that none falls between two periods; what comes after
goes to the next one. Nothing is written on a redemption: a period is summed once (ledger.md D5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.kernel.replays import changed_replay
from voucher.ledger.chart import AccountKey, EventType, Movement
from voucher.ledger.post import Event, post
from voucher.programme.model import Agreement
from voucher.redemption.model import Period
from voucher.redemption.period import close_period, hold_periods, open_period
from voucher.settlement.model import (
    AdviceLine,
    AdviceState,
    BatchState,
    LineNature,
    PaymentAdvice,
    SettlementBatch,
)
from voucher.settlement.owed import Owed, owed_by
from voucher.settlement.references import end_to_end_id
from voucher.settlement.scope import in_scope


@dataclass(frozen=True, slots=True)
class Frozen:
    """A batch that was frozen: how many structures it pays and how much, how many wait."""

    batch_id: UUID
    number: str
    advice_count: int
    total_cents: int
    held_count: int


def freeze_batch(
    database: Database, batch_id: UUID, agreement_id: UUID, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> Frozen:
    """Freeze what an agreement owes; the same command again changes nothing. Raises Refused.

    `batch_id` is made by the form. `issuer_id` is the scope of who acts: another issuer's agreement does not exist for them.
    A structure without usable bank details, or suspended, is held: its money stays owed (4670) and waits for a later batch.
    """
    with database.write() as session:
        agreement = session.execute(
            select(Agreement.number, Agreement.settlement_channel).where(
                Agreement.id == agreement_id, in_scope(Agreement.issuer_id, issuer_id)
            )
        ).one_or_none()
        if agreement is None:
            raise Refused("unknown_agreement", "Cette convention n’existe pas. Choisissez-la dans la liste.")
        # Under the lock, whoever raced us has finished.
        hold_periods(session, agreement_id)
        if (standing := _standing(session, batch_id, agreement_id)) is not None:
            return standing
        closed_id = close_period(session, agreement_id, by, now)
        owed = owed_by(session, agreement_id, closed_id)
        payable = [one for one in owed if one.is_payable]
        _refuse_nothing(session, agreement_id, owed, payable)
        # An amount that failed may be all there is: it is paid by a period without redemptions.
        period_id = closed_id or _empty_period(session, agreement_id, by, now)
        period_number = session.execute(select(Period.number).where(Period.id == period_id)).scalar_one()
        frozen = Frozen(
            batch_id,
            f"{agreement.number}/{period_number:02d}",
            len(payable),
            sum(one.amount_cents for one in payable),
            sum(1 for one in owed if not one.is_payable and one.period_cents),
        )
        session.execute(
            insert(SettlementBatch).values(
                id=batch_id,
                number=frozen.number,
                agreement_id=agreement_id,
                period_id=period_id,
                channel=agreement.settlement_channel,
                state=BatchState.FROZEN,
                advice_count=frozen.advice_count,
                total_cents=frozen.total_cents,
                frozen_at=now,
                frozen_by=by,
            )
        )
        _write_advices(session, batch_id, period_id, owed)
        _take_up(session, payable)
        movements = [
            Movement(
                AccountKey("4670", agreement_id=agreement_id, structure_id=one.structure_id),
                AccountKey("4675", agreement_id=agreement_id, structure_id=one.structure_id),
                one.amount_cents,
            )
            for one in payable
        ]
        post(session, Event(EventType.BATCH_FROZEN, batch_id, now, f"Lot {frozen.number}", by), movements)
    return frozen


def _standing(session: Session, batch_id: UUID, agreement_id: UUID) -> Frozen | None:
    """Return the batch of this id if the same command was done before. Raises Refused if it was another one."""
    batch = session.get(SettlementBatch, batch_id)
    if batch is None:
        return None
    if batch.agreement_id != agreement_id:
        raise changed_replay()
    held = session.scalars(
        select(PaymentAdvice.id).where(PaymentAdvice.batch_id == batch_id, PaymentAdvice.is_payable.is_(False))
    ).all()
    return Frozen(batch.id, batch.number, batch.advice_count, batch.total_cents, len(held))


def _refuse_nothing(session: Session, agreement_id: UUID, owed: Sequence[Owed], payable: Sequence[Owed]) -> None:
    if payable:
        return
    if owed:
        names = ", ".join(one.name for one in owed[:3])
        raise Refused(
            "nothing_payable",
            f"Aucune structure ne peut être payée ({names}). Rien n’a été arrêté. Complétez leur RIB, puis recommencez.",
        )
    last = session.execute(
        select(SettlementBatch.number, SettlementBatch.frozen_at)
        .where(SettlementBatch.agreement_id == agreement_id)
        .order_by(SettlementBatch.frozen_at.desc())
        .limit(1)
    ).one_or_none()
    if last is None:
        raise Refused(
            "nothing_to_settle", "Aucun chèque n’est encaissé sur cette convention. Revenez après les premiers."
        )
    raise Refused(
        "nothing_to_settle",
        f"Rien n’est à régler : le lot {last.number} a été arrêté le {french_instant(last.frozen_at)}. Ouvrez ce lot, "
        "ou attendez de nouveaux encaissements.",
    )


def _empty_period(session: Session, agreement_id: UUID, by: UUID, now: datetime) -> UUID:
    open_period(session, agreement_id, now)
    period_id = close_period(session, agreement_id, by, now)
    assert period_id is not None, "the period was opened two lines above, under the lock"
    return period_id


def _write_advices(session: Session, batch_id: UUID, period_id: UUID, owed: Sequence[Owed]) -> None:
    advices, lines = [], []
    for one in owed:
        # What waits still waits: it is taken up when it can be paid, not moved from one held advice to the next.
        if not one.is_payable and not one.period_cents:
            continue
        advice_id = new_id()
        sources = (
            [(LineNature.PERIOD, period_id, one.period_cents, one.period_voucher_count)] if one.period_cents else []
        )
        if one.is_payable:
            sources += [
                (LineNature.CARRIED_OVER, carried.advice_id, carried.amount_cents, carried.voucher_count)
                for carried in one.carried
            ]
        advices.append(
            {
                "id": advice_id,
                "batch_id": batch_id,
                "structure_id": one.structure_id,
                "reference": end_to_end_id(batch_id, one.structure_id),
                "amount_cents": sum(source[2] for source in sources),
                "voucher_count": sum(source[3] for source in sources),
                "holder_name": one.holder_name,
                "iban": one.iban,
                "bic": one.bic,
                "state": AdviceState.DUE if one.is_payable else AdviceState.HELD,
                "state_reason": one.why_held,
                "is_payable": one.is_payable,
            }
        )
        lines += [
            {
                "advice_id": advice_id,
                "nature": nature,
                "source_id": source_id,
                "structure_id": one.structure_id,
                "amount_cents": amount_cents,
                "voucher_count": voucher_count,
            }
            for nature, source_id, amount_cents, voucher_count in sources
        ]
    session.execute(insert(PaymentAdvice), advices)
    session.execute(insert(AdviceLine), lines)


def _take_up(session: Session, payable: Sequence[Owed]) -> None:
    """End the advices whose amounts this batch carries. Each was read under the lock: all must still be as they were."""
    taken = [carried for one in payable for carried in one.carried]
    for carried in taken:
        take = (
            update(PaymentAdvice)
            .where(PaymentAdvice.id == carried.advice_id, PaymentAdvice.state == carried.state)
            .values(state=AdviceState.TAKEN_UP)
            .execution_options(synchronize_session=False)
        )
        if changed(session, take) != 1:
            raise Refused("advice_changed", "Un règlement vient de changer. Rien n’a été arrêté. Recommencez.")
