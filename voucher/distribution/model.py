"""Tables of distribution. Booklets not handed over are inactive stock: each movement of stock is a slip."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf


class PrescriberKind(StrEnum):
    """Who hands booklets over."""

    CCAS = "ccas"
    FRANCE_SERVICES = "france_services"
    MISSION_LOCALE = "mission_locale"
    FRANCE_TRAVAIL = "france_travail"
    ASSOCIATION = "association"
    OTHER = "other"


class StopReason(StrEnum):
    """Why a booklet is stopped."""

    LOST = "lost"
    STOLEN = "stolen"
    MISPRINTED = "misprinted"
    OTHER = "other"


class Prescriber(Base):
    """An organisation that hands booklets of one issuer over."""

    __tablename__ = "prescriber"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    issuer_id: Mapped[UUID] = mapped_column(ForeignKey("issuer.id"), index=True)
    name: Mapped[str] = mapped_column(String(150))
    kind: Mapped[PrescriberKind] = mapped_column(OneOf(PrescriberKind, 20))
    address: Mapped[str] = mapped_column(String(200), default="")
    postcode: Mapped[str] = mapped_column(String(5))
    city: Mapped[str] = mapped_column(String(80))
    contact_email: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("issuer_id", "name"),)


class StockSlip(Base):
    """A movement of inactive stock: a range of booklets entrusted to a prescriber, or given back (no prescriber)."""

    __tablename__ = "stock_slip"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    issuer_id: Mapped[UUID] = mapped_column(ForeignKey("issuer.id"), index=True)
    from_prescriber_id: Mapped[UUID | None] = mapped_column(ForeignKey("prescriber.id"))
    to_prescriber_id: Mapped[UUID | None] = mapped_column(ForeignKey("prescriber.id"), index=True)
    first_booklet_number: Mapped[int] = mapped_column(BigInt)
    booklet_count: Mapped[int]
    made_at: Mapped[datetime]
    made_by: Mapped[UUID]

    __table_args__ = (CheckConstraint("booklet_count > 0", name="moves_something"),)


class Handover(Base):
    """A booklet given to a person: when, by which prescriber. Nothing about the person."""

    __tablename__ = "handover"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # made by the client: a retry changes nothing
    booklet_number: Mapped[int] = mapped_column(ForeignKey("booklet.number"), unique=True)
    prescriber_id: Mapped[UUID] = mapped_column(ForeignKey("prescriber.id"))
    handed_over_at: Mapped[datetime]
    handed_over_by: Mapped[UUID]

    __table_args__ = (Index(None, "prescriber_id", "handed_over_at"),)


class StopOrder(Base):
    """An opposition: a booklet that may not be used any more. Its unused vouchers give their credit back."""

    __tablename__ = "stop_order"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    booklet_number: Mapped[int] = mapped_column(ForeignKey("booklet.number"), unique=True)
    reason: Mapped[StopReason] = mapped_column(OneOf(StopReason, 12))
    stopped_count: Mapped[int]
    released_cents: Mapped[int] = mapped_column(BigInt)
    stopped_at: Mapped[datetime]
    stopped_by: Mapped[UUID]


class StockVoid(Base):
    """Booklets destroyed before hand-over: a whole range, once."""

    __tablename__ = "stock_void"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    issuer_id: Mapped[UUID] = mapped_column(ForeignKey("issuer.id"), index=True)
    first_booklet_number: Mapped[int] = mapped_column(BigInt)
    booklet_count: Mapped[int]
    reason: Mapped[str] = mapped_column(String(200))
    released_cents: Mapped[int] = mapped_column(BigInt)
    voided_at: Mapped[datetime]
    voided_by: Mapped[UUID]


class Lapse(Base):
    """The end of a batch: after its last day of presentation, what was not used is lost and its credit given back."""

    __tablename__ = "lapse"

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("issue_batch.id"), primary_key=True)
    present_by: Mapped[date]
    stock_count: Mapped[int]
    held_count: Mapped[int]
    released_cents: Mapped[int] = mapped_column(BigInt)
    lapsed_at: Mapped[datetime]
    lapsed_by: Mapped[UUID | None]
