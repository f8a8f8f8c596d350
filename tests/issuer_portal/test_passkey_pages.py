"""Passkeys on the pages: the door of the sign-in page, and the page where each person keeps their own."""

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from issuer_portal.sign_in.passkeys import ASKED_MAX
from tests.clients import PASSWORD, a_person, app_for, csrf_token, sign_in
from tests.soft_key import SoftKey
from tests.web.test_asks_again import NOW, fields_of, wait
from voucher.access.factors.passkeys import own_passkeys
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id

MINE = "/mon-compte/cles-d-acces"
DOOR = "/connexion/cle-d-acces"


def begin(client: FlaskClient, page: str, path: str, **fields: str) -> Any:
    """Ask for a challenge as the page's script does."""
    form = {"csrf_token": csrf_token(client.get(page).text)} | fields
    return client.post(f"{path}/debut", data=form, headers={"Accept": "application/json"})


def add(client: FlaskClient, key: SoftKey, label: str = "téléphone de Léa", **lies: Any) -> str:
    """Add a passkey on one's page; return what the page that follows says."""
    step = begin(client, MINE, MINE, label=label).json
    form = {"csrf_token": csrf_token(client.get(MINE).text), "passkey_step": step["step"]}
    answer = key.make(step["options"], **lies)
    return client.post(MINE, data=form | {"passkey_answer": answer}, follow_redirects=True).text


def give_password(client: FlaskClient, email: str, suite: str = "") -> str:
    """Sign in with a password as far as it goes; return where it leads."""
    form = {"csrf_token": csrf_token(client.get("/personnes/connexion").text), "email": email, "password": PASSWORD}
    return client.post(f"/personnes/connexion?suite={suite}", data=form).location or ""


def enter(client: FlaskClient, key: SoftKey, suite: str = "", **lies: Any) -> Any:
    """Sign in by passkey; return the answer."""
    step = begin(client, "/personnes/connexion", DOOR).json
    form = {"csrf_token": csrf_token(client.get("/personnes/connexion").text), "passkey_step": step["step"]}
    query = {"suite": suite} if suite else {}
    return client.post(DOOR, data=form | {"passkey_answer": key.sign(step["options"], **lies)}, query_string=query)


def test_a_person_adds_a_passkey_and_enters_with_it_on_the_page_they_asked_for(database: Database) -> None:
    app, key = app_for(database), SoftKey()
    client = sign_in(app, database, a_person(database, Role.AUDITOR))
    assert "Aucune clé d’accès." in client.get(MINE).text
    said = add(client, key)
    assert "Votre clé d’accès est ajoutée. Vos autres connexions sont fermées." in said
    assert "Dix codes à imprimer" in said, "the first factor: what opens the account the day it is lost"
    page = client.get(MINE).text
    assert "téléphone de Léa" in page
    assert "pas encore" in page
    client.post("/personnes/deconnexion", data={"csrf_token": csrf_token(said)})
    for suite, there in (
        ("", "/tableau/"),
        ("/registre/?page=2", "/registre/?page=2"),
        ("//ailleurs.example", "/tableau/"),
    ):
        answer = enter(client, key, suite)
        assert (answer.status_code, answer.location) == (302, there)
    assert "pas encore" not in client.get(MINE).text


def test_a_passkey_that_is_refused_leads_back_to_the_door_with_what_to_do(database: Database) -> None:
    app, key = app_for(database), SoftKey()
    key.count = 4
    add(sign_in(app, database, a_person(database, Role.AUDITOR)), key)
    stranger = app.test_client()
    for lies in ({"origin": "https://ailleurs.example"}, {"count": 0}, {"user_handle": new_id().bytes}):
        answer = enter(stranger, key, "/registre/", **lies)
        assert answer.location == "/personnes/connexion?suite=/registre/"
        said = stranger.get(answer.location).text
        assert "Choisissez une autre clé, ou un autre moyen d’entrer." in said or "Utilisez un autre moyen" in said
        assert stranger.get("/registre/").status_code == 302
    empty = stranger.post(DOOR, data={"csrf_token": csrf_token(stranger.get("/personnes/connexion").text)})
    assert "Rechargez-la, puis recommencez." in stranger.get(empty.location).text


