"""Tables of sealing. They only grow: triggers refuse UPDATE, DELETE and TRUNCATE (migration 0005)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base, BigInt


class Seal(Base):
    """An entry's place in the sealed journal, for ever, and the hash of what it was. Made long after the entry."""

    __tablename__ = "seal"

    leaf: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)  # from 0, without a gap
    # Without a foreign key: a seal must outlive the entry it tells of, to name it when it is gone.
    entry_id: Mapped[UUID]
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        # An entry is sealed once.
        UniqueConstraint("entry_id"),
        CheckConstraint("leaf >= 0", name="leaf_counts_from_zero"),
    )


class SealNode(Base):
    """A node of the tree that stands for 256 below it: proofs and the next seal read a few of these, not every leaf."""

    __tablename__ = "seal_node"

    generation: Mapped[int] = mapped_column(primary_key=True)  # 1: above 256 leaves; 2: above 256 of these
    place: Mapped[int] = mapped_column(BigInt, primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (CheckConstraint("generation > 0", name="leaves_are_seals"),)


class CheckpointRow(Base):
    """The root of the sealed journal at one size, in a signed note that left the house."""

    __tablename__ = "checkpoint"

    size: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_at: Mapped[datetime]
    sealed_on: Mapped[date]  # in Paris
    note: Mapped[str] = mapped_column(String(1000))
    public_key: Mapped[bytes] = mapped_column(LargeBinary)  # the programme's, that day

    __table_args__ = (CheckConstraint("size > 0", name="seals_something"),)


class SealHandover(Base):
    """Another operator took over: what is sealed beyond `size` entries is signed by its key.

    The note names both keys, the size and the root, signed by who took over and, if it knew who would, by the one before.
    """

    __tablename__ = "seal_handover"

    size: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    previous_public_key: Mapped[bytes] = mapped_column(LargeBinary)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[str] = mapped_column(String(2000))
    handed_over_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("size > 0", name="hands_something_over"),
        CheckConstraint("previous_public_key <> public_key", name="keys_differ"),
    )
