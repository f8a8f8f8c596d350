"""Tables of the ledger. Accounts, movements, entries and opening balances only grow: triggers refuse UPDATE, DELETE and
TRUNCATE (migrations 0001 and 0011). A fiscal year that is closed does not change either."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf
from voucher.ledger.chart import Book


class Account(Base):
    """An account of the chart for one combination of its dimensions; `id` is derived from `key`."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(200))
    code: Mapped[str] = mapped_column(String(8), index=True)
    book: Mapped[Book] = mapped_column(OneOf(Book, 8))
    funder_id: Mapped[UUID | None] = mapped_column(index=True)
    agreement_id: Mapped[UUID | None] = mapped_column(index=True)
    structure_id: Mapped[UUID | None] = mapped_column(index=True)
    bank_account_id: Mapped[UUID | None]

    __table_args__ = (
        # An account exists once.
        UniqueConstraint("key"),
        # A movement names its book with each of its accounts, so that none crosses books.
        UniqueConstraint("id", "book"),
    )


class Movement(Base):
    """One debit account, one credit account, one amount. Written before its entry, which closes the set."""

    __tablename__ = "movement"

    entry_id: Mapped[UUID] = mapped_column(
        ForeignKey("entry.id", deferrable=True, initially="DEFERRED"), primary_key=True
    )
    rank: Mapped[int] = mapped_column(primary_key=True)
    book: Mapped[str] = mapped_column(String(8))
    debit_account_id: Mapped[int] = mapped_column(BigInt)
    credit_account_id: Mapped[int] = mapped_column(BigInt)
    amount_cents: Mapped[int] = mapped_column(BigInt)

    __table_args__ = (
        # Both accounts stand in the movement's book.
        ForeignKeyConstraint(["debit_account_id", "book"], ["account.id", "account.book"]),
        ForeignKeyConstraint(["credit_account_id", "book"], ["account.id", "account.book"]),
        # A movement moves something, and from one account to another.
        CheckConstraint("amount_cents > 0", name="amount_is_positive"),
        CheckConstraint("debit_account_id <> credit_account_id", name="accounts_differ"),
        # The ledger of one account reads these.
        Index(None, "debit_account_id"),
        Index(None, "credit_account_id"),
    )


class Entry(Base):
    """One business event. A trigger checks that its movements are all there and closes it at birth."""

    __tablename__ = "entry"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    event_type: Mapped[str] = mapped_column(String(40))
    event_id: Mapped[UUID]
    journal: Mapped[str] = mapped_column(String(2))
    posted_at: Mapped[datetime] = mapped_column(index=True)
    posted_by: Mapped[UUID | None]
    effective_on: Mapped[date]
    narration: Mapped[str] = mapped_column(String(200))
    movement_count: Mapped[int]
    total_cents: Mapped[int] = mapped_column(BigInt)
    reverses_id: Mapped[UUID | None] = mapped_column(ForeignKey("entry.id"))

    __table_args__ = (
        # An event is posted once, however often its command is sent.
        UniqueConstraint("event_type", "event_id"),
        # An entry is reversed at most once.
        UniqueConstraint("reverses_id"),
        CheckConstraint("movement_count > 0 AND total_cents > 0", name="moves_something"),
        # A journal is read month by month.
        Index(None, "journal", "effective_on"),
    )


class FiscalYear(Base):
    """A year whose close one person proposed and another confirmed; then no entry takes effect in it (a trigger refuses it)."""

    __tablename__ = "fiscal_year"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    following_on: Mapped[date]  # the first day after it: what comes late takes effect there
    proposal_id: Mapped[UUID | None]  # under which two people sign what is left (None: closed before they did)
    proposed_at: Mapped[datetime]
    proposed_by: Mapped[UUID]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None]

    __table_args__ = (
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed_by_somebody"),
        # Four eyes: who proposed the close may not confirm it.
        CheckConstraint("closed_by IS NULL OR closed_by <> proposed_by", name="four_eyes"),
    )


class RuleStart(Base):
    """A rule of the books that came after some of them were written: those written until this instant are left as they were."""

    __tablename__ = "rule_start"

    rule: Mapped[str] = mapped_column(String(40), primary_key=True)
    written_until: Mapped[datetime]


class OpeningBalance(Base):
    """What an account carries into a year from all those before it: debit less credit, never zero."""

    __tablename__ = "opening_balance"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    balance_cents: Mapped[int] = mapped_column(BigInt)

    __table_args__ = (CheckConstraint("balance_cents <> 0", name="carries_something"),)