def test_a_password_waits_for_the_passkey_and_leads_on_to_the_page_asked_for(database: Database) -> None:
    app, key, others = app_for(database), SoftKey(), SoftKey()
    lea = a_person(database, Role.AUDITOR, email="lea@lieu.example")
    add(sign_in(app, database, lea), key)
    add(sign_in(app, database, a_person(database, Role.AUDITOR)), others)
    client, page = app.test_client(), "/connexion/deuxieme-preuve"
    assert give_password(client, "lea@lieu.example", "/registre/") == f"{page}?suite=/registre/"
    shown = client.get(f"{page}?suite=/registre/")
    assert "script-src 'self';" in shown.headers["Content-Security-Policy"]
    assert "Ce navigateur ne peut pas utiliser de clé d’accès. Prenez un code de secours." in shown.text
    assert 'name="code"' not in shown.text

    def show(with_key: SoftKey) -> TestResponse:
        step = begin(client, page, f"{page}/cle-d-acces").json
        form = {"csrf_token": csrf_token(client.get(page).text), "passkey_step": step["step"]}
        answer = with_key.sign(step["options"])
        return client.post(f"{page}/cle-d-acces?suite=/registre/", data=form | {"passkey_answer": answer})

    assert show(others).location == f"{page}?suite=/registre/"
    assert "Choisissez une autre clé" in client.get(page).text
    assert client.get("/registre/").status_code == 302
    assert show(key).location == "/registre/"
    assert client.get("/registre/").status_code == 200


def test_who_must_have_a_second_factor_adds_a_passkey_first_and_keeps_the_last_one(database: Database) -> None:
    app, key = app_for(database, second_factor_required=True), SoftKey()
    lea = a_person(database, Role.PROGRAMME, email="lea@lieu.example")
    client = sign_in(app, database, lea)
    assert client.get("/personnes/").location == "/mon-compte/deuxieme-preuve"
    assert "Votre clé d’accès est ajoutée." in add(client, key)
    assert client.get("/personnes/").status_code == 200
    (own,) = own_passkeys(database, lea)
    path = f"{MINE}/{own.id}/retirer"
    assert "vous n’avez que cette clé" in client.get(path).text
    form = {"csrf_token": csrf_token(client.get(MINE).text)}
    client.post(path, data=form)
    assert own_passkeys(database, lea) == [own]
    add(client, SoftKey(), "clé USB")
    assert client.post(path, data=form).location == MINE
    assert [one.label for one in own_passkeys(database, lea)] == ["clé USB"]


def test_a_key_made_on_a_page_left_open_is_added_once_its_person_proves_who_is_there(database: Database) -> None:
    app, key = app_for(database, NOW), SoftKey()
    lea = a_person(database, Role.AUDITOR, now=NOW)
    client = sign_in(app, database, lea)
    wait(app, database)
    asked = add(client, key)
    assert "prouvez que c’est bien vous, pour ajouter une clé d’accès." in asked
    said = client.post(MINE, data=fields_of(asked) | {"who-password": PASSWORD}, follow_redirects=True).text
    assert "Votre clé d’accès est ajoutée." in said


def test_who_has_a_passkey_proves_with_it_who_is_there(database: Database) -> None:
    app, key = app_for(database, NOW), SoftKey()
    client, other = (sign_in(app, database, a_person(database, Role.PROGRAMME, now=NOW)) for _ in range(2))
    add(client, key)
    new = {"id": str(new_id()), "name": "Luce Arbre", "email": "luce@lieu.example"}
    wait(app, database)

    def prove(who: FlaskClient, with_key: SoftKey, **lies: Any) -> TestResponse:
        form = new | {"csrf_token": csrf_token(who.get("/personnes/moi").text)}
        asked = who.post("/personnes/nouvelle", data=form)
        assert ("Continuer avec ma clé d’accès" in asked.text) == (who is client)
        step = who.post("/connexion/qui-est-la/cle-d-acces", data=form).json
        answer = with_key.sign(step["options"], **lies)
        return who.post(
            "/personnes/nouvelle",
            data=form | {"who-password": "", "who-passkey_step": step["step"], "who-passkey_answer": answer},
        )

    for refused in (prove(client, key, origin="https://ailleurs.example"), prove(other, key)):
        assert "Choisissez une autre clé, ou un autre moyen d’entrer." in refused.text
        assert "Qui est là ?" in refused.text
    assert prove(client, key).location == f"/personnes/{new['id']}"


