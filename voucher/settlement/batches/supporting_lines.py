"""The lines behind the amounts of a batch for its supporting list: each use of vouchers, each sum brought from elsewhere."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.calendar import paris_day
from voucher.network.model import Place, Structure
from voucher.network.services import Service
from voucher.redemption.model import Redemption
from voucher.settlement.formats_out.liquidation import SupportingLine
from voucher.settlement.model.batches import AdviceLine, PaymentAdvice, SettlementBatch
from voucher.settlement.recoveries.net_overpayments import in_period_line
from voucher.settlement.words.states import AdviceState, LineNature


def short_reference(redemption_id: UUID) -> str:
    """Return how a redemption is told on paper: the last twelve characters of its id, « 9F3A-06C1-44D2 »."""
    end = redemption_id.hex[-12:].upper()
    return f"{end[:4]}-{end[4:8]}-{end[8:]}"


def supporting_lines(session: Session, batch_id: UUID) -> list[SupportingLine]:
    """Return every line behind the payments of a batch that are due, by structure, by time. Who used a voucher is not in it."""
    due = (
        select(*AdviceLine.__table__.columns, PaymentAdvice.reference, Structure.name, Structure.pivot)
        .join(PaymentAdvice, PaymentAdvice.id == AdviceLine.advice_id)
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .where(PaymentAdvice.batch_id == batch_id, PaymentAdvice.state == AdviceState.DUE)
    )
    found = [*_uses(session, due.subquery()), *_brought(session, due.subquery())]
    return [line for _, line in sorted(found, key=lambda one: one[0])]


def _uses(session: Session, due: Any) -> Iterator[tuple[tuple[Any, ...], SupportingLine]]:
    rows = session.execute(
        select(
            due.c.reference,
            due.c.pivot,
            due.c.name,
            Redemption.id,
            Redemption.redeemed_at,
            Place.name.label("place_name"),
            Redemption.service,
            Redemption.voucher_count,
            Redemption.amount_cents,
        )
        .select_from(due)
        .join(
            Redemption,
            and_(
                due.c.nature == LineNature.PERIOD,
                Redemption.period_id == due.c.source_id,
                Redemption.structure_id == due.c.structure_id,
                in_period_line(),
            ),
        )
        .join(Place, Place.id == Redemption.place_id)
    )
    for row in rows:
        line = SupportingLine(
            payment_reference=row.reference,
            siret=row.pivot,
            structure_name=row.name,
            nature="Encaissement",
            reference=short_reference(row.id),
            used_on=paris_day(row.redeemed_at),
            place_name=row.place_name,
            service=Service.of_code(row.service).label,
            voucher_count=row.voucher_count,
            amount_cents=row.amount_cents,
        )
        yield (row.name, row.pivot, row.reference, 0, row.redeemed_at.timestamp(), row.id.hex), line


def _brought(session: Session, due: Any) -> Iterator[tuple[tuple[Any, ...], SupportingLine]]:
    earlier = aliased(PaymentAdvice)
    rows = session.execute(
        select(due, earlier.reference.label("earlier_reference"), SettlementBatch.number)
        .outerjoin(earlier, and_(due.c.nature == LineNature.CARRIED_OVER, earlier.id == due.c.source_id))
        .outerjoin(SettlementBatch, SettlementBatch.id == earlier.batch_id)
        .where(due.c.nature != LineNature.PERIOD)
    )
    for row in rows:
        line = SupportingLine(
            payment_reference=row.reference,
            siret=row.pivot,
            structure_name=row.name,
            nature=_nature(row),
            reference=row.earlier_reference or short_reference(row.source_id),
            used_on=None,
            place_name="",
            service="",
            voucher_count=row.voucher_count,
            amount_cents=row.amount_cents,
        )
        yield (row.name, row.pivot, row.reference, 1, 0.0, row.source_id.hex), line


def _nature(row: Row[Any]) -> str:
    if row.number is not None:
        return f"Reprise du lot {row.number}"
    return "Retenue" if row.amount_cents < 0 else "Ajout"
