"""An identity provider opens the account that an invitation linked, and no other; over real HTTP, on both engines."""

import html
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import ECKey
from sqlalchemy import func, insert, select, update

from tests.access.provided import BACK, app_by, at_provider, link_path, linked_person, local, said, there_and_back
from tests.clients import PASSWORD, a_person, app_for, csrf_token, hash_of, sign_in, signed_in_client
from tests.stub_provider import Lies, Somebody, StubProvider, open_provider
from voucher.access import accounts, changes, links, sessions
from voucher.access.factors.held import has_second_factor
from voucher.access.model import (
    AccountLink,
    AuditLine,
    ProviderIdentity,
    SignInStep,
    StaffAccount,
    StaffSession,
    TotpDevice,
)
from voucher.access.provider.identities import unlink
from voucher.access.read import holders
from voucher.access.rules import Door, LinkPurpose, Role, SessionStage
from voucher.access.sessions import open_waiting, token_hash
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.mail.model import OutboxMessage
from voucher.web.access import SESSION_COOKIE

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)


@pytest.fixture
def provider() -> Iterator[StubProvider]:
    """A provider whose clock is ours."""
    with open_provider(NOW.timestamp) as opened:
        yield opened


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do these in threads that start together; return what each gave."""
    gate, given = threading.Barrier(len(acts)), [None] * len(acts)

    def act(place: int) -> None:
        gate.wait()
        given[place] = acts[place]()

    threads = [threading.Thread(target=act, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return given


def sessions_of(database: Database) -> list[StaffSession]:
    with database.read() as session:
        found = list(session.scalars(select(StaffSession)))
        session.expunge_all()
    return found


def trail(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        return [
            (row.action, row.subject)
            for row in session.execute(select(AuditLine.action, AuditLine.subject).order_by(AuditLine.id))
        ]


def outcomes(database: Database) -> list[tuple[UUID, bool]]:
    """Return each identity: whose, and whether it opens the account still."""
    with database.read() as session:
        rows = session.execute(
            select(ProviderIdentity.account_id, ProviderIdentity.ended_at).order_by(ProviderIdentity.id)
        )
        return [(row.account_id, row.ended_at is None) for row in rows]


def letters(database: Database, email: str) -> list[str]:
    with database.read() as session:
        return list(
            session.scalars(
                select(OutboxMessage.subject).where(OutboxMessage.recipient == email).order_by(OutboxMessage.id)
            )
        )


def with_application(database: Database, account_id: UUID) -> None:
    """Give a person an application of codes: a second factor."""
    with database.write() as session:
        session.execute(
            insert(TotpDevice).values(
                id=new_id(), account_id=account_id, sealed_secret=b"sealed", last_step=0, created_at=NOW
            )
        )


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
        token = open_waiting(session, cookie.value, now=NOW)
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
        "id_token": {"acr": {"essential": True, "values": ["eidas2", "eidas3"]}}
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


# ------------------------------------------------------------------------------------------------------------ the way back


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
    answers = at_once([partial(one.get, back) for one, back in zip(clients, backs, strict=True)])
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

    answers = at_once([come] * 4)
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
    answers = at_once(ways)
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


# ----------------------------------------------------------------------------------------------------------- the end of it


def test_a_person_unlinks_alone_but_not_their_only_way_in(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    account_id, client = linked_person(app, database, Role.MEDIATOR, new_id(), has_password=False)
    page = client.get("/mon-compte/proconnect").text
    assert "C’est votre seul moyen d’entrer." in page
    token = {"csrf_token": csrf_token(page)}
    assert (
        "Choisissez d’abord un mot de passe"
        in client.post("/mon-compte/proconnect/retirer", data=token, follow_redirects=True).text
    )
    assert outcomes(database) == [(account_id, True)]
    with database.write() as session:
        session.execute(update(StaffAccount).values(password_hash=hash_of(PASSWORD)))
    assert client.post("/mon-compte/proconnect/retirer", data=token).status_code == 302
    assert outcomes(database) == [(account_id, False)]
    assert client.get("/personnes/moi").status_code == 302  # the session that ProConnect had opened is over
    assert letters(database, "personne-mediator@lieu.example")[-1] == "ProConnect n’ouvre plus votre compte"
    assert there_and_back(app.test_client()).status_code == 403
    assert not unlink(database, account_id, by=account_id, now=NOW)


def test_the_programme_unlinks_somebody_else(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    account_id, theirs = linked_person(app, database, Role.MEDIATOR, new_id(), has_password=False)
    client = signed_in_client(app, database, Role.PROGRAMME)
    page = client.get(f"/personnes/{account_id}").text
    assert "ProConnect ouvre ce compte depuis le" in page
    assert ("Ouvert" in page, "Envoyer un lien de mot de passe" in page) == (True, True)
    form = {"csrf_token": csrf_token(page)}
    path = f"/personnes/{account_id}/proconnect/retirer"
    assert "ProConnect n’ouvre plus ce compte." in client.post(path, data=form, follow_redirects=True).text
    assert "ProConnect n’ouvrait pas ce compte." in client.post(path, data=form, follow_redirects=True).text
    assert client.post(f"/personnes/{new_id()}/proconnect/retirer", data=form, follow_redirects=True).status_code == 404
    assert theirs.get("/personnes/moi").status_code == 302


def test_a_closed_account_and_one_that_one_person_moved_are_opened_by_no_identity(
    database: Database, provider: StubProvider
) -> None:
    app = app_by(provider, database, NOW)
    programme = a_person(database, Role.PROGRAMME, now=NOW)
    moved, _ = linked_person(app, database, Role.MEDIATOR, new_id())
    changes.change_address(database, moved, "autre@lieu.example", by=programme, now=NOW)
    assert there_and_back(app.test_client()).status_code == 403
    closed, _ = linked_person(app, database, Role.PLACE_MANAGER, new_id())
    accounts.close_account(database, closed, by=programme, now=NOW)
    assert there_and_back(app.test_client()).status_code == 403
    # The same person, in a new account: the old identity stands in nobody's way.
    again, _ = linked_person(app, database, Role.AUDITOR)
    assert outcomes(database) == [(moved, False), (closed, False), (again, True)]


def test_a_link_that_linked_makes_no_password_somebody_s_own(database: Database, provider: StubProvider) -> None:
    """Before links, somebody of the programme set passwords: linking ProConnect does not make such a one its person's."""
    app = app_by(provider, database, NOW)
    account_id, _ = linked_person(app, database, Role.MEDIATOR, new_id())
    with database.read() as session:
        assert not links.is_password_own(session, account_id)
        assert not has_second_factor(session, account_id)