def test_what_is_wrong_is_said_before_a_key_is_made(database: Database) -> None:
    client = sign_in(app_for(database), database, a_person(database, Role.AUDITOR))
    for label, sentence in (("", "Remplissez ce champ."), ("x" * 61, "Écrivez 60 caractères au plus.")):
        answer = begin(client, MINE, MINE, label=label)
        assert (answer.status_code, answer.json) == (409, {"refusal": sentence})
    assert "Votre appareil n’a pas fait de clé qui convienne." in add(client, SoftKey(), cross_origin=True)


def test_a_person_renames_and_removes_their_own_passkeys(database: Database) -> None:
    app, key = app_for(database), SoftKey()
    person_id = a_person(database, Role.AUDITOR)
    client = sign_in(app, database, person_id)
    add(client, key)
    (own,) = own_passkeys(database, person_id)
    form = {"csrf_token": csrf_token(client.get(f"{MINE}/{own.id}").text)}
    assert 'value="téléphone de Léa"' in client.get(f"{MINE}/{own.id}").text
    assert "Écrivez 60 caractères au plus." in client.post(f"{MINE}/{own.id}", data=form | {"label": "x" * 61}).text
    said = client.post(f"{MINE}/{own.id}", data=form | {"label": "clé bleue"}, follow_redirects=True).text
    assert "Le nom de votre clé d’accès est changé." in said
    assert "clé bleue" in said
    before = client.get_cookie("pass_session")
    page = client.get(f"{MINE}/{own.id}/retirer").text
    assert "n’ouvre plus votre compte" in page
    assert "Votre mot de passe suffira pour entrer." in page
    said = client.post(f"{MINE}/{own.id}/retirer", data=form, follow_redirects=True).text
    assert "La clé d’accès « clé bleue » est retirée." in said
    assert client.get_cookie("pass_session") != before
    assert enter(app.test_client(), key).location == "/personnes/connexion"


def test_a_passkey_of_another_person_is_found_nowhere(database: Database) -> None:
    app = app_for(database)
    lea, theirs = a_person(database, Role.AUDITOR), a_person(database, Role.AUDITOR)
    add(sign_in(app, database, theirs), SoftKey(), "à elle seule")
    client, before = sign_in(app, database, lea), own_passkeys(database, theirs)
    form = {"csrf_token": csrf_token(client.get(MINE).text), "label": "à moi"}
    for passkey_id in (before[0].id, new_id()):
        for path in (f"{MINE}/{passkey_id}", f"{MINE}/{passkey_id}/retirer"):
            assert client.get(path).status_code == 404
            assert client.post(path, data=form).status_code == 404
    assert "à elle seule" not in client.get(MINE).text
    assert own_passkeys(database, theirs) == before


def test_the_door_alone_runs_our_scripts_and_says_so_to_browsers_without(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    client = app.test_client()
    marked = {endpoint for endpoint, view in app.view_functions.items() if view.__dict__.get("asks_passkey")}
    assert marked == {"staff.sign_in", "sign_in.second_factor"}, "public pages that may run a script: read it twice"
    page = client.get("/personnes/connexion")
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert page.text.count("<script") == 1
    assert "Ce navigateur ne peut pas utiliser de clé d’accès. Connectez-vous avec votre mot de passe." in page.text
    assert page.text.index("Utiliser ma clé d’accès") < page.text.index('name="password"')
    assert "script-src 'none'" in client.get("/personnes/mot-de-passe-oublie").headers["Content-Security-Policy"]


def test_strangers_ask_for_so_many_challenges_and_who_enters_is_not_counted(database: Database) -> None:
    app, key = app_for(database), SoftKey(counts=False)
    add(sign_in(app, database, a_person(database, Role.AUDITOR)), key)
    client = app.test_client()
    for _ in range(3):
        assert enter(client, key).location == "/tableau/"
    stranger, page = app.test_client(), "/personnes/connexion"
    form = {"csrf_token": csrf_token(stranger.get(page).text)}
    answers = [
        stranger.post(f"{DOOR}/debut", data=form, headers={"Accept": "application/json"}) for _ in range(ASKED_MAX + 1)
    ]
    assert [one.status_code for one in answers] == [200] * ASKED_MAX + [429]
    assert answers[-1].json["detail"] == "Attendez une minute, puis recommencez."
