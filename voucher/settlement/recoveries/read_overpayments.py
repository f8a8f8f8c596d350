"""Overpayments as pages ask for them: in a list, each whole with what came back of it, the papers of its claim."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.network.model import Place, Structure
from voucher.programme.model import Agreement
from voucher.redemption.model import Redemption
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.model.recoveries import Dispute, Overpayment, Recovery, RevenueOrder
from voucher.settlement.recoveries.read_disputes import is_structure
from voucher.settlement.recoveries.revenue_order import claimable_from, order_number


@dataclass(frozen=True, slots=True, kw_only=True)
class OverpaymentLine:
    """An overpayment in a list; `state` is `open`, `due` (to be claimed), `claimed`, `settled` or `written_off`. Cents."""

    id: UUID
    dispute_id: UUID
    structure_id: UUID
    structure_name: str
    agreement_number: str
    redeemed_at: datetime
    place_name: str
    reason: str
    amount_cents: int
    recovered_cents: int
    decided_at: datetime
    state: str

    @property
    def is_netted_first(self) -> bool:
        """Whether it is taken from next payments, and no revenue order may be asked for yet."""
        return self.state == "open"

    @property
    def is_due(self) -> bool:
        """Whether a revenue order may be asked for."""
        return self.state == "due"

    @property
    def is_claimed(self) -> bool:
        """Whether the accountant recovers it."""
        return self.state == "claimed"

    @property
    def left_cents(self) -> int:
        """What did not come back yet."""
        return self.amount_cents - self.recovered_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryLine:
    """How a part came back: by an advice of a batch, or a bank line of a day; `cancelled_at` once it waits again."""

    kind: str
    amount_cents: int
    recovered_at: datetime
    advice_id: UUID | None
    batch_number: str | None
    booked_on: date | None
    cancelled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """The demand of a revenue order."""

    id: UUID
    number: str
    amount_cents: int
    claimed_at: datetime
    claimed_by: UUID
    pdf_sha256: str
    csv_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverpaymentPage:
    """One overpayment, whole; `claimable_at` is when a revenue order may be asked for."""

    line: OverpaymentLine
    facts: str
    decision: str
    decided_by: UUID
    claimable_at: datetime
    recoveries: tuple[RecoveryLine, ...]
    order: OrderLine | None
    write_off_reason: str
    write_off_asked_at: datetime | None
    write_off_asked_by: UUID | None
    written_off_at: datetime | None
    written_off_by: UUID | None


@dataclass(frozen=True, slots=True)
class OverpaymentSums:
    """What waits for an act: disputes to decide, overpayments not recovered, and of these what is to be claimed. Cents."""

    dispute_count: int
    dispute_cents: int
    overpayment_count: int
    left_cents: int
    due_count: int
    due_cents: int


def overpayments(
    database: Database,
    asked: Asked,
    *,
    days: int,
    now: datetime,
    issuer_id: UUID | None = None,
    structure_id: UUID | None = None,
) -> Page[OverpaymentLine]:
    """Return a page of overpayments. Filters: `state`, `structure`. Sorts: decided_at, left.

    `days` is how long netting is given before a revenue order may be asked for.
    """
    query = _overpayments(days, now, issuer_id)
    if structure_id is not None:
        query = query.where(Overpayment.structure_id == structure_id)
    if state := asked.filters.get("state"):
        query = query.where(_state(days, now) == state)
    if words := asked.filters.get("structure"):
        query = query.where(is_structure(words))
    left = Overpayment.amount_cents - Overpayment.recovered_cents
    sorts = {"decided_at": Overpayment.decided_at, "left": left}
    with database.read() as session:
        page = page_of(session, query, sorts, [Overpayment.id], asked)
    return page.of(OverpaymentLine(**row._asdict()) for row in page.rows)


def overpayment(
    database: Database, overpayment_id: UUID, *, days: int, now: datetime, issuer_id: UUID | None = None
) -> OverpaymentPage | None:
    """Return one overpayment, or None when it is not in the scope."""
    query = _overpayments(days, now, issuer_id).where(Overpayment.id == overpayment_id)
    with database.read() as session:
        row = session.execute(query).one_or_none()
        if row is None:
            return None
        found = session.get_one(Overpayment, overpayment_id)
        told = session.execute(select(Dispute.facts, Dispute.decision).where(Dispute.id == found.dispute_id)).one()
        return OverpaymentPage(
            line=OverpaymentLine(**row._asdict()),
            facts=told.facts,
            decision=told.decision,
            decided_by=found.decided_by,
            claimable_at=claimable_from(found.decided_at, days),
            recoveries=_recoveries(session, overpayment_id),
            order=_order(session, overpayment_id),
            write_off_reason=found.write_off_reason,
            write_off_asked_at=found.write_off_asked_at,
            write_off_asked_by=found.write_off_asked_by,
            written_off_at=found.written_off_at,
            written_off_by=found.written_off_by,
        )


def order_file(
    database: Database, overpayment_id: UUID, kind: str, *, issuer_id: UUID | None = None
) -> tuple[str, bytes] | None:
    """Return the name and the kept bytes of a demand, `pdf` or `csv`; None when there is none in the scope."""
    with database.read() as session:
        row = session.execute(
            select(*RevenueOrder.__table__.columns)
            .join(Agreement, Agreement.issuer_id == RevenueOrder.issuer_id)
            .join(
                Overpayment,
                and_(Overpayment.id == RevenueOrder.overpayment_id, Overpayment.agreement_id == Agreement.id),
            )
            .where(RevenueOrder.overpayment_id == overpayment_id, in_scope(Agreement.issuer_id, issuer_id))
        ).one_or_none()
    if row is None or kind not in ("pdf", "csv"):
        return None
    name = f"demande-de-titre-{order_number(row.year, row.rank)}.{kind}"
    return name, row.pdf if kind == "pdf" else row.csv


def overpayment_sums(database: Database, *, days: int, now: datetime, issuer_id: UUID | None = None) -> OverpaymentSums:
    """Return what waits for an act, in the scope."""
    left = Overpayment.amount_cents - Overpayment.recovered_cents
    is_due = _state(days, now) == "due"
    with database.read() as session:
        opened = session.execute(
            select(func.count(), func.coalesce(func.sum(Dispute.amount_cents), 0))
            .join(Agreement, Agreement.id == Dispute.agreement_id)
            .where(Dispute.outcome.is_(None), in_scope(Agreement.issuer_id, issuer_id))
        ).one()
        owed = session.execute(
            select(
                func.count(),
                func.coalesce(func.sum(left), 0),
                func.coalesce(func.sum(case((is_due, 1), else_=0)), 0),
                func.coalesce(func.sum(case((is_due, left), else_=0)), 0),
            )
            .join(Agreement, Agreement.id == Overpayment.agreement_id)
            .where(left > 0, in_scope(Agreement.issuer_id, issuer_id))
        ).one()
    return OverpaymentSums(opened[0], int(opened[1]), owed[0], *(int(value) for value in owed[1:]))


def _overpayments(days: int, now: datetime, issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Overpayment.id,
            Overpayment.dispute_id,
            Overpayment.structure_id,
            Structure.name.label("structure_name"),
            Agreement.number.label("agreement_number"),
            Redemption.redeemed_at,
            Place.name.label("place_name"),
            Dispute.reason,
            Overpayment.amount_cents,
            Overpayment.recovered_cents,
            Overpayment.decided_at,
            _state(days, now).label("state"),
        )
        .join(Dispute, Dispute.id == Overpayment.dispute_id)
        .join(Redemption, Redemption.id == Overpayment.redemption_id)
        .join(Place, Place.id == Redemption.place_id)
        .join(Structure, Structure.id == Overpayment.structure_id)
        .join(Agreement, Agreement.id == Overpayment.agreement_id)
        .where(in_scope(Agreement.issuer_id, issuer_id))
    )


def _state(days: int, now: datetime) -> ColumnElement[str]:
    return case(
        (Overpayment.written_off_at.is_not(None), "written_off"),
        (Overpayment.recovered_cents == Overpayment.amount_cents, "settled"),
        (Overpayment.claimed_at.is_not(None), "claimed"),
        (Overpayment.decided_at <= claimable_from(now, -days), "due"),
        else_="open",
    )


def _recoveries(session: Session, overpayment_id: UUID) -> tuple[RecoveryLine, ...]:
    rows = session.execute(
        select(
            Recovery.kind,
            Recovery.amount_cents,
            Recovery.recovered_at,
            Recovery.advice_id,
            SettlementBatch.number.label("batch_number"),
            BankLine.booked_on,
            Recovery.cancelled_at,
        )
        .outerjoin(PaymentAdvice, PaymentAdvice.id == Recovery.advice_id)
        .outerjoin(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .outerjoin(BankLine, BankLine.id == Recovery.bank_line_id)
        .where(Recovery.overpayment_id == overpayment_id)
        .order_by(Recovery.recovered_at, Recovery.id)
    )
    return tuple(RecoveryLine(**row._asdict()) for row in rows)


def _order(session: Session, overpayment_id: UUID) -> OrderLine | None:
    row = session.execute(
        select(*RevenueOrder.__table__.columns).where(RevenueOrder.overpayment_id == overpayment_id)
    ).one_or_none()
    if row is None:
        return None
    number = order_number(row.year, row.rank)
    return OrderLine(
        id=row.id,
        number=number,
        amount_cents=row.amount_cents,
        claimed_at=row.claimed_at,
        claimed_by=row.claimed_by,
        pdf_sha256=row.pdf_sha256,
        csv_sha256=row.csv_sha256,
    )
