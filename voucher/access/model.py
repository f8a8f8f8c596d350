"""Tables of access."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.access.rules import (
    ChangeKind,
    ChangeOutcome,
    Door,
    LinkEnd,
    LinkPurpose,
    Origin,
    Role,
    SessionStage,
    StepPurpose,
)
from voucher.kernel.database import Base, BigInt
from voucher.kernel.known_values import OneOf, known_values


class StaffAccount(Base):
    """A person who works here: signs in by e-mail address and password."""

    __tablename__ = "staff_account"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)  # lower case
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str | None] = mapped_column(String(200))  # None until the person has chosen one
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]  # the last sign-in; None until the first
    closing_letter_id: Mapped[UUID | None]  # what a letter told last: unused, this account will be closed


class RoleGrant(Base):
    """A role of a person, within a scope: an issuer, a prescriber, a structure; without one, the whole programme."""

    __tablename__ = "role_grant"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"))
    role: Mapped[Role] = mapped_column(OneOf(Role, 20))
    scope_id: Mapped[UUID | None]  # issuer, prescriber or structure, as the role asks
    granted_at: Mapped[datetime]
    granted_by: Mapped[UUID | None]
    until_on: Mapped[date | None]  # its last day, in Paris; None: until it is taken away
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
    id: Mapped[UUID] = mapped_column(unique=True)  # what pages name it by; the token changes, this does not
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"), index=True)
    place_id: Mapped[UUID | None]  # the counter a mediator stands at
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    stage: Mapped[SessionStage] = mapped_column(OneOf(SessionStage, 10), default=SessionStage.OPEN)
    door: Mapped[Door] = mapped_column(OneOf(Door, 10), default=Door.PASSWORD)
    # Two factors were shown: a passkey; a password and a code; a provider that says so.
    is_strong: Mapped[bool] = mapped_column(default=False)
    # When the person last proved who they are: at the sign-in, or again before an act that moves money.
    confirmed_at: Mapped[datetime]
    browser_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_browser.id"))
    network: Mapped[str] = mapped_column(String(60), default="")  # where it was opened from, shortened
    agent: Mapped[str] = mapped_column(String(120), default="")  # the browser, in words
    provider_hint: Mapped[str] = mapped_column(Text, default="")  # what the provider asks for at the sign-out


class StaffBrowser(Base):
    """A browser in which a person signed in before. It holds a random token for years; only its SHA-256 stands here.

    It opens nothing: it tells a person's browser from a stranger's.
    """

    __tablename__ = "staff_browser"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"))
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    previous_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)  # it may not have received the newer one
    network: Mapped[str] = mapped_column(String(60), default="")  # the last one, shortened
    agent: Mapped[str] = mapped_column(String(120), default="")
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]

    __table_args__ = (
        # One browser serves several people; each knows it on their own.
        Index("uq_staff_browser_account", "account_id", "token_sha256", unique=True),
        # All that one browser's token opens takes its next one together.
        Index("ix_staff_browser_token_sha256", "token_sha256"),
        Index("ix_staff_browser_previous_sha256", "previous_sha256"),
    )


class StaffNetwork(Base):
    """A network from which a person signed in before, shortened: they are told of each once."""

    __tablename__ = "staff_network"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"), primary_key=True)
    network: Mapped[str] = mapped_column(String(60), primary_key=True)
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


class Passkey(Base):
    """A public key of a person's device (WebAuthn). The private one never leaves the device."""

    __tablename__ = "passkey"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)  # COSE
    sign_count: Mapped[int] = mapped_column(BigInt)  # as the device last told; 0 where it does not count
    label: Mapped[str] = mapped_column(String(60))  # what its person calls it
    is_synced: Mapped[bool]  # the device keeps a copy elsewhere
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("sign_count >= 0", name="counts_from_zero"),)


class TotpDevice(Base):
    """An application that shows codes of six digits (RFC 6238). Its secret is sealed with the master key."""

    __tablename__ = "totp_device"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"))
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    last_step: Mapped[int]  # of 30 seconds since 1970: that code and those before it serve no more
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]

    __table_args__ = (
        # A person has one at a time.
        Index("uq_totp_device_live", "account_id", unique=True, sqlite_where=text("removed_at IS NULL"),
              postgresql_where=text("removed_at IS NULL")),
    )  # fmt: skip


class RecoveryCode(Base):
    """A code printed once, for the day a phone is lost; it serves once.

    It has 60 bits: hashed as a password is, but for its beginning, which finds it.
    """

    __tablename__ = "recovery_code"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"), index=True)
    beginning: Mapped[str] = mapped_column(String(4))
    code_hash: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]  # replaced by newer ones, or reset


class ProviderIdentity(Base):
    """Who a person is at an identity provider: its `sub`. An e-mail address alone never makes one: an invitation does."""

    __tablename__ = "provider_identity"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"))
    issuer: Mapped[str] = mapped_column(String(300))  # the provider's `iss`
    idp_id: Mapped[str] = mapped_column(String(100), default="")  # of a federation, the one that knows the person
    subject: Mapped[str] = mapped_column(String(300))
    linked_at: Mapped[datetime]
    link_id: Mapped[UUID] = mapped_column(ForeignKey("account_link.id"))  # the invitation that linked it
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        # An identity opens one account, an account has one identity.
        Index("uq_provider_identity_subject", "issuer", "idp_id", "subject", unique=True,
              sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")),
        Index("uq_provider_identity_account", "account_id", unique=True, sqlite_where=text("ended_at IS NULL"),
              postgresql_where=text("ended_at IS NULL")),
    )  # fmt: skip


class SignInStep(Base):
    """Something a browser has begun and will end once, within minutes: a passkey's challenge, the way to a provider and back.

    The browser holds a random token; only its SHA-256 stands here, with what the server must remember.
    """

    __tablename__ = "sign_in_step"

    token_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    purpose: Mapped[StepPurpose] = mapped_column(OneOf(StepPurpose, 30))
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_account.id"))  # None before a person is known
    content: Mapped[str] = mapped_column(Text)  # JSON, texts alone
    made_at: Mapped[datetime]
    ends_at: Mapped[datetime] = mapped_column(index=True)


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
    """A role, an address, or a reset of second factors, that takes two people: asked by one, confirmed or refused by another of the programme.

    An address that takes one is here too, as it was done.
    """

    __tablename__ = "account_change"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("staff_account.id"), index=True)
    kind: Mapped[ChangeKind] = mapped_column(OneOf(ChangeKind, 10))
    role: Mapped[str] = mapped_column(String(20), default="")  # of a role
    scope_id: Mapped[UUID | None]
    until_on: Mapped[date | None]  # the role's last day, where it has one
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
        # A role, an address, or neither for a reset: never both.
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
