"""What takes two people: roles that count among two, and the addresses of who holds or held one."""

import threading
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from tests.clients import a_person
from tests.listed import listed
from voucher.access import accounts, changes, links
from voucher.access.checks import CHECKS
from voucher.access.model import AccountChange, RoleGrant, StaffAccount, StaffSession
from voucher.access.read import person
from voucher.access.read_changes import changes_of, had_hand_in, waiting_changes
from voucher.access.read_trail import trail
from voucher.access.rules import TWO_PEOPLE_ROLES, Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.mail.model import OutboxMessage

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
TWO = sorted(TWO_PEOPLE_ROLES)
ALONE = sorted(set(Role) - TWO_PEOPLE_ROLES)
HELD_FOR_ONE = {Role.ISSUER, Role.PRESCRIBER, Role.MEDIATOR, Role.PLACE_MANAGER}


@pytest.fixture
def pat(database: Database) -> UUID:
    """A person of the programme, who asks."""
    return a_person(database, Role.PROGRAMME, now=NOW, email="pat@lieu.example")


@pytest.fixture
def quentin(database: Database) -> UUID:
    """Another one."""
    return a_person(database, Role.PROGRAMME, now=NOW, email="quentin@lieu.example")


def luce_of(database: Database, by: UUID, email: str = "luce@lieu.example") -> UUID:
    return accounts.open_account(database, accounts.NewAccount(new_id(), email, "Luce Arbre"), by=by, now=NOW)


def ask(database: Database, account_id: UUID, role: Role, by: UUID | None) -> UUID | None:
    scope_id = new_id() if role in HELD_FOR_ONE else None
    return changes.grant_role(database, account_id, role, scope_id, by=by, now=NOW)


def asked(database: Database, account_id: UUID, role: Role, by: UUID | None) -> UUID:
    waiting = ask(database, account_id, role, by)
    assert waiting is not None
    return waiting


def roles(database: Database, account_id: UUID) -> list[Role]:
    found = person(database, account_id, now=NOW)
    assert found is not None
    return [role for role, _ in found.roles]


def address(database: Database, account_id: UUID) -> str:
    found = person(database, account_id, now=NOW)
    assert found is not None
    return found.email


def violations(database: Database) -> list[str]:
    with database.read() as session:
        return [f"{one.check} {one.subject} {one.detail}" for check in CHECKS for one in check(session)]


@pytest.mark.parametrize("role", TWO)
def test_a_role_that_counts_among_two_is_given_by_two(database: Database, pat: UUID, quentin: UUID, role: Role) -> None:
    luce = luce_of(database, pat)
    waiting = asked(database, luce, role, pat)
    assert roles(database, luce) == []
    with pytest.raises(Refused, match="four_eyes"):
        changes.confirm_change(database, waiting, by=pat, now=NOW)
    assert roles(database, luce) == []
    changes.confirm_change(database, waiting, by=quentin, now=NOW)
    changes.confirm_change(database, waiting, by=quentin, now=NOW)
    assert roles(database, luce) == [role]
    (written,) = changes_of(database, luce)
    assert (written.asked_by, written.decided_by_name, written.outcome) == (pat, "Camille Exemple", "confirmed")
    assert violations(database) == []


@pytest.mark.parametrize("role", ALONE)
def test_the_other_roles_are_given_at_once(database: Database, pat: UUID, role: Role) -> None:
    luce = luce_of(database, pat)
    assert ask(database, luce, role, pat) is None
    assert roles(database, luce) == [role]


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.PROGRAMME}))
def test_the_second_person_is_of_the_programme(database: Database, pat: UUID, quentin: UUID, role: Role) -> None:
    other = a_person(database, role, new_id() if role in HELD_FOR_ONE else None, now=NOW)
    waiting = asked(database, luce_of(database, pat), Role.FINANCE_PREPARER, pat)
    with pytest.raises(Refused, match="not_of_programme"):
        changes.confirm_change(database, waiting, by=other, now=NOW)


def test_who_left_or_never_came_confirms_nothing(database: Database, pat: UUID, quentin: UUID) -> None:
    waiting = asked(database, luce_of(database, pat), Role.FINANCE_PREPARER, pat)
    # A third one, invited, who never chose a password.
    third = luce_of(database, pat, "tiers@lieu.example")
    changes.confirm_change(database, asked(database, third, Role.PROGRAMME, pat), by=quentin, now=NOW)
    with pytest.raises(Refused, match="not_of_programme"):
        changes.confirm_change(database, waiting, by=third, now=NOW)
    accounts.revoke_role(database, quentin, Role.PROGRAMME, by=pat, now=NOW)
    with pytest.raises(Refused, match="not_of_programme"):
        changes.confirm_change(database, waiting, by=quentin, now=NOW)


