"""Tables of the trail. They only grow: triggers refuse UPDATE, DELETE and TRUNCATE (migrations 0002 and 0034)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base, BigInt


class AuditLine(Base):
    """Who saw or changed what, and when."""

    __tablename__ = "audit_line"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    account_id: Mapped[UUID | None] = mapped_column(index=True)
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(200), default="")


class TrailSeal(Base):
    """A line's place in the sealed trail, for ever, and the hash of what it was."""

    __tablename__ = "trail_seal"

    leaf: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)  # from 0, without a gap
    # Without a foreign key: a seal must outlive the line it tells of, to name it when it is gone.
    line_id: Mapped[UUID]
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        # A line is sealed once.
        UniqueConstraint("line_id"),
        CheckConstraint("leaf >= 0", name="leaf_counts_from_zero"),
    )


class TrailCheckpoint(Base):
    """The root of the sealed trail at one size, and the note of that day: the journal's checkpoint, which says both."""

    __tablename__ = "trail_checkpoint"

    size: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    # The roots of its perfect subtrees, the widest first: all that the next sealing needs of what is sealed.
    peaks: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_at: Mapped[datetime]
    sealed_on: Mapped[date]  # in Paris
    note: Mapped[str] = mapped_column(String(1000))

    __table_args__ = (CheckConstraint("size > 0", name="seals_something"),)
