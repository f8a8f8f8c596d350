"""Browsers and networks from which a person signed in before.

A browser holds a random token for years, another one after each sign-in; only its SHA-256 stands here. It opens nothing: it tells
a person's browser from a stranger's, whose tries are slowed down (`tries`). The person is told of a browser, or a network, that
signs in for the first time, once for each: as the letter would name them, so that a browser which forgets its cookies is not told
each morning.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.find import locked_account
from voucher.access.letters import write_to_person
from voucher.access.model import StaffBrowser, StaffNetwork
from voucher.access.tokens import token_hash
from voucher.access.visits import Visit
from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import new_id

BROWSER_LIVES = timedelta(days=400)
"""How long a browser and a network that are not seen again are remembered; no browser keeps a cookie longer."""

SESSIONS_PATH = "/mon-compte/connexions"
_NOBODY = UUID(int=0)


def known_browser(session: Session, account_id: UUID | None, visit: Visit) -> UUID | None:
    """Return the browser of a visit, where this person signed in with it before; asked alike where there is no account."""
    if not visit.browser_token:
        return None
    return session.scalar(
        select(StaffBrowser.id).where(StaffBrowser.account_id == (account_id or _NOBODY), _holds(visit.browser_token))
    )


def remember_browser(
    session: Session, account_id: UUID, visit: Visit, now: datetime, *, is_told: bool = True
) -> UUID | None:
    """Remember the browser and the network of a sign-in, inside the caller's transaction, and return the browser's id.

    The browser has its new token from now on, for everybody who signs in with it; the one before serves as long as the browser may
    not have received the new one. `is_told` False: another letter tells of it. None where no browser asked.
    """
    if not visit.new_browser_token:
        return None
    account = locked_account(session, account_id)
    _forget_old(session, account_id, now)
    browser_id = known_browser(session, account_id, visit)
    has_one_alike = session.scalar(
        select(
            exists().where(
                StaffBrowser.account_id == account_id,
                StaffBrowser.agent == visit.agent,
                StaffBrowser.network == visit.network,
            )
        )
    )
    if visit.browser_token:
        session.execute(
            update(StaffBrowser)
            .where(_holds(visit.browser_token))
            .values(token_sha256=token_hash(visit.new_browser_token), previous_sha256=token_hash(visit.browser_token))
            .execution_options(synchronize_session=False)
        )
    seen = {"network": visit.network, "agent": visit.agent, "last_seen_at": now}
    if browser_id is None:
        is_new_browser, browser_id = not has_one_alike, new_id()
        session.execute(
            insert(StaffBrowser).values(
                id=browser_id,
                account_id=account_id,
                token_sha256=token_hash(visit.new_browser_token),
                first_seen_at=now,
                **seen,
            )
        )
    else:
        is_new_browser = False
        session.execute(update(StaffBrowser).where(StaffBrowser.id == browser_id).values(**seen))
    is_new_network = _remember_network(session, account_id, visit.network, now)
    if is_told and (is_new_browser or is_new_network):
        line_id = note(session, account_id, "new_browser" if is_new_browser else "new_network", account.email, now)
        where = "un nouveau réseau" if is_new_network else "un réseau déjà connu"
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="une nouvelle connexion à votre compte",
            sentence=f"Une connexion à votre compte a été ouverte le {french_instant(now)}, avec {visit.agent}, depuis {where} ({visit.network})."
            " Si c’est vous, vous n’avez rien à faire. Sinon, fermez cette connexion avec le lien ci-dessous, puis changez votre"
            " mot de passe.",
            now=now,
            path=SESSIONS_PATH,
        )
    return browser_id


def is_remembered(database: Database, visit: Visit) -> bool:
    """Say whether a visit made its browser known: it is then to be given its new token."""
    with database.ask() as connection:
        held = exists().where(StaffBrowser.token_sha256 == token_hash(visit.new_browser_token))
        return bool(visit.new_browser_token and connection.scalar(select(held)))


def forget_browsers(session: Session, account_id: UUID, but: UUID | None = None) -> None:
    """Forget the browsers of a person, but one: whoever signs in with the others is a stranger again. Their sessions have ended."""
    theirs = StaffBrowser.account_id == account_id
    session.execute(delete(StaffBrowser).where(theirs, StaffBrowser.id != (but or _NOBODY)))


def forget_places(session: Session, account_id: UUID) -> None:
    """Forget the browsers and the networks of a person who has left. Their sessions have ended."""
    forget_browsers(session, account_id)
    session.execute(delete(StaffNetwork).where(StaffNetwork.account_id == account_id))


def _holds(token: str) -> ColumnElement[bool]:
    hashed = token_hash(token)
    return or_(StaffBrowser.token_sha256 == hashed, StaffBrowser.previous_sha256 == hashed)


def _remember_network(session: Session, account_id: UUID, network: str, now: datetime) -> bool:
    """Note when a network was seen last, and say whether it is the first time."""
    seen = update(StaffNetwork).where(StaffNetwork.account_id == account_id, StaffNetwork.network == network)
    if changed(session, seen.values(last_seen_at=now)):
        return False
    session.execute(
        insert(StaffNetwork).values(account_id=account_id, network=network, first_seen_at=now, last_seen_at=now)
    )
    return True


def _forget_old(session: Session, account_id: UUID, now: datetime) -> None:
    for table in (StaffBrowser, StaffNetwork):
        session.execute(delete(table).where(table.account_id == account_id, table.last_seen_at < now - BROWSER_LIVES))
