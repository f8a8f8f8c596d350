"""Passwords tried: each wrong one makes the next wait, longer and longer; nobody is locked out by another."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher
from sqlalchemy import event, func, select, update

from tests.at_once import at_once
from tests.clients import PASSWORD, a_person
from voucher.access import accounts, confirm, links, passwords, sessions, steps
from voucher.access.model import StaffAccount, StaffSession
from voucher.access.rules import Role, StepPurpose
from voucher.access.tokens import new_token
from voucher.access.tries import ACCOUNT_WAITS, ADDRESS_FREE_COUNT, TooManyTries
from voucher.access.visits import Visit
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.kernel.tries import GrowingDelay, TryCount, forget_ended
from voucher.trail.model import AuditLine

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
EMAIL, NOBODY = "lea@lieu.example", "personne@lieu.example"
WANTED = "cinq autres mots très longs"


def a_visit(address: str = "203.0.113.1", browser_token: str = "") -> Visit:
    return Visit(
        browser_token=browser_token,
        new_browser_token=new_token(),
        address=address,
        network="203.0.x.x",
        agent="Firefox",
    )


def said(
    database: Database, password: str, at: datetime = NOW, *, email: str = EMAIL, visit: Visit | None = None
) -> str:
    """Try to sign in; return « in » or the code of the refusal."""
    try:
        sessions.sign_in(database, email, password, now=at, visit=visit or a_visit())
    except Refused as refused:
        return refused.code
    return "in"


def known_browser(database: Database, at: datetime = NOW) -> Visit:
    """Sign in, and return the next visit of the same browser."""
    first = a_visit()
    sessions.sign_in(database, EMAIL, PASSWORD, now=at, visit=first)
    return a_visit(browser_token=first.new_browser_token)


def test_each_wrong_password_makes_the_next_try_wait_longer_and_time_alone_opens_again(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    at = NOW
    for wait in (*ACCOUNT_WAITS, ACCOUNT_WAITS[-1]):
        assert said(database, "not this one", at) == "wrong_credentials"
        if wait:
            # What comes too early is not looked at, nor counted: it makes nobody wait longer.
            assert said(database, PASSWORD, at + wait - timedelta(seconds=1)) == "too_many_tries"
            with pytest.raises(TooManyTries) as early:
                sessions.sign_in(database, EMAIL, PASSWORD, now=at, visit=a_visit("198.51.100.1"))
            assert early.value.seconds == wait.total_seconds()
        at += wait
    assert "Attendez 90\u00a0minutes" in early.value.sentence
    assert said(database, PASSWORD, at) == "in"
    assert [said(database, "not this one", at), said(database, PASSWORD, at)] == ["wrong_credentials", "in"]


def test_strangers_have_25_tries_of_an_account_in_a_day_and_more_than_a_minute_after_five() -> None:
    # CNIL 2022-100, case 2; whoever tries does so at the first moment.
    at, count = timedelta(), 0
    while at < timedelta(days=1):
        at, count = at + ACCOUNT_WAITS[min(count, len(ACCOUNT_WAITS) - 1)], count + 1
    assert count <= 25
    assert ACCOUNT_WAITS[4] > timedelta(minutes=1)
    assert list(ACCOUNT_WAITS) == sorted(ACCOUNT_WAITS)


def test_a_browser_that_signed_in_before_passes_whatever_strangers_try(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    mine = known_browser(database)
    for _ in range(30):
        said(database, "not this one")
    assert said(database, PASSWORD) == "too_many_tries"
    assert said(database, PASSWORD, visit=mine) == "in"
    # It has a count of its own, and another person's account is not its own.
    mine = replace(mine, browser_token=mine.new_browser_token)
    other = a_person(database, Role.AUDITOR, now=NOW, email="marc@lieu.example")
    assert other
    for email, free in ((EMAIL, 2), ("marc@lieu.example", 2)):
        codes = [said(database, "not this one", email=email, visit=mine) for _ in range(4)]
        assert codes == ["wrong_credentials"] * free + ["too_many_tries"] * (4 - free), email
    assert said(database, PASSWORD, NOW + timedelta(seconds=1), visit=mine) == "in"


def test_a_link_opens_to_its_browser_whatever_strangers_try(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    thief = known_browser(database)
    for _ in range(9):
        said(database, "not this one")
    token, mine = links.print_link(database, EMAIL, now=NOW).rpartition("/")[2], a_visit()
    links.use_link(database, token, WANTED, now=NOW, visit=mine)
    assert said(database, WANTED) == "too_many_tries"
    assert said(database, WANTED, visit=a_visit(browser_token=mine.new_browser_token)) == "in"
    # Whoever knew the old password is a stranger again.
    assert said(database, WANTED, visit=thief) == "too_many_tries"


def test_one_address_does_not_try_the_accounts_of_all_and_an_office_may_mistype(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    tried = {said(database, "not this one", email=f"{rank}@lieu.example") for rank in range(ADDRESS_FREE_COUNT - 1)}
    assert tried == {"wrong_credentials"}
    # A right one counts nowhere, and gives nothing back but itself.
    assert [said(database, PASSWORD) for _ in range(3)] == ["in"] * 3
    assert said(database, "not this one", email="autre@lieu.example") == "wrong_credentials"
    assert said(database, PASSWORD) == "too_many_tries"
    assert said(database, PASSWORD, visit=a_visit("198.51.100.7")) == "in"
    assert said(database, PASSWORD, NOW + timedelta(seconds=1)) == "in"


@pytest.mark.race
def test_tries_sent_together_are_all_counted_and_no_more_pass_than_may(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    strangers = [a_visit(f"198.51.100.{rank}") for rank in range(6)]
    codes = at_once(*(partial(said, database, "not this one", visit=stranger) for stranger in strangers))
    assert sorted(codes) == ["too_many_tries"] * 4 + ["wrong_credentials"] * 2


def test_a_screen_left_open_does_not_let_one_guess_its_password_nor_closes_the_sign_in(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    who = sessions.viewer_of(database, sessions.sign_in(database, EMAIL, PASSWORD, now=NOW), now=NOW)
    assert who is not None
    acts: tuple[Callable[[str], object], ...] = (
        lambda typed: accounts.change_password(database, who, typed, WANTED, now=NOW),
        lambda typed: confirm.confirm_password(database, who, typed, "voir", now=NOW),
    )
    for act in acts:
        with pytest.raises(Refused, match="wrong_password"):
            act("not this one")
    for act in acts:
        with pytest.raises(TooManyTries):
            act(PASSWORD)
    assert said(database, PASSWORD) == "in"
    confirm.confirm_password(database, who, PASSWORD, "voir", now=NOW + timedelta(minutes=1))


@contextmanager
def counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Note each statement, and each password compared, while the block runs."""
    done: list[str] = []
    real = passwords.hasher.verify

    def verify(*given: str) -> bool:
        done.append("hash")
        return real(*given)

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        done.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    monkeypatch.setattr(passwords, "hasher", SimpleNamespace(verify=verify))
    yield done
    monkeypatch.undo()
    event.remove(database.engine, "before_cursor_execute", note)


