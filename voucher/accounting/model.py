"""Tables of accounting. All only grow, but a stock count, which a second person signs once."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from voucher.accounting.close_items import CloseItem
from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf
from voucher.ledger.chart import Side


class MatchingLetter(Base):
    """Movements of one account that belong together and balance: one letter. `number` is written AAA, AAB…, by code."""

    __tablename__ = "matching_letter"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(8))
    number: Mapped[int] = mapped_column(BigInt)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    source_id: Mapped[
        UUID
    ]  # what brings them together: an advice, a batch, a bank line, a call, an entry and its reversal
    amount_cents: Mapped[int] = mapped_column(BigInt)  # of either side
    lettered_on: Mapped[date]

    __table_args__ = (
        # A letter is given once in a code: a structure's account is one in the FEC, whatever the agreement.
        UniqueConstraint("code", "number"),
        CheckConstraint("amount_cents > 0", name="amount_is_positive"),
    )


class LetteredMovement(Base):
    """A side of a movement under a letter: `side` is « debit » or « credit »."""

    __tablename__ = "lettered_movement"

    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    side: Mapped[Side] = mapped_column(OneOf(Side, 6), primary_key=True)
    letter_id: Mapped[UUID] = mapped_column(ForeignKey("matching_letter.id"), primary_key=True, index=True)


class LetteredPeriod(Base):
    """A period's redemptions of one structure under a letter, by one row: they are never listed one by one (ADR 13)."""

    __tablename__ = "lettered_period"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    period_id: Mapped[UUID] = mapped_column(primary_key=True)
    letter_id: Mapped[UUID] = mapped_column(ForeignKey("matching_letter.id"), primary_key=True, index=True)


class LetterUndone(Base):
    """A letter taken back, because its match was undone."""

    __tablename__ = "letter_undone"

    letter_id: Mapped[UUID] = mapped_column(ForeignKey("matching_letter.id"), primary_key=True)
    undone_on: Mapped[date]


class AnnualAccount(Base):
    """An annual account that was produced (art. R.1611-10 CGCT), kept as it was given."""

    __tablename__ = "annual_account"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"))
    year: Mapped[int]
    name: Mapped[str] = mapped_column(String(120))
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    produced_at: Mapped[datetime]
    produced_by: Mapped[UUID]

    __table_args__ = (Index(None, "agreement_id", "year"),)


class GapKind(StrEnum):
    """What a count finds against the system."""

    MISSING = "missing"
    EXTRA = "extra"


class StockCount(Base):
    """Booklets counted by hand at one holder's (a prescriber, or the issuer itself), against what the system knew that day."""

    __tablename__ = "stock_count"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    issuer_id: Mapped[UUID] = mapped_column(ForeignKey("issuer.id"), index=True)
    prescriber_id: Mapped[UUID | None] = mapped_column(ForeignKey("prescriber.id"))
    counted_on: Mapped[date]
    ranges: Mapped[str] = mapped_column(String(2000))  # as typed, tidied: « 1-40, 57 »
    expected_count: Mapped[int]
    counted_count: Mapped[int]
    expected_cents: Mapped[int] = mapped_column(BigInt)
    counted_cents: Mapped[int] = mapped_column(BigInt)
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[UUID]
    signed_at: Mapped[datetime | None]
    signed_by: Mapped[UUID | None]

    __table_args__ = (
        CheckConstraint("(signed_at IS NULL) = (signed_by IS NULL)", name="signed_by_somebody"),
        # Four eyes: who counted may not sign.
        CheckConstraint("signed_by IS NULL OR signed_by <> recorded_by", name="four_eyes"),
    )


class StockCountGap(Base):
    """A booklet that a count misses, or finds where it should not be, with what the system said of it."""

    __tablename__ = "stock_count_gap"

    count_id: Mapped[UUID] = mapped_column(ForeignKey("stock_count.id"), primary_key=True)
    booklet_number: Mapped[int] = mapped_column(BigInt, primary_key=True)
    kind: Mapped[GapKind] = mapped_column(OneOf(GapKind, 8))
    known_as: Mapped[str] = mapped_column(String(120))  # in words, at the time


class CloseCheck(Base):
    """What a person found of one item before proposing or confirming a close, and why that person accepts what is left.

    The person who proposes writes all items, and so does the one who confirms. A proposal that was withdrawn keeps what was signed.
    """

    __tablename__ = "close_check"

    proposal_id: Mapped[UUID] = mapped_column(primary_key=True)
    item: Mapped[CloseItem] = mapped_column(OneOf(CloseItem, 24), primary_key=True)
    said_by: Mapped[UUID] = mapped_column(primary_key=True)
    year: Mapped[int]
    said_at: Mapped[datetime]
    found_count: Mapped[int]
    found_cents: Mapped[int] = mapped_column(BigInt)
    reason: Mapped[str] = mapped_column(String(500))

    __table_args__ = (
        CheckConstraint("found_count >= 0", name="found_is_counted"),
        # What is left is accepted with a reason; what is clear needs none.
        CheckConstraint("(found_count = 0) = (reason = '')", name="left_with_a_reason"),
        # Open periods and missing statements are never accepted.
        CheckConstraint("found_count = 0 OR item NOT IN ('open_periods', 'statement_gaps')", name="blocking_is_clear"),
    )
