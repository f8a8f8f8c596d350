"""The table of money sent back to who sent it, and that of what people write beside a bank line."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf
from voucher.programme.model import SettlementChannel
from voucher.settlement.words.states import RefundState


class LineRefund(Base):
    """What remains of a credit, sent back by a transfer of its own. It bears the id of its proposal, and so does its match.

    Once another person confirmed it, the file that asks for it is kept; a debit of the bank pays it, a refusal lets the line wait
    again. A transfer that comes back is a new line, which waits.
    """

    __tablename__ = "line_refund"

    id: Mapped[UUID] = mapped_column(ForeignKey("line_proposal.id"), primary_key=True)
    reference: Mapped[str] = mapped_column(String(35), unique=True)  # EndToEndId
    paying_account_id: Mapped[UUID] = mapped_column(ForeignKey("paying_account.id"))
    channel: Mapped[SettlementChannel] = mapped_column(OneOf(SettlementChannel, 20))
    holder_name: Mapped[str] = mapped_column(String(70))
    iban: Mapped[str] = mapped_column(String(34))
    amount_cents: Mapped[int] = mapped_column(BigInt)
    state: Mapped[RefundState] = mapped_column(OneOf(RefundState, 10))
    execution_on: Mapped[date | None]
    file_name: Mapped[str | None] = mapped_column(String(120))
    file_sha256: Mapped[str | None] = mapped_column(String(64))
    file_content: Mapped[bytes | None] = mapped_column(LargeBinary)
    debit_match_id: Mapped[UUID | None]  # of the debit that paid it
    return_line_id: Mapped[UUID | None] = mapped_column(ForeignKey("bank_line.id"))  # the credit that brought it back

    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount_is_positive"),
        # What left has its file, what did not has none.
        CheckConstraint(
            "(state IN ('proposed', 'withdrawn')) = (file_content IS NULL) AND (file_content IS NULL) = (file_sha256 IS NULL) "
            "AND (file_content IS NULL) = (file_name IS NULL)",
            name="file_fits_state",
        ),
        # Paid by a debit, returned by a credit.
        CheckConstraint("(state IN ('paid', 'returned')) = (debit_match_id IS NOT NULL)", name="paid_by_a_debit"),
        CheckConstraint("(state = 'returned') = (return_line_id IS NOT NULL)", name="returned_by_a_credit"),
    )


class LineNote(Base):
    """What a person writes beside a bank line, and who is on it; the last one counts, those before stay written."""

    __tablename__ = "line_note"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # made by the form
    line_id: Mapped[UUID] = mapped_column(ForeignKey("bank_line.id"), index=True)
    note: Mapped[str] = mapped_column(String(300))
    assignee_id: Mapped[UUID | None]
    written_at: Mapped[datetime]
    written_by: Mapped[UUID]
