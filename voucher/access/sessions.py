"""Sign in, stay signed in, sign out. The browser holds a random token; the server keeps its hash and everything else."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update

from voucher.access.audit import note
from voucher.access.model import RoleGrant, StaffAccount, StaffSession
from voucher.access.passwords import is_password
from voucher.access.rules import FAILURES_BEFORE_LOCK, LOCK_DURATION, SESSION_DURATION, Role
from voucher.kernel.calendar import french_instant
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
    """Return a new session's token. Raises Refused, with the same words for an unknown address and a wrong password.

    After five failures the account waits fifteen minutes, whatever is typed (CNIL 2022-100).
    """
    email = email.strip().lower()
    with database.read() as session:
        account = session.execute(
            select(StaffAccount.id, StaffAccount.password_hash, StaffAccount.locked_until).where(
                StaffAccount.email == email, StaffAccount.closed_at.is_(None)
            )
        ).one_or_none()
    if account is not None and account.locked_until is not None and account.locked_until > now:
        raise Refused(
            "account_locked",
            f"Trop d'essais. Ce compte se rouvrira le {french_instant(account.locked_until)}. Revenez à ce moment.",
        )
    if not is_password(account.password_hash if account else None, password) or account is None:
        if account is not None:
            _count_failure(database, account.id, now)
        raise Refused("wrong_credentials", "L'adresse ou le mot de passe ne va pas. Vérifiez les deux et recommencez.")
    token = secrets.token_urlsafe(32)
    with database.write() as session:
        session.execute(
            update(StaffAccount).where(StaffAccount.id == account.id).values(failed_count=0, locked_until=None)
        )
        session.execute(delete(StaffSession).where(StaffSession.ends_at < now))
        session.execute(
            insert(StaffSession).values(
                token_sha256=token_hash(token),
                account_id=account.id,
                started_at=now,
                seen_at=now,
                ends_at=now + SESSION_DURATION,
            )
        )
        note(session, account.id, "signed_in", email, now)
    return token


def _count_failure(database: Database, account_id: UUID, now: datetime) -> None:
    with database.write() as session:
        failed_count = session.execute(
            update(StaffAccount)
            .where(StaffAccount.id == account_id)
            .values(failed_count=StaffAccount.failed_count + 1)
            .returning(StaffAccount.failed_count)
        ).scalar_one()
        note(session, account_id, "sign_in_failed", "", now)
        if failed_count % FAILURES_BEFORE_LOCK == 0:
            session.execute(
                update(StaffAccount).where(StaffAccount.id == account_id).values(locked_until=now + LOCK_DURATION)
            )


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
    grants = tuple((Role(row.role), row.scope_id) for row in rows if row.role is not None)
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
