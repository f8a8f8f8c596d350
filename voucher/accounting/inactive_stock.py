"""What pages ask of inactive stock (valeurs inactives): booklets issued and not handed over, by who holds them; their counts."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from voucher.accounting.model import StockCount
from voucher.accounting.stock_count import Gap, gaps_of, ranges_label
from voucher.distribution.model import Prescriber
from voucher.issuing.model import Booklet, IssueBatch, Voucher, VoucherState
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.money import sum_cents
from voucher.ledger.chart import Code
from voucher.ledger.model import Account
from voucher.ledger.read import balances_query
from voucher.programme.model import Agreement, Issuer


@dataclass(frozen=True, slots=True)
class Holding:
    """The stock of one holder of an issuer: a prescriber, or the issuer itself (no name)."""

    issuer_name: str
    holder_name: str | None
    booklet_count: int
    voucher_count: int
    cents: int


@dataclass(frozen=True, slots=True)
class InactiveStock:
    """The stock of the programme or of one issuer, against what the ledger says of it (8040), in cents.

    `unmade_cents` is ordered and not made yet: in the ledger, in no booklet.
    """

    holdings: tuple[Holding, ...]
    unmade_cents: int
    ledger_cents: int

    @property
    def total_cents(self) -> int:
        """What booklets in stock are worth."""
        return sum(holding.cents for holding in self.holdings)

    @property
    def is_proven(self) -> bool:
        """Say whether the ledger agrees."""
        return self.total_cents + self.unmade_cents == self.ledger_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class CountLine:
    """A count in a list."""

    id: UUID
    counted_on: date
    holder_name: str | None
    expected_count: int
    counted_count: int
    recorded_at: datetime
    signed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountPage:
    """A count, whole."""

    id: UUID
    issuer_id: UUID
    issuer_name: str
    holder_name: str | None
    counted_on: date
    ranges: str
    expected_count: int
    expected_cents: int
    counted_count: int
    counted_cents: int
    recorded_at: datetime
    recorded_by: UUID
    signed_at: datetime | None
    signed_by: UUID | None
    gaps: tuple[Gap, ...]


def inactive_stock(database: Database, issuer_id: UUID | None = None) -> InactiveStock:
    """Return the stock as it stands, by issuer and holder, over the programme or one issuer."""
    scope = [] if issuer_id is None else [Agreement.issuer_id == issuer_id]
    with database.read() as session:
        rows = session.execute(
            select(
                Issuer.name.label("issuer_name"), Prescriber.name.label("holder_name"),
                func.count(Booklet.number.distinct()).label("booklets"), func.count().label("vouchers"),
                func.sum(IssueBatch.face_value_cents).label("cents"),
            )
            .select_from(Voucher)
            .join(Booklet, Booklet.number == Voucher.booklet_number)
            .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
            .join(Agreement, Agreement.id == IssueBatch.agreement_id)
            .join(Issuer, Issuer.id == Agreement.issuer_id)
            .outerjoin(Prescriber, Prescriber.id == Booklet.prescriber_id)
            .where(Voucher.state == VoucherState.ISSUED, *scope)
            .group_by(Issuer.name, Prescriber.id, Prescriber.name)
            .order_by(Issuer.name, Prescriber.name)
        )  # fmt: skip
        holdings = tuple(Holding(row[0], row[1], row[2], row[3], int(row[4])) for row in rows)
        left = (IssueBatch.booklet_count - IssueBatch.made_booklet_count) * IssueBatch.booklet_size
        unmade = session.scalar(
            select(func.sum(left * IssueBatch.face_value_cents))
            .join(Agreement, Agreement.id == IssueBatch.agreement_id)
            .where(*scope)
        )
        return InactiveStock(holdings, sum_cents(unmade), _ledger_cents(session, scope))


def _ledger_cents(session: Session, scope: list[Any]) -> int:
    wanted = select(Account.id).where(Account.code == Code.ISSUED)
    if scope:
        wanted = wanted.where(Account.agreement_id.in_(select(Agreement.id).where(*scope)))
    sums = balances_query(wanted).subquery()
    return sum_cents(session.scalar(select(func.sum(sums.c.balance_cents))))


def counts(database: Database, issuer_id: UUID | None, asked: Asked) -> Page[CountLine]:
    """Return a page of counts by day. Filter: `state` (« signe » or « a-signer »)."""
    query = select(
        StockCount.id, StockCount.counted_on, Prescriber.name.label("holder_name"), StockCount.expected_count,
        StockCount.counted_count, StockCount.recorded_at, StockCount.signed_at,
    ).outerjoin(Prescriber, Prescriber.id == StockCount.prescriber_id)  # fmt: skip
    if issuer_id is not None:
        query = query.where(StockCount.issuer_id == issuer_id)
    if (state := asked.filters.get("state")) in ("signe", "a-signer"):
        query = query.where(StockCount.signed_at.is_not(None) if state == "signe" else StockCount.signed_at.is_(None))
    with database.read() as session:
        page = page_of(session, query, {"day": StockCount.counted_on}, [StockCount.id], asked)
    return page.of(CountLine(**row._asdict()) for row in page.rows)


def count_page(database: Database, count_id: UUID, issuer_id: UUID | None = None) -> CountPage | None:
    """Return a count; None when there is none, or it is another issuer's."""
    query: Select[Any] = (
        select(StockCount.__table__, Issuer.name.label("issuer_name"), Prescriber.name.label("holder_name"))
        .join(Issuer, Issuer.id == StockCount.issuer_id)
        .outerjoin(Prescriber, Prescriber.id == StockCount.prescriber_id)
        .where(StockCount.id == count_id)
    )
    with database.read() as session:
        row = session.execute(query).one_or_none()
        if row is None or issuer_id not in (None, row.issuer_id):
            return None
        gaps = tuple(gaps_of(session, count_id))
    return CountPage(
        id=row.id,
        issuer_id=row.issuer_id,
        issuer_name=row.issuer_name,
        holder_name=row.holder_name,
        counted_on=row.counted_on,
        ranges=ranges_label(row.ranges),
        expected_count=row.expected_count,
        expected_cents=row.expected_cents,
        counted_count=row.counted_count,
        counted_cents=row.counted_cents,
        recorded_at=row.recorded_at,
        recorded_by=row.recorded_by,
        signed_at=row.signed_at,
        signed_by=row.signed_by,
        gaps=gaps,
    )
