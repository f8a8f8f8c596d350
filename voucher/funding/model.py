"""Tables of funding. What was called, published or printed is never changed; a call's state and what it received are."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf


class CallKind(StrEnum):
    """What a funder is asked for: its part of what was used, or money in advance."""

    USE = "use"
    ADVANCE = "advance"


class CallState(StrEnum):
    """Where a call stands; that it is overdue follows from its day and is never stored."""

    CALLED = "called"
    PARTLY_PAID = "partly_paid"
    PAID = "paid"
    CANCELLED = "cancelled"


class DocumentKind(StrEnum):
    """What is written for a funder: a call and the uses behind it, or a final balance."""

    CALL_PDF = "call_pdf"
    USES_CSV = "uses_csv"
    BALANCE_PDF = "balance_pdf"


class FundsCall(Base):
    """A call for funds on one funder for one agreement, numbered without a gap."""

    __tablename__ = "funds_call"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"))
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"))
    number: Mapped[int]
    reference: Mapped[str] = mapped_column(String(60), unique=True)
    kind: Mapped[CallKind] = mapped_column(OneOf(CallKind, 10))
    used_cents: Mapped[int] = mapped_column(BigInt)  # the uses behind the call; 0 for an advance
    advance_used_cents: Mapped[int] = mapped_column(BigInt)  # paid by an advance given before
    called_cents: Mapped[int] = mapped_column(BigInt)  # what the funder is to transfer
    received_cents: Mapped[int] = mapped_column(BigInt, default=0)
    state: Mapped[CallState] = mapped_column(OneOf(CallState, 12))
    used_until: Mapped[date | None]  # uses of later days wait for the next call; None: all those known
    called_on: Mapped[date]
    due_on: Mapped[date]
    called_at: Mapped[datetime]
    called_by: Mapped[UUID]
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[UUID | None]

    __table_args__ = (
        # A number is given once to a funder of an agreement.
        UniqueConstraint("agreement_id", "funder_id", "number"),
        Index("ix_funds_call_funder_id", "funder_id"),
        CheckConstraint("number > 0", name="number_is_positive"),
        # What was used is paid by the advance first, and called for the rest.
        CheckConstraint(
            "CASE WHEN kind = 'use' THEN used_cents > 0 AND used_cents = advance_used_cents + called_cents "
            "ELSE used_cents = 0 AND advance_used_cents = 0 AND called_cents > 0 END",
            name="amounts_add_up",
        ),
        CheckConstraint("called_cents >= 0 AND advance_used_cents >= 0", name="amounts_are_not_negative"),
        # Nothing is received beyond what was called: the excess waits to be identified.
        CheckConstraint("received_cents BETWEEN 0 AND called_cents", name="received_within_called"),
        # The state says what was received.
        CheckConstraint(
            "CASE state WHEN 'called' THEN received_cents = 0 AND called_cents > 0 "
            "WHEN 'partly_paid' THEN received_cents > 0 AND received_cents < called_cents "
            "WHEN 'paid' THEN received_cents = called_cents WHEN 'cancelled' THEN received_cents = 0 ELSE 1 = 0 END",
            name="state_says_received",
        ),
        CheckConstraint("due_on >= called_on", name="due_after_called"),
        CheckConstraint("(state = 'cancelled') = (cancelled_at IS NOT NULL)", name="cancelled_has_its_instant"),
    )


class FundsCallUse(Base):
    """An entry on a funder's account of uses (4430) that a call takes; a claw-back counts below zero."""

    __tablename__ = "funds_call_use"

    # An entry is called from a funder once: a second call that takes it fails. A cancelled call gives its entries back.
    account_id: Mapped[int] = mapped_column(BigInt, ForeignKey("account.id"), primary_key=True, autoincrement=False)
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("entry.id"), primary_key=True)
    # Written before its call, which says the sum of them.
    call_id: Mapped[UUID] = mapped_column(
        ForeignKey("funds_call.id", deferrable=True, initially="DEFERRED"), index=True
    )
    cents: Mapped[int] = mapped_column(BigInt)


class FundsReceipt(Base):
    """What a bank line paid of a call. `id` is the match that said so; undone, the money waits to be identified again."""

    __tablename__ = "funds_receipt"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    call_id: Mapped[UUID] = mapped_column(ForeignKey("funds_call.id"), index=True)
    paying_account_id: Mapped[UUID] = mapped_column(ForeignKey("paying_account.id"))
    amount_cents: Mapped[int] = mapped_column(BigInt)
    booked_on: Mapped[date]
    received_at: Mapped[datetime]
    received_by: Mapped[UUID]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[UUID | None]

    __table_args__ = (CheckConstraint("amount_cents > 0", name="amount_is_positive"),)


