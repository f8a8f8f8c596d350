"""Roles with a last day: what is over opens nothing, for any reader; what two people decided holds its end too."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.access.test_two_people import violations
from tests.clients import a_person, settings_for
from tests.listed import listed
from tests.test_house import ROOT
from voucher.access import accounts, changes, links, sessions
from voucher.access.model import AccountChange, RoleGrant
from voucher.access.read import holders, may_be_deputies, people, person
from voucher.access.read_changes import change, waiting_changes
from voucher.access.read_roles import RoleHeld, roles_held_on, roles_of
from voucher.access.read_trail import trail
from voucher.access.role_ends import RolesOver, end_roles
from voucher.access.rules import Role
from voucher.background.jobs import JOBS
from voucher.kernel.calendar import end_of_day
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.mail.model import OutboxMessage

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
LAST_DAY = date(2026, 3, 31)
# The clocks go forward on the 29th: the last minute of that day in Paris is 21:59 UTC.
LAST_MINUTE = datetime(2026, 3, 31, 21, 59, tzinfo=UTC)
OVER = datetime(2026, 3, 31, 22, 0, tzinfo=UTC)


def opened(database: Database, email: str = "luce@lieu.example") -> UUID:
    return a_person(database, None, now=NOW, email=email)


def held_on(database: Database, day: date) -> list[tuple[str, Role]]:
    rows, _ = listed(roles_held_on(database, day, Asked(sort="email", limit=50)))
    return [(row.email, row.role) for row in rows]


def test_a_role_holds_to_the_end_of_its_last_day_in_paris_for_every_reader(database: Database) -> None:
    pat = a_person(database, Role.PROGRAMME, now=NOW, email="pat@lieu.example")
    luce = opened(database)
    quentin = a_person(database, Role.PROGRAMME, now=NOW, email="quentin@lieu.example")
    waiting = changes.grant_role(database, luce, Role.PROGRAMME, None, by=pat, now=NOW, until_on=LAST_DAY)
    assert waiting is not None
    changes.confirm_change(database, waiting, by=quentin, now=NOW)
    # Two people gave it: the password that somebody may have known is gone; a new one was chosen since.
    _choose_password(database, luce)
    token = sessions.sign_in(database, "luce@lieu.example", "quatre mots bien longs", now=LAST_MINUTE)

    def seen(now: datetime) -> dict[str, bool]:
        viewer = sessions.viewer_of(database, token, now=now)
        alone = person(database, luce, now=now)
        asked = Asked(sort="email", limit=50)
        assert viewer is not None
        assert alone is not None
        everybody, _ = listed(people(database, asked, now=now))
        filtered, _ = listed(people(database, Asked(sort="email", limit=50, filters={"role": "programme"}), now=now))
        return {
            "viewer": bool(viewer.grants),
            "person": bool(alone.roles),
            "people": any(one.roles for one in everybody if one.id == luce),
            "filter": luce in {one.id for one in filtered},
            "holders": luce in {one.id for one in holders(database, Role.PROGRAMME, now=now)},
        }

    assert set(seen(LAST_MINUTE).values()) == {True}
    assert set(seen(OVER).values()) == {False}


def test_no_other_file_asks_whether_a_grant_was_taken_away() -> None:
    """What reads roles asks `holds_on`; what knows when one ended is named here."""
    asks = {path.name for path in (ROOT / "voucher").rglob("*.py") if "RoleGrant.revoked_at" in path.read_text()}
    assert asks == {"grants.py", "read_roles.py", "role_ends.py", "checks.py"}


def test_who_is_over_confirms_nothing_and_counts_as_nobody_else(database: Database) -> None:
    pat = a_person(database, Role.PROGRAMME, now=NOW, email="pat@lieu.example")
    quentin = a_person(database, Role.PROGRAMME, now=NOW, email="quentin@lieu.example")
    _end_on(database, quentin, LAST_DAY)
    luce = opened(database)
    waiting = changes.grant_role(database, luce, Role.FINANCE_PREPARER, None, by=pat, now=LAST_MINUTE)
    assert waiting is not None
    with pytest.raises(Refused, match="somebody_else"):
        changes.stand_in(database, waiting, now=LAST_MINUTE)
    with pytest.raises(Refused, match="not_of_programme"):
        changes.confirm_change(database, waiting, by=quentin, now=OVER)
    changes.stand_in(database, waiting, now=OVER)


def test_a_role_that_is_over_excludes_none_and_may_be_given_again(database: Database) -> None:
    luce = opened(database)
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=NOW, until_on=LAST_DAY)
    with pytest.raises(Refused, match="roles_incompatible"):
        changes.grant_role(database, luce, Role.MEDIATOR, new_id(), by=None, now=LAST_MINUTE)
    accounts.revoke_role(database, luce, Role.AUDITOR, by=luce, now=OVER)  # there is nothing left to take
    changes.grant_role(database, luce, Role.MEDIATOR, new_id(), by=None, now=OVER)
    accounts.revoke_role(database, luce, Role.MEDIATOR, by=luce, now=OVER + timedelta(hours=1))
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=OVER + timedelta(hours=2))
    found = {(one.granted_at, one.ended_at) for one in roles_of(database, luce) if one.role is Role.AUDITOR}
    assert found == {(NOW, OVER), (OVER + timedelta(hours=2), None)}


def test_a_preparer_whose_other_role_is_over_may_be_a_deputy(database: Database) -> None:
    luce = a_person(database, None, now=NOW, email="luce@lieu.example")
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=NOW, until_on=LAST_DAY)
    _choose_password(database, luce)
    assert [one.id for one in may_be_deputies(database, now=LAST_MINUTE)] == []
    assert [one.id for one in may_be_deputies(database, now=OVER)] == [luce]


def test_a_role_is_prolonged_by_giving_it_again_until_later(database: Database) -> None:
    luce = opened(database)
    later = LAST_DAY + timedelta(days=30)
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=NOW, until_on=LAST_DAY)
    for sooner in (LAST_DAY, LAST_DAY - timedelta(days=1)):
        with pytest.raises(Refused, match="role_held"):
            changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=NOW, until_on=sooner)
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=LAST_MINUTE, until_on=later)
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=OVER)
    with pytest.raises(Refused, match="role_held"):
        changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=OVER, until_on=later)
    found = [(one.until_on, one.granted_at, one.ended_at) for one in roles_of(database, luce)]
    assert found == [(None, OVER, None), (later, LAST_MINUTE, OVER), (LAST_DAY, NOW, LAST_MINUTE)]


def test_a_role_held_for_another_organisation_is_not_prolonged(database: Database) -> None:
    luce = opened(database)
    changes.grant_role(database, luce, Role.MEDIATOR, new_id(), by=None, now=NOW, until_on=LAST_DAY)
    with pytest.raises(Refused, match="Retirez-le d’abord"):
        changes.grant_role(database, luce, Role.MEDIATOR, new_id(), by=None, now=NOW)


def test_a_last_day_that_is_past_is_refused_when_asked_and_when_confirmed(database: Database) -> None:
    pat = a_person(database, Role.PROGRAMME, now=NOW, email="pat@lieu.example")
    quentin = a_person(database, Role.PROGRAMME, now=NOW, email="quentin@lieu.example")
    luce = opened(database)
    with pytest.raises(Refused, match="until_past"):
        changes.grant_role(database, luce, Role.AUDITOR, None, by=pat, now=OVER, until_on=LAST_DAY)
    waiting = changes.grant_role(database, luce, Role.ISSUER, new_id(), by=pat, now=NOW, until_on=LAST_DAY)
    assert waiting is not None
    with pytest.raises(Refused, match="until_past"):
        changes.confirm_change(database, waiting, by=quentin, now=OVER)
    changes.confirm_change(database, waiting, by=quentin, now=LAST_MINUTE)


def test_the_two_people_decide_the_last_day_and_their_proof_holds_it(database: Database) -> None:
    pat = a_person(database, Role.PROGRAMME, now=NOW, email="pat@lieu.example")
    quentin = a_person(database, Role.PROGRAMME, now=NOW, email="quentin@lieu.example")
    luce = opened(database)
    waiting = changes.grant_role(database, luce, Role.FINANCE_PREPARER, None, by=pat, now=NOW, until_on=LAST_DAY)
    assert waiting is not None
    said = "le rôle « Finances, préparation », jusqu’au 31 mars 2026 compris"
    assert [one.what.replace("\u00a0", " ") for one in waiting_changes(database)] == [said]
    changes.confirm_change(database, waiting, by=quentin, now=NOW)
    found = change(database, waiting)
    assert found is not None
    assert found.what.replace("\u00a0", " ") == said
    with database.read() as session:
        assert session.scalars(select(RoleGrant.until_on).where(RoleGrant.account_id == luce)).all() == [LAST_DAY]
        told = session.scalars(select(OutboxMessage.body).where(OutboxMessage.recipient == "luce@lieu.example")).all()
    assert any("jusqu’au 31 mars 2026 compris" in body.replace("\u00a0", " ") for body in told)
    assert violations(database) == []
    # One person alone lets it last: two decided a day.
    _end_on(database, luce, None)
    assert [text.split()[0] for text in violations(database)] == ["two_people_gave_roles"]


def test_the_day_says_who_had_which_role(database: Database) -> None:
    luce, marc = opened(database), opened(database, "marc@lieu.example")
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=NOW, until_on=LAST_DAY)
    changes.grant_role(database, marc, Role.AUDITOR, None, by=None, now=NOW)
    accounts.close_account(database, marc, by=luce, now=datetime(2026, 3, 20, 8, tzinfo=UTC))
    changes.grant_role(database, luce, Role.PRESCRIBER, new_id(), by=None, now=OVER)
    accounts.revoke_role(database, luce, Role.PRESCRIBER, by=luce, now=datetime(2026, 4, 2, 22, tzinfo=UTC))
    both = [("luce@lieu.example", Role.AUDITOR), ("marc@lieu.example", Role.AUDITOR)]
    assert held_on(database, date(2026, 3, 11)) == []
    assert held_on(database, date(2026, 3, 12)) == both
    assert held_on(database, date(2026, 3, 20)) == both  # closed in the morning: it was held that day
    assert held_on(database, date(2026, 3, 21)) == both[:1]
    assert held_on(database, LAST_DAY) == both[:1]
    assert held_on(database, date(2026, 4, 1)) == [("luce@lieu.example", Role.PRESCRIBER)]
    # Taken away at midnight in Paris: not a moment of the third.
    assert held_on(database, date(2026, 4, 2)) == [("luce@lieu.example", Role.PRESCRIBER)]
    assert held_on(database, date(2026, 4, 3)) == []
    asked = Asked(sort="name", limit=9, filters={"role": "auditor", "name": "luce@"})
    rows, count = listed(roles_held_on(database, LAST_DAY, asked))
    assert (count, rows[0].ended_at, rows[0].granted_by_name) == (1, OVER, None)


def test_the_day_says_who_gave_and_who_confirmed(database: Database) -> None:
    pat = a_person(database, Role.PROGRAMME, now=NOW, email="pat@lieu.example")
    quentin = a_person(database, Role.PROGRAMME, now=NOW, email="quentin@lieu.example")
    luce = opened(database)
    waiting = changes.grant_role(database, luce, Role.FINANCE_PREPARER, None, by=pat, now=NOW)
    assert waiting is not None
    changes.confirm_change(database, waiting, by=quentin, now=NOW)
    changes.grant_role(database, opened(database, "marc@lieu.example"), Role.AUDITOR, None, by=pat, now=NOW)
    rows, _ = listed(roles_held_on(database, date(2026, 3, 12), Asked(sort="email", limit=9)))

    def said(row: RoleHeld) -> tuple[str, bool, bool, bool]:
        return row.email.partition("@")[0], bool(row.granted_by_name), row.is_confirmed, bool(row.confirmed_by_name)

    assert [said(row) for row in rows] == [
        ("luce", True, True, True),
        ("marc", True, False, False),
        ("pat", False, False, False),
        ("quentin", False, False, False),
    ]


def _end_on(database: Database, account_id: UUID, day: date | None) -> None:
    with database.write() as session:
        session.execute(update(RoleGrant).where(RoleGrant.account_id == account_id).values(until_on=day))
        if day is not None:
            session.execute(update(AccountChange).where(AccountChange.account_id == account_id).values(until_on=day))


def _choose_password(database: Database, account_id: UUID) -> None:
    found = person(database, account_id, now=NOW)
    assert found is not None
    token = links.print_link(database, found.email, now=NOW).rpartition("/")[2]
    links.use_link(database, token, "quatre mots bien longs", now=NOW)


def test_the_last_minute_is_the_last_of_the_day() -> None:
    assert end_of_day(LAST_DAY) == OVER


def letters(database: Database, to: str = "luce@lieu.example") -> list[str]:
    with database.read() as session:
        query = select(OutboxMessage.subject).where(OutboxMessage.recipient == to).order_by(OutboxMessage.created_at)
        return list(session.scalars(query))


def test_the_job_tells_a_week_before_then_ends_the_role_on_its_day_and_says_so(database: Database) -> None:
    luce = opened(database)
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=NOW, until_on=LAST_DAY)
    token = sessions.sign_in(database, "luce@lieu.example", "quatre mots bien longs", now=LAST_MINUTE)
    week_before = datetime(2026, 3, 23, 23, 0, tzinfo=UTC)  # midnight in Paris: the 24th begins
    assert end_roles(database, week_before - timedelta(minutes=1)) == RolesOver(0, 0)
    assert end_roles(database, week_before) == RolesOver(1, 0)
    assert end_roles(database, LAST_MINUTE) == RolesOver(0, 0)
    assert sessions.viewer_of(database, token, now=OVER) is not None
    late = OVER + timedelta(days=3)  # the worker was stopped: the role ended on its day all the same
    job = next(one for one in JOBS if one.key == "role_ends")
    assert job.run(database, settings_for(database), late) == "1 rôle(s) au bout de leur dernier jour"
    assert end_roles(database, late) == RolesOver(0, 0)
    assert sessions.viewer_of(database, token, now=OVER) is None
    assert [one.ended_at for one in roles_of(database, luce)] == [OVER]
    assert letters(database) == [
        "un rôle vous est donné",
        "un de vos rôles prend fin bientôt",
        "un de vos rôles a pris fin",
    ]
    rows, _ = listed(trail(database, Asked(sort="at", descending=True, limit=1)))
    said = (
        "le système",
        "Rôle fini, son dernier jour est passé",
        "luce@lieu.example : Contrôle, dernier jour le 31 mars 2026",
    )
    assert (rows[0].who, rows[0].action, rows[0].subject.replace("\u00a0", " ")) == said
    assert violations(database) == []


def test_a_role_given_for_some_days_is_not_told_twice(database: Database) -> None:
    luce = opened(database)
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=NOW, until_on=date(2026, 3, 14))
    assert end_roles(database, NOW) == RolesOver(0, 0)
    assert letters(database) == ["un rôle vous est donné"]


def test_a_role_that_was_prolonged_or_taken_does_not_end(database: Database) -> None:
    luce, marc = opened(database), opened(database, "marc@lieu.example")
    for one in (luce, marc):
        changes.grant_role(database, one, Role.AUDITOR, None, by=None, now=NOW, until_on=LAST_DAY)
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=NOW)
    accounts.revoke_role(database, marc, Role.AUDITOR, by=luce, now=NOW)
    for now in (LAST_MINUTE, OVER):
        assert end_roles(database, now) == RolesOver(0, 0)


def test_the_role_of_a_closed_account_ends_without_a_letter(database: Database) -> None:
    luce = opened(database)
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=NOW, until_on=LAST_DAY)
    accounts.close_account(database, luce, by=luce, now=NOW)
    before = letters(database)
    assert end_roles(database, LAST_MINUTE) == RolesOver(0, 0)
    assert end_roles(database, OVER) == RolesOver(0, 1)
    assert letters(database) == before