def test_who_has_only_the_provider_counts_among_those_who_can_act(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    account_id, _ = linked_person(app, database, Role.PROGRAMME, has_password=False)
    assert [found.id for found in holders(database, Role.PROGRAMME)] == [account_id]
    asked = links.ask_link(database, account_id, by=account_id, now=NOW)
    assert asked is LinkPurpose.RESET  # they were invited long ago


def test_signing_out_leads_out_of_the_provider_too(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    _, client = linked_person(app, database, Role.MEDIATOR, new_id())
    [opened] = sessions_of(database)
    token = {"csrf_token": csrf_token(client.get("/personnes/moi").text)}
    page = client.post("/personnes/deconnexion", data=token)
    there = page.headers["Refresh"].removeprefix("0; url=")
    assert html.escape(there) in page.text
    assert client.get_cookie(SESSION_COOKIE) is None
    assert sessions_of(database) == []
    out = said(there)
    assert out["id_token_hint"] == opened.provider_hint != ""
    assert (len(out["state"]), out["post_logout_redirect_uri"]) == (
        43,
        "http://127.0.0.1:8000/connexion/proconnect/deconnexion",
    )
    back = local(at_provider(there))
    assert "chez ProConnect aussi" in client.get(back, follow_redirects=True).text
    assert "chez ProConnect aussi" not in client.get(back, follow_redirects=True).text  # once
    # A session that a password opened leaves as it always did; so does one whose provider has no way out.
    client = sign_in(app, database, opened.account_id)
    token = {"csrf_token": csrf_token(client.get("/personnes/moi").text)}
    assert client.post("/personnes/deconnexion", data=token).location == "/personnes/connexion"


# ------------------------------------------------------------------------------------------------------------- once again


def test_who_has_no_password_proves_again_at_the_provider(database: Database, provider: StubProvider) -> None:
    clock = [NOW]
    provider.now = lambda: clock[0].timestamp()
    app = app_by(provider, database, NOW)
    app.extensions["services"] = replace(app.extensions["services"], now=lambda: clock[0])
    provider.somebody = Somebody(proved_seconds_ago=7200)
    _, client = linked_person(app, database, Role.PROGRAMME, has_password=False)
    form = {
        "csrf_token": csrf_token(client.get("/personnes/moi").text),
        "id": str(new_id()),
        "name": "Luce",
        "email": "luce@a.example",
    }
    clock[0] += timedelta(minutes=20)
    page = client.post("/personnes/nouvelle", data=form).text
    assert "Prouver avec ProConnect" in page
    carried = form | {"who-opens": "", "csrf_token": csrf_token(page)}
    assert "personne n’a encore prouvé qui vous êtes" in client.post("/personnes/nouvelle", data=carried).text
    assert "C’est bien vous" in there_and_back(client, "/connexion/proconnect/confirmer").text
    asked = provider.last("/authorize")
    assert (asked["max_age"], asked["prompt"]) == ("0", "login")
    assert json.loads(asked["claims"])["id_token"]["auth_time"] == {"essential": True}
    assert client.post("/personnes/nouvelle", data=carried).status_code == 302
    assert ("confirmed_again", "par ProConnect") in trail(database)


@pytest.mark.parametrize("how", ["an old proof", "no hour of proof", "somebody else", "another session", "unlinked"])
def test_a_proof_that_is_not_fresh_or_not_theirs_confirms_nothing(
    database: Database, provider: StubProvider, how: str
) -> None:
    app = app_by(provider, database, NOW, provider_max_age=False)
    account_id, client = linked_person(app, database, Role.MEDIATOR, new_id())
    with database.write() as session:
        session.execute(update(StaffSession).values(confirmed_at=NOW - timedelta(hours=1)))
    if how == "an old proof":
        provider.somebody, provider.lies = Somebody(proved_seconds_ago=7200), Lies(keeps_old_session=True)
    elif how == "no hour of proof":
        provider.lies = Lies(id_token=lambda _, claims: claims.pop("auth_time"))
    elif how == "somebody else":
        provider.somebody = Somebody(sub="luce")
    elif how == "unlinked":
        with database.write() as session:
            session.execute(update(ProviderIdentity).values(ended_at=NOW))
    there = client.get("/connexion/proconnect/confirmer").location or ""
    assert "max_age" not in said(there)
    if how == "another session":
        client.set_cookie(
            SESSION_COOKIE, sessions.sign_in(database, "personne-mediator@lieu.example", PASSWORD, now=NOW)
        )
    answer = client.get(local(at_provider(there)))
    assert answer.status_code == 403
    with database.read() as session:
        proved = session.scalars(select(StaffSession.confirmed_at).where(StaffSession.door == Door.PROVIDER)).one()
    assert proved == NOW - timedelta(hours=1)
    assert account_id is not None
