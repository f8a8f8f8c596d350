"""What a browser brings back from the provider opens once, in the same browser, in time; a lie opens nothing; a provider that is down stops nobody."""

from datetime import timedelta
from functools import partial

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import ECKey

from tests.access.provided import (
    BACK,
    NOW,
    app_by,
    at_provider,
    link_path,
    linked_person,
    local,
    outcomes,
    said,
    sessions_of,
    there_and_back,
    trail,
)
from tests.at_once import at_once
from tests.clients import PASSWORD, a_person, app_for, csrf_token
from tests.stub_provider import Lies, Somebody, StubProvider, open_provider
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.web.access import SESSION_COOKIE


def test_a_way_back_serves_once_in_its_browser_and_in_time(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    linked_person(app, database, Role.MEDIATOR, new_id())

    def refused(client: FlaskClient, back: str) -> bool:
        answer = client.get(back)
        return answer.status_code == 403 and "Recommencez." in answer.text and client.get_cookie(SESSION_COOKIE) is None

    client = app.test_client()
    back = local(at_provider(client.get("/connexion/proconnect").location or ""))
    assert refused(app.test_client(), back), "another browser"
    assert refused(client, back), "it has served"
    state = said(back)["state"]
    client = app.test_client()
    back = local(at_provider(client.get("/connexion/proconnect").location or ""))
    for other in (state, "", "x" * 43):
        assert refused(client, back.replace(said(back)["state"], other)), "another state"
    late = app_by(provider, database, NOW + timedelta(minutes=11)).test_client()
    late.set_cookie("pass_form", client.get_cookie("pass_form").value)  # type: ignore[union-attr]
    assert refused(late, back), "too late"
    assert client.get(BACK).status_code == 403


def test_two_ways_begun_in_one_browser_both_end(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    linked_person(app, database, Role.MEDIATOR, new_id())
    client = app.test_client()
    backs = [local(at_provider(client.get("/connexion/proconnect").location or "")) for _ in range(2)]
    assert [client.get(back).status_code for back in backs] == [302, 403]  # the first signed in: a new person's cookie
    clients = [app.test_client() for _ in range(4)]
    backs = [local(at_provider(one.get("/connexion/proconnect").location or "")) for one in clients]
    answers = at_once(*(partial(one.get, back) for one, back in zip(clients, backs, strict=True)))
    assert [answer.status_code for answer in answers] == [302] * 4
    assert len({one.get_cookie(SESSION_COOKIE).value for one in clients}) == 4  # type: ignore[union-attr]


def test_one_way_back_sent_many_times_at_once_opens_one_session(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    linked_person(app, database, Role.MEDIATOR, new_id())
    client = app.test_client()
    back = local(at_provider(client.get("/connexion/proconnect").location or ""))
    form = client.get_cookie("pass_form")
    assert form is not None

    def come() -> int:
        one = app.test_client()
        one.set_cookie("pass_form", form.value)
        return one.get(back).status_code

    answers = at_once(*[come] * 4)
    assert sorted(answers) == [302, 403, 403, 403]
    assert len(sessions_of(database)) == 2


def test_a_link_used_by_two_identities_at_once_links_one(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    a_person(database, Role.MEDIATOR, new_id(), now=NOW, email="luce@lieu.example")
    path, ways = link_path(database, "luce@lieu.example", NOW), []
    for sub in ("un", "deux"):
        provider.somebody = Somebody(sub=sub)
        client = app.test_client()
        ways.append(partial(client.get, local(at_provider(client.get(path).location or ""))))
    answers = at_once(*ways)
    assert sorted(answer.status_code for answer in answers) == [302, 403]
    assert len(outcomes(database)) == 1


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        ("access_denied", 403, "Vous n’êtes pas allé au bout chez ProConnect."),
        ("login_required", 403, "Vous n’êtes pas allé au bout chez ProConnect."),
        ("server_error", 503, "ProConnect ne répond pas."),
        ("<script>", 403, "Vous n’êtes pas allé au bout chez ProConnect."),
    ],
)
def test_an_error_there_is_said_in_words(
    sqlite_database: Database, provider: StubProvider, error: str, status: int, words: str
) -> None:
    provider.lies.back = lambda parameters: parameters.update(error=error)
    answer = there_and_back(app_by(provider, sqlite_database, NOW).test_client())
    assert (answer.status_code, words in answer.text) == (status, True)
    assert error not in answer.text


LIES: dict[str, dict[str, object]] = {
    "nonce": {"id_token": lambda _, claims: claims.update(nonce="x" * 43)},
    "iss": {"id_token": lambda _, claims: claims.update(iss="https://autre.example")},
    "aud": {"id_token": lambda _, claims: claims.update(aud="autre")},
    "expired_token": {"id_token": lambda _, claims: claims.update(exp=claims["iat"] - 3600)},
    "bad_signature": {"signing_key": ECKey.generate_key("P-256")},
    "userinfo sub": {"userinfo": lambda _, claims: claims.update(sub="luce")},
    "userinfo": {"userinfo_in_clear": True},
}


def test_a_lie_opens_nothing_and_leaves_its_line(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    linked_person(app, database, Role.MEDIATOR, new_id())
    for check, lie in LIES.items():
        provider.lies = Lies(**lie)  # type: ignore[arg-type]
        answer = there_and_back(app.test_client())
        assert (answer.status_code, "n’a pas pu être vérifiée" in answer.text) == (403, True), check
        assert trail(database)[-1] == ("provider_refused", check)
    provider.lies = Lies(back=lambda parameters: parameters.update(iss="https://autre.example"))
    assert there_and_back(app.test_client()).status_code == 403
    provider.lies = Lies(back=lambda parameters: parameters.update(state="y" * 43))
    assert there_and_back(app.test_client()).status_code == 403
    assert len(sessions_of(database)) == 1


def test_while_the_provider_is_down_the_password_opens(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    account_id, _ = linked_person(app, database, Role.MEDIATOR, new_id())
    provider.lies.is_down = {"/token"}
    answer = there_and_back(app.test_client())
    assert answer.status_code == 503
    assert "connectez-vous avec votre adresse et votre mot de passe" in answer.text
    client = app.test_client()
    page = client.get("/personnes/connexion").text
    form = {"csrf_token": csrf_token(page), "email": "personne-mediator@lieu.example", "password": PASSWORD}
    assert client.post("/personnes/connexion", data=form).status_code == 302
    with open_provider() as gone:
        elsewhere = app_by(gone, database, NOW)
    answer = elsewhere.test_client().get("/connexion/proconnect")  # nobody listens there any more
    assert (answer.status_code, "ProConnect ne répond pas." in answer.text) == (503, True)
    assert account_id in {row.account_id for row in sessions_of(database)}


def test_ways_that_are_begun_and_not_ended_are_counted(sqlite_database: Database, provider: StubProvider) -> None:
    client = app_by(provider, sqlite_database, NOW).test_client()
    answers = [client.get("/connexion/proconnect").status_code for _ in range(31)]
    assert answers == [302] * 30 + [429]


def test_without_settings_there_is_no_such_door(sqlite_database: Database) -> None:
    client = app_for(sqlite_database, NOW).test_client()
    for path in ("", "/retour", "/lien/abc"):
        assert client.get(f"/connexion/proconnect{path}").status_code == 404
    assert "ProConnect" not in client.get("/personnes/connexion").text
