"""Sign in, stay signed in, sign out. The browser holds a random token; the server keeps its hash and everything else.

A session whose password was right waits while its person has a second factor to show: it shows no page (`waiting_person`).
`open_session` makes every session, whatever the door.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Select, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.browsers import remember_browser
from voucher.access.factors.held import has_second_factor
from voucher.access.find import ACCOUNT
from voucher.access.grants import holds_on
from voucher.access.model import RoleGrant, StaffAccount, StaffSession
from voucher.access.passwords import at_present_cost, is_password
from voucher.access.rules import SESSION_DURATION, STEP_DURATION, Door, Role, SessionStage, idle_limit
from voucher.access.tokens import new_token
from voucher.access.tokens import token_hash as token_hash
from voucher.access.tries import Guess, begin_try, note_failure, was_right
from voucher.access.visits import NOWHERE as NOWHERE
from voucher.access.visits import Visit as Visit
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.idle_limits import USUAL_IDLE_LIMITS, IdleLimits
from voucher.kernel.refusals import Refused

SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is noted when a person was seen last: a session that stays idle ends that much too early, at most."""

SIGNED_OUT = (
    "Votre connexion est terminée. Reconnectez-vous, et voyez si ce que vous demandiez est fait avant de recommencer."
)
"""What is said of a session that ended while its person was acting: perhaps by the same act, sent twice, which was done once."""

WAITING_OVER = "Dix minutes ont passé depuis votre mot de passe. Connectez-vous de nouveau."
"""What is said of a session that waited too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The person behind a request: who they are, what they may do and for whom.

    `is_strong`: two factors were shown. `confirmed_at`: when they last proved who they are. `seen_at`: when they last opened a page.
    """

    account_id: UUID
    name: str
    email: str
    grants: tuple[tuple[Role, UUID | None], ...]
    place_id: UUID | None
    token_sha256: bytes
    door: Door
    is_strong: bool
    confirmed_at: datetime
    seen_at: datetime

    def may(self, *roles: Role) -> bool:
        """Say whether the person has one of these roles."""
        return any(role in roles for role, _ in self.grants)

    def scope(self, *roles: Role) -> UUID | None:
        """Return the scope of the first of these roles that the person has; None is the whole programme. Raises KeyError."""
        for role, scope_id in self.grants:
            if role in roles:
                return scope_id
        raise KeyError(roles)


def sign_in(database: Database, email: str, password: str, *, now: datetime, visit: Visit = NOWHERE) -> str:
    """Return a new session's token; the session waits where the person has a second factor.

    Raises Refused in the same words for an unknown address and for a wrong password, after the same statements and one hash: nobody
    learns who works here. Raises TooManyTries, for an unknown address too.
    """
    email = email.strip().lower()
    wrong = Refused("wrong_credentials", "L’adresse ou le mot de passe ne va pas. Vérifiez les deux et recommencez.")
    with database.read() as session:
        account = session.execute(
            ACCOUNT.where(StaffAccount.email == email, StaffAccount.closed_at.is_(None))
        ).one_or_none()
    account_id = account.id if account else None
    one = begin_try(database, Guess.PASSWORD, email, visit=visit, account_id=account_id, now=now)
    if not is_password(account.password_hash if account else None, password) or account is None:
        note_failure(database, account_id, now)
        raise wrong
    new_hash = at_present_cost(account.password_hash, password)
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
        was_right(session, one)
        if new_hash is not None:
            session.execute(update(StaffAccount).where(StaffAccount.id == account.id).values(password_hash=new_hash))
        stage = SessionStage.WAITING if has_second_factor(session, account.id) else SessionStage.OPEN
        token = open_session(session, account.id, now=now, door=Door.PASSWORD, stage=stage, visit=visit)
        note(session, account.id, "password_shown" if stage is SessionStage.WAITING else "signed_in", email, now)
    return token


