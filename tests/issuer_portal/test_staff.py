"""The programme invites people and gives roles; each person chooses the password, and changes it alone."""

import re
import time
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from issuer_portal.staff import links as link_pages
from issuer_portal.staff.links import FORGOTTEN_SECONDS
from tests.clients import PASSWORD, a_person, app_for, csrf_token, sign_in, signed_in_client
from tests.listed import listed
from voucher.access import links
from voucher.access.read import people
from voucher.access.rules import Role
from voucher.access.tries import ADDRESS_FREE_COUNT
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked
from voucher.mail.read import messages
from voucher.web.services import utc_now

WANTED = "cinq autres mots très longs"


def everybody(database: Database) -> dict[str, list[Role]]:
    rows, _ = listed(people(database, Asked(sort="name", limit=50), now=utc_now()))
    return {row.email: [role for role, _ in row.roles] for row in rows}


def invite(client: FlaskClient, **changes: str) -> tuple[int, str, str]:
    """Invite somebody; return the status, where it leads and what the page says."""
    page = client.get("/personnes/nouvelle").text
    form = {"csrf_token": csrf_token(page), "id": page.split('name="id"')[1].split('value="')[1].split('"')[0]}
    person = {"name": "Luce Arbre", "email": "luce@lieu.example"}
    answer = client.post("/personnes/nouvelle", data=form | person | changes)
    return answer.status_code, answer.location or "", answer.text


def post(client: FlaskClient, path: str, **data: object) -> str:
    """Post a form and return what the page that follows says."""
    token = csrf_token(client.get("/personnes/moi").text)
    return client.post(path, data={"csrf_token": token} | data, follow_redirects=True).text


def printed(database: Database, email: str = "luce@lieu.example") -> str:
    return links.print_link(database, email, now=utc_now())


def test_the_programme_invites_a_person_who_chooses_the_password(database: Database) -> None:
    app = app_for(database)
    client = signed_in_client(app, database, Role.PROGRAMME)
    status, there, _ = invite(client)
    assert status == 302
    page = client.get(there).text
    assert "L’invitation part à luce@lieu.example." in page
    assert "Invitation à envoyer" in page
    assert "a maintenant le rôle « Contrôle »" in post(client, f"{there}/roles", role="auditor", scope="")
    path = printed(database)
    assert "Invitation envoyée" in client.get("/personnes/").text
    luce = app.test_client()
    for _ in range(2):  # a scanner of mail looks first: nothing is used up
        answer = luce.get(path)
        assert answer.status_code == 200
    assert "Bienvenue, Luce Arbre" in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<script" not in answer.text
    form = {"csrf_token": csrf_token(answer.text), "wanted": WANTED, "again": WANTED}
    assert "pas le même" in luce.post(path, data=form | {"again": "autre"}).text
    assert (
        "contient votre nom"
        in luce.post(path, data=form | dict.fromkeys(("wanted", "again"), "arbre lanterne seau")).text
    )
    chosen = luce.post(path, data=form, follow_redirects=True).text
    assert "Votre mot de passe est choisi. Connectez-vous." in chosen
    assert luce.get(path).status_code == 410
    assert "Ce lien ne sert plus" in luce.post(path, data=form | {"csrf_token": csrf_token(chosen)}).text
    signed = luce.post(
        "/personnes/connexion",
        data={"csrf_token": csrf_token(chosen), "email": "luce@lieu.example", "password": WANTED},
    )
    assert signed.location == "/tableau/"


