"""An identity provider opens the account that an invitation linked, and no other; over real HTTP, on both engines."""

import json

import pytest
from sqlalchemy import func, select

from tests.access.provided import (
    BACK,
    NOW,
    app_by,
    letters,
    link_path,
    linked_person,
    outcomes,
    sessions_of,
    there_and_back,
    trail,
    with_application,
)
from tests.clients import a_person, sign_in
from tests.stub_provider import Somebody, StubProvider
from voucher.access import links
from voucher.access.model import (
    AccountLink,
    SignInStep,
)
from voucher.access.rules import Door, Role, SessionStage
from voucher.access.sessions import open_waiting
from voucher.access.tokens import token_hash
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.web.access import SESSION_COOKIE


def test_a_linked_person_comes_in_by_the_provider(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    account_id, client = linked_person(app, database, Role.MEDIATOR, new_id())
    assert client.get("/personnes/moi").status_code == 200
    again = app.test_client()
    answer = there_and_back(again, "/connexion/proconnect?suite=/personnes/moi?a=1")
    assert (answer.status_code, answer.location) == (302, "/personnes/moi?a=1")
    [_, opened] = sessions_of(database)
    assert (opened.account_id, opened.door, opened.stage, opened.is_strong) == (
        account_id,
        Door.PROVIDER,
        SessionStage.OPEN,
        False,
    )
    asked = provider.last("/authorize")
    assert min(len(asked["state"]), len(asked["nonce"])) >= 32
    assert (asked["scope"], asked["code_challenge_method"]) == ("openid idp_id", "S256")
    assert asked["redirect_uri"] == f"http://127.0.0.1:8000{BACK}"
    assert ("signed_in", "personne-mediator@lieu.example, par ProConnect") in trail(database)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(SignInStep)) == 0


def test_an_address_alone_never_opens_an_account(database: Database, provider: StubProvider) -> None:
    """The provider says the very address of an account: it is nobody's way in until a link makes it one."""
    app = app_by(provider, database, NOW)
    a_person(database, Role.MEDIATOR, new_id(), now=NOW, email=provider.somebody.email)
    answer = there_and_back(app.test_client())
    assert answer.status_code == 403
    assert "Une adresse électronique ne suffit pas." in answer.text
    assert (sessions_of(database), outcomes(database)) == ([], [])