def open_session(
    session: Session,
    account_id: UUID,
    *,
    now: datetime,
    door: Door,
    is_strong: bool = False,
    stage: SessionStage = SessionStage.OPEN,
    visit: Visit = NOWHERE,
    place_id: UUID | None = None,
    provider_hint: str = "",
    confirmed_at: datetime | None = None,
) -> str:
    """Begin a session inside the caller's transaction and return its token. Every door opens sessions here.

    `confirmed_at`: when the person proved who they are, now unless a provider says that it was earlier. The session that the browser
    held before ends, whoever's it was; an open one makes the browser known, and tells the person where it or its network is new.
    """
    # Those that another transaction is deleting are left to it: two that waited for each other would never end.
    over = select(StaffSession.token_sha256).where(StaffSession.ends_at < now).with_for_update(skip_locked=True)
    session.execute(delete(StaffSession).where(StaffSession.token_sha256.in_(over)))
    if visit.session_token:
        session.execute(delete(StaffSession).where(StaffSession.token_sha256 == token_hash(visit.session_token)))
    browser_id = None
    if stage is SessionStage.OPEN:
        browser_id = remember_browser(session, account_id, visit, now)
        # Whoever comes in keeps the account, whatever a letter said.
        used = {"used_at": now, "closing_letter_id": None}
        session.execute(update(StaffAccount).where(StaffAccount.id == account_id).values(**used))
    token = new_token()
    session.execute(
        insert(StaffSession).values(
            token_sha256=token_hash(token),
            id=new_id(),
            account_id=account_id,
            place_id=place_id,
            started_at=now,
            seen_at=now,
            ends_at=now + (STEP_DURATION if stage is SessionStage.WAITING else SESSION_DURATION),
            stage=stage,
            door=door,
            is_strong=is_strong,
            confirmed_at=confirmed_at or now,
            browser_id=browser_id,
            network=visit.network,
            agent=visit.agent,
            provider_hint=provider_hint,
        )
    )
    return token


def waiting_person(session: Session, token: str, now: datetime) -> UUID | None:
    """Return the account whose session waits for its second factor, locked, or None."""
    return session.scalar(_waiting(token, now).with_for_update(of=StaffSession))


def _waiting(token: str, now: datetime) -> Select[UUID]:
    return (
        select(StaffSession.account_id)
        .join(StaffAccount, StaffAccount.id == StaffSession.account_id)
        .where(StaffSession.token_sha256 == token_hash(token), StaffSession.stage == SessionStage.WAITING)
        .where(StaffSession.ends_at > now, StaffAccount.closed_at.is_(None))
    )


def open_waiting(session: Session, token: str, how: str, *, now: datetime, visit: Visit = NOWHERE) -> str | None:
    """End a session that waits, whose second factor was right, and return the token of the open one in its place; None where none waits.

    `how` is for the trail: which factor it was.
    """
    account_id = waiting_person(session, token, now)
    ended = delete(StaffSession).where(
        StaffSession.token_sha256 == token_hash(token), StaffSession.stage == SessionStage.WAITING
    )
    door = session.execute(ended.returning(StaffSession.door, StaffSession.provider_hint)).one_or_none()
    if account_id is None or door is None:
        return None
    note(session, account_id, "signed_in", how, now)
    return open_session(
        session, account_id, now=now, door=door.door, is_strong=True, visit=visit, provider_hint=door.provider_hint
    )


def waiting_account(database: Database, token: str, *, now: datetime) -> UUID | None:
    """Return the account whose session waits for its second factor, or None: what a page asks before it is shown."""
    with database.read() as session:
        return session.scalar(_waiting(token, now))


def confirm_now(session: Session, who: Viewer, act: str, now: datetime) -> None:
    """Note that a person has just proved again who they are, to do `act`. Raises Refused where their session has ended meanwhile."""
    fresh = update(StaffSession).where(StaffSession.token_sha256 == who.token_sha256).values(confirmed_at=now)
    if changed(session, fresh) == 0:
        raise Refused("signed_out", SIGNED_OUT)
    note(session, who.account_id, "confirmed_again", act, now)


def change_token(database: Database, viewer: Viewer) -> str:
    """Return the token that replaces a session's, which serves no more. Raises Refused where the session has just been ended."""
    token = new_token()
    with database.write() as session:
        same = update(StaffSession).where(StaffSession.token_sha256 == viewer.token_sha256)
        if changed(session, same.values(token_sha256=token_hash(token))) == 0:
            raise Refused("signed_out", SIGNED_OUT)
    return token


