"""An account that nobody uses for a year is closed, a month after a letter; never the last holder of a role."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.access.test_two_people import violations
from tests.clients import PASSWORD, a_person, settings_for
from tests.listed import listed
from voucher.access import accounts, changes, sessions
from voucher.access.model import StaffAccount
from voucher.access.read import people
from voucher.access.rules import Role
from voucher.access.unused_accounts import Unused, UnusedClosed, close_unused, unused
from voucher.background.jobs import JOBS
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.mail.model import OutboxMessage

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
TOLD = NOW + timedelta(days=335)
CLOSED = NOW + timedelta(days=365)
NOTHING, ONE_TOLD, ONE_CLOSED = UnusedClosed(0, 0), UnusedClosed(1, 0), UnusedClosed(0, 1)
MOMENT = timedelta(minutes=1)


@pytest.fixture
def luce(database: Database) -> UUID:
    """Somebody without a role, who has not come for a while."""
    return a_person(database, None, now=NOW, email="luce@lieu.example")


def comes_in(database: Database, email: str, now: datetime) -> None:
    sessions.sign_in(database, email, PASSWORD, now=now)


def is_open(database: Database, account_id: UUID) -> bool:
    with database.read() as session:
        return session.scalar(select(StaffAccount.closed_at).where(StaffAccount.id == account_id)) is None


def letters(database: Database, to: str = "luce@lieu.example") -> list[str]:
    with database.read() as session:
        query = select(OutboxMessage.subject).where(OutboxMessage.recipient == to).order_by(OutboxMessage.created_at)
        return list(session.scalars(query))


def leave(database: Database, at: datetime, *, is_sent: bool = True) -> None:
    """Let what waits in the outbox leave, or be given up."""
    when = {"sent_at": at} if is_sent else {"given_up_at": at}
    with database.write() as session:
        session.execute(
            update(OutboxMessage)
            .where(OutboxMessage.sent_at.is_(None), OutboxMessage.given_up_at.is_(None))
            .values(**when)
        )


@pytest.mark.parametrize("is_sent", [True, False])
def test_it_is_told_a_month_before_then_closed_and_told_again(database: Database, luce: UUID, is_sent: bool) -> None:
    comes_in(database, "luce@lieu.example", NOW)
    assert close_unused(database, TOLD - MOMENT) == NOTHING
    assert close_unused(database, TOLD) == ONE_TOLD
    assert close_unused(database, TOLD) == NOTHING
    leave(database, TOLD, is_sent=is_sent)
    assert close_unused(database, CLOSED - MOMENT) == NOTHING
    assert close_unused(database, CLOSED) == ONE_CLOSED
    assert close_unused(database, CLOSED) == NOTHING
    assert letters(database) == ["votre compte va être fermé", "votre compte est fermé"]
    with pytest.raises(Refused, match="wrong_credentials"):
        comes_in(database, "luce@lieu.example", CLOSED)
    assert violations(database) == []


def test_the_letter_says_since_when_and_what_saves_the_account(database: Database, luce: UUID) -> None:
    never = a_person(database, None, now=NOW, email="marc@lieu.example")
    comes_in(database, "luce@lieu.example", NOW)
    assert close_unused(database, TOLD) == UnusedClosed(2, 0)
    with database.read() as session:
        rows = session.execute(select(OutboxMessage.recipient, OutboxMessage.body))
        said = {row.recipient: row.body for row in rows}
    assert "n’a pas servi depuis le 12 mars 2026." in said["luce@lieu.example"].replace("\u00a0", " ")
    assert "n’a jamais servi." in said["marc@lieu.example"]
    assert all("connectez-vous dans le mois qui vient" in body for body in said.values())
    assert is_open(database, never)


def test_the_job_says_what_it_did(database: Database, luce: UUID) -> None:
    job, settings = next(one for one in JOBS if one.key == "unused_accounts"), settings_for(database)
    assert job.run(database, settings, NOW) == ""
    assert job.run(database, settings, TOLD) == "1 personne(s) prévenue(s)"
    leave(database, TOLD)
    assert job.run(database, settings, CLOSED) == "1 compte(s) fermé(s), sans connexion depuis un an"


def test_a_sign_in_saves_it_and_the_year_begins_again(database: Database, luce: UUID) -> None:
    assert close_unused(database, TOLD) == ONE_TOLD
    leave(database, TOLD)
    comes_in(database, "luce@lieu.example", CLOSED - MOMENT)
    assert close_unused(database, CLOSED) == NOTHING
    later = CLOSED - MOMENT + timedelta(days=335)
    assert close_unused(database, later - MOMENT) == NOTHING
    assert close_unused(database, later) == ONE_TOLD
    assert is_open(database, luce)


def test_a_letter_that_waits_closes_nothing_and_leaves_its_month_once_it_goes(database: Database, luce: UUID) -> None:
    assert close_unused(database, TOLD) == ONE_TOLD
    late = CLOSED + timedelta(days=90)
    assert close_unused(database, late) == NOTHING
    leave(database, late)
    assert close_unused(database, late + timedelta(days=30) - MOMENT) == NOTHING
    assert close_unused(database, late + timedelta(days=30)) == ONE_CLOSED
    assert not is_open(database, luce)


def test_a_worker_that_was_stopped_tells_first_however_long_it_was(database: Database, luce: UUID) -> None:
    years_later = NOW + timedelta(days=1000)
    assert close_unused(database, years_later) == ONE_TOLD
    leave(database, years_later)
    assert close_unused(database, years_later + timedelta(days=29)) == NOTHING
    assert close_unused(database, years_later + timedelta(days=30)) == ONE_CLOSED


def test_the_last_holder_of_a_role_is_neither_told_nor_closed(database: Database) -> None:
    here, there = new_id(), new_id()
    luce = a_person(database, Role.ISSUER, here, now=NOW, email="luce@lieu.example")
    marc = a_person(database, Role.ISSUER, there, now=NOW, email="marc@lieu.example")
    comes_in(database, "marc@lieu.example", TOLD)  # of another collectivité: nobody else is of this one
    a_person(database, Role.ISSUER, here, now=TOLD, email="invited@lieu.example")  # never came in
    assert unused(database, luce, now=TOLD - MOMENT) is None
    assert unused(database, luce, now=TOLD) is Unused.STAYS
    assert unused(database, marc, now=TOLD) is None
    assert close_unused(database, TOLD) == NOTHING
    comes_in(database, "invited@lieu.example", TOLD)
    assert close_unused(database, TOLD) == ONE_TOLD
    assert unused(database, luce, now=TOLD) is Unused.TOLD
    leave(database, TOLD)
    assert close_unused(database, CLOSED) == ONE_CLOSED
    assert (is_open(database, luce), is_open(database, marc)) == (False, True)
    assert unused(database, luce, now=CLOSED) is None


def test_of_two_holders_who_are_both_unused_the_one_who_came_last_stays(database: Database) -> None:
    first = a_person(database, Role.AUDITOR, now=NOW, email="luce@lieu.example")
    last = a_person(database, Role.AUDITOR, now=NOW, email="marc@lieu.example")
    comes_in(database, "luce@lieu.example", NOW)
    comes_in(database, "marc@lieu.example", NOW + MOMENT)
    # The programme sees who came last, or never: those without a date stand at the end, both ways.
    a_person(database, None, now=NOW, email="never@lieu.example")
    for is_descending, names in ((False, ["luce", "marc", "never"]), (True, ["marc", "luce", "never"])):
        rows, _ = listed(people(database, Asked(sort="used_at", descending=is_descending, limit=9), now=NOW))
        assert [row.email.partition("@")[0] for row in rows] == names
    assert close_unused(database, TOLD + MOMENT) == UnusedClosed(3, 0)
    leave(database, TOLD + MOMENT)
    assert close_unused(database, CLOSED + 2 * MOMENT) == UnusedClosed(0, 2)
    assert (is_open(database, first), is_open(database, last)) == (False, True)


def test_a_holder_whose_role_is_over_or_taken_or_who_left_leaves_the_last_one(database: Database, luce: UUID) -> None:
    others = {
        name: a_person(database, None, now=NOW, email=f"{name}@lieu.example") for name in ("over", "taken", "left")
    }
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=NOW)
    for name, account_id in others.items():
        until_on = TOLD.date() - timedelta(days=1) if name == "over" else None
        changes.grant_role(database, account_id, Role.AUDITOR, None, by=None, now=NOW, until_on=until_on)
        comes_in(database, f"{name}@lieu.example", TOLD - MOMENT)
    accounts.revoke_role(database, others["taken"], Role.AUDITOR, by=luce, now=TOLD)
    accounts.close_account(database, others["left"], by=luce, now=TOLD)
    assert close_unused(database, TOLD) == NOTHING
    changes.grant_role(database, others["over"], Role.AUDITOR, None, by=None, now=TOLD)
    assert close_unused(database, TOLD) == ONE_TOLD


@pytest.mark.race
def test_a_sign_in_at_the_moment_of_the_close_wins_or_is_refused(database: Database, luce: UUID) -> None:
    close_unused(database, TOLD)
    leave(database, TOLD)
    both, came_in = threading.Barrier(2), threading.Event()

    def sign_in() -> None:
        both.wait()
        try:
            comes_in(database, "luce@lieu.example", CLOSED)
        except Refused:
            return
        came_in.set()

    thread = threading.Thread(target=sign_in)
    thread.start()
    both.wait()
    done = close_unused(database, CLOSED)
    thread.join()
    assert is_open(database, luce) == came_in.is_set()
    assert done == (NOTHING if came_in.is_set() else ONE_CLOSED)
    assert violations(database) == []