def test_the_host_stands_in_only_where_the_programme_has_nobody_else(database: Database, pat: UUID) -> None:
    luce = luce_of(database, pat)
    preparer = asked(database, luce, Role.FINANCE_PREPARER, pat)
    quentin = a_person(database, Role.PROGRAMME, now=NOW, email="quentin@lieu.example")
    with pytest.raises(Refused, match="somebody_else") as refused:
        changes.stand_in(database, preparer, now=NOW)
    assert "Camille Exemple" in refused.value.sentence
    accounts.close_account(database, quentin, by=pat, now=NOW)
    changes.stand_in(database, preparer, now=NOW)
    assert roles(database, luce) == [Role.FINANCE_PREPARER]
    lines, _ = listed(trail(database, Asked(descending=True, limit=9, filters={"action": "confirmée"})))
    assert [(line.who, line.subject) for line in lines] == [("le système", "luce@lieu.example : Finances, préparation")]
    assert violations(database) == []


def test_the_host_makes_the_first_accounts_alone_and_no_more(database: Database) -> None:
    def opened(email: str) -> UUID:
        return accounts.open_account(database, accounts.NewAccount(new_id(), email, "Luce"), by=None, now=NOW)

    first = opened("un@lieu.example")
    assert ask(database, first, Role.PROGRAMME, None) is None
    links.use_link(
        database, links.print_link(database, "un@lieu.example", now=NOW).rpartition("/")[2], "trois noix sous la lanterne",
        now=NOW,
    )  # fmt: skip
    second = opened("deux@lieu.example")
    waiting = asked(database, second, Role.PROGRAMME, None)
    with pytest.raises(Refused, match="somebody_else"):
        changes.stand_in(database, waiting, now=NOW)
    changes.confirm_change(database, waiting, by=first, now=NOW)
    assert roles(database, second) == [Role.PROGRAMME]
    assert violations(database) == []


@pytest.mark.parametrize("role", TWO)
def test_the_address_of_who_holds_or_held_such_a_role_takes_two(
    database: Database, pat: UUID, quentin: UUID, role: Role
) -> None:
    luce = luce_of(database, pat)
    changes.confirm_change(database, asked(database, luce, role, pat), by=quentin, now=NOW)
    accounts.revoke_role(database, luce, role, by=pat, now=NOW)
    waiting = changes.change_address(database, luce, "Autre@lieu.example", by=pat, now=NOW)
    assert waiting is not None
    assert address(database, luce) == "luce@lieu.example"
    with pytest.raises(Refused, match="four_eyes"):
        changes.confirm_change(database, waiting, by=pat, now=NOW)
    changes.confirm_change(database, waiting, by=quentin, now=NOW)
    assert address(database, luce) == "autre@lieu.example"
    assert violations(database) == []


def test_the_old_address_is_told_when_it_is_asked_and_when_it_changes(
    database: Database, pat: UUID, quentin: UUID
) -> None:
    alice = a_person(database, Role.FINANCE_APPROVER, now=NOW, email="alice@lieu.example")
    waiting = changes.change_address(database, alice, "autre@lieu.example", by=pat, now=NOW)
    assert waiting is not None
    changes.confirm_change(database, waiting, by=quentin, now=NOW)
    with database.read() as session:
        told = session.execute(
            select(OutboxMessage.recipient, OutboxMessage.subject).where(OutboxMessage.kind == "account_news")
        ).all()
    assert sorted(map(tuple, told)) == [
        ("alice@lieu.example", "votre adresse a changé"),
        ("alice@lieu.example", "votre adresse va changer"),
        ("autre@lieu.example", "votre adresse a changé"),
    ]


def test_a_person_is_told_of_roles_given_and_taken_and_of_the_close(database: Database, pat: UUID) -> None:
    luce = luce_of(database, pat)
    ask(database, luce, Role.AUDITOR, pat)
    accounts.revoke_role(database, luce, Role.AUDITOR, by=pat, now=NOW)
    accounts.revoke_role(database, luce, Role.AUDITOR, by=pat, now=NOW)
    accounts.close_account(database, luce, by=pat, now=NOW)
    with database.read() as session:
        told = session.scalars(
            select(OutboxMessage.subject).where(OutboxMessage.kind == "account_news").order_by(OutboxMessage.id)
        ).all()
    assert told == ["un rôle vous est donné", "un rôle vous a été retiré", "votre compte est fermé"]


def test_the_others_of_the_programme_are_told_that_something_waits(
    database: Database, pat: UUID, quentin: UUID
) -> None:
    asked(database, luce_of(database, pat), Role.FINANCE_PREPARER, pat)
    with database.read() as session:
        told = session.scalars(select(OutboxMessage.recipient).where(OutboxMessage.kind == "account_to_confirm")).all()
    assert told == ["quentin@lieu.example"]


