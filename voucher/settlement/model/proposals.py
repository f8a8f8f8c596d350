"""The table of what two people do to a bank line: one proposes, another confirms."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf
from voucher.ledger.chart import Code
from voucher.settlement.words.states import ProposalKind


class LineProposal(Base):
    """What a person proposes for a part of a bank line: an account of the chart, or to undo what two people did.

    Confirmed by another person, it is done at that instant, and the match that it makes bears its id. Withdrawn, it stays written.
    Until then nothing of the line is taken.
    """

    __tablename__ = "line_proposal"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # made by the form
    line_id: Mapped[UUID] = mapped_column(ForeignKey("bank_line.id"), index=True)
    kind: Mapped[ProposalKind] = mapped_column(OneOf(ProposalKind, 8))
    amount_cents: Mapped[int] = mapped_column(BigInt)
    reason: Mapped[str] = mapped_column(String(200))
    code: Mapped[str | None] = mapped_column(String(4))
    agreement_id: Mapped[UUID | None] = mapped_column(ForeignKey("agreement.id"))
    structure_id: Mapped[UUID | None] = mapped_column(ForeignKey("structure.id"))
    funder_id: Mapped[UUID | None] = mapped_column(ForeignKey("funder.id"))
    undoes_id: Mapped[UUID | None] = mapped_column(ForeignKey("line_proposal.id"))
    proposed_at: Mapped[datetime]
    proposed_by: Mapped[UUID]
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[UUID | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[UUID | None]

    __table_args__ = (
        # What two people did is undone once, and one person at a time proposes it.
        Index(
            "uq_line_proposal_undo",
            "undoes_id",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL AND undoes_id IS NOT NULL"),
            postgresql_where=text("withdrawn_at IS NULL AND undoes_id IS NOT NULL"),
        ),
        # What waits for another person is found without reading the rest.
        Index(
            "ix_line_proposal_waiting",
            "proposed_at",
            sqlite_where=text("confirmed_at IS NULL AND withdrawn_at IS NULL"),
            postgresql_where=text("confirmed_at IS NULL AND withdrawn_at IS NULL"),
        ),
        CheckConstraint("amount_cents > 0", name="amount_is_positive"),
        # Each account with what it is kept by, and no other account.
        CheckConstraint(
            "CASE WHEN code IS NULL THEN agreement_id IS NULL AND structure_id IS NULL AND funder_id IS NULL "
            f"WHEN code = '{Code.CHARGES}' THEN agreement_id IS NULL AND structure_id IS NULL AND funder_id IS NULL "
            f"WHEN code = '{Code.OVERPAID}' THEN agreement_id IS NOT NULL AND structure_id IS NOT NULL AND funder_id IS NULL "
            f"WHEN code = '{Code.ADVANCES}' THEN agreement_id IS NOT NULL AND structure_id IS NULL AND funder_id IS NOT NULL "
            "ELSE 1 = 0 END",
            name="account_has_its_dimensions",
        ),
        CheckConstraint("(kind = 'account') = (code IS NOT NULL)", name="account_fits_kind"),
        CheckConstraint("(kind = 'undo') = (undoes_id IS NOT NULL)", name="undone_fits_kind"),
        # Four eyes: who proposes may not confirm.
        CheckConstraint("confirmed_by IS NULL OR confirmed_by <> proposed_by", name="four_eyes"),
        CheckConstraint(
            "(confirmed_at IS NULL) = (confirmed_by IS NULL) AND (withdrawn_at IS NULL) = (withdrawn_by IS NULL)",
            name="end_is_signed",
        ),
        CheckConstraint("confirmed_at IS NULL OR withdrawn_at IS NULL", name="ends_once"),
    )
