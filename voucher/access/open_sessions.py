"""Sessions that are open, as their person sees them: from where, since when; ended one by one, or all.

A session that somebody ends takes its browser along: whoever signs in with it again is a stranger, and the person is told.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select

from voucher.access.audit import note
from voucher.access.browsers import forget_browsers
from voucher.access.find import locked_account
from voucher.access.grants import holds_on
from voucher.access.letters import write_to_person
from voucher.access.model import RoleGrant, StaffBrowser, StaffSession
from voucher.access.rules import Door, SessionStage, idle_limit
from voucher.access.sessions import Viewer, end_all
from voucher.access.words import DOOR_WORDS
from voucher.kernel.calendar import french_instant, paris_day
from voucher.kernel.database import Database
from voucher.kernel.idle_limits import IdleLimits
from voucher.kernel.refusals import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session that shows pages. `is_this`: it is the one that asks."""

    id: UUID
    agent: str
    network: str
    door: Door
    is_strong: bool
    started_at: datetime
    seen_at: datetime
    is_this: bool

    @property
    def way(self) -> str:
        """How it was opened, in words."""
        second = " et une deuxième preuve" if self.is_strong and self.door is Door.PASSWORD else ""
        return DOOR_WORDS[self.door] + second


def open_sessions(
    database: Database, account_id: UUID, *, idle: IdleLimits, now: datetime, this: bytes = b""
) -> list[OpenSession]:
    """Return the sessions of a person that are good now, the last seen first; `this` is the hash of the token that asks."""
    with database.read() as session:
        roles = session.scalars(
            select(RoleGrant.role).where(RoleGrant.account_id == account_id, holds_on(paris_day(now)))
        ).all()
        rows = session.execute(
            select(
                StaffSession.id,
                StaffSession.agent,
                StaffSession.network,
                StaffSession.door,
                StaffSession.is_strong,
                StaffSession.started_at,
                StaffSession.seen_at,
                (StaffSession.token_sha256 == this).label("is_this"),
            )
            .where(StaffSession.account_id == account_id, StaffSession.stage == SessionStage.OPEN)
            .where(StaffSession.ends_at > now, StaffSession.seen_at >= now - idle_limit(roles, idle))
            .order_by(StaffSession.seen_at.desc(), StaffSession.id)
        ).all()
    return [OpenSession(**row._asdict()) for row in rows]


def end_session(database: Database, viewer: Viewer, session_id: UUID, *, now: datetime) -> None:
    """End another session of one's own. Raises Refused where there is none: it has just ended, or is somebody else's."""
    with database.write() as session:
        locked_account(session, viewer.account_id)  # no sign-in finds the browser known, and then forgotten
        ended = session.execute(
            delete(StaffSession)
            .where(StaffSession.id == session_id, StaffSession.account_id == viewer.account_id)
            .where(StaffSession.token_sha256 != viewer.token_sha256)
            .returning(StaffSession.browser_id, StaffSession.agent, StaffSession.network)
        ).one_or_none()
        if ended is None:
            raise Refused("session_ended", "Cette connexion est déjà fermée. Rien d’autre n’a changé.")
        others = select(StaffSession.browser_id).where(StaffSession.browser_id == ended.browser_id)
        session.execute(delete(StaffBrowser).where(StaffBrowser.id == ended.browser_id, ~others.exists()))
        note(session, viewer.account_id, "session_ended", f"{ended.agent}, {ended.network}", now)


def end_other_sessions(database: Database, viewer: Viewer, *, now: datetime) -> int:
    """End every session of one's own but this one, and return how many there were."""
    with database.write() as session:
        locked_account(session, viewer.account_id)
        mine = session.scalar(select(StaffSession.browser_id).where(StaffSession.token_sha256 == viewer.token_sha256))
        count = end_all(session, viewer.account_id, but=viewer.token_sha256)
        forget_browsers(session, viewer.account_id, mine)
        note(session, viewer.account_id, "sessions_ended", "les siennes, sauf une", now)
    return count


def end_sessions_of(database: Database, account_id: UUID, *, by: UUID, now: datetime) -> int:
    """End every session of a person, who is told, and return how many there were. Raises Refused for an account that is not there."""
    with database.write() as session:
        account = locked_account(session, account_id)
        count = end_all(session, account_id)
        if count == 0:
            return 0
        forget_browsers(session, account_id)
        line_id = note(session, by, "sessions_ended", account.email, now)
        sentence = (
            f"La personne qui gère le programme a fermé vos connexions le {french_instant(now)}. Reconnectez-vous."
        )
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="vos connexions sont fermées",
            sentence=sentence,
            now=now,
        )
    return count
