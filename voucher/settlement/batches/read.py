"""Batches as the finance pages ask for them: in a list, whole with their control sum, their kept files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.money import sum_cents
from voucher.kernel.search import contains
from voucher.ledger.chart import Code, EventType
from voucher.ledger.model import Account, Entry, Movement
from voucher.programme.model import Agreement, Issuer, SettlementChannel
from voucher.redemption.model import Period
from voucher.settlement.batches.files_of_batch import ExportedFile
from voucher.settlement.model.batches import PaymentAdvice, PaymentFile, SettlementBatch
from voucher.settlement.model.deputies import ApproverDeputy
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.payable.changed_since_freeze import ChangedDetails, changed_details
from voucher.settlement.words.payment_sentences import execution_sentence
from voucher.settlement.words.states import AdviceState, BatchState


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLine:
    """A batch in a list. `failed_count` came back from the bank; `held_count` wait, and were never sent."""

    id: UUID
    number: str
    agreement_name: str
    issuer_name: str
    channel: str
    state: BatchState
    advice_count: int
    total_cents: int
    frozen_at: datetime
    failed_count: int
    paid_count: int
    held_count: int


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of a batch, without its bytes."""

    kind: str
    part: int
    name: str
    sha256: str
    byte_count: int
    made_at: datetime


@dataclass(frozen=True, slots=True)
class ControlSum:
    """One total on three sides, in cents: the advices, the files (None before they are written), the ledger."""

    advices_cents: int
    file_cents: int | None
    ledger_cents: int

    @property
    def is_equal(self) -> bool:
        """Whether all sides that exist agree."""
        return len({self.advices_cents, self.ledger_cents, self.file_cents} - {None}) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPage:
    """One batch, whole but for its advices; `…_by` are staff ids."""

    id: UUID
    number: str
    agreement_id: UUID
    agreement_number: str
    agreement_name: str
    issuer_name: str
    channel: str
    state: BatchState
    advice_count: int
    total_cents: int
    period_opened_at: datetime | None  # None: an urgent batch has no period
    period_closed_at: datetime | None
    execution_on: date | None
    frozen_at: datetime
    frozen_by: UUID
    approved_at: datetime | None
    approved_by: UUID | None
    approved_for: UUID | None  # the approver whose deputy approved
    exported_at: datetime | None
    exported_by: UUID | None
    closed_at: datetime | None
    control: ControlSum
    states: Mapping[AdviceState, tuple[int, int]]  # how many advices, how many cents
    changed: tuple[ChangedDetails, ...]
    files: tuple[KeptFile, ...]

    @property
    def is_frozen(self) -> bool:
        """Whether it waits for a second person."""
        return self.state is BatchState.FROZEN

    @property
    def is_approved(self) -> bool:
        """Whether it waits to be sent."""
        return self.state is BatchState.APPROVED

    @property
    def is_exported(self) -> bool:
        """Whether it is sent, and the bank has not booked all of it."""
        return self.state is BatchState.EXPORTED

    @property
    def is_before_export(self) -> bool:
        """Whether its files are still to be written."""
        return self.is_frozen or self.is_approved

    @property
    def is_for_the_bank(self) -> bool:
        """Whether its files go to the bank, and not to a public accountant."""
        return self.channel == SettlementChannel.MANDATED_OPERATOR

    @property
    def execution(self) -> str:
        """On which day it is executed, in French."""
        return execution_sentence(
            self.execution_on,
            is_by_bank=self.is_for_the_bank,
            is_sent=self.exported_at is not None,
            is_empty=self.advice_count == 0,
        )


def batches(database: Database, asked: Asked, *, issuer_id: UUID | None = None) -> Page[BatchLine]:
    """Return a page of batches. Filters: `state`, `batch` (number or agreement). Sorts: frozen_at, total, number."""
    paid, failed = (AdviceState.PAID,), (AdviceState.REJECTED, AdviceState.RETURNED)
    states = (
        select(
            PaymentAdvice.batch_id,
            func.sum(case((PaymentAdvice.state.in_(failed), 1), else_=0)).label("failed"),
            func.sum(case((PaymentAdvice.state == AdviceState.HELD, 1), else_=0)).label("held"),
            func.sum(case((PaymentAdvice.state.in_(paid), 1), else_=0)).label("paid"),
        )
        .group_by(PaymentAdvice.batch_id)
        .subquery()
    )
    query = (
        select(
            SettlementBatch.id,
            SettlementBatch.number,
            Agreement.name.label("agreement_name"),
            Issuer.name.label("issuer_name"),
            SettlementBatch.channel,
            SettlementBatch.state,
            SettlementBatch.advice_count,
            SettlementBatch.total_cents,
            SettlementBatch.frozen_at,
            states.c.failed,
            states.c.paid,
            states.c.held,
        )
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .outerjoin(states, states.c.batch_id == SettlementBatch.id)
        .where(in_scope(Agreement.issuer_id, issuer_id))
    )
    if state := asked.filters.get("state"):
        query = query.where(SettlementBatch.state == state)
    if words := asked.filters.get("batch"):
        query = query.where(
            or_(
                contains(SettlementBatch.number, words),
                contains(Agreement.name, words),
            )
        )
    sorts = {
        "frozen_at": SettlementBatch.frozen_at,
        "total": SettlementBatch.total_cents,
        "number": SettlementBatch.number,
    }
    with database.read() as session:
        page = page_of(session, query, sorts, [SettlementBatch.id], asked)
    return page.of(
        BatchLine(
            id=row.id,
            number=row.number,
            agreement_name=row.agreement_name,
            issuer_name=row.issuer_name,
            channel=row.channel,
            state=row.state,
            advice_count=row.advice_count,
            total_cents=row.total_cents,
            frozen_at=row.frozen_at,
            failed_count=int(row.failed or 0),
            paid_count=int(row.paid or 0),
            held_count=int(row.held or 0),
        )
        for row in page.rows
    )


