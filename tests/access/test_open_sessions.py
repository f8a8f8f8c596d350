"""Sessions seen and ended; how long each may stay without a page, by what its person may do."""

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError

from tests.at_once import at_once
from tests.clients import PASSWORD, a_person, app_for, csrf_token, sign_in
from voucher.access import browsers, sessions
from voucher.access.links import print_link
from voucher.access.model import RoleGrant, StaffBrowser, StaffSession
from voucher.access.open_sessions import end_other_sessions, end_session, open_sessions
from voucher.access.rules import SESSION_DURATION, Door, Role, idle_limit
from voucher.access.tokens import new_token
from voucher.access.tries import ACCOUNT_WAITS, ADDRESS_FREE_COUNT
from voucher.access.visits import Visit
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.idle_limits import USUAL_IDLE_LIMITS, IdleLimits
from voucher.mail.model import OutboxMessage
from voucher.web.access import BROWSER_COOKIE, SESSION_COOKIE
from voucher.web.services import Services

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
EMAIL = "lea@lieu.example"
MINE = "/mon-compte/connexions"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    "roles, minutes",
    [
        ([Role.FINANCE_APPROVER], 30),
        ([Role.FINANCE_PREPARER], 30),
        ([Role.MEDIATOR], 720),
        ([Role.MEDIATOR, Role.PLACE_MANAGER], 720),
        ([Role.PROGRAMME], 120),
        ([Role.AUDITOR], 120),
        ([Role.ISSUER, Role.PRESCRIBER], 120),
        ([], 120),
        # The strictest, whatever the order: no two sides of the money are held together, but rules change.
        ([Role.MEDIATOR, Role.FINANCE_PREPARER, Role.ISSUER], 30),
        ([Role.MEDIATOR, Role.PRESCRIBER], 120),
    ],
)
def test_how_long_a_session_may_stay_idle_is_the_strictest_of_its_person_s_roles(
    roles: list[Role], minutes: int
) -> None:
    assert idle_limit(roles, USUAL_IDLE_LIMITS) == timedelta(minutes=minutes)


def at(app: Flask, database: Database, moment: datetime) -> None:
    """Let an application's clock stand at a moment."""
    app.extensions["services"] = Services(database, app.extensions["services"].settings, lambda: moment)


@pytest.mark.parametrize("role, minutes", [(Role.FINANCE_APPROVER, 30), (Role.MEDIATOR, 720), (Role.AUDITOR, 120)])
def test_an_idle_session_ends_and_one_that_opens_pages_goes_on(database: Database, role: Role, minutes: int) -> None:
    app = app_for(database, NOW)
    account_id = a_person(database, role, new_id() if role is Role.MEDIATOR else None, now=NOW)
    client = sign_in(app, database, account_id)
    limit, moment = timedelta(minutes=minutes), NOW
    while moment + limit - MINUTE < NOW + SESSION_DURATION and moment < NOW + 3 * limit:
        moment += limit - MINUTE
        at(app, database, moment)
        assert client.get("/personnes/moi").status_code == 200, moment
    at(app, database, min(moment + limit + 2 * MINUTE, NOW + SESSION_DURATION))
    answer = client.get("/personnes/moi")
    assert (answer.status_code, answer.location) == (302, "/personnes/connexion?suite=/personnes/moi")
    assert "Votre connexion est terminée." in client.get(answer.location).text


def test_every_session_ends_after_twelve_hours_however_busy(database: Database) -> None:
    app = app_for(database, NOW)
    client = sign_in(app, database, a_person(database, Role.AUDITOR, now=NOW))
    for hours in range(1, 12):
        at(app, database, NOW + timedelta(hours=hours))
        assert client.get("/personnes/moi").status_code == 200
    at(app, database, NOW + timedelta(hours=12))
    assert client.get("/personnes/moi").status_code == 302


def test_limits_are_settings(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, NOW, idle_minutes=5)
    client = sign_in(app, sqlite_database, a_person(sqlite_database, Role.AUDITOR, now=NOW))
    at(app, sqlite_database, NOW + timedelta(minutes=6))
    assert client.get("/personnes/moi").status_code == 302


def enter(app: Flask, agent: str, network: str, email: str = EMAIL, client: FlaskClient | None = None) -> FlaskClient:
    """Sign in on the page, in a new browser or in one that holds its cookies."""
    client = client or app.test_client()
    client.environ_base.update(HTTP_USER_AGENT=agent, REMOTE_ADDR=network)
    token = csrf_token(client.get("/personnes/connexion").text)
    data = {"csrf_token": token, "email": email, "password": PASSWORD}
    assert client.post("/personnes/connexion", data=data).status_code == 302
    return client


