"""Table of who stands in for an approver, from which day to which."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base


class ApproverDeputy(Base):
    """A person named by an approver to approve batches from one day to another, both included (Paris), once a third one accepted."""

    __tablename__ = "approver_deputy"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    issuer_id: Mapped[UUID | None] = mapped_column(ForeignKey("issuer.id"))  # whose batches; None: of all
    approver_id: Mapped[UUID] = mapped_column(index=True)  # who named
    deputy_id: Mapped[UUID] = mapped_column(index=True)
    from_on: Mapped[date]
    until_on: Mapped[date]
    named_at: Mapped[datetime]
    is_accepted: Mapped[bool | None]  # None: nobody of the programme has decided
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]  # before its last day, by the approver or the programme
    ended_by: Mapped[UUID | None]

    __table_args__ = (
        CheckConstraint("from_on <= until_on", name="days_are_in_order"),
        # Nobody is one's own deputy, and neither of the two accepts: three people.
        CheckConstraint("deputy_id <> approver_id", name="two_people"),
        CheckConstraint(
            "decided_by IS NULL OR (decided_by <> approver_id AND decided_by <> deputy_id)", name="a_third_person"
        ),
        CheckConstraint(
            "(decided_at IS NULL) = (decided_by IS NULL) AND (decided_at IS NULL) = (is_accepted IS NULL)",
            name="decided_by_somebody",
        ),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended_by_somebody"),
    )
