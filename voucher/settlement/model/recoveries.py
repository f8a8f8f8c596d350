"""Tables of disputes and overpayments: an encaissement that is contested, what a structure owes back, how it came back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.issuing.model import VoucherState
from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf
from voucher.settlement.words.states import DisputeOutcome, DisputeReason, RecoveryKind


class Dispute(Base):
    """A redemption that is contested. While its period is in no batch its amount is suspended (4678); else it only says so."""

    __tablename__ = "dispute"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # made by the form
    redemption_id: Mapped[UUID] = mapped_column(ForeignKey("redemption.id"), index=True)
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"))
    structure_id: Mapped[UUID] = mapped_column(ForeignKey("structure.id"), index=True)
    voucher_count: Mapped[int]
    amount_cents: Mapped[int] = mapped_column(BigInt)
    reason: Mapped[DisputeReason] = mapped_column(OneOf(DisputeReason, 20))
    facts: Mapped[str] = mapped_column(String(500))
    is_suspending: Mapped[bool]
    opened_at: Mapped[datetime]
    opened_by: Mapped[UUID]
    outcome: Mapped[DisputeOutcome | None] = mapped_column(OneOf(DisputeOutcome, 10))
    decision: Mapped[str] = mapped_column(String(500), default="")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None]
    is_released: Mapped[bool] = mapped_column(
        default=False
    )  # dismissed after its period was settled: a later batch pays
    # The state its vouchers went back to, once upheld.
    vouchers_became: Mapped[VoucherState | None] = mapped_column(OneOf(VoucherState, 12))

    __table_args__ = (
        # A redemption is contested once at a time, and reversed once for ever.
        Index("uq_dispute_open", "redemption_id", unique=True, sqlite_where=text("outcome IS NULL"),
              postgresql_where=text("outcome IS NULL")),
        Index("uq_dispute_upheld", "redemption_id", unique=True, sqlite_where=text("outcome = 'upheld'"),
              postgresql_where=text("outcome = 'upheld'")),
        CheckConstraint("amount_cents > 0 AND voucher_count > 0", name="contests_something"),
        # Four eyes: who opened a dispute may not decide it.
        CheckConstraint("decided_by IS NULL OR decided_by <> opened_by", name="four_eyes"),
        CheckConstraint(
            "(outcome IS NULL) = (decided_at IS NULL) AND (outcome IS NULL) = (decided_by IS NULL)",
            name="decision_is_signed",
        ),
        # Only money that was suspended is released.
        CheckConstraint("NOT is_released OR (is_suspending AND outcome = 'dismissed')", name="released_was_suspended"),
        CheckConstraint(
            "(outcome IS NOT NULL AND outcome = 'upheld') = (vouchers_became IS NOT NULL)", name="upheld_gives_back"
        ),
    )  # fmt: skip


class Overpayment(Base):
    """What a structure was paid, or is about to be, for a redemption that was reversed since. It nets its next advices."""

    __tablename__ = "overpayment"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    dispute_id: Mapped[UUID] = mapped_column(ForeignKey("dispute.id"), unique=True)
    redemption_id: Mapped[UUID] = mapped_column(ForeignKey("redemption.id"), unique=True)
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"))
    structure_id: Mapped[UUID] = mapped_column(ForeignKey("structure.id"), index=True)
    amount_cents: Mapped[int] = mapped_column(BigInt)
    recovered_cents: Mapped[int] = mapped_column(BigInt, default=0)  # of the recoveries that stand
    decided_at: Mapped[datetime]
    decided_by: Mapped[UUID]
    claimed_at: Mapped[datetime | None]  # a revenue order was asked for: nothing is netted any more
    write_off_reason: Mapped[str] = mapped_column(String(500), default="")
    write_off_asked_at: Mapped[datetime | None]
    write_off_asked_by: Mapped[UUID | None]
    written_off_at: Mapped[datetime | None]
    written_off_by: Mapped[UUID | None]

    __table_args__ = (
        Index(None, "agreement_id", "decided_at"),
        # What comes back is never more than what was overpaid, whoever races.
        CheckConstraint(
            "amount_cents > 0 AND recovered_cents >= 0 AND recovered_cents <= amount_cents", name="recovered_is_a_part"
        ),
        # Four eyes: who asks to give money up may not agree to it. Money is given up once it was claimed.
        CheckConstraint("written_off_by IS NULL OR written_off_by <> write_off_asked_by", name="four_eyes"),
        CheckConstraint(
            "written_off_by IS NULL OR (write_off_asked_by IS NOT NULL AND claimed_at IS NOT NULL)",
            name="write_off_was_asked",
        ),
    )


class Recovery(Base):
    """A part of an overpayment that came back: netted from an advice, repaid by a bank line, or given up. Cancelled, it waits again."""

    __tablename__ = "recovery"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    overpayment_id: Mapped[UUID] = mapped_column(ForeignKey("overpayment.id"), index=True)
    kind: Mapped[RecoveryKind] = mapped_column(OneOf(RecoveryKind, 12))
    amount_cents: Mapped[int] = mapped_column(BigInt)
    advice_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment_advice.id"), index=True)
    bank_line_id: Mapped[UUID | None] = mapped_column(ForeignKey("bank_line.id"))
    recovered_at: Mapped[datetime]
    recovered_by: Mapped[UUID]
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[UUID | None]

    __table_args__ = (
        # An advice nets an overpayment once; a bank line repays it once at a time.
        UniqueConstraint("overpayment_id", "advice_id"),
        Index("uq_recovery_bank_line", "bank_line_id", "overpayment_id", unique=True, sqlite_where=text("cancelled_at IS NULL"),
              postgresql_where=text("cancelled_at IS NULL")),
        CheckConstraint("amount_cents > 0", name="amount_is_positive"),
        CheckConstraint(
            "(kind = 'netted') = (advice_id IS NOT NULL) AND (kind = 'repaid') = (bank_line_id IS NOT NULL)",
            name="kind_says_by_what",
        ),
        CheckConstraint("(cancelled_at IS NULL) = (cancelled_by IS NULL)", name="cancelling_is_signed"),
    )  # fmt: skip


class RevenueOrder(Base):
    """A « demande d’émission de titre » for the public accountant, kept whole. It only grows."""

    __tablename__ = "revenue_order"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # made by the form
    overpayment_id: Mapped[UUID] = mapped_column(ForeignKey("overpayment.id"), unique=True)
    issuer_id: Mapped[UUID] = mapped_column(ForeignKey("issuer.id"))
    year: Mapped[int]
    rank: Mapped[int]
    amount_cents: Mapped[int] = mapped_column(BigInt)
    claimed_at: Mapped[datetime]
    claimed_by: Mapped[UUID]
    pdf: Mapped[bytes] = mapped_column(LargeBinary)
    pdf_sha256: Mapped[str] = mapped_column(String(64))
    csv: Mapped[bytes] = mapped_column(LargeBinary)
    csv_sha256: Mapped[str] = mapped_column(String(64))

    __table_args__ = (
        # Numbered without a gap by issuer and year.
        UniqueConstraint("issuer_id", "year", "rank"),
        CheckConstraint("amount_cents > 0", name="amount_is_positive"),
    )
