"""One-time links: a person chooses a password with one, so that nobody ever sets somebody else's (ADR 20).

The outbox holds which link to make. Its token is made when the message is sent (`make_path`), its SHA-256 committed before
the message leaves; a second sending makes a second token, and the first use of any ends them all. Who asked for a link
never sees it: it goes to the account's own address, or is printed by a command on the host.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, func, insert, select, update
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.browsers import forget_browsers, remember_browser
from voucher.access.factors.held import does_provider_open, end_factors, has_second_factor
from voucher.access.find import (
    NOBODY_THERE,
    counts_among_two,
    locked_account,
    locked_account_at,
    locked_open_account,
)
from voucher.access.letters import send_link, write_to_person
from voucher.access.model import AccountLink, LinkSecret, ProviderIdentity, StaffAccount
from voucher.access.passwords import hash_password
from voucher.access.rules import LINK_LIVES, RESETS_ASKED_MAX, LinkEnd, LinkPurpose, Origin
from voucher.access.sessions import NOWHERE, Visit, end_all
from voucher.access.strength import password_weakness
from voucher.access.tokens import new_token, token_hash
from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused

LINK_FOLDER = "/personnes/lien"
LINK_ENDED = (
    "Il a déjà servi, a été annulé, ou date de trop longtemps. Demandez-en un autre avec « Mot de passe oublié », ou à la"
    " personne qui gère le programme."
)
"""What is said of a link that serves no more, and of one that never was."""


@dataclass(frozen=True, slots=True)
class OpenLink:
    """What the page of a link that is still good says."""

    name: str
    email: str
    purpose: LinkPurpose
    ends_at: datetime
    may_link_provider: bool


def ask_link(database: Database, account_id: UUID, *, by: UUID, now: datetime) -> LinkPurpose:
    """Send a link to a person: an invitation where no password was chosen yet, else a reset. Raises Refused when closed."""
    with database.write() as session:
        account = locked_open_account(session, account_id)
        purpose = queue_link(session, account, Origin.OFFICE, by, now)
        note(session, by, f"{purpose}_asked", account.email, now)
    return purpose


def ask_forgotten(database: Database, email: str, *, now: datetime) -> None:
    """Mot de passe oublié: send a link to the account of this address, if there is one; nothing says whether there is.

    Whatever the address, one line of the trail is written and committed; the page answers after a time that tells nothing.
    """
    with database.write() as session:
        account = locked_account_at(session, email)
        if account is not None and _may_ask_again(session, account.id, now):
            queue_link(session, account, Origin.PERSON, None, now)
            note(session, account.id, "password_forgotten", account.email, now)
        else:
            # An address that is nobody's here is not kept.
            note(session, account.id if account else None, "password_forgotten", "sans suite", now)


def print_link(database: Database, email: str, *, now: datetime) -> str:
    """Make a link for whoever runs the host, and return its path: the way without an SMTP server. Raises Refused.

    The person is told: a link that they did not ask for does not stay hidden from them.
    """
    with database.write() as session:
        account = locked_account_at(session, email)
        if account is None:
            raise Refused("unknown_account", NOBODY_THERE)
        link_id, purpose = _insert_link(session, account, Origin.HOST, None, now)
        token = _make_token(session, link_id, purpose, now)
        line_id = note(session, None, "link_printed", account.email, now)
        sentence = f"Un lien pour choisir votre mot de passe a été affiché sur le serveur, le {french_instant(now)}."
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="un lien a été fait pour votre compte",
            sentence=sentence,
            now=now,
        )
    return f"{LINK_FOLDER}/{token}"


def cancel_links(database: Database, account_id: UUID, *, by: UUID, now: datetime) -> int:
    """End every link of an account that still serves, and return how many did."""
    with database.write() as session:
        locked_account(session, account_id)
        count = end_links(session, account_id, LinkEnd.CANCELLED, now)
        if count:
            note(session, by, "links_cancelled", str(account_id), now)
    return count


def make_path(database: Database, link_id: UUID, recipient: str, now: datetime) -> str | None:
    """Make a token for a message that is about to leave and return its page's path; None when the link is not wanted any more.

    Committed here, before the message leaves: what a person receives is known to us, whatever happens to the sender. The
    message goes to the address that the account has now, or nowhere.
    """
    with database.write() as session:
        row = session.execute(
            select(AccountLink.account_id, AccountLink.purpose, AccountLink.asked_at).where(AccountLink.id == link_id)
        ).one_or_none()
        if row is None or now > row.asked_at + LINK_LIVES[row.purpose]:
            return None
        locked_account(session, row.account_id)
        is_wanted = session.scalar(
            select(AccountLink.id)
            .join(StaffAccount, StaffAccount.id == AccountLink.account_id)
            .where(AccountLink.id == link_id, AccountLink.ended_at.is_(None))
            .where(StaffAccount.closed_at.is_(None), StaffAccount.email == recipient)
        )
        if is_wanted is None:
            return None
        token = _make_token(session, link_id, row.purpose, now)
    return f"{LINK_FOLDER}/{token}"


def open_link(database: Database, token: str, *, now: datetime) -> OpenLink | None:
    """Return what a link's page says, or None where it serves no more. It reads only: what looks at mail may follow links."""
    with database.read() as session:
        row = live_link(session, token_hash(token), now)
        if row is None:
            return None
        return OpenLink(row.name, row.email, row.purpose, row.ends_at, may_link_provider(session, row))