def test_no_page_takes_or_shows_somebody_else_s_password(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    client = signed_in_client(app, sqlite_database, Role.PROGRAMME)
    _, there, _ = invite(client)
    token_of = [printed(sqlite_database).rpartition("/")[2]]
    for page in ("", "/roles", "/lien", "/adresse", "/fermer"):
        text = client.get(there + page).text
        assert 'type="password"' not in text, page
        assert token_of[0] not in text
    rows, _ = listed(messages(sqlite_database, Asked(descending=True, limit=9), with_accounts=True))
    for row in rows:
        assert token_of[0] not in client.get(f"/finances/messages/{row.id}").text


def test_a_refused_account_says_why_at_the_field(database: Database) -> None:
    client = signed_in_client(app_for(database), database, Role.PROGRAMME)
    assert "Écrivez une adresse électronique complète." in invite(client, email="luce")[2]
    invite(client)
    assert "Cette adresse a déjà un compte." in invite(client)[2]


def test_an_invitation_is_sent_again_and_cancelled(database: Database) -> None:
    app = app_for(database)
    client = signed_in_client(app, database, Role.PROGRAMME)
    _, there, _ = invite(client)
    assert "Vous ne le voyez pas" in post(client, f"{there}/lien")
    path = printed(database)
    page = client.get(there).text
    assert "Renvoyer l’invitation" in page
    assert "Annuler l’invitation" in page
    assert "Le lien ne sert plus." in post(client, f"{there}/liens/annuler")
    assert "Annuler l’invitation" not in client.get(there).text
    assert app.test_client().get(path).status_code == 410
    assert "Sans invitation" in client.get(there).text


def test_two_people_give_a_finance_role(database: Database) -> None:
    app = app_for(database)
    pat = signed_in_client(app, database, Role.PROGRAMME)
    quentin = signed_in_client(app, database, Role.PROGRAMME)
    _, there, _ = invite(pat)
    said = post(pat, f"{there}/roles", role="finance_preparer", scope="")
    assert "attend une autre personne du programme" in said
    assert "À confirmer par une autre personne" in said
    assert everybody(database)["luce@lieu.example"] == []
    waiting = re.findall(r'href="(/personnes/a-confirmer/[^"]+)"', quentin.get("/personnes/a-confirmer").text)[0]
    own = pat.get(waiting).text
    assert "Vous avez fait cette demande." in own
    assert "Vous avez fait cette demande." in post(pat, waiting)
    assert everybody(database)["luce@lieu.example"] == []
    assert "luce@lieu.example" in quentin.get(waiting).text
    assert "a maintenant le rôle « Finances, préparation »." in post(quentin, waiting)
    assert everybody(database)["luce@lieu.example"] == [Role.FINANCE_PREPARER]
    said = post(pat, f"{there}/adresse", email="autre@lieu.example")
    assert "attend une autre personne du programme" in said
    assert "autre@lieu.example" not in everybody(database)
    waiting = re.findall(r'href="(/personnes/a-confirmer/[^"]+)"', quentin.get("/personnes/a-confirmer").text)[0]
    assert "La demande est refusée." in post(quentin, f"{waiting}/refuser")
    assert "Rien n’attend." in pat.get("/personnes/a-confirmer").text


def test_a_forgotten_password_says_the_same_words_for_everybody(database: Database) -> None:
    app = app_for(database)
    a_person(database, Role.AUDITOR, email="lea@lieu.example")
    said = []
    for email in ("lea@lieu.example", "personne@lieu.example"):
        client = app.test_client()
        token = csrf_token(client.get("/personnes/mot-de-passe-oublie").text)
        form = {"csrf_token": token, "email": email}
        started = time.monotonic()
        answer = client.post("/personnes/mot-de-passe-oublie", data=form)
        assert time.monotonic() - started >= FORGOTTEN_SECONDS
        said.append((answer.status_code, answer.location, client.get(answer.location).text))
    assert said[0] == said[1]
    assert "Si cette adresse a un compte" in said[0][2]
    rows, _ = listed(messages(database, Asked(descending=True, limit=9), with_accounts=True))
    assert [row.recipient for row in rows] == ["lea@lieu.example"]


def test_who_asks_for_one_account_after_the_other_is_slowed_down(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_pages, "FORGOTTEN_SECONDS", 0)
    client = app_for(sqlite_database).test_client()
    heads = {"REMOTE_ADDR": "203.0.113.77"}
    token = csrf_token(client.get("/personnes/mot-de-passe-oublie").text)
    statuses = [
        client.post(
            "/personnes/mot-de-passe-oublie",
            data={"csrf_token": token, "email": f"{number}@lieu.example"},
            environ_overrides=heads,
        ).status_code
        for number in range(ADDRESS_FREE_COUNT + 1)
    ]
    assert statuses == [302] * ADDRESS_FREE_COUNT + [429]


def test_finance_does_not_read_the_messages_on_accounts(database: Database) -> None:
    app = app_for(database)
    programme = signed_in_client(app, database, Role.PROGRAMME)
    invite(programme)
    (row,), _ = listed(messages(database, Asked(descending=True, limit=9), with_accounts=True))
    page = programme.get(f"/finances/messages/{row.id}").text
    assert "Le lien est fait à l’envoi." in page
    assert "Renvoyer ce message" not in page
    preparer = signed_in_client(app, database, Role.FINANCE_PREPARER)
    assert preparer.get(f"/finances/messages/{row.id}").status_code == 404
    assert "luce@lieu.example" not in preparer.get("/finances/messages").text
    token = csrf_token(preparer.get("/personnes/moi").text)
    for client in (programme, preparer):
        token = csrf_token(client.get("/personnes/moi").text)
        answer = client.post(f"/finances/messages/{row.id}/renvoyer", data={"csrf_token": token})
        assert answer.status_code == 404


def test_a_name_cannot_become_markup_or_a_formula(database: Database) -> None:
    client = signed_in_client(app_for(database), database, Role.PROGRAMME)
    invite(client, name="=1+1<script>alert(1)</script>")
    assert "<script>alert" not in client.get("/personnes/").text
    assert "'=1+1<script>" in client.get("/personnes/?format=csv").text


def test_a_person_changes_their_password_and_stays_signed_in_here_alone(database: Database) -> None:
    app = app_for(database)
    lea: UUID = a_person(database, Role.AUDITOR)
    here, elsewhere = sign_in(app, database, lea), sign_in(app, database, lea)
    token = csrf_token(here.get("/personnes/moi").text)
    form = {"csrf_token": token, "current": PASSWORD, "wanted": WANTED, "again": WANTED}
    assert "pas le même" in here.post("/personnes/moi", data=form | {"again": "autre"}).text
    assert (
        "que l’on essaie"
        in here.post("/personnes/moi", data=form | dict.fromkeys(("wanted", "again"), "motdepasse123")).text
    )
    assert here.post("/personnes/moi", data=form).status_code == 302
    assert here.get("/registre/").status_code == 200
    assert elsewhere.get("/registre/").status_code == 302