def post(client: FlaskClient, path: str) -> str:
    token = csrf_token(client.get("/personnes/moi").text)
    return client.post(path, data={"csrf_token": token}, follow_redirects=True).text


def is_in(client: FlaskClient) -> bool:
    return client.get("/personnes/moi").status_code == 200


def test_a_person_sees_where_they_are_signed_in_and_ends_one_or_all_the_others(database: Database) -> None:
    app = app_for(database, NOW)
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    a_person(database, Role.AUDITOR, now=NOW, email="marc@lieu.example")
    here = enter(app, FIREFOX, "203.0.113.5")
    phone = enter(app, CHROME, "90.12.3.4")
    other = enter(app, CHROME, "198.51.100.1", "marc@lieu.example")
    page = here.get(MINE).text
    assert re.search(r"Firefox sur Windows.*?203\.0\.x\.x.*?par mot de passe.*?Celle-ci", page, re.DOTALL)
    assert re.search(r"Chrome sur Android.*?90\.12\.x\.x.*?Fermer", page, re.DOTALL)
    assert "Sans nouvelle page pendant 2\u00a0heures" in page
    assert "198.51" not in page
    assert "203.0.113.5" not in page
    (path,) = re.findall(rf'action="({MINE}/[0-9a-f-]+/fermer)"', page)
    # Nobody ends somebody else's.
    assert "déjà fermée" in post(other, path)
    assert is_in(phone)
    assert "Cette connexion est fermée." in post(here, path)
    assert (is_in(here), is_in(phone), is_in(other)) == (True, False, True)
    assert "déjà fermée" in post(here, path)
    # Its browser went with it: the next sign-in with it is told.
    with database.read() as session:
        assert len(session.scalars(select(StaffBrowser.id)).all()) == 2
    enter(app, CHROME, "90.12.3.4", client=phone)
    enter(app, CHROME, "90.12.3.5")
    with database.read() as session:
        told = session.scalars(select(OutboxMessage.body).where(OutboxMessage.recipient == EMAIL)).all()
    assert len([body for body in told if "Chrome sur Android" in body]) == 2
    assert "Vos autres connexions sont fermées." in post(here, f"{MINE}/fermer-les-autres")
    assert (is_in(here), is_in(phone), is_in(other)) == (True, False, True)
    assert "fermer-les-autres" not in here.get(MINE).text


def test_the_programme_ends_a_person_s_sessions_and_the_person_is_told(database: Database) -> None:
    app = app_for(database, NOW)
    account_id = a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    pat = sign_in(app, database, a_person(database, Role.PROGRAMME, now=NOW))
    lea = enter(app, FIREFOX, "203.0.113.5")
    there = f"/personnes/{account_id}"
    assert "Fermer ses connexions (1)" in pat.get(there).text
    assert lea.post(f"{there}/connexions/fermer").status_code in (400, 403)
    assert "La personne en est avertie." in post(pat, f"{there}/connexions/fermer")
    assert not is_in(lea)
    assert "Fermer ses connexions" not in pat.get(there).text
    assert "Aucune connexion n’était ouverte." in post(pat, f"{there}/connexions/fermer")
    with database.read() as session:
        subjects = session.scalars(select(OutboxMessage.subject).where(OutboxMessage.recipient == EMAIL)).all()
    assert any("vos connexions sont fermées" in subject for subject in subjects)


def test_an_idle_session_is_no_more_shown(database: Database) -> None:
    account_id = a_person(database, Role.FINANCE_PREPARER, now=NOW, email=EMAIL)
    sessions.sign_in(database, EMAIL, PASSWORD, now=NOW)
    idle = IdleLimits()

    def count(moment: datetime) -> int:
        return len(open_sessions(database, account_id, idle=idle, now=moment))

    assert [count(NOW + timedelta(minutes=30)), count(NOW + timedelta(minutes=31))] == [1, 0]
    with database.write() as session:
        session.execute(RoleGrant.__table__.delete())
    assert [count(NOW + timedelta(minutes=31)), count(NOW + timedelta(minutes=121))] == [1, 0]


