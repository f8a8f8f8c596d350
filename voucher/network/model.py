"""Tables of the network."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, and_, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base
from voucher.kernel.known_values import OneOf


class StructureState(StrEnum):
    """A structure is proposed by an import or by hand, qualified by the programme, and may be suspended."""

    PROPOSED = "proposed"
    QUALIFIED = "qualified"
    SUSPENDED = "suspended"


class Structure(Base):
    """Who is paid: a legal person with a SIRET or an RNA number, and any number of places."""

    __tablename__ = "structure"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    pivot: Mapped[str] = mapped_column(String(14), unique=True)  # SIRET or RNA, as the standard calls it
    name: Mapped[str] = mapped_column(String(150))
    state: Mapped[StructureState] = mapped_column(OneOf(StructureState, 12))
    contact_email: Mapped[str] = mapped_column(String(200), default="")
    vat_regime: Mapped[str] = mapped_column(String(60), default="non communiqué")
    created_at: Mapped[datetime]
    state_changed_at: Mapped[datetime]
    state_reason: Mapped[str] = mapped_column(String(200), default="")


IN_USE = "ended_at IS NULL AND confirmed_at IS NOT NULL"
WAITING = "ended_at IS NULL AND confirmed_at IS NULL"


class BankDetails(Base):
    """A structure's RIB, as its holder's bank writes it, kept for ever.

    Recorded, it waits (`confirmed_at` is None) until another person confirms it; it then ends the one in use. One that waits ends
    when another is recorded in its place, or when a person dismisses it. `confirmed_by` is None for what was in use before
    confirmations existed: it counts as confirmed when it was recorded.
    """

    __tablename__ = "bank_details"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    structure_id: Mapped[UUID] = mapped_column(ForeignKey("structure.id"))
    holder_name: Mapped[str] = mapped_column(String(70))
    iban: Mapped[str] = mapped_column(String(34))
    bic: Mapped[str | None] = mapped_column(String(11))
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    confirmed_by: Mapped[UUID | None]
    confirmed_at: Mapped[datetime | None]

    __table_args__ = (
        # A structure is paid on one RIB at a time.
        Index("uq_bank_details_current", "structure_id", unique=True, sqlite_where=text(IN_USE), postgresql_where=text(IN_USE)),
        # Of a structure, one RIB at a time waits for a confirmation.
        Index("uq_bank_details_waiting", "structure_id", unique=True, sqlite_where=text(WAITING), postgresql_where=text(WAITING)),
    )  # fmt: skip

    @classmethod
    def is_in_use(cls) -> ColumnElement[bool]:
        """Say which rows are those that structures are paid on."""
        return and_(cls.ended_at.is_(None), cls.confirmed_at.is_not(None))

    @classmethod
    def is_waiting(cls) -> ColumnElement[bool]:
        """Say which rows wait for a confirmation."""
        return and_(cls.ended_at.is_(None), cls.confirmed_at.is_(None))


class Place(Base):
    """A Comptoir numérique: where people are received, as the national standard describes it (v1.0.2)."""

    __tablename__ = "place"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    structure_id: Mapped[UUID] = mapped_column(ForeignKey("structure.id"), index=True)
    external_id: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(150))
    address: Mapped[str] = mapped_column(String(200))
    address_complement: Mapped[str] = mapped_column(String(200), default="")
    postcode: Mapped[str] = mapped_column(String(5))
    insee_code: Mapped[str | None] = mapped_column(String(5))
    city: Mapped[str] = mapped_column(String(80))
    department_code: Mapped[str | None] = mapped_column(String(3), index=True)
    region_code: Mapped[str | None] = mapped_column(String(3), index=True)
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    phone: Mapped[str] = mapped_column(String(30), default="")
    email: Mapped[str] = mapped_column(String(300), default="")
    website: Mapped[str] = mapped_column(String(500), default="")
    opening_hours: Mapped[str] = mapped_column(String(300), default="")
    summary: Mapped[str] = mapped_column(Text, default="")
    services: Mapped[str] = mapped_column(Text, default="")  # codes of network.services, separated by |
    other_columns: Mapped[str] = mapped_column(
        Text, default="{}"
    )  # the standard's other columns as JSON, given back on export
    is_open: Mapped[bool] = mapped_column(default=True)
    updated_on: Mapped[date]
    created_at: Mapped[datetime]


class PlacesImport(Base):
    """One import of a file of the standard, with its report line by line."""

    __tablename__ = "places_import"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    file_name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    imported_by: Mapped[UUID]
    imported_at: Mapped[datetime]
    taken_count: Mapped[int]
    unchanged_count: Mapped[int]
    refused_count: Mapped[int]
    report: Mapped[str] = mapped_column(
        Text
    )  # JSON: one object a line of the file that was refused or taken with a warning
