"""Valider un lot: a second person says that it may be paid."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_instant, not_before
from voucher.kernel.database import Database, changed
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.network.model import BankDetails, Structure
from voucher.settlement.batches.deputies import Person, refuse_unless_deputy, tell_approver
from voucher.settlement.batches.find_batch import batch_row, unknown_batch
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.payable.changed_since_freeze import refuse_changed_details
from voucher.settlement.words.states import AdviceState, BatchState


@dataclass(frozen=True, slots=True)
class Standing:
    """As whose deputy a person approves: the deputyship, the approver who is told, and the deputy's name."""

    deputyship_id: UUID
    approver: Person
    deputy_name: str


def approve_batch(
    database: Database,
    batch_id: UUID,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
    seen_total_cents: int | None = None,
    standing: Standing | None = None,
) -> None:
    """Approve a frozen batch; the same person asking again changes nothing. Raises Refused.

    `seen_total_cents` is the total that the person saw: another one is not approved; nor is a batch of which a payment cannot
    leave, its RIB changed or its structure suspended since. Four eyes: who froze a batch may not approve it (the database refuses it
    too), nor who confirmed a RIB that it pays (ADR 22). A deputy says as whose (`standing`): it must last at this moment (ADR 34).
    """
    with database.write() as session:
        batch = batch_row(session, batch_id, issuer_id, lock=True)
        if batch is None:
            raise unknown_batch()
        if batch.frozen_by == by:
            raise Refused(
                "four_eyes", "Vous avez arrêté ce lot. Une autre personne doit le valider : demandez à un collègue."
            )
        if seen_total_cents is not None and seen_total_cents != batch.total_cents:
            raise Refused(
                "total_changed",
                f"Le lot est maintenant de {format_euros(batch.total_cents)} : un règlement a été mis de côté. Relisez-le.",
            )
        # A step is never dated before the one it follows, whatever the clocks say.
        at = not_before(now, batch.frozen_at)
        if batch.state == BatchState.FROZEN:
            refuse_changed_details(session, batch_id, "Rien n’est validé.")
            _refuse_own_confirmations(session, batch_id, by)
            if standing is not None:
                named = standing.deputyship_id
                at = not_before(at, refuse_unless_deputy(session, named, batch_id, batch.issuer_id, by=by, now=at))
        approval = (
            update(SettlementBatch)
            .where(
                SettlementBatch.id == batch_id,
                SettlementBatch.state == BatchState.FROZEN,
                SettlementBatch.frozen_by != by,
                SettlementBatch.total_cents == batch.total_cents,
            )
            .values(
                state=BatchState.APPROVED,
                approved_by=by,
                approved_at=at,
                approved_as_id=None if standing is None else standing.deputyship_id,
            )
            .execution_options(synchronize_session=False)
        )
        if changed(session, approval) == 1:
            if standing is not None:
                tell_approver(session, batch_id, batch.number, standing.approver, standing.deputy_name, now)
            return
        batch = batch_row(session, batch_id, issuer_id)
        assert batch is not None, "a batch never goes away"
        if batch.approved_by == by:
            return
        if batch.state == BatchState.FROZEN:
            raise Refused("total_changed", "Ce lot vient de changer. Relisez-le, puis validez-le.")
        if batch.approved_at is None:
            raise Refused("batch_empty", "Tous les règlements de ce lot ont été mis de côté. Il n’y a rien à valider.")
        raise Refused(
            "already_approved",
            f"Ce lot a déjà été validé le {french_instant(batch.approved_at)}. Il n’y a rien à faire.",
        )


def _refuse_own_confirmations(session: Session, batch_id: UUID, by: UUID) -> None:
    """Raise Refused when who approves confirmed a RIB that the batch pays: one person would send money where it alone looked."""
    names = session.scalars(
        select(Structure.name)
        .join(PaymentAdvice, PaymentAdvice.structure_id == Structure.id)
        .join(BankDetails, and_(BankDetails.structure_id == Structure.id, BankDetails.is_in_use()))
        .where(
            PaymentAdvice.batch_id == batch_id, PaymentAdvice.state == AdviceState.DUE, BankDetails.confirmed_by == by
        )
        .order_by(Structure.name)
    ).all()
    if names:
        others = f" et {len(names) - 1} de plus" if len(names) > 1 else ""
        raise Refused(
            "confirmed_by_approver",
            f"Vous avez confirmé un RIB que ce lot paie : {names[0]}{others}. Rien n’est validé. Une autre personne doit valider ce "
            "lot : demandez à un collègue.",
        )
