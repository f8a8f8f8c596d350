"""What pages and checks ask of the ledger: balances, an account's movements, an entry with its own."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, cast, func, select, union_all
from sqlalchemy.orm import Session, aliased

from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.money import sum_cents
from voucher.ledger.chart import CHART, RULES, EventType
from voucher.ledger.model import Account, Entry, Movement
from voucher.ledger.search import ENTRY as _ENTRY
from voucher.ledger.search import search


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    """An account with what it was debited and credited, in cents; `balance_cents` is debit less credit."""

    id: int
    code: str
    name: str
    funder_id: UUID | None
    agreement_id: UUID | None
    structure_id: UUID | None
    bank_account_id: UUID | None
    debit_cents: int
    credit_cents: int

    @property
    def balance_cents(self) -> int:
        """Debit less credit."""
        return self.debit_cents - self.credit_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """An entry in a list."""

    id: UUID
    posted_at: datetime
    effective_on: date
    journal: str
    event_type: str
    event_name: str
    narration: str
    total_cents: int
    movement_count: int


@dataclass(frozen=True, slots=True)
class MovementLine:
    """A movement, with its two accounts by code and id."""

    rank: int
    debit_id: int
    debit_code: str
    credit_id: int
    credit_code: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class EntryPage:
    """One entry, whole."""

    entry: EntryLine
    event_id: UUID
    posted_by: UUID | None
    reverses_id: UUID | None
    reversed_by_id: UUID | None
    movements: tuple[MovementLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMovement:
    """A movement as one account's ledger shows it: on which side, against which account."""

    entry_id: UUID
    posted_at: datetime
    narration: str
    other_id: int
    other_code: str
    debit_cents: int
    credit_cents: int


def balances_query(only: Select[int] | None = None) -> Select[Any]:
    """Return the statement that sums accounts: id, debit_cents, credit_cents, balance_cents (debit less credit).

    `only` gives the ids of those wanted: their movements alone are read, by their indexes. Without it, the whole ledger is.
    """
    if only is None:
        return _all_balances_query()
    cents = Movement.amount_cents
    zero = cast(0, cents.type)
    debits = select(Movement.debit_account_id.label("id"), cents.label("debit"), zero.label("credit"))
    credits_ = select(Movement.credit_account_id.label("id"), zero.label("debit"), cents.label("credit"))
    debits = debits.where(Movement.debit_account_id.in_(only))
    credits_ = credits_.where(Movement.credit_account_id.in_(only))
    return _sums_by_account(debits, credits_)


@cache
def _all_balances_query() -> Select[Any]:
    # Once over the movements: there are few pairs of accounts. Built once: each check of the books asks for it.
    cents = Movement.amount_cents
    zero = cast(0, cents.type)
    pairs = (
        select(Movement.debit_account_id, Movement.credit_account_id, func.sum(cents).label("cents"))
        .group_by(Movement.debit_account_id, Movement.credit_account_id)
        .cte("pairs")
    )
    debits = select(pairs.c.debit_account_id.label("id"), pairs.c.cents.label("debit"), zero.label("credit"))
    credits_ = select(pairs.c.credit_account_id.label("id"), zero.label("debit"), pairs.c.cents.label("credit"))
    return _sums_by_account(debits, credits_)


def _sums_by_account(debits: Select[Any], credits_: Select[Any]) -> Select[Any]:
    sides = union_all(debits, credits_).subquery()
    debit, credit = func.sum(sides.c.debit), func.sum(sides.c.credit)
    return select(
        sides.c.id, debit.label("debit_cents"), credit.label("credit_cents"), (debit - credit).label("balance_cents")
    ).group_by(sides.c.id)


def balances(database: Database, agreement_ids: set[UUID] | None = None) -> list[AccountBalance]:
    """Return every account with its sums, in the chart's order; only those of some agreements where these are given."""
    with database.read() as session:
        return balances_in(session, agreement_ids)


def balances_in(session: Session, agreement_ids: set[UUID] | None = None) -> list[AccountBalance]:
    """Return the same within a session that is open."""
    only = None if agreement_ids is None else select(Account.id).where(Account.agreement_id.in_(agreement_ids))
    sums = balances_query(only).subquery()
    query = select(Account.__table__, sums.c.debit_cents, sums.c.credit_cents).outerjoin(sums, sums.c.id == Account.id)
    if agreement_ids is not None:
        query = query.where(Account.agreement_id.in_(agreement_ids))
    rows = session.execute(query.order_by(Account.code, Account.key))
    return [
        AccountBalance(
            id=row.id,
            code=row.code,
            name=CHART[row.code].name,
            funder_id=row.funder_id,
            agreement_id=row.agreement_id,
            structure_id=row.structure_id,
            bank_account_id=row.bank_account_id,
            debit_cents=sum_cents(row.debit_cents),
            credit_cents=sum_cents(row.credit_cents),
        )
        for row in rows
    ]


