"""Browsers and networks that a person signed in from before; what they are told of a new one; one session for a browser."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.clients import PASSWORD, a_person
from voucher.access import accounts, sessions
from voucher.access.browsers import BROWSER_LIVES
from voucher.access.model import StaffBrowser, StaffNetwork, StaffSession
from voucher.access.rules import Door, Role
from voucher.access.tokens import new_token, token_hash
from voucher.access.visits import Visit
from voucher.kernel.database import Database
from voucher.mail.model import OutboxMessage
from voucher.web.visit import agent_in_words, network_of

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
EMAIL = "lea@lieu.example"
FIREFOX = "Firefox sur Windows"


def after(
    visit: Visit | None = None, network: str = "203.0.x.x", agent: str = FIREFOX, session_token: str = ""
) -> Visit:
    """Return a visit of the browser of another visit, or of a new one."""
    held = visit.new_browser_token if visit else ""
    return Visit(
        browser_token=held, new_browser_token=new_token(), session_token=session_token, network=network, agent=agent
    )


def sign_in(database: Database, visit: Visit, at: datetime = NOW, email: str = EMAIL) -> str:
    return sessions.sign_in(database, email, PASSWORD, now=at, visit=visit)


def told(database: Database) -> Sequence[str]:
    with database.read() as session:
        return session.scalars(select(OutboxMessage.body).order_by(OutboxMessage.id)).all()


def browsers(database: Database) -> dict[UUID, tuple[bytes, bytes | None]]:
    with database.read() as session:
        rows = session.execute(select(StaffBrowser.id, StaffBrowser.token_sha256, StaffBrowser.previous_sha256)).all()
    return {row.id: (row.token_sha256, row.previous_sha256) for row in rows}


def test_a_new_browser_and_a_new_network_are_told_once_each(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    first = after()
    sign_in(database, first)
    assert len(told(database)) == 1
    assert "avec Firefox sur Windows, depuis un nouveau réseau (203.0.x.x)" in told(database)[0]
    second = after(first)
    sign_in(database, second)
    at_home = after(second, network="90.12.x.x")
    sign_in(database, at_home)
    assert "depuis un nouveau réseau (90.12.x.x)" in told(database)[1]
    back = after(at_home)
    sign_in(database, back)
    sign_in(database, after(back, network="90.12.x.x"))
    # A browser that forgets its cookies, where it was seen before: a letter would not name it otherwise.
    sign_in(database, after(network="90.12.x.x"))
    assert len(told(database)) == 2
    sign_in(database, after(agent="Chrome sur Android"))
    assert "avec Chrome sur Android, depuis un réseau déjà connu (203.0.x.x)" in told(database)[2]
    assert len(told(database)) == 3
    with database.read() as session:
        rows = session.execute(select(OutboxMessage.recipient, OutboxMessage.path)).all()
    assert {tuple(row) for row in rows} == {(EMAIL, "/mon-compte/connexions")}


def test_a_browser_has_another_token_after_each_sign_in_and_the_one_before_serves_once_more(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    first = after()
    sign_in(database, first)
    # Two tabs sign in at once: both hold the first token.
    one, other = after(first), after(first)
    sign_in(database, one)
    sign_in(database, other)
    assert list(browsers(database).values()) == [
        (token_hash(other.new_browser_token), token_hash(first.new_browser_token))
    ]
    sign_in(database, after(other))
    # A copy of the first token is a stranger's now.
    sign_in(database, after(first, agent="Chrome sur Linux"))
    assert len(browsers(database)) == 2
    assert "Chrome sur Linux" in told(database)[-1]


def test_two_people_at_one_browser_keep_it_both(database: Database) -> None:
    for email in (EMAIL, "marc@lieu.example"):
        a_person(database, Role.AUDITOR, now=NOW, email=email)
    visit = None
    for email in (EMAIL, "marc@lieu.example", EMAIL, "marc@lieu.example"):
        visit = after(visit)
        sign_in(database, visit, email=email)
    assert visit is not None
    assert len(browsers(database)) == 2
    assert {token for token, _ in browsers(database).values()} == {token_hash(visit.new_browser_token)}
    assert len(told(database)) == 2


def test_a_browser_not_seen_for_long_is_forgotten(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    first = after()
    sign_in(database, first)
    sign_in(database, after(first), NOW + BROWSER_LIVES + timedelta(days=1))
    assert len(browsers(database)) == 1
    assert len(told(database)) == 2
    with database.read() as session:
        assert len(session.scalars(select(StaffNetwork.network)).all()) == 1


def test_a_sign_in_ends_the_session_that_the_browser_held_whoever_s_it_was(database: Database) -> None:
    for email in (EMAIL, "marc@lieu.example"):
        a_person(database, Role.AUDITOR, now=NOW, email=email)
    first = after()
    old = sign_in(database, first)
    elsewhere = sign_in(database, after())
    new = sign_in(database, after(first, session_token=old), email="marc@lieu.example")
    assert new != old
    assert [sessions.viewer_of(database, one, now=NOW) is None for one in (old, elsewhere, new)] == [True, False, False]


def test_a_changed_password_keeps_this_browser_and_forgets_the_others(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    mine, thief = after(), after(agent="Chrome sur Linux")
    who = sessions.viewer_of(database, sign_in(database, mine), now=NOW)
    sign_in(database, thief)
    assert who is not None
    assert len(told(database)) == 2
    accounts.change_password(database, who, PASSWORD, "cinq autres mots très longs", now=NOW, visit=after(mine))
    assert len(browsers(database)) == 1
    assert len(told(database)) == 3
    assert "Vous avez changé votre mot de passe" in told(database)[2]


def test_a_token_opens_only_what_it_was_made_for(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    first = after()
    token = sign_in(database, first)
    assert sessions.viewer_of(database, token, now=NOW) is not None
    # A browser's token is no session, nor is what the database holds; a session's makes no browser known.
    assert sessions.viewer_of(database, first.new_browser_token, now=NOW) is None
    assert sessions.viewer_of(database, token_hash(token).hex(), now=NOW) is None
    sign_in(database, Visit(browser_token=token, new_browser_token=new_token(), network="203.0.x.x", agent="Chrome"))
    assert len(browsers(database)) == 2
    with database.write() as session:
        account_id = session.scalar(select(StaffSession.account_id))
        assert account_id is not None
        waiting = sessions.open_session(
            session, account_id, now=NOW, door=Door.PASSWORD, stage=sessions.SessionStage.WAITING, visit=after()
        )
    assert sessions.viewer_of(database, waiting, now=NOW) is None
    # What waits makes no browser known: only one factor was shown.
    assert len(browsers(database)) == 2


@pytest.mark.parametrize(
    "address, network",
    [("203.0.113.9", "203.0.x.x"), ("2001:db8:1:2::/64", "2001:db8:x"), ("::1", "0:0:x"), ("", "un réseau inconnu")],
)
def test_a_network_is_kept_without_what_names_one_machine(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    "text, words",
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0", FIREFOX),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"
                " Mobile/15E148 Safari/604.1"
            ),
            "Safari sur iOS",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
            "Safari sur macOS",
        ),
        ("", "un navigateur inconnu"),
        (
            "Mozilla/5.0 (compatible; Ecrivez a: aide.exemple bot/1.0; +https://exemple.example)",
            "un navigateur inconnu",
        ),
        ("\n\r<script>" * 9_000, "un navigateur inconnu"),
    ],
)
def test_a_browser_is_named_in_words(text: str, words: str) -> None:
    assert agent_in_words(text) == words