def test_the_cookies_of_a_sign_in_are_kept_from_scripts_and_from_other_sites(sqlite_database: Database) -> None:
    a_person(sqlite_database, Role.AUDITOR, now=NOW, email=EMAIL)
    for base_url, is_secure in (("http://127.0.0.1:8000", False), ("https://pass.example", True)):
        client = enter(app_for(sqlite_database, NOW, base_url=base_url), FIREFOX, "203.0.113.5")
        for name in (SESSION_COOKIE, BROWSER_COOKIE):
            cookie = client.get_cookie(name)
            assert cookie is not None
            assert (cookie.http_only, cookie.same_site, cookie.secure, cookie.path) == (True, "Lax", is_secure, "/")
        session, browser = client.get_cookie(SESSION_COOKIE), client.get_cookie(BROWSER_COOKIE)
        assert session
        assert browser
        assert session.max_age is None
        assert browser.max_age == 400 * 86_400


def test_a_token_that_somebody_planted_opens_nothing_once_its_person_signs_in(sqlite_database: Database) -> None:
    a_person(sqlite_database, Role.AUDITOR, now=NOW, email=EMAIL)
    app = app_for(sqlite_database, NOW)
    client = app.test_client()
    client.set_cookie(SESSION_COOKIE, "planted")
    client.set_cookie(BROWSER_COOKIE, "planted")
    enter(app, FIREFOX, "203.0.113.5", client=client)
    held = {name: cookie.value for name in (SESSION_COOKIE, BROWSER_COOKIE) if (cookie := client.get_cookie(name))}
    assert "planted" not in held.values()
    assert sessions.viewer_of(sqlite_database, "planted", now=NOW) is None
    # A second sign-in in the same browser ends the first session: one browser, one session.
    enter(app, FIREFOX, "203.0.113.5", client=client)
    with sqlite_database.read() as session:
        assert len(session.scalars(select(StaffSession.id)).all()) == 1
        assert len(session.scalars(select(StaffBrowser.id)).all()) == 1


def test_a_role_s_page_stays_closed_to_the_session_of_another_role(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, NOW)
    people: dict[Role, UUID] = {
        role: a_person(sqlite_database, role, new_id() if role is Role.MEDIATOR else None, now=NOW)
        for role in (Role.MEDIATOR, Role.FINANCE_APPROVER)
    }
    clients = {role: sign_in(app, sqlite_database, account_id) for role, account_id in people.items()}
    look: Callable[[Role, str], int] = lambda role, path: clients[role].get(path).status_code  # noqa: E731
    assert (look(Role.FINANCE_APPROVER, "/finances/"), look(Role.MEDIATOR, "/finances/")) == (200, 403)
    assert look(Role.FINANCE_APPROVER, "/comptoir/aujourdhui") == 403


def test_a_session_has_another_token_once_its_person_proves_again_who_they_are(database: Database) -> None:
    app = app_for(database, NOW)
    client = sign_in(app, database, a_person(database, Role.PROGRAMME, now=NOW))
    before = client.get_cookie(SESSION_COOKIE)
    assert before is not None
    later = NOW + timedelta(minutes=6)
    at(app, database, later)
    data = {"csrf_token": csrf_token(client.get("/personnes/moi").text), "who-password": PASSWORD}
    data |= {"id": str(new_id()), "name": "Luce Arbre", "email": "luce@lieu.example"}
    assert client.post("/personnes/nouvelle", data=data).status_code == 302
    after = client.get_cookie(SESSION_COOKIE)
    assert after is not None
    assert after.value != before.value
    assert sessions.viewer_of(database, before.value, now=later) is None
    assert is_in(client)


@pytest.mark.race
def test_two_sign_ins_at_once_in_one_browser_open_two_sessions_and_break_nothing(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    first = Visit(new_browser_token=new_token(), network="203.0.x.x", agent="Firefox sur Windows")
    sessions.sign_in(database, EMAIL, PASSWORD, now=NOW, visit=first)
    visits = [replace(first, browser_token=first.new_browser_token, new_browser_token=new_token()) for _ in range(2)]
    tokens = at_once(*(partial(sessions.sign_in, database, EMAIL, PASSWORD, now=NOW, visit=visit) for visit in visits))
    assert len({sessions.viewer_of(database, token, now=NOW).token_sha256 for token in tokens}) == 2  # type: ignore[union-attr]
    with database.read() as session:
        assert len(session.scalars(select(StaffBrowser.id)).all()) == 1
        assert len(session.scalars(select(OutboxMessage.id)).all()) == 1


@pytest.mark.race
@pytest.mark.parametrize("all_others", [False, True], ids=["one", "all the others"])
def test_a_session_is_ended_before_or_after_its_browser_signs_in_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, all_others: bool
) -> None:
    """Its browser is forgotten with it: a sign-in that has just found the browser known ends first, and keeps it."""
    account_id = a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    here = sessions.viewer_of(database, sessions.sign_in(database, EMAIL, PASSWORD, now=NOW), now=NOW)
    phone = Visit(new_browser_token=new_token(), network="203.0.x.x", agent="Firefox sur Windows")
    sessions.sign_in(database, EMAIL, PASSWORD, now=NOW, visit=phone)
    assert here is not None
    (old,) = (one.id for one in open_sessions(database, account_id, idle=USUAL_IDLE_LIMITS, now=NOW) if one.network)
    again, said = replace(phone, browser_token=phone.new_browser_token, new_browser_token=new_token()), list[str]()

    def end() -> None:
        try:
            end_other_sessions(database, here, now=NOW) if all_others else end_session(database, here, old, now=NOW)
            said.append("ended")
        except IntegrityError as failed:
            said.append(str(failed.orig))

    ending, rest = threading.Thread(target=end), browsers._remember_network

    def meanwhile(*known: Any) -> bool:
        ending.start()
        ending.join(0.5)
        return rest(*known)

    monkeypatch.setattr(browsers, "_remember_network", meanwhile)
    sessions.sign_in(database, EMAIL, PASSWORD, now=NOW, visit=again)
    ending.join()
    assert said == ["ended"]


