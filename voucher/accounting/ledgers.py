"""Journals by month, and the ledger of one account (grand livre) with its running balance and letters, for a year."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, cast, func, literal, select, union_all
from sqlalchemy.orm import Session, aliased

from voucher.accounting.balance import CHARGE_CLASSES, Sums, sums_by_account
from voucher.accounting.fec_format import letters
from voucher.accounting.letters import USES, undone_letters
from voucher.accounting.model import LetteredMovement, LetteredPeriod, MatchingLetter
from voucher.kernel.database import BigInt, Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.money import sum_cents
from voucher.ledger.chart import Journal
from voucher.ledger.model import Account, Entry, Movement
from voucher.redemption.model import Redemption


@dataclass(frozen=True, slots=True)
class JournalMonth:
    """What a journal holds of a month: its first and last day, how many entries, their total in cents."""

    journal: str
    first_on: date
    last_on: date
    entry_count: int
    total_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """A movement in the ledger of an account: what it does to its balance, and under which letter."""

    entry_id: UUID
    effective_on: date
    posted_at: datetime
    journal: str
    narration: str
    other_id: int
    other_code: str
    debit_cents: int
    credit_cents: int
    balance_cents: int
    letter: str


def journal_months(database: Database, year: int) -> list[JournalMonth]:
    """Return each journal month by month, for a year, in the order of the journals."""
    month = func.substr(cast(Entry.effective_on, String), 1, 7)
    with database.read() as session:
        rows = session.execute(
            select(
                Entry.journal,
                month.label("month"),
                func.count().label("found"),
                func.sum(Entry.total_cents).label("total"),
            )
            .where(
                # Every journal is named so that their index is used.
                Entry.journal.in_([str(one) for one in Journal]),
                Entry.effective_on >= date(year, 1, 1),
                Entry.effective_on <= date(year, 12, 31),
            )
            .group_by(Entry.journal, month)
        ).all()
    order = [str(one) for one in Journal]
    found = []
    for row in sorted(rows, key=lambda row: (order.index(row.journal), row.month)):
        first = date.fromisoformat(f"{row.month}-01")
        following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        last = date.fromordinal(following.toordinal() - 1)
        found.append(JournalMonth(row.journal, first, last, row.found, int(row.total)))
    return found


def account_sums(database: Database, account_id: int, year: int) -> Sums:
    """Return what an account opened a year with and moved; charges start from nothing."""
    with database.read() as session:
        return _sums(session, account_id, year)


def account_lines(
    database: Database, account_id: int, year: int, asked: Asked, *, is_open_only: bool = False
) -> Page[LedgerLine]:
    """Return a page of the ledger of an account, in the order of its days; `is_open_only` leaves lettered movements out.

    The running balance starts from what the account opened the year with.
    """
    with database.read() as session:
        opening = _sums(session, account_id, year).opening_cents
        sides = union_all(*(_side(account_id, year, side) for side in ("debit", "credit"))).subquery()
        order = (sides.c.effective_on, sides.c.posted_at, sides.c.entry_id, sides.c.rank)
        running = func.sum(sides.c.debit - sides.c.credit).over(order_by=order)
        every = select(sides, running.label("running")).subquery()
        other = aliased(Account)
        query = (
            select(every, other.code.label("other_code"), MatchingLetter.number)
            .join(other, other.id == every.c.other_id)
            .outerjoin(MatchingLetter, MatchingLetter.id == every.c.letter_id)
        )
        if is_open_only:
            query = query.where(every.c.letter_id.is_(None))
        ties = [every.c.posted_at, every.c.entry_id, every.c.rank, every.c.debit]
        page = page_of(session, query, {"day": every.c.effective_on}, ties, asked)
    return page.of(
        LedgerLine(
            entry_id=row.entry_id,
            effective_on=row.effective_on,
            posted_at=row.posted_at,
            journal=row.journal,
            narration=row.narration,
            other_id=row.other_id,
            other_code=row.other_code,
            debit_cents=int(row.debit),
            credit_cents=int(row.credit),
            balance_cents=opening + int(row.running),
            letter=letters(row.number) if row.number is not None else "",
        )
        for row in page.rows
    )


def _sums(session: Session, account_id: int, year: int) -> Sums:
    row = session.execute(select(sums_by_account(session, year, None, [Account.id == account_id]))).one_or_none()
    if row is None:
        return Sums()
    code = session.execute(select(Account.code).where(Account.id == account_id)).scalar_one()
    return Sums(0 if code[0] in CHARGE_CLASSES else sum_cents(row.opening), int(row.debit), int(row.credit))


def _side(account_id: int, year: int, side: str) -> Any:
    is_debit = side == "debit"
    own, other = Movement.debit_account_id, Movement.credit_account_id
    if not is_debit:
        own, other = other, own
    zero: ColumnElement[int] = literal(0, BigInt)
    return (
        select(
            Movement.entry_id, Movement.rank, Entry.effective_on, Entry.posted_at, Entry.journal, Entry.narration,
            other.label("other_id"), (Movement.amount_cents if is_debit else zero).label("debit"),
            (zero if is_debit else Movement.amount_cents).label("credit"), _letter_of(account_id, side).label("letter_id"),
        )
        .join(Entry, Entry.id == Movement.entry_id)
        .where(own == account_id, Entry.effective_on >= date(year, 1, 1), Entry.effective_on <= date(year, 12, 31))
    )  # fmt: skip


def _letter_of(account_id: int, side: str) -> ColumnElement[UUID | None]:
    """Return the letter of a side of a movement: its own, or its period's."""
    own = (
        select(LetteredMovement.letter_id)
        .where(
            LetteredMovement.entry_id == Movement.entry_id,
            LetteredMovement.rank == Movement.rank,
            LetteredMovement.side == side,
            LetteredMovement.letter_id.not_in(undone_letters()),
        )
        .correlate(Movement)
        .scalar_subquery()
    )
    of_period = (
        select(LetteredPeriod.letter_id)
        .join(Redemption, and_(Redemption.period_id == LetteredPeriod.period_id))
        .where(
            Redemption.id == Entry.event_id,
            Entry.event_type.in_(USES),
            LetteredPeriod.account_id == account_id,
            LetteredPeriod.letter_id.not_in(undone_letters()),
        )
        .correlate(Entry)
        .scalar_subquery()
    )
    return func.coalesce(own, of_period)
