"""Tables of issuing. Serials and booklet numbers are dense and continuous over the programme."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.issuing.doors import Door
from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf


class KeyState(StrEnum):
    """An active key signs and is accepted; a retired one is accepted; a revoked one is not."""

    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


class VoucherState(StrEnum):
    """A voucher's life: issued, handed over, redeemed; stopped, lapsed or void, it is over. Undone or reversed, it is as before."""

    ISSUED = "issued"
    HANDED_OVER = "handed_over"
    REDEEMED = "redeemed"
    STOPPED = "stopped"
    LAPSED = "lapsed"
    VOID = "void"


class BookletState(StrEnum):
    """A booklet's life: it is handed over whole, and stopped or voided whole."""

    ISSUED = "issued"
    HANDED_OVER = "handed_over"
    STOPPED = "stopped"
    VOID = "void"


class IssuerKey(Base):
    """A signing key of an issuer; the private part is encrypted, the public part published."""

    __tablename__ = "issuer_key"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # two bytes in each code
    issuer_id: Mapped[UUID] = mapped_column(ForeignKey("issuer.id"))
    algorithm: Mapped[int]
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_private_key: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[KeyState] = mapped_column(OneOf(KeyState, 8))
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("id BETWEEN 1 AND 65535", name="id_fits_two_bytes"),
        # An issuer signs with one key at a time.
        Index("uq_issuer_key_active", "issuer_id", unique=True, sqlite_where=text("state = 'active'"),
              postgresql_where=text("state = 'active'")),
    )  # fmt: skip


class SerialCounter(Base):
    """The next free serial and booklet number of the programme: one row, touched once an order."""

    __tablename__ = "serial_counter"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    next_serial: Mapped[int] = mapped_column(BigInt)
    next_booklet_number: Mapped[int] = mapped_column(BigInt)

    __table_args__ = (
        CheckConstraint("id = 1", name="single_row"),
        # Serials are typed on 30 bits.
        CheckConstraint("next_serial BETWEEN 1 AND 1073741824", name="serial_fits_thirty_bits"),
    )


class IssueBatch(Base):
    """An order that was accepted: its range of serials, its credit reserved, and how far the making went."""

    __tablename__ = "issue_batch"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # made by the client with the order
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), index=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("issuer_key.id"))
    first_serial: Mapped[int] = mapped_column(BigInt, unique=True)
    voucher_count: Mapped[int] = mapped_column(BigInt)
    first_booklet_number: Mapped[int] = mapped_column(BigInt, unique=True)
    booklet_count: Mapped[int] = mapped_column(BigInt)
    booklet_size: Mapped[int]
    made_booklet_count: Mapped[int] = mapped_column(BigInt, default=0)
    face_value_cents: Mapped[int]
    use_by: Mapped[date]
    grace_until: Mapped[date]
    present_by: Mapped[date]
    is_handover_required: Mapped[bool]
    share_set: Mapped[int] = mapped_column(
        default=0
    )  # the agreement's when it was ordered: whose shares it was split by
    ordered_at: Mapped[datetime]
    ordered_by: Mapped[UUID]
    finished_at: Mapped[datetime | None]
    lapsed_at: Mapped[datetime | None]  # when its unused vouchers were declared lapsed

    __table_args__ = (
        CheckConstraint("voucher_count = booklet_count * booklet_size AND booklet_count > 0", name="whole_booklets"),
        CheckConstraint("made_booklet_count BETWEEN 0 AND booklet_count", name="made_within_ordered"),
    )


class BatchShare(Base):
    """What one funder pays of a whole order, fixed when it is taken; each voucher's parts follow from its rank in the order."""

    __tablename__ = "batch_share"

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("issue_batch.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)  # the agreement's: the State first
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"))
    amount_cents: Mapped[int] = mapped_column(BigInt)

    __table_args__ = (
        # A funder pays an order once.
        UniqueConstraint("batch_id", "funder_id"),
        CheckConstraint("amount_cents >= 0", name="amount_is_not_negative"),
    )


class Booklet(Base):
    """A carnet: `size` vouchers whose serials follow its first."""

    __tablename__ = "booklet"

    number: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("issue_batch.id"))
    first_serial: Mapped[int] = mapped_column(BigInt, unique=True)
    size: Mapped[int]
    tag: Mapped[int]
    signature: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[BookletState] = mapped_column(OneOf(BookletState, 12))
    prescriber_id: Mapped[UUID | None] = mapped_column(index=True)  # who holds it in stock, or handed it over

    __table_args__ = (Index(None, "batch_id"),)


class Voucher(Base):
    """A chèque. Its shares follow from its rank in its batch; its state changes by one conditional statement."""

    __tablename__ = "voucher"

    serial: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    booklet_number: Mapped[int] = mapped_column(ForeignKey("booklet.number"))
    state: Mapped[VoucherState] = mapped_column(OneOf(VoucherState, 12))
    tag: Mapped[int]
    signature: Mapped[bytes] = mapped_column(LargeBinary)


class WrongCodes(Base):
    """How many wrong codes were typed in an hour at one door, all people together; `told_at` once it raised the alarm."""

    __tablename__ = "wrong_codes"

    began_at: Mapped[datetime] = mapped_column(primary_key=True)
    door: Mapped[Door] = mapped_column(OneOf(Door, 10), primary_key=True)
    count: Mapped[int]
    told_at: Mapped[datetime | None]