def test_what_two_people_saw_is_for_that_address_alone(database: Database, pat: UUID, quentin: UUID) -> None:
    luce = luce_of(database, pat)
    waiting = asked(database, luce, Role.FINANCE_PREPARER, pat)
    # Nothing counts on this account yet: its address changes at once, and what waited is dropped.
    assert changes.change_address(database, luce, "pat.bis@lieu.example", by=pat, now=NOW) is None
    assert waiting_changes(database) == []
    with pytest.raises(Refused, match="already_decided"):
        changes.confirm_change(database, waiting, by=quentin, now=NOW)
    assert roles(database, luce) == []


def test_a_demand_is_refused_or_taken_back_and_then_changes_nothing(
    database: Database, pat: UUID, quentin: UUID
) -> None:
    luce = luce_of(database, pat)
    for who in (pat, quentin):
        waiting = asked(database, luce, Role.FINANCE_PREPARER, pat)
        with pytest.raises(Refused, match="already_asked"):
            ask(database, luce, Role.FINANCE_PREPARER, quentin)
        changes.refuse_change(database, waiting, by=who, now=NOW)
        changes.refuse_change(database, waiting, by=who, now=NOW)
        with pytest.raises(Refused, match="already_decided"):
            changes.confirm_change(database, waiting, by=quentin, now=NOW)
        with pytest.raises(Refused, match="already_decided"):
            changes.stand_in(database, waiting, now=NOW)
    assert roles(database, luce) == []


def test_a_role_that_excludes_another_is_refused_when_confirmed_too(
    database: Database, pat: UUID, quentin: UUID
) -> None:
    luce = luce_of(database, pat)
    waiting = asked(database, luce, Role.FINANCE_PREPARER, pat)
    ask(database, luce, Role.AUDITOR, pat)
    with pytest.raises(Refused, match="roles_incompatible"):
        changes.confirm_change(database, waiting, by=quentin, now=NOW)
    assert [one.id for one in waiting_changes(database)] == [waiting]


def test_a_closed_account_gets_nothing_any_more(database: Database, pat: UUID, quentin: UUID) -> None:
    luce = luce_of(database, pat)
    waiting = asked(database, luce, Role.FINANCE_PREPARER, pat)
    accounts.close_account(database, luce, by=pat, now=NOW)
    with pytest.raises(Refused, match="already_decided"):
        changes.confirm_change(database, waiting, by=quentin, now=NOW)
    for act in (
        lambda: ask(database, luce, Role.AUDITOR, pat),
        lambda: changes.change_address(database, luce, "autre@lieu.example", by=pat, now=NOW),
        lambda: links.ask_link(database, luce, by=pat, now=NOW),
    ):
        with pytest.raises(Refused, match="account_closed"):
            act()
    # Its address is not given to anybody else.
    with pytest.raises(Refused, match="email_taken"):
        luce_of(database, pat)


