"""Transmettre un lot: write what the bank or the public accountant receives, keep it, and move the debt to « en transit ».

Everything in the bytes comes from what is stored: identifiers from the batch's id and the part, the instant of the message from
its approval; the day of execution is the first TARGET day from the day of the export. A kill before the commit leaves nothing, and
the file of the next try bears the same identifiers: the bank would answer DUPL rather than pay twice. Once written, the
kept bytes are given again, for ever.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import not_before, paris_day
from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType, movements_of
from voucher.ledger.post import Event, post
from voucher.network.model import Structure
from voucher.programme.model import SettlementChannel
from voucher.settlement.batches.deputies import refuse_if_deputy
from voucher.settlement.batches.even_parts import even_parts
from voucher.settlement.batches.files_of_batch import ExportedFile, files_of
from voucher.settlement.batches.find_batch import batch_row, unknown_batch
from voucher.settlement.batches.write_to_structures import notify_sent
from voucher.settlement.formats_out.files_read_back import file_total_cents
from voucher.settlement.formats_out.target_days import next_target_day
from voucher.settlement.model.batches import PaymentAdvice, PaymentFile, SettlementBatch
from voucher.settlement.model.states import Cause, change
from voucher.settlement.payable.changed_since_freeze import refuse_changed_details
from voucher.settlement.words.states import AdviceState, BatchState
from voucher.settlement.words.transitions import PaymentWhy


def export_batch(
    database: Database, batch_id: UUID, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> tuple[ExportedFile, ...]:
    """Export an approved batch and return its files; exported before, it returns the same bytes and changes nothing.

    MANDATED_OPERATOR: credit-transfer files, each valid against its schema, as many as the paying account's terms ask for.
    PUBLIC_ACCOUNTANT: the état liquidatif and its supporting list, never a bank file. Raises Refused: not approved, bank details
    changed since the freeze, a payment banks would refuse.
    """
    with database.read() as session:
        batch = batch_row(session, batch_id, issuer_id)
        if batch is None:
            raise unknown_batch()
        if batch.exported_at is not None:
            return kept_files(session, batch_id)
        _refuse_unready(session, batch)
        advices = _due_advices(session, batch_id)
        execution_on = next_target_day(paris_day(now)) if batch.channel == SettlementChannel.MANDATED_OPERATOR else None
        files = files_of(session, batch, advices, execution_on)
    # Documents are drawn outside the transaction: counters keep redeeming meanwhile. What they rest on is checked again inside.
    with database.write() as session:
        refuse_if_deputy(session, by=by, now=now)
        if batch.approved_as_id is not None and batch.approved_by == by:
            raise Refused(
                "deputy_sends_nothing",
                "Vous avez validé ce lot à la place de quelqu’un. Rien n’est parti. Une autre personne doit le transmettre.",
            )
        departure = (
            update(SettlementBatch)
            .where(
                SettlementBatch.id == batch_id,
                SettlementBatch.state == BatchState.APPROVED,
                SettlementBatch.approved_at == batch.approved_at,
                SettlementBatch.total_cents == batch.total_cents,
            )
            .values(
                state=BatchState.EXPORTED,
                exported_at=not_before(now, batch.approved_at),
                exported_by=by,
                execution_on=execution_on,
            )
            .execution_options(synchronize_session=False)
        )
        if changed(session, departure) == 0:
            standing = batch_row(session, batch_id, issuer_id)
            assert standing is not None, "a batch never goes away"
            if standing.exported_at is not None:
                return kept_files(session, batch_id)
            raise Refused("batch_changed", "Ce lot vient de changer. Rien n’est parti. Relisez-le, puis recommencez.")
        refuse_changed_details(session, batch_id, "Rien n’est parti.")
        _depart(session, batch, advices, files, by, now)
    return files


def kept_files(session: Session, batch_id: UUID) -> tuple[ExportedFile, ...]:
    """Return the files of a batch as they were written, by kind and part."""
    rows = session.execute(
        select(PaymentFile.kind, PaymentFile.name, PaymentFile.content, PaymentFile.part)
        .where(PaymentFile.batch_id == batch_id)
        .order_by(PaymentFile.kind, PaymentFile.part)
    )
    return tuple(ExportedFile(*row) for row in rows)


def _refuse_unready(session: Session, batch: Row[Any]) -> None:
    if batch.state == BatchState.CLOSED:
        raise Refused("batch_empty", "Tous les règlements de ce lot ont été mis de côté. Il n’y a rien à transmettre.")
    if batch.state != BatchState.APPROVED:
        raise Refused("not_approved", "Ce lot n’est pas validé. Demandez à la personne qui valide de le faire d’abord.")
    refuse_changed_details(session, batch.id, "Rien n’est parti.")


def _due_advices(session: Session, batch_id: UUID) -> Sequence[Row[*tuple[Any, ...]]]:
    return session.execute(
        select(*PaymentAdvice.__table__.columns, Structure.name, Structure.pivot)
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .where(PaymentAdvice.batch_id == batch_id, PaymentAdvice.state == AdviceState.DUE)
        .order_by(PaymentAdvice.reference)
    ).all()


def _depart(
    session: Session,
    batch: Row[Any],
    advices: Sequence[Row[*tuple[Any, ...]]],
    files: Sequence[ExportedFile],
    by: UUID,
    now: datetime,
) -> None:
    session.execute(
        insert(PaymentFile),
        [
            {
                "id": new_id(),
                "batch_id": batch.id,
                "kind": file.kind,
                "part": file.part,
                "name": file.name,
                "sha256": hashlib.sha256(file.content).hexdigest(),
                "content": file.content,
                "total_cents": file_total_cents(file.kind, file.content),
                "made_at": now,
            }
            for file in files
        ],
    )
    sent_count = 0
    for part, some in enumerate(even_parts(advices, max(file.part for file in files)), 1):
        of_part = select(PaymentAdvice.id.label("advice_id")).where(
            PaymentAdvice.batch_id == batch.id,
            PaymentAdvice.reference.between(some[0].reference, some[-1].reference),
        )
        cause = Cause(why=PaymentWhy.EXPORTED, by=by, at=now, batch_id=batch.id, part=part)
        sent_count += change(session, of_part, AdviceState.DUE, AdviceState.IN_FILE, cause)
    if sent_count != len(advices):
        raise Refused("batch_changed", "Ce lot vient de changer. Rien n’est parti. Relisez-le, puis recommencez.")
    event = Event(EventType.BATCH_EXPORTED, batch.id, now, f"Lot {batch.number}", by)
    movements = []
    for advice in advices:
        of = {Dimension.AGREEMENT: batch.agreement_id, Dimension.STRUCTURE: advice.structure_id}
        movements += movements_of(event.event_type, of, {advice.structure_id: advice.amount_cents})
    post(session, event, movements)
    notify_sent(session, batch.id, now)
