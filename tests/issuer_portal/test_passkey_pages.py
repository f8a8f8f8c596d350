"""Passkeys on the pages: the door of the sign-in page, and the page where each person keeps their own."""

from typing import Any

from flask.testing import FlaskClient

from issuer_portal.sign_in.passkeys import ASKED_MAX
from tests.clients import a_person, app_for, csrf_token, sign_in
from tests.soft_key import SoftKey
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
    assert "téléphone de Léa" in said
    assert "pas encore" in said
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
        assert "Choisissez une autre clé, ou écrivez votre mot de passe." in said or "Utilisez un autre moyen" in said
        assert stranger.get("/registre/").status_code == 302
    empty = stranger.post(DOOR, data={"csrf_token": csrf_token(stranger.get("/personnes/connexion").text)})
    assert "Rechargez-la, puis recommencez." in stranger.get(empty.location).text


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
    assert "n’ouvre plus votre compte" in client.get(f"{MINE}/{own.id}/retirer").text
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
    client = app_for(sqlite_database).test_client()
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
