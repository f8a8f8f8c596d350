"""Tables of the programme."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.calendar import LAST_DAY
from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf


class FunderKind(StrEnum):
    """Who may fund."""

    STATE = "state"
    EUROPE = "europe"
    REGION = "region"
    DEPARTMENT = "department"
    INTERCOMMUNAL = "intercommunal"
    OTHER = "other"


class IssuerKind(StrEnum):
    """Collectivités that may issue (domain.md §1); a lone commune may not."""

    REGION = "region"
    DEPARTMENT = "department"
    EPCI = "epci"
    METROPOLE = "metropole"
    SYNDICAT_MIXTE = "syndicat_mixte"


class SettlementChannel(StrEnum):
    """Who pays the structures (domain.md §2): the public accountant, or an operator with its own ring-fenced account."""

    PUBLIC_ACCOUNTANT = "public_accountant"
    MANDATED_OPERATOR = "mandated_operator"


class TransferSchema(StrEnum):
    """The versions of the credit-transfer file that banks take."""

    NEW = "pain.001.001.09"
    OLD = "pain.001.001.03"


class Funder(Base):
    """Who gives money: the State, Europe, a collectivité, a foundation."""

    __tablename__ = "funder"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    kind: Mapped[FunderKind] = mapped_column(OneOf(FunderKind, 20))
    siren: Mapped[str | None] = mapped_column(String(9))
    created_at: Mapped[datetime]


class Envelope(Base):
    """An amount that a funder opened for a year, and how much of it the ceilings of agreements hold already."""

    __tablename__ = "envelope"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    fiscal_year: Mapped[int]
    amount_cents: Mapped[int] = mapped_column(BigInt)
    allocated_cents: Mapped[int] = mapped_column(BigInt, default=0)
    opened_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("funder_id", "name"),
        # Ceilings never pass the envelope.
        CheckConstraint("allocated_cents BETWEEN 0 AND amount_cents", name="allocated_within_amount"),
        CheckConstraint("amount_cents > 0", name="amount_is_positive"),
    )


class Issuer(Base):
    """A collectivité that issues vouchers."""

    __tablename__ = "issuer"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    siren: Mapped[str] = mapped_column(String(9), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[IssuerKind] = mapped_column(OneOf(IssuerKind, 20))
    address: Mapped[str] = mapped_column(String(200))
    postcode: Mapped[str] = mapped_column(String(5))
    city: Mapped[str] = mapped_column(String(80))
    region_code: Mapped[str | None] = mapped_column(String(3))
    contact_email: Mapped[str] = mapped_column(String(200))
    contact_phone: Mapped[str] = mapped_column(String(30), default="")
    created_at: Mapped[datetime]


class PayingAccount(Base):
    """The bank account from which structures are paid: an operator's ring-fenced one, or the accountant's at the Treasury."""

    __tablename__ = "paying_account"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    holder_name: Mapped[str] = mapped_column(String(70))
    iban: Mapped[str] = mapped_column(String(34), unique=True)
    bic: Mapped[str | None] = mapped_column(String(11))
    channel: Mapped[SettlementChannel] = mapped_column(OneOf(SettlementChannel, 20))
    siren: Mapped[str | None] = mapped_column(String(9))  # of the holder: its FEC bears it
    transfer_schema: Mapped[TransferSchema] = mapped_column(
        OneOf(TransferSchema, 20), default=TransferSchema.NEW
    )  # what its bank takes
    transfers_per_file: Mapped[int] = mapped_column(default=10_000)
    created_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("transfers_per_file BETWEEN 1 AND 100000", name="file_is_bounded"),)


class SettlementRhythm(StrEnum):
    """When an agreement's structures are paid: each month's redemptions together, or whenever finance decides."""

    MONTHLY = "monthly"
    ON_DEMAND = "on_demand"


class Agreement(Base):
    """What an issuer and its funders signed: the ceiling, the voucher, the dates, the way structures are paid."""

    __tablename__ = "agreement"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(30), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    issuer_id: Mapped[UUID] = mapped_column(ForeignKey("issuer.id"), index=True)
    paying_account_id: Mapped[UUID] = mapped_column(ForeignKey("paying_account.id"))
    settlement_channel: Mapped[SettlementChannel] = mapped_column(OneOf(SettlementChannel, 20))
    commitment_number: Mapped[str] = mapped_column(String(30), default="")  # numéro d'engagement of the accountant
    service_code: Mapped[str] = mapped_column(String(30), default="")  # code service of the accountant
    settlement_rhythm: Mapped[SettlementRhythm] = mapped_column(
        OneOf(SettlementRhythm, 10), default=SettlementRhythm.MONTHLY
    )
    # The last day of the month that a monthly period takes; LAST_DAY: the month's own.
    cut_off_day: Mapped[int] = mapped_column(default=LAST_DAY)
    minimum_payment_cents: Mapped[int] = mapped_column(default=0)  # less than this waits for the next batch
    payment_days: Mapped[int] = mapped_column(default=30)  # after the period's end, a structure is paid
    # Of what is outstanding and owed, the part that must be held in the bank before more is issued; 0: pay on use.
    cash_floor_basis_points: Mapped[int] = mapped_column(default=0)
    ceiling_cents: Mapped[int] = mapped_column(BigInt)
    committed_cents: Mapped[int] = mapped_column(BigInt, default=0)
    face_value_cents: Mapped[int]
    booklet_size: Mapped[int]
    is_handover_required: Mapped[bool] = mapped_column(default=True)
    issued_count: Mapped[int] = mapped_column(BigInt, default=0)  # vouchers ordered so far
    share_set: Mapped[int] = mapped_column(default=0)  # grows each time a funder's share ends
    kept_cents: Mapped[int] = mapped_column(
        BigInt, default=0
    )  # of what is committed, the part of share sets that ended
    set_issued_count: Mapped[int] = mapped_column(BigInt, default=0)  # vouchers ordered before the present share set
    signed_on: Mapped[date]
    use_by: Mapped[date]
    grace_until: Mapped[date]
    present_by: Mapped[date]
    created_at: Mapped[datetime]

    __table_args__ = (
        # Commitments never pass the ceiling.
        CheckConstraint("committed_cents BETWEEN 0 AND ceiling_cents", name="committed_within_ceiling"),
        CheckConstraint("ceiling_cents > 0", name="ceiling_is_positive"),
        # What the signed code can say: a face value on three bytes, a booklet on five bits.
        CheckConstraint("face_value_cents BETWEEN 100 AND 16777215", name="face_value_fits"),
        CheckConstraint("booklet_size BETWEEN 1 AND 31", name="booklet_size_fits"),
        # The three ends follow each other.
        CheckConstraint("use_by <= grace_until AND grace_until <= present_by", name="dates_follow"),
        CheckConstraint("signed_on <= use_by", name="signed_before_use_by"),
        CheckConstraint("cut_off_day BETWEEN 1 AND 31", name="cut_off_day_is_a_day"),
        CheckConstraint("minimum_payment_cents >= 0", name="minimum_is_not_negative"),
        CheckConstraint("payment_days BETWEEN 1 AND 60", name="payment_days_fit"),
        CheckConstraint("cash_floor_basis_points BETWEEN 0 AND 10000", name="cash_floor_is_a_part"),
        CheckConstraint("kept_cents BETWEEN 0 AND committed_cents", name="kept_within_committed"),
        CheckConstraint("set_issued_count BETWEEN 0 AND issued_count", name="set_begins_before"),
    )


class AgreementShare(Base):
    """One funder's part of each voucher of an agreement, out of one of its envelopes. Shares sum to 10,000 basis points."""

    __tablename__ = "agreement_share"

    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)  # the State first: its part is exact to the cent
    envelope_id: Mapped[UUID] = mapped_column(ForeignKey("envelope.id"))
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"))
    share_basis_points: Mapped[int]

    __table_args__ = (
        # A funder has one share in an agreement.
        UniqueConstraint("agreement_id", "funder_id"),
        CheckConstraint("share_basis_points BETWEEN 1 AND 10000", name="share_is_a_part"),
    )