def use_link(
    database: Database, token: str, wanted: str, *, now: datetime, programme_name: str = "", visit: Visit = NOWHERE
) -> None:
    """Choose a password with a link, once. Raises Refused: the link serves no more, the password is weak (the link then serves still).

    The browser is known from now on, and the others are not: whatever strangers try, who reads the account's mail comes in.
    """
    with database.read() as session:
        row = live_link(session, token_hash(token), now)
    if row is None:
        raise Refused("link_ended", LINK_ENDED)
    if weakness := password_weakness(wanted, row.email, row.name, programme_name):
        raise Refused("weak_password", weakness, "wanted")
    password_hash = hash_password(wanted)  # slow on purpose: nobody waits for it with the writer's turn
    with database.write() as session:
        locked_account(session, row.account_id)
        serve_link(session, row.link_id, now)
        put_password(session, row.account_id, password_hash, now)
        remember_browser(session, row.account_id, visit, now, is_told=False)
        line_id = note(session, row.account_id, "password_chosen", row.email, now)
        sentence = f"Votre mot de passe a été choisi avec un lien, le {french_instant(now)}. Vos connexions ouvertes sont fermées."
        write_to_person(
            session,
            email=row.email,
            name=row.name,
            about_id=line_id,
            subject="votre mot de passe a changé",
            sentence=sentence,
            now=now,
        )


def may_link_provider(session: Session, link: Row[*tuple[Any, ...]]) -> bool:
    """Say whether a link may let an identity provider open its account.

    Not one that its person asked alone: whoever reads the mailbox asks it. Not where a second factor stands: the provider's word
    would do without it, and taking a second factor off takes two people. Nor in place of the identity of who counts among two, which
    may be that person's second factor.
    """
    account_id = link.account_id
    if link.asked_from is Origin.PERSON or has_second_factor(session, account_id):
        return False
    return not (counts_among_two(session, account_id) and does_provider_open(session, account_id))


def serve_link(session: Session, link_id: UUID, now: datetime) -> None:
    """Use a link, once: of many at once, one does. Raises Refused."""
    use = update(AccountLink).where(AccountLink.id == link_id, AccountLink.ended_at.is_(None))
    if changed(session, use.values(ended_at=now, ended_how=LinkEnd.USED)) == 0:
        raise Refused("link_ended", LINK_ENDED)


