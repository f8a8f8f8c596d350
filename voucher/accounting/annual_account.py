"""The annual account of an agreement (art. R.1611-10 CGCT as domain.md §2 reads it), by vintage, at the end of a year.

Every voucher ordered by 31 December is in one column: used and paid, used and to be paid, rejected, refunded, remaining. A
vintage is the calendar year of validity. Rows come from orders, uses, payments, stop orders, destructions and lapses; the
ledger, which follows euros and no voucher, proves their sums. It is due by 31 May of the next year.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from voucher.accounting.balance import sums_by_account
from voucher.accounting.paid import settled_parts
from voucher.distribution.model import Lapse, StockVoid, StopOrder
from voucher.issuing.model import Booklet, IssueBatch, VoucherState
from voucher.kernel.calendar import end_of_day
from voucher.kernel.database import Database
from voucher.ledger.chart import OUTSTANDING, OWED_TO_STRUCTURES, Code
from voucher.ledger.model import Account
from voucher.programme.model import Agreement, Issuer
from voucher.redemption.model import Redemption, RedemptionState
from voucher.settlement.model.recoveries import Dispute
from voucher.settlement.words.states import DisputeOutcome

REMINDED_FROM = (4, 1)  # 1 April
DUE_BY = (5, 31)

FIGURES: Mapping[str, str] = {
    "ordered": "Commandés",
    "paid": "Utilisés et payés",
    "to_pay": "Utilisés, à payer",
    "rejected": "Rejetés",
    "refunded": "Remboursés",
    "remaining": "Restants",
}
"""The columns, in their order; the first is the sum of the others."""

USED = ("paid", "to_pay")
"""The columns of vouchers that were used: their rows are redemptions."""

DEFINITIONS: Mapping[str, str] = {
    "ordered": "Chèques commandés jusqu’au 31 décembre.",
    "paid": "Encaissés, et payés à la structure par une ligne de la banque.",
    "to_pay": "Encaissés, dus à la structure ou en cours de paiement.",
    "rejected": "Bloqués par opposition ou détruits avant remise : ils ne seront jamais payés.",
    "refunded": "Caducs : non utilisés à la fin, leur crédit est rendu.",
    "remaining": "Ni utilisés, ni rejetés, ni caducs.",
}


@dataclass
class Amount:
    """Vouchers and what they are worth."""

    count: int = 0
    cents: int = 0

    def add(self, count: int, cents: int) -> None:
        """Add vouchers."""
        self.count += count
        self.cents += cents


@dataclass
class Line:
    """A line of the account, of a vintage or an order: what was ordered and where it stands."""

    ordered: Amount = field(default_factory=Amount)
    paid: Amount = field(default_factory=Amount)
    to_pay: Amount = field(default_factory=Amount)
    rejected: Amount = field(default_factory=Amount)
    refunded: Amount = field(default_factory=Amount)

    @property
    def remaining(self) -> Amount:
        """What is left of what was ordered."""
        gone = (self.paid, self.to_pay, self.rejected, self.refunded)
        return Amount(
            self.ordered.count - sum(one.count for one in gone), self.ordered.cents - sum(one.cents for one in gone)
        )

    def amount(self, figure: str) -> Amount:
        """Return one column."""
        found: Amount = getattr(self, figure)
        return found

    def add(self, other: "Line") -> None:
        """Add another line."""
        for name in ("ordered", "paid", "to_pay", "rejected", "refunded"):
            mine, theirs = self.amount(name), other.amount(name)
            mine.add(theirs.count, theirs.cents)


@dataclass(frozen=True, slots=True)
class OrderLine:
    """An order's line: the row behind the figures of its vintage."""

    batch_id: UUID
    vintage: int
    ordered_at: datetime
    first_booklet_number: int
    booklet_count: int
    line: Line


@dataclass(frozen=True, slots=True)
class Proof:
    """A figure against the ledger's, in cents."""

    name: str
    cents: int
    ledger_cents: int

    @property
    def is_equal(self) -> bool:
        """Say whether they are equal."""
        return self.cents == self.ledger_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementAccount:
    """An agreement's annual account."""

    agreement_id: UUID
    agreement_number: str
    agreement_name: str
    issuer_id: UUID
    issuer_name: str
    year: int
    vintages: Mapping[int, Line]
    orders: tuple[OrderLine, ...]
    proofs: tuple[Proof, ...]

    @property
    def total(self) -> Line:
        """All vintages together."""
        line = Line()
        for vintage in self.vintages.values():
            line.add(vintage)
        return line

    @property
    def is_proven(self) -> bool:
        """Say whether the ledger agrees."""
        return all(proof.is_equal for proof in self.proofs)