def test_two_who_confirm_at_once_give_one_role(database: Database, pat: UUID, quentin: UUID) -> None:
    third = a_person(database, Role.PROGRAMME, now=NOW)
    luce = luce_of(database, pat)
    waiting = asked(database, luce, Role.FINANCE_PREPARER, pat)
    start, said = threading.Barrier(2), []

    def confirm(by: UUID) -> None:
        start.wait()
        try:
            changes.confirm_change(database, waiting, by=by, now=NOW)
            said.append("confirmed")
        except Refused as refused:
            said.append(refused.code)

    threads = [threading.Thread(target=confirm, args=(by,)) for by in (quentin, third)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["already_decided", "confirmed"]
    assert roles(database, luce) == [Role.FINANCE_PREPARER]


def test_two_who_leave_while_they_confirm_do_not_wait_for_each_other(
    database: Database, pat: UUID, quentin: UUID
) -> None:
    luce = luce_of(database, pat)
    waiting = asked(database, luce, Role.FINANCE_PREPARER, pat)
    start, said = threading.Barrier(2), []

    def act(what: str) -> None:
        start.wait()
        try:
            if what == "confirm":
                changes.confirm_change(database, waiting, by=quentin, now=NOW)
            else:
                accounts.close_account(database, quentin, by=pat, now=NOW)
            said.append(what)
        except Refused as refused:
            said.append(refused.code)

    threads = [threading.Thread(target=act, args=(what,)) for what in ("confirm", "close")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whoever came first: a person who has left confirms nothing.
    assert sorted(said) in (["close", "confirm"], ["close", "not_of_programme"])
    assert (roles(database, luce) == [Role.FINANCE_PREPARER]) == ("confirm" in said)


def test_who_had_a_hand_in_an_account_is_known_by_each_way(database: Database, pat: UUID, quentin: UUID) -> None:
    def somebody() -> UUID:
        return a_person(database, Role.PLACE_MANAGER, new_id(), now=NOW)

    linked, given, moved, confirmed = somebody(), somebody(), somebody(), a_person(database, Role.AUDITOR, now=NOW)
    links.ask_link(database, linked, by=pat, now=NOW)
    ask(database, given, Role.MEDIATOR, pat)
    changes.change_address(database, moved, "autre@lieu.example", by=pat, now=NOW)
    assert [had_hand_in(database, one, pat) for one in (linked, given, moved, luce_of(database, pat))] == [True] * 4
    assert not any(had_hand_in(database, one, quentin) for one in (linked, given, moved))
    # What was only asked, and refused, put no hand in the account.
    alice = a_person(database, Role.FINANCE_APPROVER, now=NOW)
    waiting = changes.change_address(database, alice, "encore@lieu.example", by=pat, now=NOW)
    assert waiting is not None
    changes.refuse_change(database, waiting, by=quentin, now=NOW)
    assert not had_hand_in(database, alice, pat)
    assert not had_hand_in(database, confirmed, pat)


@pytest.mark.parametrize("role", TWO)
def test_the_database_itself_refuses_such_a_role_given_by_nobody(database: Database, pat: UUID, role: Role) -> None:
    luce = luce_of(database, pat)
    grant = RoleGrant(
        id=new_id(), account_id=luce, role=role, scope_id=new_id() if role in HELD_FOR_ONE else None, granted_at=NOW
    )
    with pytest.raises(Exception, match="two_people_gave_it"), database.write() as session:
        session.add(grant)


def test_the_database_itself_refuses_one_who_confirms_what_they_asked(database: Database, pat: UUID) -> None:
    waiting = asked(database, luce_of(database, pat), Role.FINANCE_PREPARER, pat)
    with pytest.raises(Exception, match="two_people"), database.write() as session:
        session.execute(
            update(AccountChange)
            .where(AccountChange.id == waiting)
            .values(outcome="confirmed", decided_at=NOW, decided_by=pat, decided_from="office")
        )


def test_verify_finds_a_role_that_no_second_person_confirmed(database: Database, pat: UUID, quentin: UUID) -> None:
    luce = luce_of(database, pat)
    waiting = asked(database, luce, Role.FINANCE_PREPARER, pat)
    with database.write() as session:
        session.add(RoleGrant(id=new_id(), account_id=luce, role="finance_preparer", granted_at=NOW, change_id=waiting))
    (found,) = violations(database)
    assert found.startswith(
        "two_people_gave_roles compte luce@lieu.example, rôle « Finances, préparation » aucune demande"
    )


def test_verify_finds_a_role_hung_on_what_was_confirmed_for_somebody_else(
    database: Database, pat: UUID, quentin: UUID
) -> None:
    luce, marc = luce_of(database, pat), luce_of(database, pat, "marc@lieu.example")
    waiting = asked(database, luce, Role.FINANCE_PREPARER, pat)
    changes.confirm_change(database, waiting, by=quentin, now=NOW)
    with database.write() as session:
        session.add(RoleGrant(id=new_id(), account_id=marc, role="finance_preparer", granted_at=NOW, change_id=waiting))
    (found,) = violations(database)
    assert "marc@lieu.example" in found


def test_verify_finds_an_address_that_two_people_did_not_see(database: Database) -> None:
    alice = a_person(database, Role.FINANCE_APPROVER, now=NOW, email="alice@lieu.example")
    with database.write() as session:
        session.execute(update(StaffAccount).where(StaffAccount.id == alice).values(email="pat@lieu.example"))
    assert violations(database) == [
        "addresses_seen_by_two compte pat@lieu.example deux personnes ont vu l’adresse alice@lieu.example"
    ]


def test_verify_finds_a_closed_account_that_opens_something(database: Database, pat: UUID) -> None:
    luce = luce_of(database, pat)
    asked(database, luce, Role.FINANCE_PREPARER, pat)
    with database.write() as session:
        session.add(
            StaffSession(
                token_sha256=b"x" * 32,
                id=new_id(),
                account_id=luce,
                started_at=NOW,
                seen_at=NOW,
                ends_at=NOW,
                confirmed_at=NOW,
            )
        )
        session.execute(update(StaffAccount).where(StaffAccount.id == luce).values(closed_at=NOW))
    assert [one.rpartition("encore ")[2] for one in violations(database)] == [
        "une connexion ouverte",
        "un lien qui sert",
        "une demande qui attend",
    ]
    with database.write() as session:
        session.execute(delete(StaffSession))
    assert len(violations(database)) == 2