class Credit(Base):
    """What an agreement may still issue, by funder: committed, not reserved. The only guarded balance (ledger.md §2)."""

    __tablename__ = "credit"

    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), primary_key=True)
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"), primary_key=True)
    available_cents: Mapped[int] = mapped_column(BigInt, default=0)

    __table_args__ = (
        # Nothing is issued that was not committed.
        CheckConstraint("available_cents >= 0", name="never_negative"),
    )


class Commitment(Base):
    """An amount committed to an agreement, once and for all."""

    __tablename__ = "commitment"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), index=True)
    amount_cents: Mapped[int] = mapped_column(BigInt)
    reference: Mapped[str] = mapped_column(String(60))
    share_set: Mapped[int] = mapped_column(default=0)  # whose shares it was split by
    committed_at: Mapped[datetime]
    committed_by: Mapped[UUID]

    __table_args__ = (CheckConstraint("amount_cents > 0", name="amount_is_positive"),)


class ShareEnding(Base):
    """A decision: from a day on, a funder pays nothing of new orders, and the others share them anew (ADR 11)."""

    __tablename__ = "share_ending"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), index=True)
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"))
    ends_on: Mapped[date]
    released_cents: Mapped[int] = mapped_column(BigInt, default=0)  # its credit not issued yet, given back that day
    decided_at: Mapped[datetime]
    decided_by: Mapped[UUID]
    applied_at: Mapped[datetime | None]

    __table_args__ = (
        # A funder's share in an agreement ends once.
        UniqueConstraint("agreement_id", "funder_id"),
    )


class ShareEndingPart(Base):
    """A funder's share of new orders once another's has ended. Shares of one ending sum to 10,000 basis points."""

    __tablename__ = "share_ending_part"

    ending_id: Mapped[UUID] = mapped_column(ForeignKey("share_ending.id"), primary_key=True)
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"), primary_key=True)
    share_basis_points: Mapped[int]

    __table_args__ = (CheckConstraint("share_basis_points BETWEEN 1 AND 10000", name="share_is_a_part"),)


class PastShare(Base):
    """A share of a set that ended: what was committed and ordered under it keeps it."""

    __tablename__ = "past_share"

    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), primary_key=True)
    share_set: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    envelope_id: Mapped[UUID] = mapped_column(ForeignKey("envelope.id"))
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"))
    share_basis_points: Mapped[int]

    __table_args__ = (UniqueConstraint("agreement_id", "share_set", "funder_id"),)


class KeptPart(Base):
    """What a funder keeps committed to an agreement from the share sets that ended."""

    __tablename__ = "kept_part"

    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), primary_key=True)
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"), primary_key=True)
    envelope_id: Mapped[UUID] = mapped_column(ForeignKey("envelope.id"))
    amount_cents: Mapped[int] = mapped_column(BigInt)

    __table_args__ = (CheckConstraint("amount_cents >= 0", name="amount_is_not_negative"),)


class CreditRelease(Base):
    """Credit of a funder whose share ended, given back to its envelope: not issued then, or come back from vouchers since."""

    __tablename__ = "credit_release"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), index=True)
    funder_id: Mapped[UUID] = mapped_column(ForeignKey("funder.id"))
    amount_cents: Mapped[int] = mapped_column(BigInt)
    released_at: Mapped[datetime]
    released_by: Mapped[UUID | None]

    __table_args__ = (CheckConstraint("amount_cents > 0", name="amount_is_positive"),)
