"""A person adds an application of codes, signs in with it, prints recovery codes and comes back without the telephone."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.clients import PASSWORD, a_person, app_for, csrf_token, sign_in, signed_in_client
from tests.factors import add_totp, code_at
from tests.settlement import town
from tests.settlement.stand_in import decide, name
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.settlement.batches.deputies import Person
from voucher.web.services import Services

NOW = datetime(2026, 3, 12, 9, 0, 10, tzinfo=UTC)
NOWHERE = UUID(int=7)
FACTORS, TOTP, CODES = (
    "/mon-compte/deuxieme-preuve",
    "/mon-compte/deuxieme-preuve/application",
    "/mon-compte/codes-de-secours",
)


def at(app: Flask, now: datetime) -> datetime:
    """Set the clock of an application."""
    house = app.extensions["services"]
    app.extensions["services"] = Services(house.database, house.settings, lambda: now)
    return now


def post(client: FlaskClient, path: str, **data: str) -> TestResponse:
    """Post a form that stands at this path, with its token and its hidden fields."""
    page = client.get(path).text
    hidden = dict(re.findall(r'<input[^>]*name="(token)"[^>]*value="([^"]*)"', page))
    return client.post(path, data={"csrf_token": csrf_token(page)} | hidden | data)


def password(client: FlaskClient, email: str, wanted: str = "") -> TestResponse:
    """Give an address and its password."""
    query = f"?suite={wanted}" if wanted else ""
    return post(client, f"/personnes/connexion{query}", email=email, password=PASSWORD)


def added(client: FlaskClient, now: datetime) -> str:
    """Add an application of codes, as a person reads and types; return its secret."""
    page = client.get(TOTP).text
    shown = re.search(r'<code class="key">([A-Z2-7 ]+)</code>', page)
    assert shown is not None
    secret = shown[1].replace(" ", "")
    token = re.search(r'name="token"[^>]*value="([^"]+)"', page)
    assert token is not None
    form = {"csrf_token": csrf_token(page), "token": token[1], "code": code_at(secret, now)}
    assert client.post(TOTP, data=form).location == CODES
    return secret


def test_a_person_adds_an_application_prints_codes_and_signs_in_with_each(database: Database) -> None:
    app = app_for(database, NOW)
    a_person(database, Role.PROGRAMME, now=NOW, email="lea@lieu.example")
    client = app.test_client()
    assert password(client, "lea@lieu.example").location == "/tableau/"
    secret = added(client, NOW)
    page = post(client, CODES).text
    codes = [re.sub(r"<[^>]+>", "", one) for one in re.findall(r'<code class="typing-code">(.*?)</code>', page)]
    assert len(codes) == 10
    assert "Elle ne se montre qu’une fois." in page
    assert not any(code in client.get(CODES).text for code in codes)
    assert "Il vous reste 10 codes de secours." in client.get(FACTORS).text
    # Elsewhere, a minute later: the password leads to the code, and the code to the page that was asked for.
    now, other = at(app, NOW + timedelta(minutes=1)), app.test_client()
    step = password(other, "lea@lieu.example", "/personnes/journal").location
    assert step == "/connexion/deuxieme-preuve?suite=/personnes/journal"
    assert other.get("/personnes/journal").location == step
    said = post(other, step, code="12345").text
    assert "Écrivez les six chiffres" in said
    assert post(other, step, code=code_at(secret, now)).location == "/personnes/journal"
    assert other.get("/personnes/journal").status_code == 200
    assert "Connexion" in other.get("/personnes/journal").text
    # Without the telephone.
    third = app.test_client()
    assert password(third, "lea@lieu.example").location == "/connexion/deuxieme-preuve"
    back = post(third, "/connexion/code-de-secours", code=codes[0])
    assert back.location == "/tableau/"
    assert "Il vous en reste 9." in third.get(back.location).text
    assert "Il vous reste 9 codes de secours." in third.get(FACTORS).text


def test_who_must_have_one_is_led_to_it_and_comes_in_once_it_is_there(database: Database) -> None:
    app = app_for(database, NOW, second_factor_required=True)
    client = signed_in_client(app, database, Role.FINANCE_APPROVER)
    led = client.get("/finances/lots")
    assert (led.status_code, led.location) == (302, FACTORS)
    page = client.get(FACTORS).text
    assert "Votre rôle demande une deuxième preuve." in page
    assert 'href="/finances/lots"' not in page  # the menu leads nowhere yet
    added(client, NOW)
    assert client.get("/finances/lots").status_code == 200
    assert (
        "Ajoutez-en d’abord une autre."
        in client.post(
            f"{TOTP}/retirer", data={"csrf_token": csrf_token(client.get(FACTORS).text)}, follow_redirects=True
        ).text
    )


@pytest.mark.parametrize("role", list(Role))
def test_it_is_asked_of_those_who_count_among_two_and_of_no_other(sqlite_database: Database, role: Role) -> None:
    asked = {Role.PROGRAMME, Role.ISSUER, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER}
    scope = {"scope_id": None if role in {Role.PROGRAMME, Role.AUDITOR} else NOWHERE}
    for required in (True, False):
        app = app_for(sqlite_database, NOW, second_factor_required=required)
        client = signed_in_client(app, sqlite_database, role, **scope)
        is_led = client.get("/personnes/moi").location == FACTORS
        assert is_led == (required and role in asked)


def test_it_is_asked_of_whoever_stands_in_for_an_approver_while_they_do(database: Database) -> None:
    app = app_for(database, town.NOW, second_factor_required=True)
    approver = a_person(database, Role.FINANCE_APPROVER, now=town.NOW, email="claire@lieu.example")
    deputy = a_person(database, None, now=town.NOW, email="alice@lieu.example")
    client = sign_in(app, database, deputy)
    assert client.get("/personnes/moi").status_code == 200
    whose, who = Person(approver, "Claire", "claire@lieu.example"), Person(deputy, "Alice", "alice@lieu.example")
    decide(database, name(database, deputy=who, approver=whose))
    assert client.get("/finances/lots").location == FACTORS
    added(client, town.NOW)
    assert client.get("/finances/lots").status_code == 200


def test_the_setting_is_on_in_production_and_off_in_the_demonstration(sqlite_database: Database) -> None:
    led = {}
    for is_demo in (True, False):
        app = app_for(sqlite_database, NOW, second_factor_required=None, is_demo=is_demo)
        led[is_demo] = signed_in_client(app, sqlite_database, Role.PROGRAMME).get("/personnes/moi").location
    assert led == {True: None, False: FACTORS}


def test_a_wrong_code_shows_the_same_drawing_again_and_a_wrong_clock_says_so(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, NOW)
    client = signed_in_client(app, sqlite_database, Role.MEDIATOR, NOWHERE)
    page = client.get(TOTP).text
    secret = page.split('<code class="key">')[1].split("</code>")[0].replace(" ", "")
    token = page.split('name="token"')[1].split('value="')[1].split('"')[0]
    form = {"csrf_token": csrf_token(page), "token": token}
    late = client.post(TOTP, data=form | {"code": code_at(secret, NOW + timedelta(hours=2))}).text
    assert "Votre téléphone avance de 2 h 00." in late
    assert page.split('<div class="qr">')[1].split("</div>")[0] in late
    gone = client.post(TOTP, data=form | {"token": "another", "code": code_at(secret, NOW)}).text
    assert "Scannez le nouveau dessin" in gone
    assert secret not in gone.replace(" ", "")


def test_too_many_codes_are_answered_429_with_what_to_do(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, NOW)
    lea = a_person(sqlite_database, Role.AUDITOR, now=NOW)
    add_totp(sqlite_database, lea, NOW)
    client = sign_in(app, sqlite_database, lea)
    answers = [post(client, "/connexion/deuxieme-preuve", code="000000") for _ in range(3)]
    assert [one.status_code for one in answers] == [200] * 2 + [429]
    assert answers[-1].headers["Retry-After"] == "1"
    assert "Trop d’essais de suite. Attendez" in answers[-1].text
    # A recovery code is another matter: its tries are counted apart.
    assert "il a déjà servi" in post(client, "/connexion/code-de-secours", code="0000 0000 0000").text


def test_two_people_of_the_programme_reset_a_lost_phone(database: Database) -> None:
    app = app_for(database, NOW)
    pat = sign_in(app, database, a_person(database, Role.PROGRAMME, now=NOW, email="pat@lieu.example"))
    quentin = signed_in_client(app, database, Role.PROGRAMME)
    luce = a_person(database, Role.MEDIATOR, NOWHERE, now=NOW, email="luce@lieu.example")
    there = f"/personnes/{luce}"
    assert "Deuxième preuve : aucune." in pat.get(there).text
    assert f"{there}/deuxieme-preuve" not in pat.get(there).text
    assert "il n’y a rien à remettre à zéro" in post(pat, f"{there}/deuxieme-preuve").text
    add_totp(database, luce, NOW)
    assert "application de codes depuis le" in pat.get(there).text
    lines = {line.split(";")[1]: line for line in pat.get("/personnes/?format=csv").text.splitlines() if ";" in line}
    assert ";oui;" in lines["luce@lieu.example"]
    assert [email for email, line in lines.items() if ";oui;" in line] == ["luce@lieu.example"]
    assert post(pat, f"{there}/deuxieme-preuve").location == there
    assert "À confirmer par une autre personne : la remise à zéro de sa deuxième preuve." in pat.get(there).text
    waiting = re.findall(r'href="(/personnes/a-confirmer/[^"]+)"', quentin.get("/personnes/a-confirmer").text)[0]
    assert "Vous avez fait cette demande." in pat.get(waiting).text
    assert "Vérifiez de vive voix que Camille Exemple l’a demandé." in quentin.get(waiting).text
    # A name is one's own to change: whoever confirms reads who asked by the address.
    for page in (waiting, "/personnes/a-confirmer"):
        assert "pat@lieu.example" in quentin.get(page).text
    assert post(quentin, waiting).location == there
    page = quentin.get(there).text
    assert "La deuxième preuve de Camille Exemple est remise à zéro." in page
    assert "Deuxième preuve : aucune." in page
    assert password(app.test_client(), "luce@lieu.example").location == "/comptoir/"


def test_the_page_of_a_lost_phone_says_whom_to_call_to_anybody(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, help_phone="01 99 00 55 66", help_contact="secours@pass.example")
    client = app.test_client()
    assert 'href="/connexion/telephone-perdu"' in client.get("/personnes/connexion").text
    page = client.get("/connexion/telephone-perdu").text
    assert 'href="tel:0199005566"' in page
    assert "secours@pass.example" in page
    assert "code de secours" in page


def test_no_step_of_it_needs_a_script(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, NOW)
    lea = a_person(sqlite_database, Role.AUDITOR, now=NOW)
    add_totp(sqlite_database, lea, NOW)
    client = sign_in(app, sqlite_database, lea)
    for path in ("/connexion/deuxieme-preuve", "/connexion/code-de-secours", "/connexion/telephone-perdu"):
        answer = client.get(path)
        assert "<script" not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