def test_whoever_is_asked_the_same_statements_run_and_one_hash(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    closed = a_person(database, Role.AUDITOR, now=NOW, email="close@lieu.example")
    invited = a_person(database, Role.AUDITOR, now=NOW, email="invite@lieu.example")
    with database.write() as session:
        session.execute(update(StaffAccount).where(StaffAccount.id == closed).values(closed_at=NOW))
        session.execute(update(StaffAccount).where(StaffAccount.id == invited).values(password_hash=None))
    said(database, "the first hash at the present cost", email=NOBODY)
    done: dict[str, list[list[str]]] = {}
    for rank, email in enumerate((EMAIL, "close@lieu.example", "invite@lieu.example", "autre@lieu.example")):
        done[email] = []
        # Of a stranger, and of a browser that another person signed in with; before the wait, and while it lasts.
        for token in ("", "another's"):
            for _ in range(2):
                with counted(database, monkeypatch) as one:
                    said(database, "not this one", email=email, visit=a_visit(f"198.51.100.{rank}", token))
                done[email].append(list(one))
    first, *others = done.values()
    assert [one.count("hash") for one in first] == [1, 1, 0, 0]
    assert all(other == first for other in others)


def test_a_hash_of_another_cost_is_made_anew_at_the_next_sign_in(database: Database) -> None:
    account_id = a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    present = passwords.hasher
    other = PasswordHasher(time_cost=present.time_cost + 1, memory_cost=present.memory_cost, parallelism=1)

    def stored() -> str:
        with database.read() as session:
            return session.scalars(select(StaffAccount.password_hash).where(StaffAccount.id == account_id)).one() or ""

    with database.write() as session:
        session.execute(update(StaffAccount).values(password_hash=other.hash(PASSWORD)))
    before = stored()
    assert [said(database, "not this one"), stored() == before] == ["wrong_credentials", True]
    assert said(database, PASSWORD) == "in"
    assert not present.check_needs_rehash(after := stored())
    assert [said(database, PASSWORD), stored() == after] == ["in", True]


def test_a_wrong_password_leaves_its_line_and_an_address_that_is_nobody_s_is_kept_nowhere(database: Database) -> None:
    account_id = a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    for email in (EMAIL, NOBODY):
        said(database, "not this one", email=email)
    with database.read() as session:
        lines = session.execute(select(AuditLine.action, AuditLine.account_id, AuditLine.subject)).all()
        keys = session.scalars(select(TryCount.key)).all()
        assert session.scalar(select(func.count()).select_from(StaffSession)) == 0
    assert [tuple(line) for line in lines] == [("sign_in_failed", account_id, ""), ("sign_in_failed", None, "")]
    assert len(keys) == 3
    assert not any("@" in key for key in keys)


def test_a_delay_is_forgotten_with_time_and_its_row_with_it(database: Database) -> None:
    slow = GrowingDelay("slow", (timedelta(), timedelta(minutes=5)), timedelta(hours=1))
    with database.write() as session:
        assert [slow.take(session, "one", NOW), slow.take(session, "one", NOW)] == [None, None]
        assert slow.take(session, "one", NOW) == NOW + timedelta(minutes=5)
        slow.uncount(session, "one")
        assert slow.take(session, "one", NOW) is None
        assert slow.take(session, "one", NOW + timedelta(minutes=4)) == NOW + timedelta(minutes=5)
        assert slow.take(session, "two", NOW) is None
    later = NOW + timedelta(hours=1)
    with database.write() as session:
        assert [slow.take(session, "one", later), slow.take(session, "one", later)] == [None, None]
    assert forget_ended(database, later) == 1


@pytest.mark.race
def test_what_is_over_is_deleted_without_waiting_for_whoever_holds_it(postgresql_database: Database) -> None:
    """Two that wait for each other would never end: the job and a sign-in, or two sign-ins."""
    database, later = postgresql_database, NOW + timedelta(days=2)
    slow = GrowingDelay("slow", (timedelta(),), timedelta(hours=1))
    with database.write() as session:
        assert [slow.take(session, key, NOW) for key in ("one", "two")] == [None, None]
        first = steps.begin(session, StepPurpose.PASSKEY_SIGN_IN, None, {}, NOW)
    with database.write() as session:
        assert slow.take(session, "one", later) is None
        steps.begin(session, StepPurpose.PASSKEY_SIGN_IN, None, {}, later)
        assert forget_ended(database, later) == 1
        with database.write() as other:
            assert steps.begin(other, StepPurpose.PASSKEY_SIGN_IN, None, {}, later) != first