class FundingClose(Base):
    """The final balance of a funder on an agreement: everything used, called and received, and what is to be given back.

    `number` is 1; what is clawed back later makes a complementary one, numbered 2 and on. What balances before it give back is
    no more received: each says what the funder has paid in the end, so that `received_cents` of the last is what it paid for good,
    and what this very balance gives back.
    """

    __tablename__ = "funding_close"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"))
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"))
    number: Mapped[int]
    last_call_id: Mapped[UUID | None] = mapped_column(ForeignKey("funds_call.id"))
    used_cents: Mapped[int] = mapped_column(BigInt)
    received_cents: Mapped[int] = mapped_column(BigInt)
    due_cents: Mapped[int] = mapped_column(BigInt)  # called and not received yet
    carried_cents: Mapped[int] = mapped_column(BigInt)  # called too much (clawed back since), put with the advance
    refund_cents: Mapped[int] = mapped_column(BigInt)  # what remains of the advance, to be given back
    refunded_cents: Mapped[int] = mapped_column(BigInt, default=0)
    # Owed to structures that could not be paid yet: it stays theirs.
    kept_cents: Mapped[int] = mapped_column(BigInt, default=0, server_default="0")
    closed_on: Mapped[date]
    closed_at: Mapped[datetime]
    closed_by: Mapped[UUID]

    __table_args__ = (
        # A number is given once.
        UniqueConstraint("agreement_id", "funder_id", "number"),
        CheckConstraint("refunded_cents BETWEEN 0 AND refund_cents", name="refunded_within_refund"),
        # What a funder paid or owes, less what it gets back, is its part of what was used.
        CheckConstraint("received_cents + due_cents - refund_cents = used_cents", name="balance_is_final"),
    )


class AdvanceRefund(Base):
    """What a bank debit gave back of an advance. `id` is the match that said so."""

    __tablename__ = "advance_refund"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    close_id: Mapped[UUID] = mapped_column(ForeignKey("funding_close.id"), index=True)
    paying_account_id: Mapped[UUID] = mapped_column(ForeignKey("paying_account.id"))
    amount_cents: Mapped[int] = mapped_column(BigInt)
    booked_on: Mapped[date]
    refunded_at: Mapped[datetime]
    refunded_by: Mapped[UUID]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[UUID | None]

    __table_args__ = (CheckConstraint("amount_cents > 0", name="amount_is_positive"),)


class AdvanceReturn(Base):
    """A part of an advance given back by a bank line before any final balance. `id` is the match that two people made."""

    __tablename__ = "advance_return"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), index=True)
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"))
    paying_account_id: Mapped[UUID] = mapped_column(ForeignKey("paying_account.id"))
    amount_cents: Mapped[int] = mapped_column(BigInt)
    booked_on: Mapped[date]
    returned_at: Mapped[datetime]
    returned_by: Mapped[UUID]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[UUID | None]

    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount_is_positive"),
        CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name="undone_is_signed"),
    )


class FundingDocument(Base):
    """A document as it was made, byte for byte: of a call or of a final balance (`subject_id`)."""

    __tablename__ = "funding_document"

    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[DocumentKind] = mapped_column(OneOf(DocumentKind, 12), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]


class BackingFigure(Base):
    """What the programme published of a day: the canonical text, its signature, and the same sums for tables."""

    __tablename__ = "backing_figure"

    day: Mapped[date] = mapped_column(primary_key=True)
    taken_at: Mapped[datetime]  # the figures hold every entry posted before this instant, and no other
    held_cents: Mapped[int] = mapped_column(BigInt)
    undrawn_cents: Mapped[int] = mapped_column(BigInt)
    outstanding_cents: Mapped[int] = mapped_column(BigInt)
    payable_cents: Mapped[int] = mapped_column(BigInt)
    # Not said by the first figures (format 1), whose `undrawn_cents` held free credit too.
    overdue_cents: Mapped[int | None] = mapped_column(BigInt)
    free_cents: Mapped[int | None] = mapped_column(BigInt)
    banked_cents: Mapped[int | None] = mapped_column(BigInt)
    covered_cents: Mapped[int | None] = mapped_column(BigInt)
    text: Mapped[str] = mapped_column(Text)
    signature: Mapped[bytes] = mapped_column(LargeBinary)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    published_at: Mapped[datetime]


class BackingLine(Base):
    """An agreement's part of a published figure."""

    __tablename__ = "backing_line"

    day: Mapped[date] = mapped_column(ForeignKey("backing_figure.day"), primary_key=True)
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), primary_key=True)
    held_cents: Mapped[int] = mapped_column(BigInt)
    undrawn_cents: Mapped[int] = mapped_column(BigInt)
    outstanding_cents: Mapped[int] = mapped_column(BigInt)
    payable_cents: Mapped[int] = mapped_column(BigInt)
    overdue_cents: Mapped[int | None] = mapped_column(BigInt)
    free_cents: Mapped[int | None] = mapped_column(BigInt)
