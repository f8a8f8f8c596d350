"""Tables of access."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.access.rules import ChangeKind, ChangeOutcome, LinkEnd, LinkPurpose, Origin, Role
from voucher.kernel.database import Base
from voucher.kernel.known_values import OneOf, known_values


class StaffAccount(Base):
    """A person who works here: signs in by e-mail address and password."""

    __tablename__ = "staff_account"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)  # lower case
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str | None] = mapped_column(String(200))  # None until the person has chosen one
    failed_count: Mapped[int] = mapped_column(default=0)  # since the last success
    locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class RoleGrant(Base):
    """A role of a person, within a scope: an issuer, a prescriber, a structure; without one, the whole programme."""

    __tablename__ = "role_grant"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"))
    role: Mapped[Role] = mapped_column(OneOf(Role, 20))
    scope_id: Mapped[UUID | None]  # issuer, prescriber or structure, as the role asks
    granted_at: Mapped[datetime]
    granted_by: Mapped[UUID | None]
    revoked_at: Mapped[datetime | None]
    change_id: Mapped[UUID | None] = mapped_column(ForeignKey("account_change.id"))  # what two people decided

    __table_args__ = (
        # With one of these a person counts among the two that an act takes: two people gave it.
        CheckConstraint(
            "role NOT IN ('programme', 'issuer', 'finance_preparer', 'finance_approver') OR change_id IS NOT NULL",
            name="two_people_gave_it",
        ),
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


class AccountLink(Base):
    """A one-time link that was asked for: its person chooses a password with it. What is in the address is `LinkSecret`'s."""

    __tablename__ = "account_link"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"), index=True)
    purpose: Mapped[LinkPurpose] = mapped_column(OneOf(LinkPurpose, 10))
    asked_from: Mapped[Origin] = mapped_column(OneOf(Origin, 10))
    asked_by: Mapped[UUID | None]  # the person of the programme who asked
    asked_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[LinkEnd | None] = mapped_column(OneOf(LinkEnd, 10))

    __table_args__ = (
        # Somebody asked in the office; the person alone, or the host, has no name there.
        CheckConstraint("(asked_from = 'office') = (asked_by IS NOT NULL)", name="office_says_who"),
        CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name="end_says_how"),
    )


class LinkSecret(Base):
    """One sending of a link: the address holds a random token; only its SHA-256 stands here, from before it left."""

    __tablename__ = "link_secret"

    token_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    link_id: Mapped[UUID] = mapped_column(ForeignKey("account_link.id"), index=True)
    made_at: Mapped[datetime]
    ends_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("ends_at > made_at", name="lives_a_while"),)


class AccountChange(Base):
    """A role, or an address, that takes two people: asked by one, confirmed or refused by another of the programme.

    An address that takes one is here too, as it was done.
    """

    __tablename__ = "account_change"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"), index=True)
    kind: Mapped[ChangeKind] = mapped_column(OneOf(ChangeKind, 10))
    role: Mapped[str] = mapped_column(String(20), default="")  # of a role
    scope_id: Mapped[UUID | None]
    new_email: Mapped[str] = mapped_column(String(200), default="")  # of an address
    # The account's address when it was asked: what is confirmed is for that one.
    known_email: Mapped[str] = mapped_column(String(200))
    asked_by: Mapped[UUID | None]  # None: the host
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]  # None: the host, where the programme has nobody else
    decided_at: Mapped[datetime | None]
    outcome: Mapped[ChangeOutcome | None] = mapped_column(OneOf(ChangeOutcome, 10))
    decided_from: Mapped[Origin | None] = mapped_column(OneOf(Origin, 10))

    __table_args__ = (
        CheckConstraint(known_values("role", ("", *Role)), name="role_is_known"),
        # A role, or an address: not both.
        CheckConstraint("(kind = 'role') = (role <> '') AND (kind = 'address') = (new_email <> '')", name="kind_says_what"),
        CheckConstraint("(decided_at IS NULL) = (outcome IS NULL)", name="decided_or_waiting"),
        CheckConstraint("(outcome IS NULL) = (decided_from IS NULL)", name="decision_says_from"),
        # Four eyes: who asked does not confirm.
        CheckConstraint("outcome IS NULL OR outcome <> 'confirmed' OR decided_by IS NULL OR asked_by IS NULL OR decided_by <> asked_by",
                        name="two_people"),
        # A person confirms in the office, or the host does, which has no name there.
        CheckConstraint("outcome IS NULL OR outcome <> 'confirmed' OR (decided_from = 'office') = (decided_by IS NOT NULL)",
                        name="confirmed_by_somebody"),
        # One change of a kind waits at a time.
        Index("uq_account_change_waiting", "account_id", "kind", "role", unique=True, sqlite_where=text("outcome IS NULL"),
              postgresql_where=text("outcome IS NULL")),
    )  # fmt: skip


class AuditLine(Base):
    """Who saw or changed what, and when. It only grows."""

    __tablename__ = "audit_line"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    account_id: Mapped[UUID | None] = mapped_column(index=True)
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(200), default="")
