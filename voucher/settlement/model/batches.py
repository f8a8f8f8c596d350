"""Tables of settlement. A period is in one batch, a structure once in a batch, an owed amount taken up once."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf
from voucher.programme.model import SettlementChannel
from voucher.settlement.words.states import (
    AdviceState,
    BankFileKind,
    BatchState,
    LineNature,
    LineOrigin,
    PaymentFileKind,
)


class SettlementBatch(Base):
    """What one closed period of one agreement owes, frozen; then approved by a second person, exported, closed.

    An urgent batch has no period: it pays again, at once, what earlier batches could not pay, while the open period stays open.
    """

    __tablename__ = "settlement_batch"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(
        String(40), unique=True
    )  # agreement's number and the period's: « 2026-33-01/04 »; urgent, with its rank after that period: « 2026-33-01/04-U1 »
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), index=True)
    period_id: Mapped[UUID | None] = mapped_column(ForeignKey("period.id"), unique=True)  # None: urgent
    channel: Mapped[SettlementChannel] = mapped_column(OneOf(SettlementChannel, 20))
    state: Mapped[BatchState] = mapped_column(OneOf(BatchState, 10))
    advice_count: Mapped[int]  # those that are paid by it, the held ones left out
    total_cents: Mapped[int] = mapped_column(BigInt)
    execution_on: Mapped[date | None]
    frozen_at: Mapped[datetime]
    frozen_by: Mapped[UUID]
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[UUID | None]
    approved_as_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("approver_deputy.id")
    )  # as whose deputy; None: as approver
    exported_at: Mapped[datetime | None]
    exported_by: Mapped[UUID | None]
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        # Four eyes: who froze a batch may not approve it.
        CheckConstraint("approved_by IS NULL OR approved_by <> frozen_by", name="four_eyes"),
        CheckConstraint("approved_as_id IS NULL OR approved_by IS NOT NULL", name="a_deputy_approved"),
        CheckConstraint("total_cents >= 0", name="total_is_not_negative"),
    )


class PaymentAdvice(Base):
    """What one structure is paid by one batch, with the bank details of that moment. Only `model.states` writes its state."""

    __tablename__ = "payment_advice"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("settlement_batch.id"))
    structure_id: Mapped[UUID] = mapped_column(ForeignKey("structure.id"), index=True)
    reference: Mapped[str] = mapped_column(
        String(35), unique=True
    )  # EndToEndId: at most 35 characters, no personal data
    amount_cents: Mapped[int] = mapped_column(BigInt)
    voucher_count: Mapped[int] = mapped_column(BigInt)
    holder_name: Mapped[str | None] = mapped_column(String(70))
    iban: Mapped[str | None] = mapped_column(String(34))
    bic: Mapped[str | None] = mapped_column(String(11))
    part: Mapped[int | None]  # which file of its batch holds it, once it left
    state: Mapped[AdviceState] = mapped_column(OneOf(AdviceState, 10))
    state_reason: Mapped[str] = mapped_column(String(200), default="")  # code of a reject or return, or why it is held
    is_payable: Mapped[bool]  # counted in the batch's total; False once held, whatever becomes of it
    # when its period's money had to be paid; of an advice that only carries others over, when the first of them had to
    due_on: Mapped[date] = mapped_column(index=True)
    paid_on: Mapped[date | None]
    event_count: Mapped[int] = mapped_column(default=0, server_default="0")  # the last of its events tells its state

    __table_args__ = (
        # A structure is once in a batch.
        UniqueConstraint("batch_id", "structure_id"),
        # What is netted to nothing needs no transfer, and only that.
        CheckConstraint(
            "amount_cents > 0 OR (amount_cents = 0 AND state = 'settled' AND NOT is_payable)", name="amount_is_positive"
        ),
        CheckConstraint("state <> 'settled' OR amount_cents = 0", name="settled_pays_nothing"),
        # What is held is in no total.
        CheckConstraint("state <> 'held' OR NOT is_payable", name="held_is_not_payable"),
        # Money leaves to an account that is known.
        CheckConstraint("state IN ('held', 'taken_up', 'settled') OR iban IS NOT NULL", name="iban_is_known"),
        # Its state changes, which no index holds: with room left on its page, PostgreSQL touches none of them.
        {"postgresql_with": {"fillfactor": 50}},
    )


class AdviceLine(Base):
    """A part of an advice: the period's redemptions, what waited from before, what the structure owes back (below zero)."""

    __tablename__ = "advice_line"

    advice_id: Mapped[UUID] = mapped_column(ForeignKey("payment_advice.id"), primary_key=True)
    nature: Mapped[LineNature] = mapped_column(OneOf(LineNature, 14), primary_key=True)
    source_id: Mapped[UUID] = mapped_column(
        primary_key=True
    )  # the period, the advice taken up, the dispute or recovery
    structure_id: Mapped[UUID]
    amount_cents: Mapped[int] = mapped_column(BigInt)
    voucher_count: Mapped[int] = mapped_column(BigInt)

    __table_args__ = (
        # A source is paid to a structure once, for ever.
        UniqueConstraint("nature", "source_id", "structure_id"),
    )


