"""Tables of redemption."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf
from voucher.network.services import Service
from voucher.redemption.rules import CounterRefusal


class RedemptionState(StrEnum):
    """A redemption counts while it is confirmed or disputed; the mediator may undo a confirmed one until the cut-off.

    A disputed one is not paid until the dispute is decided; a reversed one gave its vouchers back.
    """

    CONFIRMED = "confirmed"
    UNDONE = "undone"
    DISPUTED = "disputed"
    REVERSED = "reversed"


USED_STATES = (RedemptionState.CONFIRMED, RedemptionState.DISPUTED)
"""States in which a redemption's vouchers are used: they stand in 8050, and their funders owe them."""


class Period(Base):
    """A stretch of time of one agreement whose redemptions are settled together. One is open, always the last.

    `ends_at` is the end of its Paris month where the agreement is settled by the month: nothing is redeemed in it after,
    closed or not yet. None where it lasts until finance closes it.
    """

    __tablename__ = "period"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"))
    number: Mapped[int]
    opened_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None]  # nobody, where its month was over

    __table_args__ = (
        UniqueConstraint("agreement_id", "number"),
        # An agreement has one open period.
        Index("uq_period_open", "agreement_id", unique=True, sqlite_where=text("closed_at IS NULL"),
              postgresql_where=text("closed_at IS NULL")),
    )  # fmt: skip


class Redemption(Base):
    """One act at a counter: one or several vouchers of one booklet, one service rendered."""

    __tablename__ = "redemption"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # made by the client before it sends: a retry changes nothing
    fingerprint: Mapped[bytes] = mapped_column(
        LargeBinary
    )  # SHA-256 of the command: the same id with another body is refused
    booklet_number: Mapped[int] = mapped_column(ForeignKey("booklet.number"))
    agreement_id: Mapped[UUID]
    structure_id: Mapped[UUID]
    place_id: Mapped[UUID] = mapped_column(ForeignKey("place.id"))
    period_id: Mapped[UUID] = mapped_column(ForeignKey("period.id"))
    service: Mapped[Service] = mapped_column(OneOf(Service, 40))
    mediator_id: Mapped[UUID]
    redeemed_at: Mapped[datetime]
    voucher_count: Mapped[int]
    amount_cents: Mapped[int] = mapped_column(BigInt)
    remaining_count: Mapped[
        int
    ]  # vouchers of the booklet still usable just after: the receipt says so, again and again
    state: Mapped[RedemptionState] = mapped_column(OneOf(RedemptionState, 10))
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[UUID | None]

    __table_args__ = (
        CheckConstraint("voucher_count > 0 AND amount_cents > 0", name="uses_something"),
        CheckConstraint("(state = 'undone') = (undone_at IS NOT NULL)", name="undone_is_dated"),
        # Settlement sums these.
        Index(None, "period_id", "structure_id"),
        # A counter's day reads these.
        Index(None, "place_id", "redeemed_at"),
    )


class RedeemedVoucher(Base):
    """A voucher in a redemption; live until the redemption is undone or reversed."""

    __tablename__ = "redeemed_voucher"

    redemption_id: Mapped[UUID] = mapped_column(ForeignKey("redemption.id"), primary_key=True)
    serial: Mapped[int] = mapped_column(ForeignKey("voucher.serial"), primary_key=True)
    is_live: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (
        # A voucher has at most one live redemption: the database decides single use.
        Index("uq_redeemed_voucher_live", "serial", unique=True, sqlite_where=text("is_live"),
              postgresql_where=text("is_live")),
    )  # fmt: skip


class RefusedAttempt(Base):
    """A request that was refused: its answer is given again to a retry, and wrong codes are counted."""

    __tablename__ = "refused_attempt"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # the client's id of the request
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    refusal: Mapped[CounterRefusal] = mapped_column(OneOf(CounterRefusal, 40))
    answer: Mapped[str] = mapped_column(String(2000))  # JSON: what is needed to say the same sentence again
    place_id: Mapped[UUID]
    mediator_id: Mapped[UUID]
    serial: Mapped[int | None] = mapped_column(BigInt)
    attempted_at: Mapped[datetime]

    __table_args__ = (Index(None, "mediator_id", "attempted_at"), Index(None, "serial", "attempted_at"))