def _entry_line(row: Any) -> EntryLine:
    return EntryLine(
        id=row.id,
        posted_at=row.posted_at,
        effective_on=row.effective_on,
        journal=row.journal,
        event_type=row.event_type,
        event_name=RULES[EventType(row.event_type)].name,
        narration=row.narration,
        total_cents=row.total_cents,
        movement_count=row.movement_count,
    )


def entries(database: Database, asked: Asked) -> Page[EntryLine]:
    """Return a page of entries. Sorts: posted_at, total; the filters are those of `ledger.search`."""
    sorts = {"posted_at": Entry.posted_at, "total": Entry.total_cents}
    with database.read() as session:
        page = page_of(session, search(asked.filters), sorts, [Entry.id], asked)
    return page.of(_entry_line(row) for row in page.rows)


def entry(database: Database, entry_id: UUID) -> EntryPage | None:
    """Return one entry with its movements, or None."""
    debit, credit = aliased(Account), aliased(Account)
    with database.read() as session:
        row = session.execute(
            select(*_ENTRY, Entry.event_id, Entry.posted_by, Entry.reverses_id).where(Entry.id == entry_id)
        ).one_or_none()
        if row is None:
            return None
        reversed_by_id = session.scalar(select(Entry.id).where(Entry.reverses_id == entry_id))
        moves = session.execute(
            select(
                Movement.rank,
                Movement.debit_account_id,
                debit.code.label("debit_code"),
                Movement.credit_account_id,
                credit.code.label("credit_code"),
                Movement.amount_cents,
            )
            .join(debit, debit.id == Movement.debit_account_id)
            .join(credit, credit.id == Movement.credit_account_id)
            .where(Movement.entry_id == entry_id)
            .order_by(Movement.rank)
        ).all()
    lines = tuple(MovementLine(*move) for move in moves)
    return EntryPage(_entry_line(row), row.event_id, row.posted_by, row.reverses_id, reversed_by_id, lines)


def account(database: Database, account_id: int) -> AccountBalance | None:
    """Return one account with its sums, or None."""
    with database.read() as session:
        row = session.execute(select(Account.__table__).where(Account.id == account_id)).one_or_none()
        if row is None:
            return None
        debit = session.scalar(select(func.sum(Movement.amount_cents)).where(Movement.debit_account_id == account_id))
        credit = session.scalar(select(func.sum(Movement.amount_cents)).where(Movement.credit_account_id == account_id))
    return AccountBalance(
        id=row.id,
        code=row.code,
        name=CHART[row.code].name,
        funder_id=row.funder_id,
        agreement_id=row.agreement_id,
        structure_id=row.structure_id,
        bank_account_id=row.bank_account_id,
        debit_cents=sum_cents(debit),
        credit_cents=sum_cents(credit),
    )


def account_movements(database: Database, account_id: int, asked: Asked) -> Page[AccountMovement]:
    """Return a page of an account's movements by time. Sort: at."""
    zero = cast(0, Movement.amount_cents.type)
    sides = union_all(
        select(
            Movement.entry_id,
            Movement.rank,
            Movement.credit_account_id.label("other_id"),
            Movement.amount_cents.label("debit"),
            zero.label("credit"),
        ).where(Movement.debit_account_id == account_id),
        select(
            Movement.entry_id,
            Movement.rank,
            Movement.debit_account_id.label("other_id"),
            zero.label("debit"),
            Movement.amount_cents.label("credit"),
        ).where(Movement.credit_account_id == account_id),
    ).subquery()
    query = (
        select(
            sides.c.entry_id,
            Entry.posted_at,
            Entry.narration,
            sides.c.other_id,
            Account.code.label("other_code"),
            sides.c.debit.label("debit_cents"),
            sides.c.credit.label("credit_cents"),
        )
        .join(Entry, Entry.id == sides.c.entry_id)
        .join(Account, Account.id == sides.c.other_id)
    )
    with database.read() as session:
        page = page_of(session, query, {"at": Entry.posted_at}, [Entry.id, sides.c.rank], asked)
    return page.of(AccountMovement(**row._asdict()) for row in page.rows)