class PaymentHold(Base):
    """A decision that a structure is not paid for now, by one agreement or by all; what it is owed stays owed."""

    __tablename__ = "payment_hold"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    structure_id: Mapped[UUID] = mapped_column(ForeignKey("structure.id"), index=True)
    agreement_id: Mapped[UUID | None] = mapped_column(ForeignKey("agreement.id"))  # None: all of them
    reason: Mapped[str] = mapped_column(String(150))
    placed_at: Mapped[datetime]
    placed_by: Mapped[UUID]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[UUID | None]
    lift_reason: Mapped[str] = mapped_column(String(150), default="")

    __table_args__ = (
        # A structure is held once at a time by an agreement, and once by all of them.
        Index("uq_payment_hold_live", "structure_id", "agreement_id", unique=True,
              sqlite_where=text("lifted_at IS NULL"), postgresql_where=text("lifted_at IS NULL")),
        Index("uq_payment_hold_live_everywhere", "structure_id", unique=True,
              sqlite_where=text("lifted_at IS NULL AND agreement_id IS NULL"),
              postgresql_where=text("lifted_at IS NULL AND agreement_id IS NULL")),
        CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name="lifting_is_signed"),
    )  # fmt: skip


class PaymentFile(Base):
    """A file that left, or can leave, kept whole: asked for twice, the same bytes are given."""

    __tablename__ = "payment_file"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("settlement_batch.id"))
    kind: Mapped[PaymentFileKind] = mapped_column(OneOf(PaymentFileKind, 20))
    part: Mapped[int] = mapped_column(default=1)  # a batch of many transfers leaves in several files, from 1
    name: Mapped[str] = mapped_column(String(120))
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    total_cents: Mapped[int | None] = mapped_column(
        BigInt
    )  # what it pays, as it says it; None: it pays nothing by itself
    made_at: Mapped[datetime]

    __table_args__ = (
        # A part is written once.
        UniqueConstraint("batch_id", "kind", "part"),
        CheckConstraint("part >= 1", name="part_counts_from_one"),
    )


class BankFile(Base):
    """A file from the bank or the accountant, known by its bytes: the same one twice changes nothing."""

    __tablename__ = "bank_file"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[BankFileKind] = mapped_column(OneOf(BankFileKind, 20))
    name: Mapped[str] = mapped_column(String(200))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    imported_at: Mapped[datetime]
    imported_by: Mapped[UUID]


class BankStatement(Base):
    """A statement of one account in a bank file, with the balances the bank gives."""

    __tablename__ = "bank_statement"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    bank_file: Mapped[str] = mapped_column(ForeignKey("bank_file.sha256"))
    paying_account_id: Mapped[UUID] = mapped_column(ForeignKey("paying_account.id"), index=True)
    reference: Mapped[str] = mapped_column(String(60))
    number: Mapped[str | None] = mapped_column(String(40))  # the bank's own sequence
    opened_on: Mapped[date]
    closed_on: Mapped[date]
    opening_cents: Mapped[int] = mapped_column(BigInt)
    closing_cents: Mapped[int] = mapped_column(BigInt)
    page: Mapped[
        int | None
    ]  # from 1, of a statement that the bank cut in pages; each opens where the one before closes
    is_last_page: Mapped[bool | None]

    __table_args__ = (UniqueConstraint("paying_account_id", "reference"),)


class BankLine(Base):
    """A booked line, stored once whatever file brings it; what nothing explains stays visible.

    What it was matched with stands in `bank_match`; `matched_cents` is the sum of its matches that stand.
    """

    __tablename__ = "bank_line"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)  # see `camt_lines.BankEntry.key`
    # None: announced by a report or a notification, or by the accountant, on no statement yet.
    statement_id: Mapped[UUID | None] = mapped_column(ForeignKey("bank_statement.id"))
    bank_file: Mapped[str] = mapped_column(ForeignKey("bank_file.sha256"), index=True)  # the one that brought it first
    paying_account_id: Mapped[UUID] = mapped_column(ForeignKey("paying_account.id"))
    bank_reference: Mapped[str] = mapped_column(String(40), index=True)  # the bank's for the entry, or « ~ » and ours
    origin: Mapped[LineOrigin] = mapped_column(OneOf(LineOrigin, 10))  # who says the line; whose that reference is
    part: Mapped[int] = mapped_column(default=1)  # its rank in the bank's entry, from 1
    booked_on: Mapped[date]  # the bank's booking date, on which it counts
    valued_on: Mapped[date | None]  # the bank's value date: shown, never posted
    amount_cents: Mapped[int] = mapped_column(BigInt)  # always positive; the side says which way
    entry_cents: Mapped[int] = mapped_column(BigInt)  # of the bank's entry, of which this line may be a part
    matched_cents: Mapped[int] = mapped_column(BigInt, default=0)
    is_credit: Mapped[bool]
    is_reversal: Mapped[bool] = mapped_column(default=False)
    end_to_end_id: Mapped[str | None] = mapped_column(String(35), index=True)
    counterparty: Mapped[str] = mapped_column(String(140), default="")
    counterparty_iban: Mapped[str | None] = mapped_column(String(34))
    remittance: Mapped[str] = mapped_column(String(500), default="")
    return_reason: Mapped[str | None] = mapped_column(String(4))
    note: Mapped[str] = mapped_column(String(200), default="")  # what the bank's file leaves unsaid, in French
    domain_code: Mapped[str | None] = mapped_column(String(35))  # PMNT-ICDT-ESCT, or the bank's own
    message_id: Mapped[str | None] = mapped_column(String(35))  # of a whole file booked as one line
    payment_information_id: Mapped[str | None] = mapped_column(String(35))
    batch_count: Mapped[int | None]

    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount_is_positive"),
        # A line is used for what it is worth, and no more.
        CheckConstraint("matched_cents BETWEEN 0 AND amount_cents", name="matched_within_amount"),
        # What waits for a person is found without reading the rest.
        Index(
            "ix_bank_line_waiting",
            "paying_account_id",
            "booked_on",
            sqlite_where=text("matched_cents < amount_cents"),
            postgresql_where=text("matched_cents < amount_cents"),
        ),
    )
