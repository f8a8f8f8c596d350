"""Sign in, stay signed in, sign out. The browser holds a random token; the server keeps its hash and everything else."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.model import RoleGrant, StaffAccount, StaffSession
from voucher.access.passwords import is_password
from voucher.access.rules import SESSION_DURATION, Role
from voucher.access.tries import AFTER_FIVE, count_try, forget_tries, note_failure
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused

SEEN_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person behind a request: who they are, what they may do and for whom."""

    account_id: UUID
    name: str
    email: str
    grants: tuple[tuple[Role, UUID | None], ...]
    place_id: UUID | None
    token_sha256: bytes

    def may(self, *roles: Role) -> bool:
        """Say whether the person has one of these roles."""
        return any(role in roles for role, _ in self.grants)

    def scope(self, *roles: Role) -> UUID | None:
        """Return the scope of the first of these roles that the person has; None is the whole programme. Raises KeyError."""
        for role, scope_id in self.grants:
            if role in roles:
                return scope_id
        raise KeyError(roles)


def sign_in(database: Database, email: str, password: str, *, now: datetime) -> str:
    """Return a new session's token. Raises Refused, in the same words for an unknown address, a wrong password and an account
    that waits: nobody learns who works here, nor when a guess was right.
    """
    email = email.strip().lower()
    wrong = Refused(
        "wrong_credentials", f"L’adresse ou le mot de passe ne va pas. Vérifiez les deux et recommencez. {AFTER_FIVE}"
    )
    account = count_try(database, StaffAccount.email == email, now)
    if not is_password(account.password_hash if account else None, password) or account is None:
        if account is not None:
            note_failure(database, account.id, now)
        raise wrong
    with database.write() as session:
        # A password that changed while this one was looked at opens nothing: its sessions have just been ended.
        is_same = session.scalar(
            select(StaffAccount.id)
            .where(StaffAccount.id == account.id, StaffAccount.password_hash == account.password_hash)
            .where(StaffAccount.closed_at.is_(None))
            .with_for_update()
        )
        if is_same is None:
            raise wrong
        forget_tries(session, account.id)
        session.execute(delete(StaffSession).where(StaffSession.ends_at < now))
        token = open_session(session, account.id, None, now)
        note(session, account.id, "signed_in", email, now)
    return token


def open_session(session: Session, account_id: UUID, place_id: UUID | None, now: datetime) -> str:
    """Begin a session inside the caller's transaction and return its token."""
    token = secrets.token_urlsafe(32)
    session.execute(
        insert(StaffSession).values(
            token_sha256=token_hash(token),
            account_id=account_id,
            place_id=place_id,
            started_at=now,
            seen_at=now,
            ends_at=now + SESSION_DURATION,
        )
    )
    return token


def token_hash(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


_VIEWER = (
    select(
        StaffAccount.id,
        StaffAccount.name,
        StaffAccount.email,
        StaffSession.place_id,
        StaffSession.seen_at,
        RoleGrant.role,
        RoleGrant.scope_id,
    )
    .join(StaffAccount, StaffAccount.id == StaffSession.account_id)
    .outerjoin(RoleGrant, (RoleGrant.account_id == StaffAccount.id) & RoleGrant.revoked_at.is_(None))
    .where(StaffSession.token_sha256 == bindparam("token_sha256"), StaffSession.ends_at > bindparam("now"))
    .where(StaffAccount.closed_at.is_(None))
    .order_by(RoleGrant.granted_at)
)


def viewer_of(database: Database, token: str, *, now: datetime) -> Viewer | None:
    """Return the person of a session that is still good, or None."""
    hashed = token_hash(token)
    with database.ask() as connection:
        rows = connection.execute(_VIEWER, {"token_sha256": hashed, "now": now}).all()
    if not rows:
        return None
    first = rows[0]
    if now - first.seen_at > SEEN_EVERY:
        with database.write() as session:
            session.execute(update(StaffSession).where(StaffSession.token_sha256 == hashed).values(seen_at=now))
    grants = tuple((row.role, row.scope_id) for row in rows if row.role is not None)
    return Viewer(first.id, first.name, first.email, grants, first.place_id, hashed)


def sign_out(database: Database, viewer: Viewer, *, now: datetime) -> None:
    """End one session."""
    with database.write() as session:
        session.execute(delete(StaffSession).where(StaffSession.token_sha256 == viewer.token_sha256))
        note(session, viewer.account_id, "signed_out", "", now)


def choose_place(database: Database, viewer: Viewer, place_id: UUID) -> None:
    """Remember at which counter a mediator stands, for this session. The caller checks that the place is theirs."""
    with database.write() as session:
        session.execute(
            update(StaffSession).where(StaffSession.token_sha256 == viewer.token_sha256).values(place_id=place_id)
        )
