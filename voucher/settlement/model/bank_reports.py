"""Tables of what a bank says of our transfers before any money moves, and of what people answer when it says « duplicate »."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base
from voucher.kernel.known_values import OneOf
from voucher.settlement.words.states import DuplicateOutcome, ReportKind, ReportLevel


class TransferReport(Base):
    """What one file of a bank (or of an accountant) says of one transfer. It only grows; the money's state is the advice's."""

    __tablename__ = "transfer_report"

    bank_file: Mapped[str] = mapped_column(ForeignKey("bank_file.sha256"), primary_key=True)
    advice_id: Mapped[UUID] = mapped_column(ForeignKey("payment_advice.id"), primary_key=True, index=True)
    kind: Mapped[ReportKind] = mapped_column(OneOf(ReportKind, 10), primary_key=True)
    level: Mapped[ReportLevel] = mapped_column(OneOf(ReportLevel, 8))
    code: Mapped[str] = mapped_column(String(35))  # of ISO 20022's external code sets, or the bank's own
    words: Mapped[str] = mapped_column(String(500), default="")  # the bank's; of a payee that nearly matches, its name


class DuplicateAnswer(Base):
    """What one person answered, in one act, for one transfer that is called a duplicate. Withdrawn, it stays written."""

    __tablename__ = "duplicate_answer"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # of the act, made by the form: it may answer for a whole file
    advice_id: Mapped[UUID] = mapped_column(ForeignKey("payment_advice.id"), primary_key=True, index=True)
    outcome: Mapped[DuplicateOutcome] = mapped_column(OneOf(DuplicateOutcome, 10))
    reason: Mapped[str] = mapped_column(String(200))
    answered_at: Mapped[datetime]
    answered_by: Mapped[UUID]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[UUID | None]
    withdrawn_reason: Mapped[str] = mapped_column(String(200), default="")

    __table_args__ = (
        # Four eyes: a person answers once at a time for a transfer, so that two answers are of two people.
        Index(
            "uq_duplicate_answer_live",
            "advice_id",
            "answered_by",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
        CheckConstraint("reason <> ''", name="reason_is_given"),
        CheckConstraint(
            "(withdrawn_at IS NULL) = (withdrawn_by IS NULL) AND (withdrawn_at IS NULL) = (withdrawn_reason = '')",
            name="withdrawing_is_signed",
        ),
    )
