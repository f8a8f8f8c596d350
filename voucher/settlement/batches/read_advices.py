"""Advices in lists: of a batch, of a structure, or all of a scope."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, false, or_, select

from voucher.kernel.characters import compact
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.search import contains
from voucher.network.model import Structure
from voucher.programme.model import Agreement
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.words.states import AdviceState


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceRow:
    """An advice in a list. `paid_on` is the day of a payment that stands: what came back has none."""

    id: UUID
    reference: str
    batch_id: UUID
    batch_number: str
    structure_name: str
    pivot: str
    voucher_count: int
    amount_cents: int
    state: AdviceState
    paid_on: date | None


def advices(
    database: Database,
    asked: Asked,
    *,
    batch_id: UUID | None = None,
    structure_id: UUID | None = None,
    issuer_id: UUID | None = None,
) -> Page[AdviceRow]:
    """Return a page of advices, of one batch or one structure.

    Filters: `state`, `structure` (name, SIRET or reference). Sorts: structure, amount, frozen_at.
    """
    query = advices_query(issuer_id)
    if batch_id is not None:
        query = query.where(PaymentAdvice.batch_id == batch_id)
    if structure_id is not None:
        query = query.where(PaymentAdvice.structure_id == structure_id)
    if state := asked.filters.get("state"):
        known = AdviceState(state) if state in set(AdviceState) else None
        query = query.where(PaymentAdvice.state == known if known else false())
    if words := asked.filters.get("structure"):
        query = query.where(
            or_(
                contains(Structure.name, words),
                Structure.pivot.startswith(compact(words) or words, autoescape=True),
                PaymentAdvice.reference == words.upper(),
            )
        )
    sorts = {
        "structure": Structure.name,
        "amount": PaymentAdvice.amount_cents,
        "frozen_at": SettlementBatch.frozen_at,
    }
    with database.read() as session:
        page = page_of(session, query, sorts, [PaymentAdvice.id], asked)
    return page.of(advice_row(row) for row in page.rows)


def advices_query(issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    """Return the statement of advices in a scope, to be narrowed by the caller; its rows go through `advice_row`."""
    return (
        select(
            PaymentAdvice.id,
            PaymentAdvice.reference,
            PaymentAdvice.batch_id,
            SettlementBatch.number,
            Structure.name,
            Structure.pivot,
            PaymentAdvice.voucher_count,
            PaymentAdvice.amount_cents,
            PaymentAdvice.state,
            PaymentAdvice.paid_on,
        )
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .where(in_scope(Agreement.issuer_id, issuer_id))
    )


def advice_row(row: Any) -> AdviceRow:
    """Return an advice of a list from its row."""
    return AdviceRow(
        id=row.id,
        reference=row.reference,
        batch_id=row.batch_id,
        batch_number=row.number,
        structure_name=row.name,
        pivot=row.pivot,
        voucher_count=row.voucher_count,
        amount_cents=row.amount_cents,
        state=row.state,
        paid_on=row.paid_on if row.state in (AdviceState.PAID, AdviceState.SETTLED) else None,
    )