def take_session(session: Session, who: Viewer) -> dict[str, Any]:
    """End the session of who acts and return what the one in its place keeps: person, door, counter. Raises Refused: it has just been ended."""
    before = session.execute(
        delete(StaffSession)
        .where(StaffSession.token_sha256 == who.token_sha256, StaffSession.stage == SessionStage.OPEN)
        .returning(StaffSession.account_id, StaffSession.door, StaffSession.place_id, StaffSession.provider_hint)
    ).one_or_none()
    if before is None:
        raise Refused("signed_out", SIGNED_OUT)
    return before._asdict()


def hold_session(session: Session, who: Viewer) -> None:
    """Lock the session of who acts until the end of the transaction. Raises Refused: it has just been ended."""
    stands = select(StaffSession.id).where(StaffSession.token_sha256 == who.token_sha256)
    if session.scalar(stands.with_for_update()) is None:
        raise Refused("signed_out", SIGNED_OUT)


def renew_session(session: Session, who: Viewer, *, now: datetime, visit: Visit, is_strong: bool) -> str:
    """End every session of who acts, whose factors change, and return the token of the one that goes on in its place.

    It keeps the door and the counter. Raises Refused where theirs has just been ended.
    """
    before = take_session(session, who)
    end_all(session, who.account_id)
    return open_session(session, now=now, visit=visit, is_strong=is_strong, **before)


_VIEWER = (
    select(
        StaffAccount.id,
        StaffAccount.name,
        StaffAccount.email,
        StaffSession.place_id,
        StaffSession.seen_at,
        StaffSession.door,
        StaffSession.is_strong,
        StaffSession.confirmed_at,
        RoleGrant.role,
        RoleGrant.scope_id,
    )
    .join(StaffAccount, StaffAccount.id == StaffSession.account_id)
    .outerjoin(RoleGrant, (RoleGrant.account_id == StaffAccount.id) & holds_on(bindparam("today", type_=Date)))
    .where(StaffSession.token_sha256 == bindparam("token_sha256"), StaffSession.ends_at > bindparam("now"))
    .where(StaffSession.stage == SessionStage.OPEN, StaffAccount.closed_at.is_(None))
    .order_by(RoleGrant.granted_at)
)


def viewer_of(database: Database, token: str, *, now: datetime, idle: IdleLimits = USUAL_IDLE_LIMITS) -> Viewer | None:
    """Return the person of a session that is still good, or None. Whoever opens a page for them calls `note_seen`."""
    hashed = token_hash(token)
    with database.ask() as connection:
        rows = connection.execute(_VIEWER, {"token_sha256": hashed, "now": now, "today": paris_day(now)}).all()
    if not rows:
        return None
    first = rows[0]
    grants = tuple((row.role, row.scope_id) for row in rows if row.role is not None)
    if now - first.seen_at > idle_limit((role for role, _ in grants), idle):
        return None
    return Viewer(
        account_id=first.id,
        name=first.name,
        email=first.email,
        grants=grants,
        place_id=first.place_id,
        token_sha256=hashed,
        door=first.door,
        is_strong=first.is_strong,
        confirmed_at=first.confirmed_at,
        seen_at=first.seen_at,
    )


def note_seen(database: Database, viewer: Viewer, now: datetime) -> None:
    """Note that a person has opened a page now."""
    if now - viewer.seen_at > SEEN_EVERY:
        with database.write() as session:
            session.execute(
                update(StaffSession).where(StaffSession.token_sha256 == viewer.token_sha256).values(seen_at=now)
            )


def sign_out(database: Database, viewer: Viewer, *, now: datetime) -> str:
    """End one session; return what its identity provider asks for to end its own, empty for one that a provider did not open."""
    with database.write() as session:
        ended = delete(StaffSession).where(StaffSession.token_sha256 == viewer.token_sha256)
        hint = session.scalar(ended.returning(StaffSession.provider_hint))
        note(session, viewer.account_id, "signed_out", "", now)
    return hint or ""


def end_all(session: Session, account_id: UUID, but: bytes = b"") -> int:
    """End the sessions of a person inside the caller's transaction, those that wait too, but one by the hash of its token; count them."""
    return changed(
        session,
        delete(StaffSession).where(StaffSession.account_id == account_id, StaffSession.token_sha256 != but),
    )


def choose_place(database: Database, viewer: Viewer, place_id: UUID) -> None:
    """Remember at which counter a mediator stands, for this session. The caller checks that the place is theirs."""
    with database.write() as session:
        session.execute(
            update(StaffSession).where(StaffSession.token_sha256 == viewer.token_sha256).values(place_id=place_id)
        )
