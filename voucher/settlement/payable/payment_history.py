"""The history of payments: each change of state in order, with the line, file or batch that made it. Pages and sentences read it here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.chunks import chunks
from voucher.kernel.database import Database
from voucher.programme.model import Agreement
from voucher.settlement.model.batches import BankFile, BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.model.states import PaymentEvent
from voucher.settlement.words.states import AdviceState, LineOrigin
from voucher.settlement.words.transitions import PaymentWhy


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """One change of a payment's state. `before` is None for the first one; `effective_on` is the day on which it counts (the bank's).

    `reason` is a bank's code or a person's words; `line_id` the bank line (`line_origin` says whether the bank or the accountant told
    it); `file_name` the file that says it where no line does; `batch_number` the batch that froze, sent or took it up. `made_by` is
    None in the event that opens a history taken over from the state.
    """

    advice_id: UUID
    rank: int
    before: AdviceState | None
    after: AdviceState
    why: PaymentWhy
    reason: str
    effective_on: date
    happened_at: datetime
    made_by: UUID | None
    line_id: UUID | None
    line_origin: LineOrigin | None
    bank_file: str | None
    file_name: str | None
    batch_id: UUID | None
    batch_number: str | None


def payment_history(
    database: Database, advice_id: UUID, *, issuer_id: UUID | None = None, structure_id: UUID | None = None
) -> tuple[HistoryEvent, ...]:
    """Return the events of a payment, the first one first; none out of the scope (an issuer's, or a structure's)."""
    is_asked = PaymentAdvice.id == advice_id
    if structure_id is not None:
        is_asked = and_(is_asked, PaymentAdvice.structure_id == structure_id)
    with database.read() as session:
        return _read(session, _events(issuer_id).where(is_asked)).get(advice_id, ())


def histories(session: Session, advice_ids: Sequence[UUID]) -> dict[UUID, tuple[HistoryEvent, ...]]:
    """Return the events of these payments, by payment, each the first one first."""
    found: dict[UUID, tuple[HistoryEvent, ...]] = {}
    for some in chunks(advice_ids):
        found |= _read(session, _events(None).where(PaymentAdvice.id.in_(some)))
    return found


def taken_up_from(advice: Any) -> ColumnElement[str]:
    """Return the state from which a payment (a table or alias of `payment_advice`) was taken up; NULL for one that was not.

    Where its history opened later, a rejection that stood is named by its entry; else what was sent came back, the rest was held.
    """
    taken = aliased(PaymentEvent)
    opened = case(
        (taken.entry_id.is_not(None), AdviceState.REJECTED.value),
        (advice.is_payable, AdviceState.RETURNED.value),
        else_=AdviceState.HELD.value,
    )
    return (
        select(case((taken.why == PaymentWhy.RESUMED, opened), else_=taken.from_state))
        .where(
            taken.advice_id == advice.id,
            taken.rank == advice.event_count,
            taken.to_state == AdviceState.TAKEN_UP,
        )
        .correlate(advice)
        .scalar_subquery()
    )


def _events(issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    maker = aliased(SettlementBatch)
    return (
        select(
            PaymentEvent.advice_id,
            PaymentEvent.rank,
            PaymentEvent.from_state,
            PaymentEvent.to_state,
            PaymentEvent.why,
            PaymentEvent.reason,
            PaymentEvent.effective_on,
            PaymentEvent.happened_at,
            PaymentEvent.made_by,
            PaymentEvent.line_id,
            BankLine.origin,
            PaymentEvent.bank_file,
            BankFile.name,
            PaymentEvent.batch_id,
            maker.number,
        )
        .join(PaymentAdvice, PaymentAdvice.id == PaymentEvent.advice_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .outerjoin(BankLine, BankLine.id == PaymentEvent.line_id)
        .outerjoin(BankFile, BankFile.sha256 == PaymentEvent.bank_file)
        .outerjoin(maker, maker.id == PaymentEvent.batch_id)
        .where(in_scope(Agreement.issuer_id, issuer_id))
        .order_by(PaymentEvent.advice_id, PaymentEvent.rank)
    )


def _read(session: Session, query: Select[*tuple[Any, ...]]) -> dict[UUID, tuple[HistoryEvent, ...]]:
    found: dict[UUID, list[HistoryEvent]] = {}
    for row in session.execute(query):
        found.setdefault(row.advice_id, []).append(
            HistoryEvent(
                advice_id=row.advice_id,
                rank=row.rank,
                before=row.from_state,
                after=row.to_state,
                why=row.why,
                reason=row.reason,
                effective_on=row.effective_on,
                happened_at=row.happened_at,
                made_by=row.made_by,
                line_id=row.line_id,
                line_origin=row.origin,
                bank_file=row.bank_file,
                file_name=row.name,
                batch_id=row.batch_id,
                batch_number=row.number,
            )
        )
    return {advice_id: tuple(events) for advice_id, events in found.items()}
