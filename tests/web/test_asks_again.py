"""Who acts on money, accounts, RIBs, disputes or years proves again who they are: every POST of the office asks, or stands here with its reason."""

import io
import re
from datetime import datetime, timedelta

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from werkzeug.routing import Rule

from tests.browser import DESK, NARROW, PHONE, axe, chromium, overflow, screenshot, serve
from tests.clients import PASSWORD, a_person, app_for, csrf_token, sign_in, signed_in_client
from tests.desk import seated
from tests.test_routes import SCOPED, address_of
from voucher.access.model import StaffAccount, StaffSession
from voucher.access.rules import PROOF_DURATION, Role, is_fresh
from voucher.access.sessions import sign_out, viewer_of
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.trail.model import AuditLine
from voucher.web.access import SESSION_COOKIE, access_of, staff
from voucher.web.asks_again import act_of, asks_again
from voucher.web.services import Services, utc_now
from voucher.web.uploads import takes_files

LEFT_OUT = {
    "the issue leaves them out: a counter and a hand-over have somebody waiting, one booklet at a time, and can be undone": {
        "POST /comptoir/",
        "POST /comptoir/api/answer",
        "POST /comptoir/api/check",
        "POST /comptoir/api/redeem",
        "POST /comptoir/api/undo",
        "POST /comptoir/encaissements/<uuid:redemption_id>/annuler",
        "POST /comptoir/lieux",
        "GET/POST /prescripteur/",
        "POST /prescripteur/remettre",
    },
    "moves paper between people who sign for it, as a hand-over does": {"GET/POST /emetteur/bordereaux/nouveau"},
    "goes on with an order that was asked for: it decides nothing": {
        "POST /emetteur/commandes/<uuid:batch_id>/fabriquer",
    },
    "takes back what waits for a second person, or a link that nobody used: nothing had happened yet": {
        "POST /comptabilite/exercices/<int:year>/renoncer",
        "POST /finances/banque/lignes/<uuid:line_id>/propositions/<uuid:proposal_id>/retirer",
        "POST /mon-compte/adresse/retirer",
        "POST /personnes/<uuid:account_id>/liens/annuler",
    },
    "writes words: a note, an e-mail to the address that the structure has": {
        "POST /finances/banque/lignes/<uuid:line_id>/note",
        "GET/POST /finances/reglements/<uuid:advice_id>/ecrire",
        "POST /finances/messages/<uuid:message_id>/renvoyer",
    },
    "draws up a document from the books, which do not change": {
        "GET/POST /comptabilite/comptes-annuels/<uuid:agreement_id>/<int:year>",
        "POST /registre/preuves/archive-audit.zip",
    },
    "names who may take part later: nothing is paid to them before an act that asks (a RIB, a qualification, an agreement)": {
        "GET/POST /emetteur/prescripteurs/nouveau",
        "GET/POST /programme/emetteurs/nouveau",
        "GET/POST /programme/financeurs/nouveau",
        "GET/POST /programme/structures/nouvelle",
    },
    "says where and when people are received": {
        "GET/POST /comptoir/lieu/nouveau",
        "GET/POST /comptoir/lieu/<uuid:place_id>/corriger",
        "POST /comptoir/lieu/<uuid:place_id>/fermer",
        "POST /comptoir/lieu/<uuid:place_id>/rouvrir",
        "GET/POST /programme/lieux/importer",
        "POST /programme/lieux/<uuid:place_id>/fermer",
        "POST /programme/lieux/<uuid:place_id>/rouvrir",
    },
    "one's own account: a new password takes the present one in the same form, and going out takes nothing": {
        "GET/POST /personnes/moi",
        "POST /personnes/deconnexion",
    },
    "one's own name: it opens nothing, and the trail keeps the one before": {"GET/POST /mon-compte/nom"},
    "asks one's own device, or names what it keeps: what is added or removed after that asks": {
        "POST /connexion/qui-est-la/cle-d-acces",
        "POST /mon-compte/cles-d-acces/debut",
        "GET/POST /mon-compte/cles-d-acces/<uuid:passkey_id>",
    },
}
"""What may be done by whoever sits at a screen left open, and why. A line here is a decision: read it twice."""

NOW = utc_now()
LATE = PROOF_DURATION + timedelta(microseconds=1)


def wait(app: Flask, database: Database, delay: timedelta = LATE) -> datetime:
    """Let time pass for an application."""
    later = NOW + delay
    app.extensions["services"] = Services(database, app.extensions["services"].settings, lambda: later)
    return later


def posts(app: Flask) -> dict[str, str]:
    """Return the endpoint of each route by which somebody signed in changes something."""
    found = {}
    for rule in app.url_map.iter_rules():
        methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if methods - {"GET"} and access_of(app, rule.endpoint):
            found[f"{'/'.join(sorted(methods))} {rule.rule}"] = rule.endpoint
    return found