def annual_account(
    database: Database, agreement_id: UUID, year: int, *, issuer_id: UUID | None = None
) -> AgreementAccount | None:
    """Return an agreement's account at the end of a year; None when there is no such agreement in the scope `issuer_id`."""
    with database.read() as session:
        agreement = session.execute(
            select(
                Agreement.id,
                Agreement.number,
                Agreement.name,
                Issuer.id.label("issuer_id"),
                Issuer.name.label("issuer"),
            )
            .join(Issuer, Issuer.id == Agreement.issuer_id)
            .where(Agreement.id == agreement_id)
        ).one_or_none()
        if agreement is None or issuer_id not in (None, agreement.issuer_id):
            return None
        orders = _orders(session, agreement_id, year)
        vintages: dict[int, Line] = {}
        for order in orders:
            vintages.setdefault(order.vintage, Line()).add(order.line)
        proofs = _proofs(session, agreement_id, year, vintages.values())
    return AgreementAccount(
        agreement_id=agreement.id,
        agreement_number=agreement.number,
        agreement_name=agreement.name,
        issuer_id=agreement.issuer_id,
        issuer_name=agreement.issuer,
        year=year,
        vintages=dict(sorted(vintages.items())),
        orders=tuple(orders),
        proofs=proofs,
    )


def _orders(session: Session, agreement_id: UUID, year: int) -> list[OrderLine]:
    end = end_of_day(date(year, 12, 31))
    rows = session.execute(
        select(IssueBatch.__table__)
        .where(IssueBatch.agreement_id == agreement_id, IssueBatch.ordered_at < end)
        .order_by(IssueBatch.first_serial)
    ).all()
    lines = {row.id: Line(ordered=Amount(row.voucher_count, row.voucher_count * row.face_value_cents)) for row in rows}
    _add_uses(session, agreement_id, year, lines)
    _add_ended(session, agreement_id, end, lines)
    return [
        OrderLine(row.id, row.use_by.year, row.ordered_at, row.first_booklet_number, row.booklet_count, lines[row.id])
        for row in rows
    ]


def uses_until(agreement_id: UUID, year: int) -> Select[*tuple[Any, ...]]:
    """Return the statement of what was used by the end of a year, by order, period and structure: vouchers and cents."""
    end = end_of_day(date(year, 12, 31))
    reversed_by_then = exists().where(
        Dispute.redemption_id == Redemption.id, Dispute.outcome == DisputeOutcome.UPHELD, Dispute.decided_at < end
    )
    return (
        select(
            Booklet.batch_id, Redemption.period_id, Redemption.structure_id,
            func.sum(Redemption.voucher_count).label("vouchers"), func.sum(Redemption.amount_cents).label("cents"),
        )
        .join(Booklet, Booklet.number == Redemption.booklet_number)
        .where(
            Redemption.agreement_id == agreement_id,
            Redemption.redeemed_at < end,
            or_(Redemption.state != RedemptionState.UNDONE, Redemption.undone_at >= end),
            ~reversed_by_then,
        )
        .group_by(Booklet.batch_id, Redemption.period_id, Redemption.structure_id)
        .order_by(Booklet.batch_id, Redemption.period_id, Redemption.structure_id)
    )  # fmt: skip


def _add_uses(session: Session, agreement_id: UUID, year: int, lines: Mapping[UUID, Line]) -> None:
    """Add what was used by the end of the year, paid or not: each structure's uses of a period follow its payment."""
    uses = session.execute(uses_until(agreement_id, year))
    parts = settled_parts(session, agreement_id, date(year, 12, 31))
    netted = dict(parts.netted_cents)
    for row in uses:
        count, cents = int(row.vouchers), int(row.cents)
        source = (row.period_id, row.structure_id)
        if source in parts.paid:
            lines[row.batch_id].paid.add(count, cents)
            continue
        # What an overpayment pays of it is paid already.
        carrier = parts.carried_by.get(source)
        compensated = min(cents, netted.get(carrier, 0)) if carrier else 0
        if carrier and compensated:
            netted[carrier] -= compensated
        lines[row.batch_id].to_pay.add(count, cents - compensated)
        lines[row.batch_id].paid.add(0, compensated)


