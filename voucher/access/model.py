"""Tables of access."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base


class StaffAccount(Base):
    """A person who works here: signs in by e-mail address and password."""

    __tablename__ = "staff_account"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)  # lower case
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(200))
    failed_count: Mapped[int] = mapped_column(default=0)  # since the last success
    locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class RoleGrant(Base):
    """A role of a person, within a scope: an issuer, a prescriber, a structure; without one, the whole programme."""

    __tablename__ = "role_grant"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"))
    role: Mapped[str] = mapped_column(String(20))
    scope_id: Mapped[UUID | None]  # issuer, prescriber or structure, as the role asks
    granted_at: Mapped[datetime]
    granted_by: Mapped[UUID | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        # Roles with a territory have a scope; the programme's and the auditor's have none; finance may.
        CheckConstraint(
            "CASE WHEN role IN ('issuer', 'prescriber', 'mediator', 'place_manager') THEN scope_id IS NOT NULL "
            "WHEN role IN ('programme', 'auditor') THEN scope_id IS NULL ELSE 1 = 1 END",
            name="scope_fits_role",
        ),
        # A person has a role once.
        Index("uq_role_grant_live", "account_id", "role", unique=True, sqlite_where=text("revoked_at IS NULL"),
              postgresql_where=text("revoked_at IS NULL")),
    )  # fmt: skip


class StaffSession(Base):
    """A sign-in that is still good. The browser holds a random token; only its SHA-256 stands here."""

    __tablename__ = "staff_session"

    token_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"), index=True)
    place_id: Mapped[UUID | None]  # the counter a mediator stands at
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class AuditLine(Base):
    """Who saw or changed what, and when. It only grows."""

    __tablename__ = "audit_line"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    account_id: Mapped[UUID | None] = mapped_column(index=True)
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(200), default="")
