"""An identity that opens an account no more, the way out, and the proof of who is there that the provider gives again."""

import html
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.access.provided import (
    NOW,
    app_by,
    at_provider,
    letters,
    link_path,
    linked_person,
    local,
    outcomes,
    said,
    sessions_of,
    there_and_back,
    trail,
)
from tests.clients import PASSWORD, a_person, csrf_token, hash_of, sign_in, signed_in_client
from tests.factors import viewer_of
from tests.stub_provider import Lies, Somebody, StubProvider
from voucher.access import accounts, changes, links, sessions
from voucher.access.factors.held import has_second_factor
from voucher.access.model import (
    Passkey,
    ProviderIdentity,
    StaffAccount,
    StaffSession,
)
from voucher.access.provider.identities import unlink, unlink_own
from voucher.access.read import holders, person
from voucher.access.rules import Door, LinkPurpose, Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.web.access import SESSION_COOKIE


def test_a_person_unlinks_alone_but_not_their_only_way_in(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    account_id, client = linked_person(app, database, Role.MEDIATOR, new_id(), has_password=False)
    page = client.get("/mon-compte/proconnect").text
    assert "C’est votre seul moyen d’entrer." in page
    mine = client.get("/personnes/moi").text
    assert "Recevoir un lien pour le choisir" in mine
    assert 'name="current"' not in mine, "nobody is asked for a password that they do not have"
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
    assert not unlink_own(
        database,
        viewer_of(database, sessions.sign_in(database, "personne-mediator@lieu.example", PASSWORD, now=NOW), NOW),
        now=NOW,
    )


def test_a_password_alone_takes_off_no_provider(database: Database, provider: StubProvider) -> None:
    """Whoever reads the mailbox chooses a password: with the provider gone, they would add a factor, and keep its person out."""
    app = app_by(provider, database, NOW)
    account_id, by_provider = linked_person(app, database, Role.MEDIATOR, new_id())
    for client, is_taken in ((sign_in(app, database, account_id), False), (by_provider, True)):
        token = {"csrf_token": csrf_token(client.get("/mon-compte/proconnect").text)}
        answer = client.post("/mon-compte/proconnect/retirer", data=token, follow_redirects=True).text
        assert ("entrez par ProConnect pour le retirer" in answer) != is_taken
        assert outcomes(database) == [(account_id, not is_taken)]


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
    assert [found.id for found in holders(database, Role.PROGRAMME, now=NOW)] == [account_id]
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
    account_id, client = linked_person(app, database, Role.PROGRAMME, has_password=False)
    form = {
        "csrf_token": csrf_token(client.get("/personnes/moi").text),
        "id": str(new_id()),
        "name": "Luce",
        "email": "luce@a.example",
    }
    clock[0] += timedelta(minutes=20)
    page = client.post("/personnes/nouvelle", data=form).text
    assert "Prouver avec ProConnect" in page
    with database.write() as session:
        key = {"credential_id": b"k", "public_key": b"p", "sign_count": 0, "label": "Bureau", "is_synced": False}
        session.add(Passkey(id=new_id(), account_id=account_id, created_at=NOW, **key))
    page = client.post("/personnes/nouvelle", data=form).text
    assert ("Continuer avec ma clé d’accès" in page, "Prouver avec ProConnect" in page) == (True, True)
    carried = form | {"who-opens": "", "csrf_token": csrf_token(page)}
    assert "personne n’a encore prouvé qui vous êtes" in client.post("/personnes/nouvelle", data=carried).text
    assert "C’est bien vous" in there_and_back(client, "/connexion/proconnect/confirmer").text
    asked = provider.last("/authorize")
    assert (asked["max_age"], asked["prompt"]) == ("0", "login")
    assert json.loads(asked["claims"])["id_token"]["auth_time"] == {"essential": True}
    assert client.post("/personnes/nouvelle", data=carried).status_code == 302
    assert ("confirmed_again", "par ProConnect") in trail(database)


@pytest.mark.parametrize("is_told", [True, False], ids=["two hours ago", "not said when"])
def test_a_way_there_and_back_without_a_word_is_no_proof_of_who_is_there(
    database: Database, provider: StubProvider, is_told: bool
) -> None:
    """The provider has a session of its own: whoever sits at a screen left open comes in again by it, and does no act that asks."""
    app = app_by(provider, database, NOW)
    linked_person(app, database, Role.PROGRAMME)
    if is_told:
        provider.somebody, provider.lies = Somebody(proved_seconds_ago=7200), Lies(keeps_old_session=True)
    else:
        provider.lies = Lies(id_token=lambda _, claims: claims.pop("auth_time"))
    client = app.test_client()
    assert there_and_back(client).status_code == 302
    form = {"csrf_token": csrf_token(client.get("/personnes/moi").text), "id": str(new_id()), "name": "Luce"}
    answer = client.post("/personnes/nouvelle", data=form | {"email": "luce@a.example"})
    assert "prouvez que c’est bien vous, pour ouvrir un compte." in answer.text
    provider.somebody, provider.lies = Somebody(), Lies()
    there_and_back(client)
    form["csrf_token"] = csrf_token(client.get("/personnes/moi").text)
    assert client.post("/personnes/nouvelle", data=form | {"email": "luce@a.example"}).status_code == 302


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
        # Who has an account here too: being somebody is not enough.
        provider.somebody = Somebody(sub="luce")
        a_person(database, Role.AUDITOR, now=NOW, email="luce@pass.example")
        there_and_back(app.test_client(), link_path(database, "luce@pass.example", NOW))
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
    assert (answer.status_code, "Vous restez connecté." in answer.text) == (403, True)
    with database.read() as session:
        own = (StaffSession.account_id == account_id, StaffSession.door == Door.PROVIDER)
        proved = session.scalars(select(StaffSession.confirmed_at).where(*own)).one()
    assert proved == NOW - timedelta(hours=1)


def test_one_person_by_two_doors_is_one_of_the_two(database: Database, provider: StubProvider) -> None:
    """Who asked with a password does not confirm by ProConnect; who came by ProConnect confirms what somebody else asked."""
    app = app_by(provider, database, NOW)
    asker, by_provider = linked_person(app, database, Role.PROGRAMME)
    luce = a_person(database, None, now=NOW, email="luce@lieu.example")
    change_id = changes.grant_role(database, luce, Role.FINANCE_APPROVER, None, by=asker, now=NOW)
    assert change_id is not None

    def confirm(client: FlaskClient) -> bool:
        page = client.get(f"/personnes/a-confirmer/{change_id}").text
        form = {"csrf_token": csrf_token(page)}
        client.post(f"/personnes/a-confirmer/{change_id}", data=form)
        found = person(database, luce, now=NOW)
        return found is not None and found.roles == ((Role.FINANCE_APPROVER, None),)

    assert not confirm(by_provider)
    a_person(database, Role.PROGRAMME, now=NOW, email="autre@pass.example")
    provider.somebody = Somebody(sub="une autre personne")
    other = app.test_client()
    assert there_and_back(other, link_path(database, "autre@pass.example", NOW)).status_code == 302
    assert confirm(other)


def test_where_two_factors_are_asked_a_high_level_shows_them(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW, second_factor_required=True)
    provider.somebody = Somebody(acr="eidas1")
    _, client = linked_person(app, database, Role.PROGRAMME)
    assert client.get("/personnes/").location == "/mon-compte/deuxieme-preuve"
    # Whoever has still to add a factor proves who they are for that too.
    assert "C’est bien vous" in there_and_back(client, "/connexion/proconnect/confirmer").text
    provider.somebody = Somebody(acr="eidas2")
    again = app.test_client()
    there_and_back(again)
    assert again.get("/personnes/").status_code == 200


def test_a_password_alone_adds_no_factor_where_a_provider_opens_the_account(
    database: Database, provider: StubProvider
) -> None:
    """Whoever reads the mailbox chooses a password: a factor added with it would be as good as the provider's word."""
    app = app_by(provider, database, NOW)
    account_id, by_provider = linked_person(app, database, Role.MEDIATOR, new_id())
    for client, is_added in ((sign_in(app, database, account_id), False), (by_provider, True)):
        page = client.get("/mon-compte/cles-d-acces").text
        answer = client.post(
            "/mon-compte/cles-d-acces/debut", data={"csrf_token": csrf_token(page), "label": "téléphone"}
        )
        assert (answer.status_code == 200) == is_added, answer.text
        assert ("entrez par lui" in answer.text) != is_added


def test_who_counts_among_two_is_linked_to_somebody_else_by_two(database: Database, provider: StubProvider) -> None:
    """Somebody of the programme sends a link and reads the mailbox: it replaces no identity, which may be the second factor there."""
    app = app_by(provider, database, NOW)
    account_id, _ = linked_person(app, database, Role.PROGRAMME)
    first, second = (a_person(database, Role.PROGRAMME, now=NOW) for _ in range(2))
    provider.somebody = Somebody(sub="un autre sub")
    path = link_path(database, "personne-programme@lieu.example", NOW)
    answer = there_and_back(app.test_client(), path)
    assert (answer.status_code, "Ce lien ne relie pas à ProConnect." in answer.text) == (403, True)
    assert outcomes(database) == [(account_id, True)]
    change_id = changes.ask_reset(database, account_id, by=first, now=NOW)
    assert change_id is not None
    changes.confirm_change(database, change_id, by=second, now=NOW)
    assert there_and_back(app.test_client(), path).status_code == 302
    assert outcomes(database) == [(account_id, False), (account_id, True)]


def test_who_counts_among_two_is_unlinked_by_two(database: Database, provider: StubProvider) -> None:
    app = app_by(provider, database, NOW)
    account_id, theirs = linked_person(app, database, Role.PROGRAMME)
    first, second = (a_person(database, Role.PROGRAMME, now=NOW) for _ in range(2))
    for by in (first, account_id):
        with pytest.raises(Refused, match="remise à zéro"):
            unlink(database, account_id, by=by, now=NOW)
    change_id = changes.ask_reset(database, account_id, by=first, now=NOW)
    assert outcomes(database) == [(account_id, True)]
    assert change_id is not None
    changes.confirm_change(database, change_id, by=second, now=NOW)
    assert outcomes(database) == [(account_id, False)]
    assert theirs.get("/personnes/moi").status_code == 302
