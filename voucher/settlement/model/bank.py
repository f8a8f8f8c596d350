"""Tables of what bank lines were matched with, and of what a bank file held that is counted nowhere."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf
from voucher.settlement.words.states import MatchKind


class BankMatch(Base):
    """What a bank line was matched with, by whom; undone, it stays written with who undid it and why.

    A line that pays a whole file has one part for each advice; two lines that undo each other are
    the two parts of one match. An automatic match was made as its line came in, and the line's entry tells it; it bears the line's id.
    """

    __tablename__ = "bank_match"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(ForeignKey("bank_line.id"), index=True)
    kind: Mapped[MatchKind] = mapped_column(OneOf(MatchKind, 14))
    advice_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment_advice.id"))
    target_id: Mapped[UUID | None]  # the call, the final balance or the overpayment, whose room keeps what was taken
    amount_cents: Mapped[int] = mapped_column(BigInt)
    why: Mapped[str] = mapped_column(String(200))  # what made it sure, or that a person chose it
    made_at: Mapped[datetime]
    made_by: Mapped[UUID]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[UUID | None]
    undone_reason: Mapped[str] = mapped_column(String(200), default="")
    is_automatic: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        # An advice is paid by one line and brought back by one line at most, those undone left out.
        Index(
            "uq_bank_match_advice",
            "advice_id",
            "kind",
            unique=True,
            sqlite_where=text("undone_at IS NULL AND advice_id IS NOT NULL"),
            postgresql_where=text("undone_at IS NULL AND advice_id IS NOT NULL"),
        ),
        CheckConstraint("(kind IN ('payment', 'return')) = (advice_id IS NOT NULL)", name="advice_fits_kind"),
        CheckConstraint(
            "(kind IN ('funds', 'advance_refund', 'overpayment')) = (target_id IS NOT NULL)", name="target_fits_kind"
        ),
        CheckConstraint("amount_cents > 0", name="amount_is_positive"),
        CheckConstraint(
            "(undone_at IS NULL) = (undone_by IS NULL) AND (undone_at IS NULL) = (undone_reason = '')",
            name="undone_is_signed",
        ),
    )


class IgnoredPart(Base):
    """A part of a bank file that is counted nowhere: where in the file, and why, in French."""

    __tablename__ = "bank_set_aside"

    bank_file: Mapped[str] = mapped_column(ForeignKey("bank_file.sha256"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[int]
    reason: Mapped[str] = mapped_column(String(300))