def _add_ended(session: Session, agreement_id: UUID, end: datetime, lines: Mapping[UUID, Line]) -> None:
    """Add what can no longer be used: stopped, destroyed, lapsed; and what was used, reversed, and cannot be used again."""
    of_agreement = IssueBatch.agreement_id == agreement_id
    stopped = session.execute(
        select(Booklet.batch_id, func.sum(StopOrder.stopped_count), func.sum(StopOrder.released_cents))
        .join(Booklet, Booklet.number == StopOrder.booklet_number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .where(of_agreement, StopOrder.stopped_at < end)
        .group_by(Booklet.batch_id)
    )
    for batch_id, count, cents in stopped:
        lines[batch_id].rejected.add(int(count), int(cents))
    voids = session.execute(
        select(
            StockVoid.first_booklet_number.label("first"), StockVoid.booklet_count.label("booklets"),
            StockVoid.released_cents, IssueBatch.id, IssueBatch.first_booklet_number, IssueBatch.booklet_count,
            IssueBatch.booklet_size, IssueBatch.face_value_cents,
        )
        .join(
            IssueBatch,
            and_(
                IssueBatch.first_booklet_number < StockVoid.first_booklet_number + StockVoid.booklet_count,
                IssueBatch.first_booklet_number + IssueBatch.booklet_count > StockVoid.first_booklet_number,
            ),
        )
        .where(of_agreement, StockVoid.voided_at < end)
    )  # fmt: skip
    for row in voids:
        first, last = (
            max(row.first, row.first_booklet_number),
            min(row.first + row.booklets, row.first_booklet_number + row.booklet_count),
        )
        whole = last - first == row.booklets
        cents = row.released_cents if whole else (last - first) * row.booklet_size * row.face_value_cents
        lines[row.id].rejected.add(cents // row.face_value_cents, cents)
    lapses = session.execute(
        select(Lapse.batch_id, Lapse.stock_count + Lapse.held_count, Lapse.released_cents)
        .join(IssueBatch, IssueBatch.id == Lapse.batch_id)
        .where(of_agreement, Lapse.lapsed_at < end)
    )
    for batch_id, count, cents in lapses:
        lines[batch_id].refunded.add(int(count), int(cents))
    given_back = session.execute(
        select(Booklet.batch_id, Dispute.vouchers_became, Dispute.voucher_count, Dispute.amount_cents)
        .join(Redemption, Redemption.id == Dispute.redemption_id)
        .join(Booklet, Booklet.number == Redemption.booklet_number)
        .where(
            Dispute.agreement_id == agreement_id, Dispute.outcome == DisputeOutcome.UPHELD, Dispute.decided_at < end,
            Dispute.vouchers_became.in_((VoucherState.STOPPED, VoucherState.LAPSED, VoucherState.VOID)),
        )
    )  # fmt: skip
    for batch_id, became, count, cents in given_back:
        (lines[batch_id].refunded if became == VoucherState.LAPSED else lines[batch_id].rejected).add(count, cents)


def _proofs(session: Session, agreement_id: UUID, year: int, lines: Iterable[Line]) -> tuple[Proof, ...]:
    moved = sums_by_account(session, year, None, [Account.agreement_id == agreement_id])
    rows = session.execute(
        select(Account.code, func.sum(moved.c.opening + moved.c.debit - moved.c.credit))
        .join(moved, moved.c.id == Account.id)
        .group_by(Account.code)
    )
    balance = {code: int(cents) for code, cents in rows}
    every = list(lines)
    return (
        Proof(
            "Restants : chèques émis et remis, au registre",
            sum(one.remaining.cents for one in every),
            sum(balance.get(code, 0) for code in OUTSTANDING),
        ),
        Proof(
            "Utilisés : chèques utilisés, au registre",
            sum(one.paid.cents + one.to_pay.cents for one in every),
            balance.get(Code.USED, 0),
        ),
        Proof(
            "À payer : dû aux structures et en transit, au registre",
            sum(one.to_pay.cents for one in every),
            -sum(balance.get(code, 0) for code in OWED_TO_STRUCTURES),
        ),
    )


def is_due(year: int, today: date) -> bool:
    """Say whether a year's account is asked for: from 1 April of the next."""
    return today >= date(year + 1, *REMINDED_FROM)


def due_on(year: int) -> date:
    """Return the day by which a year's account must be produced."""
    return date(year + 1, *DUE_BY)