def batch(database: Database, batch_id: UUID, *, issuer_id: UUID | None = None) -> BatchPage | None:
    """Return one batch, or None when it does not exist in the scope."""
    with database.read() as session:
        row = session.execute(
            select(
                *SettlementBatch.__table__.columns,
                Agreement.number.label("agreement_number"),
                Agreement.name.label("agreement_name"),
                Issuer.name.label("issuer_name"),
                ApproverDeputy.approver_id,
                Period.opened_at,
                Period.closed_at.label("period_closed_at"),
            )
            .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
            .join(Issuer, Issuer.id == Agreement.issuer_id)
            .outerjoin(Period, Period.id == SettlementBatch.period_id)
            .outerjoin(ApproverDeputy, ApproverDeputy.id == SettlementBatch.approved_as_id)
            .where(SettlementBatch.id == batch_id, in_scope(Agreement.issuer_id, issuer_id))
        ).one_or_none()
        if row is None:
            return None
        states = {
            state: (count, int(cents))
            for state, count, cents in session.execute(
                select(PaymentAdvice.state, func.count(), func.sum(PaymentAdvice.amount_cents))
                .where(PaymentAdvice.batch_id == batch_id)
                .group_by(PaymentAdvice.state)
            )
        }
        files = session.execute(
            select(
                PaymentFile.kind,
                PaymentFile.part,
                PaymentFile.name,
                PaymentFile.sha256,
                PaymentFile.total_cents,
                func.length(PaymentFile.content).label("byte_count"),
                PaymentFile.made_at,
            )
            .where(PaymentFile.batch_id == batch_id)
            .order_by(PaymentFile.kind, PaymentFile.part)
        ).all()
        file_cents = [file.total_cents for file in files if file.total_cents is not None]
        control = ControlSum(
            sum_cents(
                session.scalar(
                    select(func.sum(PaymentAdvice.amount_cents)).where(
                        PaymentAdvice.batch_id == batch_id, PaymentAdvice.is_payable
                    )
                )
            ),
            sum(file_cents) if file_cents else None,
            _ledger_cents(session, batch_id, is_exported=row.exported_at is not None),
        )
        changed = changed_details(session, batch_id)
    return BatchPage(
        id=row.id,
        number=row.number,
        agreement_id=row.agreement_id,
        agreement_number=row.agreement_number,
        agreement_name=row.agreement_name,
        issuer_name=row.issuer_name,
        channel=row.channel,
        state=row.state,
        advice_count=row.advice_count,
        total_cents=row.total_cents,
        period_opened_at=row.opened_at,
        period_closed_at=row.period_closed_at,
        execution_on=row.execution_on,
        frozen_at=row.frozen_at,
        frozen_by=row.frozen_by,
        approved_at=row.approved_at,
        approved_by=row.approved_by,
        approved_for=row.approver_id,
        exported_at=row.exported_at,
        exported_by=row.exported_by,
        closed_at=row.closed_at,
        control=control,
        states=states,
        changed=tuple(changed),
        files=tuple(
            KeptFile(file.kind, file.part, file.name, file.sha256, file.byte_count, file.made_at) for file in files
        ),
    )


def _ledger_cents(session: Session, batch_id: UUID, *, is_exported: bool) -> int:
    """Return what the ledger says that a batch pays: what was sent, or what was ordered (4675) less what was set aside.

    What a batch nets (4671) stands in the same entry and is paid to nobody: only the movements of 4675 count.
    """
    if is_exported:
        return _ordered_cents(session, Movement.debit_account_id, EventType.BATCH_EXPORTED, [batch_id])
    advices = select(PaymentAdvice.id).where(PaymentAdvice.batch_id == batch_id)
    return _ordered_cents(session, Movement.credit_account_id, EventType.BATCH_FROZEN, [batch_id]) - _ordered_cents(
        session, Movement.debit_account_id, EventType.ADVICE_SET_ASIDE, advices
    )


def _ordered_cents(session: Session, account_id: Any, event_type: EventType, event_ids: Any) -> int:
    """Sum what some events moved on one side of « règlements ordonnancés »."""
    return sum_cents(
        session.scalar(
            select(func.sum(Movement.amount_cents))
            .join(Entry, Entry.id == Movement.entry_id)
            .join(Account, Account.id == account_id)
            .where(Entry.event_type == event_type, Entry.event_id.in_(event_ids), Account.code == Code.ORDERED)
        )
    )


def kept_file(
    database: Database, batch_id: UUID, kind: str, part: int = 1, *, issuer_id: UUID | None = None
) -> ExportedFile | None:
    """Return a file of a batch with its bytes, or None."""
    with database.read() as session:
        row = session.execute(
            select(PaymentFile.kind, PaymentFile.name, PaymentFile.content, PaymentFile.part)
            .join(SettlementBatch, SettlementBatch.id == PaymentFile.batch_id)
            .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
            .where(
                PaymentFile.batch_id == batch_id,
                PaymentFile.kind == kind,
                PaymentFile.part == part,
                in_scope(Agreement.issuer_id, issuer_id),
            )
        ).one_or_none()
    return None if row is None else ExportedFile(*row)
