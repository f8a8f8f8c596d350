"""Accounts, roles and passwords."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.clients import PASSWORD, a_person
from tests.listed import listed
from voucher.access import accounts, changes, links, sessions
from voucher.access.model import StaffAccount, StaffSession
from voucher.access.open_sessions import end_sessions_of
from voucher.access.read import people, person
from voucher.access.read_trail import trail
from voucher.access.rules import SESSION_DURATION, Role, incompatible_with
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.trail.model import AuditLine

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
WANTED = "cinq autres mots très longs"


def test_a_password_is_kept_as_an_argon2id_hash(database: Database) -> None:
    account_id = a_person(database, Role.AUDITOR, now=NOW)
    with database.read() as session:
        stored = session.scalar(select(StaffAccount.password_hash).where(StaffAccount.id == account_id))
    assert stored is not None
    assert stored.startswith("$argon2id$")


def test_a_hash_costs_what_rfc_9106_asks_of_a_small_machine() -> None:
    # Tests hash cheaper; what the application starts with is read from a process of its own.
    script = "from voucher.access.passwords import hash_password; print(hash_password('quatre mots bien longs'))"
    hashed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_an_address_has_one_account_whatever_its_capitals(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email="claire@lieu.example")
    account = accounts.NewAccount(new_id(), "Claire@Lieu.example", "Claire Autre")
    with pytest.raises(Refused, match="email_taken"):
        accounts.open_account(database, account, by=None, now=NOW)


@pytest.mark.parametrize(
    "email", ["claire", "claire@lieu", "claire@lieu.example, x@y.example", "Claire <c@lieu.example>"]
)
def test_an_account_has_an_address_that_a_message_reaches(database: Database, email: str) -> None:
    with pytest.raises(Refused, match="bad_address") as refused:
        accounts.open_account(database, accounts.NewAccount(new_id(), email, "Claire"), by=None, now=NOW)
    assert refused.value.field == "email"


@pytest.mark.parametrize(
    "held, wanted",
    [
        (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER),
        (Role.FINANCE_APPROVER, Role.PLACE_MANAGER),
        (Role.AUDITOR, Role.PROGRAMME),
        (Role.MEDIATOR, Role.FINANCE_PREPARER),
        (Role.PROGRAMME, Role.FINANCE_APPROVER),
        (Role.ISSUER, Role.MEDIATOR),
    ],
)
def test_roles_on_two_sides_of_the_money_exclude_each_other(database: Database, held: Role, wanted: Role) -> None:
    account_id = a_person(database, held, new_id() if held in (Role.MEDIATOR, Role.ISSUER) else None, now=NOW)
    scope_id = new_id() if wanted in (Role.MEDIATOR, Role.PLACE_MANAGER) else None
    with pytest.raises(Refused, match="roles_incompatible"):
        changes.grant_role(database, account_id, wanted, scope_id, by=None, now=NOW)
    found = person(database, account_id, now=NOW)
    assert found is not None
    assert [role for role, _ in found.roles] == [held]


def test_incompatibility_is_the_same_in_both_orders() -> None:
    for one in Role:
        for other in Role:
            assert (incompatible_with(one, [other]) is None) == (incompatible_with(other, [one]) is None)


def test_a_mediator_may_manage_the_place_too(database: Database) -> None:
    structure_id = new_id()
    account_id = a_person(database, Role.MEDIATOR, structure_id, now=NOW)
    changes.grant_role(database, account_id, Role.PLACE_MANAGER, structure_id, by=None, now=NOW)
    found = person(database, account_id, now=NOW)
    assert found is not None
    assert {role for role, _ in found.roles} == {Role.MEDIATOR, Role.PLACE_MANAGER}


def test_a_role_with_a_territory_needs_one_and_the_others_refuse_it(database: Database) -> None:
    account_id = a_person(database, Role.FINANCE_PREPARER, now=NOW)
    with pytest.raises(Refused, match="scope_missing"):
        changes.grant_role(database, account_id, Role.ISSUER, None, by=None, now=NOW)
    with pytest.raises(Refused, match="scope_unwanted"):
        changes.grant_role(database, account_id, Role.AUDITOR, new_id(), by=None, now=NOW)


def test_an_unknown_address_and_a_wrong_password_are_answered_alike(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email="lea@lieu.example")
    sentences = []
    for email in ("lea@lieu.example", "nobody@lieu.example"):
        with pytest.raises(Refused) as refused:
            sessions.sign_in(database, email, "not this one", now=NOW)
        sentences.append(refused.value.sentence)
    assert sentences[0] == sentences[1]


def test_a_session_ends_with_time_sign_out_a_lost_role_or_a_closed_account(database: Database) -> None:
    account_id = a_person(database, Role.AUDITOR, now=NOW, email="lea@lieu.example")

    def open_session() -> str:
        return sessions.sign_in(database, "lea@lieu.example", PASSWORD, now=NOW)

    token = open_session()
    viewer = sessions.viewer_of(database, token, now=NOW)
    assert viewer is not None
    assert viewer.may(Role.AUDITOR)
    assert sessions.viewer_of(database, token, now=NOW + SESSION_DURATION) is None
    sessions.sign_out(database, viewer, now=NOW)
    assert sessions.viewer_of(database, token, now=NOW) is None
    token = open_session()
    accounts.revoke_role(database, account_id, Role.AUDITOR, by=account_id, now=NOW)
    assert sessions.viewer_of(database, token, now=NOW) is None
    changes.grant_role(database, account_id, Role.AUDITOR, None, by=None, now=NOW)
    token = open_session()
    accounts.close_account(database, account_id, by=account_id, now=NOW)
    assert sessions.viewer_of(database, token, now=NOW) is None
    with pytest.raises(Refused, match="wrong_credentials"):
        open_session()


def test_a_changed_password_ends_every_session_but_the_one_it_begins(database: Database) -> None:
    account_id = a_person(database, Role.AUDITOR, now=NOW, email="lea@lieu.example")
    here, elsewhere = (sessions.sign_in(database, "lea@lieu.example", PASSWORD, now=NOW) for _ in range(2))
    who, place_id = signed_in(database, here), new_id()
    with pytest.raises(Refused, match="wrong_password"):
        accounts.change_password(database, who, "not this one", WANTED, now=NOW)
    assert sessions.viewer_of(database, elsewhere, now=NOW) is not None
    sessions.choose_place(database, who, place_id)
    token = accounts.change_password(database, who, PASSWORD, WANTED, now=NOW)
    assert sessions.viewer_of(database, here, now=NOW) is None
    assert sessions.viewer_of(database, elsewhere, now=NOW) is None
    viewer = sessions.viewer_of(database, token, now=NOW)
    assert viewer is not None
    assert (viewer.account_id, viewer.place_id) == (account_id, place_id)
    assert sessions.sign_in(database, "lea@lieu.example", WANTED, now=NOW)


def signed_in(database: Database, token: str = "") -> sessions.Viewer:
    found = sessions.viewer_of(
        database, token or sessions.sign_in(database, "lea@lieu.example", PASSWORD, now=NOW), now=NOW
    )
    assert found is not None
    return found


class Between(Database):
    """Another browser acts once, after the first transaction here: the try was counted, and the old password is then found right."""

    def __init__(self, url: str, act: Callable[[], object]) -> None:
        super().__init__(url)
        self.acts = [act]

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
        if self.acts:
            self.acts.pop()()


def test_a_password_that_changes_while_the_old_one_is_looked_at_lets_nobody_in(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email="lea@lieu.example")
    who = signed_in(database)
    slow = Between(database.url, lambda: accounts.change_password(database, who, PASSWORD, WANTED, now=NOW))
    with pytest.raises(Refused, match="wrong_credentials"):
        sessions.sign_in(slow, "lea@lieu.example", PASSWORD, now=NOW)
    slow.dispose()
    assert slow.acts == []
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(StaffSession)) == 1


def test_a_password_chosen_with_a_link_is_not_replaced_by_who_knew_the_old_one(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email="lea@lieu.example")
    who, token = signed_in(database), links.print_link(database, "lea@lieu.example", now=NOW).rpartition("/")[2]
    slow = Between(database.url, lambda: links.use_link(database, token, WANTED, now=NOW))
    with pytest.raises(Refused, match="wrong_password"):
        accounts.change_password(slow, who, PASSWORD, "trois noix sous la lanterne", now=NOW)
    slow.dispose()
    assert slow.acts == []
    assert sessions.sign_in(database, "lea@lieu.example", WANTED, now=NOW)


@pytest.mark.parametrize(
    "end",
    [
        lambda database, account_id: end_sessions_of(database, account_id, by=account_id, now=NOW),
        lambda database, account_id: accounts.close_account(database, account_id, by=account_id, now=NOW),
    ],
    ids=["by the programme", "with its account"],
)
def test_a_session_that_is_ended_while_it_changes_the_password_changes_nothing_and_opens_no_other(
    database: Database, end: Callable[[Database, UUID], object]
) -> None:
    account_id = a_person(database, Role.AUDITOR, now=NOW, email="lea@lieu.example")
    who = signed_in(database)
    slow = Between(database.url, lambda: end(database, account_id))
    with pytest.raises(Refused):
        accounts.change_password(slow, who, PASSWORD, WANTED, now=NOW)
    slow.dispose()
    assert slow.acts == []
    with database.read() as session:
        assert session.scalars(select(StaffSession.account_id)).all() == []
    with pytest.raises(Refused):
        sessions.sign_in(database, "lea@lieu.example", WANTED, now=NOW)


def test_a_token_is_never_stored(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email="lea@lieu.example")
    token = sessions.sign_in(database, "lea@lieu.example", PASSWORD, now=NOW)
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM staff_session").all()
    assert len(rows) == 1
    assert token not in str(rows)


def test_the_audit_trail_tells_and_only_grows(database: Database) -> None:
    lea = accounts.open_account(
        database, accounts.NewAccount(new_id(), "lea@lieu.example", "Léa Roy"), by=None, now=NOW
    )
    changes.grant_role(database, lea, Role.AUDITOR, None, by=None, now=NOW)
    lines, total = listed(trail(database, Asked(limit=10)))
    assert [(line.action, line.subject) for line in lines] == [
        ("Compte ouvert", "lea@lieu.example"),
        ("Rôle donné", "lea@lieu.example : Contrôle"),
    ]
    assert total == 2
    found, _ = listed(trail(database, Asked(limit=10, filters={"action": "rôle"})))
    assert [line.action for line in found] == ["Rôle donné"]
    for statement in ("DELETE FROM audit_line", "UPDATE audit_line SET action = 'nothing'"):
        with pytest.raises(Exception, match="only grows"), database.engine.begin() as connection:
            connection.exec_driver_sql(statement)
    with database.read() as session:
        assert len(session.scalars(select(AuditLine.id)).all()) == 2


def test_people_are_found_by_name_and_by_role(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email="lea@lieu.example")
    a_person(database, Role.PROGRAMME, now=NOW, email="marc_100%@lieu.example")
    found, total = listed(people(database, Asked(sort="email", limit=10, filters={"role": "auditor"}), now=NOW))
    assert ([one.email for one in found], total) == (["lea@lieu.example"], 1)
    found, _ = listed(people(database, Asked(sort="email", limit=10, filters={"name": "100%"}), now=NOW))
    assert [one.email for one in found] == ["marc_100%@lieu.example"]