@pytest.mark.race
def test_sessions_that_are_over_are_deleted_by_whoever_comes_in_and_hold_nobody_up(
    postgresql_database: Database,
) -> None:
    """Two change their password at once: each has deleted their own session that was over, and comes to the other's."""
    database, late = postgresql_database, NOW + timedelta(hours=13)
    people = [a_person(database, Role.AUDITOR, now=NOW) for _ in range(2)]
    gate, said = threading.Barrier(2), list[str]()
    for account_id in people:
        with database.write() as session:
            sessions.open_session(session, account_id, now=NOW, door=Door.PASSWORD)

    def come_back(account_id: UUID) -> None:
        try:
            with database.write() as session:
                sessions.end_all(session, account_id)
                gate.wait()
                sessions.open_session(session, account_id, now=late, door=Door.PASSWORD)
            said.append("in")
        except OperationalError as failed:
            said.append(str(failed.orig))

    threads = [threading.Thread(target=come_back, args=(account_id,)) for account_id in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == ["in", "in"]
    with database.read() as session:
        assert session.scalars(select(StaffSession.started_at)).all() == [late, late]


def test_who_tries_too_often_is_told_when_to_come_back_and_a_link_opens_at_once(database: Database) -> None:
    app = app_for(database, NOW)
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    stranger = app.test_client()
    data = {
        "csrf_token": csrf_token(stranger.get("/personnes/connexion").text),
        "email": EMAIL,
        "password": "pas le bon",
    }
    answers = [stranger.post("/personnes/connexion", data=data) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["Retry-After"] == "1"
    assert "Trop d’essais de suite. Attendez 1\u00a0seconde, puis recommencez." in answers[-1].text
    moment = NOW
    for wait in ACCOUNT_WAITS[1:5]:
        moment += wait
        at(app, database, moment)
        stranger.post("/personnes/connexion", data=data)
    refused = stranger.post("/personnes/connexion", data=data)
    assert "Attendez 6\u00a0minutes" in refused.text
    assert "Pour ne pas attendre, choisissez un autre mot de passe" in refused.text
    lea, path = app.test_client(), print_link(database, EMAIL, now=moment)
    chosen = dict.fromkeys(("wanted", "again"), "cinq autres mots très longs")
    lea.post(path, data={"csrf_token": csrf_token(lea.get(path).text)} | chosen)
    token = csrf_token(lea.get("/personnes/connexion").text)
    right = {"csrf_token": token, "email": EMAIL, "password": chosen["wanted"]}
    assert stranger.post("/personnes/connexion", data=data | {"password": chosen["wanted"]}).status_code == 429
    assert lea.post("/personnes/connexion", data=right).status_code == 302
    with database.read() as session:
        subjects = session.scalars(select(OutboxMessage.subject).where(OutboxMessage.recipient == EMAIL)).all()
    assert not any("nouvelle connexion" in subject for subject in subjects)


def test_addresses_of_links_are_not_guessed(sqlite_database: Database) -> None:
    client = app_for(sqlite_database, NOW).test_client()
    a_person(sqlite_database, Role.AUDITOR, now=NOW, email=EMAIL)
    path = print_link(sqlite_database, EMAIL, now=NOW)
    tried = [client.get(f"/personnes/lien/{rank}") for rank in range(ADDRESS_FREE_COUNT + 1)]
    assert [answer.status_code for answer in tried] == [410] * ADDRESS_FREE_COUNT + [429]
    assert "Trop d’essais de suite." in tried[-1].text
    assert client.get(path).status_code == 200