def test_every_post_asks_who_is_there_again_or_says_why_not(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    left_out = [route for routes in LEFT_OUT.values() for route in routes]
    assert {route for route, endpoint in posts(app).items() if act_of(app, endpoint) is None} == set(left_out)
    assert len(left_out) == len(set(left_out))


def test_no_act_that_asks_is_done_without_a_fresh_proof(sqlite_database: Database) -> None:
    """Each is sent by each role that may: the answer is the page, though nothing that the address names exists."""
    app = app_for(sqlite_database, NOW)
    clients = {
        role: signed_in_client(app, sqlite_database, role, new_id() if role in SCOPED else None) for role in Role
    }
    tokens = {role: csrf_token(client.get("/personnes/moi").text) for role, client in clients.items()}
    wait(app, sqlite_database)
    passed = []
    for route, endpoint in posts(app).items():
        act, path = act_of(app, endpoint), address_of(app, rule_of(app, endpoint))
        for role in access_of(app, endpoint) or () if act else ():
            answer = clients[role].post(path, data={"csrf_token": tokens[role]})
            if answer.status_code != 200 or f"prouvez que c’est bien vous, pour {act}." not in answer.text:
                passed.append((route, role))
    assert passed == []


def rule_of(app: Flask, endpoint: str) -> Rule:
    return next(rule for rule in app.url_map.iter_rules(endpoint) if "POST" in (rule.methods or ()))


def test_a_proof_is_good_for_five_minutes_and_no_more() -> None:
    assert timedelta(minutes=5) == PROOF_DURATION
    assert is_fresh(NOW, NOW + PROOF_DURATION)
    assert not is_fresh(NOW, NOW + LATE)


def fields_of(page: str) -> MultiDict[str, str]:
    """Return the hidden fields of the form that asks, as a browser sends them."""
    form = page.partition("<main")[2]
    found = re.findall(r'<input[^>]*?name="([^"]+)"[^>]*?type="hidden"[^>]*?value="([^"]*)"', form)
    found += re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return MultiDict([(name, unescaped(text)) for name, text in found])


def unescaped(text: str) -> str:
    for sign, code in (('"', "&#34;"), ("'", "&#39;"), ("<", "&lt;"), (">", "&gt;"), ("&", "&amp;")):
        text = text.replace(code, sign)
    return text


def test_the_act_waits_for_the_proof_and_goes_on_in_the_same_post(database: Database) -> None:
    app = app_for(database, NOW)
    actor = a_person(database, Role.PROGRAMME, now=NOW)
    client = sign_in(app, database, actor)
    page = client.get("/personnes/nouvelle").text
    later = wait(app, database)
    new = str(new_id())
    data = {"csrf_token": csrf_token(page), "id": new, "name": "Luce L’Arbre", "email": "luce@lieu.example"}

    asked = client.post("/personnes/nouvelle", data=data)
    assert "prouvez que c’est bien vous, pour ouvrir un compte." in asked.text
    assert "Rien n’est encore fait" in asked.text
    sent = fields_of(asked.text)
    assert (sent["id"], sent["name"], sent["email"]) == (new, "Luce L’Arbre", "luce@lieu.example")
    for wrong, sentence in (("", "Écrivez votre mot de passe."), ("pas le bon", "Ce n’est pas votre mot de passe.")):
        asked = client.post("/personnes/nouvelle", data=sent | {"who-password": wrong})
        assert sentence in asked.text
        assert "pas le bon" not in asked.text
        assert fields_of(asked.text)["name"] == "Luce L’Arbre"
    assert "luce@lieu.example" not in addresses(database)

    answer = client.post("/personnes/nouvelle", data=fields_of(asked.text) | {"who-password": PASSWORD})
    assert answer.location == f"/personnes/{new}"
    assert "luce@lieu.example" in addresses(database)
    with database.read() as session:
        line = session.execute(select(AuditLine).where(AuditLine.action == "confirmed_again")).scalar_one()
        assert (line.account_id, line.subject, line.at) == (actor, "ouvrir un compte", later)
        failures = session.scalars(select(AuditLine.account_id).where(AuditLine.action == "sign_in_failed")).all()
        assert failures == [actor]
        assert session.scalars(select(StaffSession.confirmed_at)).one() == later
    # Fresh again: the next act asks nothing.
    form = {"csrf_token": data["csrf_token"], "role": "auditor", "scope": ""}
    assert client.post(f"/personnes/{new}/roles", data=form).location == f"/personnes/{new}"


def addresses(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.scalars(select(StaffAccount.email)))


def test_who_guesses_at_a_screen_left_open_is_stopped_as_at_the_sign_in(database: Database) -> None:
    app = app_for(database, NOW)
    client = signed_in_client(app, database, Role.PROGRAMME)
    data = {"csrf_token": csrf_token(client.get("/personnes/moi").text), "who-password": "pas le bon du tout"}
    wait(app, database)
    for _ in range(5):
        client.post("/personnes/nouvelle", data=data)
    refused = client.post("/personnes/nouvelle", data=data | {"who-password": PASSWORD})
    assert "Trop d’essais de suite. Attendez" in refused.text
    assert (refused.status_code, int(refused.headers["Retry-After"])) == (429, 1), (
        "two at once are looked at, then a second passes"
    )


def test_a_session_that_ends_meanwhile_proves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is looked at, and the person goes out from elsewhere before the proof is kept."""
    app = app_for(database, NOW)
    client = signed_in_client(app, database, Role.PROGRAMME)
    data = {"csrf_token": csrf_token(client.get("/personnes/moi").text), "who-password": PASSWORD}
    later = wait(app, database)
    cookie = client.get_cookie(SESSION_COOKIE)
    assert cookie is not None

    def right_but_late(*_: object) -> bool:
        who = viewer_of(database, cookie.value, now=later)
        assert who is not None
        sign_out(database, who, now=later)
        return True

    monkeypatch.setattr("voucher.access.confirm.is_password", right_but_late)
    data |= {"id": str(new_id()), "name": "Luce Arbre", "email": "luce@lieu.example"}
    assert "Votre connexion est terminée." in client.post("/personnes/nouvelle", data=data).text
    assert "luce@lieu.example" not in addresses(database)


@pytest.fixture
def stale(sqlite_database: Database) -> tuple[FlaskClient, str, list[MultiDict[str, str]]]:
    """Return somebody whose proof is old, their form token, and what the view « /essai » was given."""
    app, given = app_for(sqlite_database, NOW), []

    @asks_again("essayer")
    @takes_files
    def view() -> str:
        given.append(request.form)
        return f"page {request.method}"

    app.view_functions["finance.import_file"] = staff(Role.FINANCE_PREPARER)(view)
    client = signed_in_client(app, sqlite_database, Role.FINANCE_PREPARER)
    token = csrf_token(client.get("/personnes/moi").text)
    wait(app, sqlite_database)
    return client, token, given


IMPORT = "/finances/banque/importer?compte=7&page=2"


def test_the_page_carries_every_field_and_says_that_files_are_not_kept(
    stale: tuple[FlaskClient, str, list[MultiDict[str, str]]],
) -> None:
    client, token, given = stale
    typed = [
        ("ticked", "a"),
        ("ticked", "b"),
        ("note", 'deux lignes\r\n« et » <b>"l\'autre"</b> & fin '),
        ("empty", ""),
    ]
    data = MultiDict([("csrf_token", token), *typed])
    asked = client.post(IMPORT, data=data.to_dict(flat=False) | {"files": (io.BytesIO(b"OPENING"), "releve.txt")})
    assert "Vos fichiers ne sont pas gardés." in asked.text
    assert 'action="/finances/banque/importer?compte=7&amp;page=2"' in asked.text
    assert given == []
    sent = fields_of(asked.text)
    sent["who-password"] = PASSWORD
    assert client.post(IMPORT, data=sent).text == "page POST"
    assert [pair for pair in given[0].items(multi=True) if not pair[0].startswith("who-")] == typed
    assert "Vos fichiers" not in client.post(IMPORT, data=data).text


def test_a_page_that_takes_files_asks_when_it_is_opened(
    stale: tuple[FlaskClient, str, list[MultiDict[str, str]]],
) -> None:
    client, _, given = stale
    asked = client.get(IMPORT)
    assert "prouvez que c’est bien vous, pour essayer." in asked.text
    assert "La page s’ouvre ensuite." in asked.text
    sent = fields_of(asked.text)
    again = client.post(IMPORT, data=sent | {"who-password": "pas le bon"})
    assert "La page s’ouvre ensuite." in again.text
    sent = fields_of(again.text) | {"who-password": PASSWORD}
    for _ in range(2):  # a double click opens the page as well
        assert client.post(IMPORT, data=sent).location == IMPORT
    assert given == []
    assert client.get(IMPORT).text == "page GET"


def test_an_open_page_asks_nothing(sqlite_database: Database) -> None:
    """Reading is no act: the forms of acts open to whoever is signed in, but those that take files."""
    app = app_for(sqlite_database, NOW)
    client = signed_in_client(app, sqlite_database, Role.PROGRAMME)
    wait(app, sqlite_database)
    assert "Qui est là" not in client.get("/personnes/nouvelle").text


@pytest.mark.browser
def test_in_a_browser_the_act_goes_on_after_the_password(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, NOW)
    a_person(sqlite_database, Role.PROGRAMME, now=NOW, email="dominique@lieu.example")
    with serve(app) as address, chromium() as browser, seated(browser, address, "dominique@lieu.example") as desk:
        wait(app, sqlite_database)
        desk.open("/personnes/nouvelle").fill(name="Luce Arbre", email="luce@lieu.example").press("Ouvrir le compte")
        desk.sees("Camille Exemple, prouvez que c’est bien vous, pour ouvrir un compte.")
        desk.fill(**{"who-password": "pas le bon"}).press("Continuer").sees("Ce n’est pas votre mot de passe.")
        for size in (NARROW, PHONE, DESK):
            desk.page.set_viewport_size(size)
            assert axe(desk.page) == []
            assert overflow(desk.page) == 0
            screenshot(desk.page, f"asks-again-{size['width']}")
        desk.fill(**{"who-password": PASSWORD}).press("Continuer").sees("L’invitation part à luce@lieu.example.")
