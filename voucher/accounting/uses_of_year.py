"""The rows behind « utilisés et payés » and « utilisés, à payer » of an annual account: uses by order, period and structure."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select

from voucher.accounting.annual_account import uses_until
from voucher.accounting.paid import settled_parts
from voucher.issuing.model import IssueBatch
from voucher.kernel.database import Database
from voucher.network.model import Structure
from voucher.redemption.model import Period
from voucher.settlement.model.batches import PaymentAdvice


@dataclass(frozen=True, slots=True, kw_only=True)
class UsesRow:
    """What one structure took of one order in one period; `reference` is the payment that carries it, when there is one."""

    vintage: int
    first_booklet_number: int
    period_number: int
    structure_id: UUID
    structure_name: str
    voucher_count: int
    amount_cents: int
    is_paid: bool
    reference: str


def uses_of_year(database: Database, agreement_id: UUID, year: int) -> list[UsesRow]:
    """Return the uses of an agreement that a year's account counts, in the order of orders, periods and structures."""
    with database.read() as session:
        parts = settled_parts(session, agreement_id, date(year, 12, 31))
        uses = uses_until(agreement_id, year).subquery()
        rows = session.execute(
            select(
                uses.c.period_id, uses.c.structure_id, uses.c.vouchers, uses.c.cents, IssueBatch.use_by,
                IssueBatch.first_booklet_number, Period.number, Structure.name,
            )
            .join(IssueBatch, IssueBatch.id == uses.c.batch_id)
            .join(Period, Period.id == uses.c.period_id)
            .join(Structure, Structure.id == uses.c.structure_id)
            .order_by(IssueBatch.first_booklet_number, Period.number, Structure.name, Structure.id)
        ).all()  # fmt: skip
        references = {
            row.id: row.reference
            for row in session.execute(
                select(PaymentAdvice.id, PaymentAdvice.reference).where(
                    PaymentAdvice.id.in_(set(parts.carried_by.values()) | set(parts.paid.values()))
                )
            )
        }
    found = []
    for row in rows:
        source = (row.period_id, row.structure_id)
        advice_id = parts.paid.get(source) or parts.carried_by.get(source)
        found.append(
            UsesRow(
                vintage=row.use_by.year,
                first_booklet_number=row.first_booklet_number,
                period_number=row.number,
                structure_id=row.structure_id,
                structure_name=row.name,
                voucher_count=int(row.vouchers),
                amount_cents=int(row.cents),
                is_paid=source in parts.paid,
                reference=references.get(advice_id, "") if advice_id else "",
            )
        )
    return found