def test_a_link_links_once_ends_what_was_open_and_is_told(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    account_id = a_person(database, Role.MEDIATOR, new_id(), now=NOW, email="luce@lieu.example")
    signed_in = sign_in(app, database, account_id)
    path = link_path(database, "luce@lieu.example", NOW)
    assert (
        "Relier mon compte ProConnect"
        in app.test_client().get(path.replace("/connexion/proconnect/lien", "/personnes/lien")).text
    )
    assert there_and_back(app.test_client(), path).status_code == 302
    assert outcomes(database) == [(account_id, True)]
    assert signed_in.get("/personnes/moi").status_code == 302  # what was open before is closed
    assert "ProConnect ouvre votre compte" in letters(database, "luce@lieu.example")
    assert ("provider_linked", "luce@lieu.example") in trail(database)
    again = there_and_back(app.test_client(), path)
    assert (again.status_code, "Il a déjà servi" in again.text) == (403, True)
    # Another link, another account there: it replaces the first.
    provider.somebody = Somebody(sub="un nouveau sub")
    assert there_and_back(app.test_client(), link_path(database, "luce@lieu.example", NOW)).status_code == 302
    assert outcomes(database) == [(account_id, False), (account_id, True)]
    provider.somebody = Somebody()
    assert there_and_back(app.test_client()).status_code == 403


@pytest.mark.parametrize("led_by", ["cross-site", "same-site", "none"])
def test_nobody_is_led_to_link_their_account_there_to_somebody_else_s_here(
    database: Database, provider: StubProvider, led_by: str
) -> None:
    """Whoever was invited sends their own link around: the page says whose account it is, and its button alone goes there."""
    app = app_by(provider, database, NOW)
    a_person(database, Role.MEDIATOR, new_id(), now=NOW, email="luce@lieu.example")
    path = link_path(database, "luce@lieu.example", NOW)
    client = app.test_client()
    led = client.get(path, headers={"Sec-Fetch-Site": led_by})
    assert led.location == path.replace("/connexion/proconnect/lien", "/personnes/lien")
    page = client.get(led.location).text
    assert "luce@lieu.example" in page
    assert path in page
    assert "/api/v2/" in (client.get(path, headers={"Sec-Fetch-Site": "same-origin"}).location or "")


def test_one_account_there_opens_one_here(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    first, _ = linked_person(app, database, Role.MEDIATOR, new_id())
    a_person(database, Role.PROGRAMME, now=NOW, email="luce@pass.example")
    path = link_path(database, "luce@pass.example", NOW)
    answer = there_and_back(app.test_client(), path)
    assert (answer.status_code, "une personne n’en a qu’un" in answer.text) == (403, True)
    assert outcomes(database) == [(first, True)]
    assert (
        app.test_client().get(path.replace("/connexion/proconnect/lien", "/personnes/lien")).status_code == 200
    )  # it serves still


def test_who_reads_the_mailbox_alone_links_nothing(database: Database, provider: StubProvider) -> None:
    """« Mot de passe oublié » is for who has the mailbox; an identity is for whom somebody of the programme vouches."""
    app = app_by(provider, database, NOW)
    a_person(database, Role.MEDIATOR, new_id(), now=NOW, email="luce@lieu.example")
    links.ask_forgotten(database, "luce@lieu.example", now=NOW)
    with database.read() as session:
        link_id = session.scalars(select(AccountLink.id)).one()
    path = links.make_path(database, link_id, "luce@lieu.example", NOW)
    assert path is not None
    assert "ProConnect" not in app.test_client().get(path).text
    answer = there_and_back(app.test_client(), path.replace("/personnes/lien", "/connexion/proconnect/lien"))
    assert (answer.status_code, "Ce lien ne relie pas à ProConnect." in answer.text) == (403, True)
    assert outcomes(database) == []


def test_nothing_is_linked_over_a_second_factor(database: Database, provider: StubProvider) -> None:
    """A provider's word would do without the factor, and taking it off takes two people."""
    app = app_by(provider, database, NOW)
    account_id = a_person(database, Role.PROGRAMME, now=NOW, email="luce@pass.example")
    path = link_path(database, "luce@pass.example", NOW)
    with_application(database, account_id)
    assert (
        "Relier mon compte"
        not in app.test_client().get(path.replace("/connexion/proconnect/lien", "/personnes/lien")).text
    )
    assert there_and_back(app.test_client(), path).status_code == 403
    assert outcomes(database) == []


def test_a_low_level_and_a_second_factor_of_ours_wait_for_it(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    account_id, _ = linked_person(app, database, Role.PROGRAMME)
    with_application(database, account_id)
    client = app.test_client()
    there_and_back(client)
    [waiting] = [row for row in sessions_of(database) if row.stage is SessionStage.WAITING]
    cookie = client.get_cookie(SESSION_COOKIE)
    assert cookie is not None
    with database.write() as session:
        token = open_waiting(session, cookie.value, "application", now=NOW)
    assert token is not None
    opened = next(row for row in sessions_of(database) if row.token_sha256 == token_hash(token))
    assert (opened.door, opened.is_strong, opened.provider_hint) == (Door.PROVIDER, True, waiting.provider_hint)
    provider.somebody = Somebody(acr="eidas2")
    there_and_back(app.test_client())
    assert [row.is_strong for row in sessions_of(database) if row.stage is SessionStage.OPEN].count(True) == 2


# ------------------------------------------------------------------------------------------------------------------- level


def test_finance_is_asked_for_a_high_level_and_comes_in_with_it(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    provider.somebody = Somebody(acr="eidas1", can_reach="eidas2")
    linked_person(app, database, Role.FINANCE_PREPARER)
    assert provider.count("/authorize") == 2  # the second way asks for the level
    assert json.loads(provider.last("/authorize")["claims"]) == {
        "id_token": {"acr": {"essential": True, "values": ["eidas2", "eidas3"]}, "auth_time": None}
    }
    assert [row.is_strong for row in sessions_of(database)] == [True]


def test_finance_without_the_level_stays_out(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    account_id = a_person(database, Role.FINANCE_APPROVER, now=NOW, email="luce@pass.example")
    answer = there_and_back(app.test_client(), link_path(database, "luce@pass.example", NOW))
    assert (answer.status_code, "deux preuves (niveau eidas2 ou plus)" in answer.text) == (403, True)
    assert (sessions_of(database), outcomes(database)) == ([], [])
    # A provider that pays no heed to the level that it is asked for is not believed either.
    provider.lies.heeds_no_level = True
    answer = there_and_back(app.test_client(), link_path(database, "luce@pass.example", NOW))
    assert (answer.status_code, "deux preuves" in answer.text) == (403, True)
    provider.somebody = Somebody(acr=None)
    assert there_and_back(app.test_client(), link_path(database, "luce@pass.example", NOW)).status_code == 403
    assert (sessions_of(database), outcomes(database)) == ([], [])
    # The levels are a setting: ProConnect's may change their names.
    app = app_by(provider, database, NOW, provider_levels="eidas1-mfa")
    provider.somebody = Somebody(acr="eidas1-mfa")
    assert there_and_back(app.test_client(), link_path(database, "luce@pass.example", NOW)).status_code == 302
    assert outcomes(database) == [(account_id, True)]