def put_password(
    session: Session, account_id: UUID, password_hash: str, now: datetime, but: UUID | None = None
) -> None:
    """Store a new password's hash, and end its person's sessions and links: the old one opens nothing any more, nor does what it
    had opened. Browsers are forgotten, `but` one: where the old password was somebody else's too, theirs is a stranger's again.
    """
    session.execute(update(StaffAccount).where(StaffAccount.id == account_id).values(password_hash=password_hash))
    end_all(session, account_id)
    forget_browsers(session, account_id, but)
    end_links(session, account_id, LinkEnd.CANCELLED, now)


def is_password_own(session: Session, account_id: UUID) -> bool:
    """Say whether a link was used: before links, somebody of the programme set the password, and may know it."""
    linking = exists().where(ProviderIdentity.link_id == AccountLink.id)  # it chose no password
    used = exists().where(AccountLink.account_id == account_id, AccountLink.ended_how == LinkEnd.USED, ~linking)
    return bool(session.scalar(select(used)))


def end_password(session: Session, account_id: UUID, now: datetime) -> None:
    """Forget a password, end the passkeys and the other factors that whoever knew it could add, and the sessions: only a link opens
    the account now.
    """
    session.execute(update(StaffAccount).where(StaffAccount.id == account_id).values(password_hash=None))
    end_factors(session, account_id, now)
    end_all(session, account_id)


def queue_link(
    session: Session, account: Row[*tuple[Any, ...]], asked_from: Origin, by: UUID | None, now: datetime
) -> LinkPurpose:
    """Note that a link is asked for an account's row, and put its message into the outbox."""
    link_id, purpose = _insert_link(session, account, asked_from, by, now)
    send_link(session, link_id, purpose=purpose, asked_from=asked_from, email=account.email, name=account.name, now=now)
    return purpose


def end_links(session: Session, account_id: UUID, how: LinkEnd, now: datetime) -> int:
    """End every link of an account that still serves."""
    return changed(
        session,
        update(AccountLink)
        .where(AccountLink.account_id == account_id, AccountLink.ended_at.is_(None))
        .values(ended_at=now, ended_how=how),
    )


def _may_ask_again(session: Session, account_id: UUID, now: datetime) -> bool:
    recent = session.scalar(
        select(func.count())
        .select_from(AccountLink)
        .where(AccountLink.account_id == account_id, AccountLink.asked_from == Origin.PERSON)
        .where(AccountLink.asked_at > now - LINK_LIVES[LinkPurpose.RESET])
    )
    return (recent or 0) < RESETS_ASKED_MAX


def _insert_link(
    session: Session, account: Row[*tuple[Any, ...]], asked_from: Origin, by: UUID | None, now: datetime
) -> tuple[UUID, LinkPurpose]:
    link_id = new_id()
    purpose = LinkPurpose.RESET if account.has_way_in else LinkPurpose.INVITATION
    session.execute(
        insert(AccountLink).values(
            id=link_id, account_id=account.id, purpose=purpose, asked_from=asked_from, asked_by=by, asked_at=now
        )
    )
    return link_id, purpose


def _make_token(session: Session, link_id: UUID, purpose: LinkPurpose, now: datetime) -> str:
    token = new_token()
    session.execute(
        insert(LinkSecret).values(
            token_sha256=token_hash(token), link_id=link_id, made_at=now, ends_at=now + LINK_LIVES[purpose]
        )
    )
    return token


def live_link(session: Session, token_sha256: bytes, now: datetime) -> Row[*tuple[Any, ...]] | None:
    """Return the link that a token opens, with its account's address and name, or None where it serves no more."""
    return session.execute(
        select(
            AccountLink.id.label("link_id"),
            AccountLink.account_id,
            AccountLink.purpose,
            AccountLink.asked_from,
            StaffAccount.email,
            StaffAccount.name,
            LinkSecret.ends_at,
        )
        .join(AccountLink, AccountLink.id == LinkSecret.link_id)
        .join(StaffAccount, StaffAccount.id == AccountLink.account_id)
        .where(LinkSecret.token_sha256 == token_sha256, LinkSecret.ends_at > now)
        .where(AccountLink.ended_at.is_(None), StaffAccount.closed_at.is_(None))
    ).one_or_none()
