"""The mediator's pages and the JSON of their script, over both engines."""

import re
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.builders import NOW, a_counter, handed_over_booklets, scanned_codes, typed_codes
from tests.clients import a_person, app_for, csrf_token, sign_in, signed_in_client
from voucher.access.rules import Role
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.redemption.answers import Counter
from voucher.redemption.model import Redemption

WORKSHOP = "everyday_digital_tools"


@pytest.fixture
def app(database: Database) -> Flask:
    return app_for(database, NOW)


@pytest.fixture
def counter(database: Database) -> Counter:
    return a_counter(database)


@pytest.fixture
def client(app: Flask, database: Database, counter: Counter) -> FlaskClient:
    """A mediator who stands at the only place of the structure."""
    mediator = signed_in_client(app, database, Role.MEDIATOR, counter.structure_id)
    assert mediator.get("/comptoir/lieux").status_code == 302
    return mediator


@pytest.fixture
def codes(database: Database) -> list[str]:
    issued = handed_over_booklets(database)
    return scanned_codes(database, issued.first_booklet_number)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def call(client: FlaskClient, act: str, body: object, token: str | None = None):  # type: ignore[no-untyped-def]
    """Ask as the script does, for the place that the page shows unless the body names another."""
    page = client.get("/comptoir/").text
    token = token or csrf_token(page)
    shown = re.search(r'data-place="([^"]+)"', page)
    if isinstance(body, dict) and shown:
        body = {"place": shown[1]} | body
    return client.post(f"/comptoir/api/{act}", json=body, headers={"X-CSRFToken": token})


def test_a_mediator_chooses_a_place_before_anything_else(app: Flask, database: Database, counter: Counter) -> None:
    other = a_counter(database, structure_id=counter.structure_id)
    client = signed_in_client(app, database, Role.MEDIATOR, counter.structure_id)
    assert client.get("/comptoir/").location == "/comptoir/lieux"
    page = client.get("/comptoir/lieux").text
    assert page.count("Encaisser ici") == 2
    assert call(client, "check", {"code": "x"}, csrf_token(page)).status_code == 400
    stranger = a_counter(database)
    for place_id, status in ((stranger.place_id, 404), ("x", 400), (other.place_id, 302)):
        data = {"place_id": place_id, "csrf_token": csrf_token(page)}
        assert client.post("/comptoir/lieux", data=data).status_code == status
    assert "Encaisser" in client.get("/comptoir/").text


def test_without_script_vouchers_are_typed_laid_and_redeemed(
    client: FlaskClient, database: Database, codes: list[str]
) -> None:
    page = client.get("/comptoir/").text
    form = {"csrf_token": csrf_token(page), "attempt_id": str(new_id()), "service": WORKSHOP}
    for code in codes[:3]:
        page = client.post("/comptoir/", data={**form, **tray_of(page), "code": code, "action": "ajouter"}).text
    assert "Encaisser 3 chèques — 30 €" in plain(page)
    page = client.post("/comptoir/", data={**form, **tray_of(page), "retirer": codes[0]}).text
    assert "Encaisser 2 chèques — 20 €" in plain(page)
    data = {**form, **tray_of(page), "code": "", "action": "encaisser", "attempt_id": attempt_of(page)}
    answer = client.post("/comptoir/", data=data)
    assert answer.status_code == 302
    assert client.post("/comptoir/", data=data).location == answer.location  # sent twice, done once
    receipt = plain(client.get(answer.location).text)
    assert "Il reste 8 chèques dans le carnet" in receipt
    assert "Maîtrise des outils numériques du quotidien" in receipt
    assert "3 rue des Essais, 51100 Bellerive" in receipt
    assert "Numéro RNA" in receipt
    assert "checked> Maîtrise" in client.get("/comptoir/").text  # what the place usually renders


def tray_of(page: str) -> dict[str, list[str]]:
    names = ("tray", "label", "booklet", "count", "cents")
    return {name: re.findall(rf'name="{name}" value="([^"]*)"', page) for name in names}


def attempt_of(page: str) -> str:
    found = re.search(r'name="attempt_id" value="([^"]+)"', page)
    assert found
    return found[1]


def test_a_refusal_keeps_the_tray_and_says_that_nothing_was_taken(client: FlaskClient, codes: list[str]) -> None:
    page = client.get("/comptoir/").text
    form = {"csrf_token": csrf_token(page), "service": ""}
    page = client.post("/comptoir/", data={**form, "code": codes[0], "action": "ajouter"}).text
    page = client.post("/comptoir/", data={**form, **tray_of(page), "action": "encaisser", "attempt_id": new_id()}).text
    assert "Choisissez-le, puis encaissez." in page
    assert "Rien n’a été débité." in plain(page)
    assert "Encaisser 1 chèque — 10 €" in plain(page)


def test_testing_a_code_changes_nothing(client: FlaskClient, database: Database, codes: list[str]) -> None:
    page = client.get("/comptoir/").text
    for _ in range(2):
        data = {"csrf_token": csrf_token(page), "code": codes[0], "action": "tester"}
        tested = plain(client.post("/comptoir/", data=data).text)
        assert "Ce chèque vaut 10 €" in tested
        assert "Il reste 10 chèques" in tested


def test_the_script_checks_redeems_and_undoes(client: FlaskClient, codes: list[str]) -> None:
    token = csrf_token(client.get("/comptoir/").text)
    checked = call(client, "check", {"code": codes[0]}, token).json
    assert (checked["outcome"], checked["face_value_cents"], checked["remaining_count"]) == ("usable", 1000, 10)
    attempt = str(new_id())
    body = {"id": attempt, "codes": codes[:2], "service": WORKSHOP}
    first, again = call(client, "redeem", body, token), call(client, "redeem", body, token)
    assert first.status_code == again.status_code == 200
    assert first.json == again.json
    assert plain(first.json["remains"]) == "Il reste 8 chèques dans le carnet."
    undone = call(client, "undo", {"id": attempt}, token)
    assert (undone.status_code, undone.json["outcome"]) == (200, "undone")
    after = call(client, "redeem", body, token)
    assert (after.status_code, after.json["code"]) == (409, "undone_already")


def test_refusals_have_their_status_and_their_sentence(client: FlaskClient, codes: list[str]) -> None:
    token = csrf_token(client.get("/comptoir/").text)
    redeemed = {"id": str(new_id()), "codes": codes[:1], "service": WORKSHOP}
    call(client, "redeem", redeemed, token)
    for body, status, reason in (
        ({"codes": codes[:1], "service": WORKSHOP}, 409, "redeemed_here"),
        ({"codes": ["nonsense"], "service": WORKSHOP}, 422, "unreadable"),
        ({"codes": [], "service": WORKSHOP}, 422, "no_code"),
        ({"codes": codes[1:2], "service": ""}, 422, "service_unknown"),
        ({"codes": codes[1:2] * 40, "service": WORKSHOP}, 422, "too_many"),
    ):
        answer = call(client, "redeem", {"id": str(new_id()), **body}, token)
        assert (answer.status_code, answer.json["outcome"], answer.json["code"]) == (status, "refused", reason)
        assert answer.json["sentence"].endswith(".")
    refused = call(client, "check", {"code": codes[0]}, token)
    assert (refused.status_code, refused.json["outcome"]) == (200, "refused")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 400),
        ({}, 400),
        ({"id": "x", "codes": [], "service": ""}, 400),
        ({"id": "6f1c1f5e-0000-4000-8000-000000000000", "codes": [], "service": WORKSHOP}, 400),
        ({"id": "01890000-0000-7000-8000-000000000009", "codes": [1], "service": WORKSHOP}, 400),
        ({"id": "01890000-0000-7000-8000-000000000009", "codes": "abc", "service": WORKSHOP}, 400),
    ],
)
def test_a_broken_request_is_a_problem_not_a_refusal(sqlite_database: Database, body: object, status: int) -> None:
    app, counter = app_for(sqlite_database, NOW), a_counter(sqlite_database)
    client = signed_in_client(app, sqlite_database, Role.MEDIATOR, counter.structure_id)
    client.get("/comptoir/lieux")
    answer = call(client, "redeem", body)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"


def test_json_needs_its_token_and_its_type(client: FlaskClient, codes: list[str]) -> None:
    client.get("/comptoir/")
    assert client.post("/comptoir/api/check", json={"code": codes[0]}).status_code == 400
    token = client.get("/comptoir/api/token").json["token"]
    headers = {"X-CSRFToken": token}
    assert client.post("/comptoir/api/check", data="x", headers=headers).status_code == 415
    body = {"code": codes[0], "place": str(new_id())}
    assert client.post("/comptoir/api/check", json=body, headers=headers).status_code == 200


def test_today_lists_totals_undoes_and_exports(client: FlaskClient, database: Database, codes: list[str]) -> None:
    token = csrf_token(client.get("/comptoir/").text)
    first, second = str(new_id()), str(new_id())
    call(client, "redeem", {"id": first, "codes": codes[:3], "service": WORKSHOP}, token)
    call(client, "redeem", {"id": second, "codes": codes[3:5], "service": WORKSHOP}, token)
    page = plain(client.get("/comptoir/aujourdhui").text)
    assert "Total : 2 encaissements, 5 chèques, 50,00 €." in page
    undo = client.post(f"/comptoir/encaissements/{second}/annuler", data={"csrf_token": token}, follow_redirects=True)
    assert "encaissement annulé" in undo.text
    assert "Total : 1 encaissement, 3 chèques, 30,00 €." in plain(undo.text)
    lines = client.get("/comptoir/aujourdhui?format=csv").text.splitlines()
    assert len(lines) == 3
    assert sorted(line.rpartition(";")[2] for line in lines[1:]) == ["Annulé", "Confirmé"]
    assert "Aucun encaissement" in client.get("/comptoir/aujourdhui?jour=2026-03-01").text


def test_another_structure_sees_none_of_it(
    app: Flask, database: Database, client: FlaskClient, codes: list[str]
) -> None:
    attempt = str(new_id())
    call(client, "redeem", {"id": attempt, "codes": codes[:1], "service": WORKSHOP})
    elsewhere = a_counter(database)
    stranger = signed_in_client(app, database, Role.MEDIATOR, elsewhere.structure_id)
    stranger.get("/comptoir/lieux")
    assert stranger.get(f"/comptoir/encaissements/{attempt}").status_code == 404
    assert "Aucun encaissement" in stranger.get("/comptoir/aujourdhui").text
    answer = call(stranger, "undo", {"id": attempt})
    assert (answer.status_code, answer.json["code"]) == (409, "undo_unknown")
    told = plain(call(stranger, "check", {"code": codes[0]}).json["sentence"])
    assert "dans un autre lieu" in told
    assert "Comptoir" not in told


def test_only_mediators_come_to_the_counter(app: Flask, database: Database, counter: Counter) -> None:
    manager = signed_in_client(app, database, Role.PLACE_MANAGER, counter.structure_id)
    assert manager.get("/comptoir/").status_code == 403
    assert app.test_client().get("/comptoir/").status_code == 302
    assert app.test_client().post("/comptoir/api/check", json={}).status_code in (400, 401)


def test_a_place_that_closes_meanwhile_redeems_nothing(
    app: Flask, database: Database, counter: Counter, client: FlaskClient, codes: list[str]
) -> None:
    from voucher.network.places import close_place

    token = csrf_token(client.get("/comptoir/").text)
    close_place(database, counter.place_id, by=UUID(int=1), now=NOW)
    body = {"place": str(counter.place_id), "id": str(new_id()), "codes": codes[:1], "service": WORKSHOP}
    answer = call(client, "redeem", body, token)
    assert (answer.status_code, answer.json["code"]) == (409, "place_closed")
    assert client.get("/comptoir/").location == "/comptoir/lieux"


def test_a_typed_code_is_taken_by_the_script_too(client: FlaskClient, database: Database) -> None:
    issued = handed_over_booklets(database)
    typed = typed_codes(database, issued.first_booklet_number)[0]
    assert call(client, "check", {"code": typed}).json["outcome"] == "usable"


def test_a_person_with_two_sessions_stands_at_a_place_in_each(app: Flask, database: Database, counter: Counter) -> None:
    other = a_counter(database, structure_id=counter.structure_id)
    account = a_person(database, Role.MEDIATOR, counter.structure_id, now=NOW)
    for place_id in (counter.place_id, other.place_id):
        client = sign_in(app, database, account)
        token = csrf_token(client.get("/comptoir/lieux").text)
        client.post("/comptoir/lieux", data={"place_id": place_id, "csrf_token": token})
        assert client.get("/comptoir/").status_code == 200


def test_without_script_a_cover_lays_as_many_as_are_asked_where_the_page_says(
    app: Flask, database: Database, counter: Counter, client: FlaskClient
) -> None:
    issued = handed_over_booklets(database)
    with database.read() as session:
        cover = stored_codes(session, issued.first_booklet_number, 1)[0].cover.to_text()
    page = client.get("/comptoir/").text
    form = {"csrf_token": csrf_token(page), "service": WORKSHOP, "place_id": str(counter.place_id)}
    # Another tab goes to another place: what this page shows is where it counts.
    elsewhere = a_counter(database, structure_id=counter.structure_id)
    client.post("/comptoir/lieux", data={"csrf_token": csrf_token(page), "place_id": str(elsewhere.place_id)})
    asked = client.post("/comptoir/", data={**form, "code": cover, "action": "ajouter"}).text
    assert "combien de chèques ?" in asked
    assert f'data-place="{counter.place_id}"' in asked
    page = client.post("/comptoir/", data={**form, "cover": cover, "poser": "3"}).text
    page = client.post("/comptoir/", data={**form, **tray_of(page), "cover": cover, "poser": "4"}).text
    assert "Encaisser 4 chèques — 40 €" in plain(page), "the last word on a cover is the one that counts"
    data = {**form, **tray_of(page), "action": "encaisser", "attempt_id": attempt_of(page)}
    receipt = client.post("/comptoir/", data=data)
    assert receipt.status_code == 302
    assert "Il reste 6 chèques dans le carnet" in plain(client.get(receipt.location).text)
    with database.read() as session:
        assert list(session.scalars(select(Redemption.place_id))) == [counter.place_id]
    for stranger in (a_counter(database).place_id, "x"):
        assert client.post("/comptoir/", data={**form, "place_id": str(stranger)}).location == "/comptoir/lieux"


def test_the_script_asks_what_another_person_s_attempt_was_answered(client: FlaskClient, codes: list[str]) -> None:
    attempt = str(new_id())
    assert call(client, "answer", {"id": attempt}).json["outcome"] == "unknown"
    call(client, "redeem", {"id": attempt, "codes": codes[:2], "service": WORKSHOP})
    told = call(client, "answer", {"id": attempt}).json
    assert (told["outcome"], plain(told["sentence"])) == ("redeemed", "2 chèques, 20 €.")
    assert re.fullmatch(r"\d+ h \d\d", plain(told["hour"]))
    assert told["undo_until"] > told["redeemed_at"]


@pytest.mark.parametrize(
    "laid", [{"cover": 1, "ranks": [1]}, {"cover": "x"}, {"ranks": [1]}, {"cover": "x", "ranks": ["1"]}, [1]]
)
def test_a_part_of_a_booklet_is_a_cover_and_ranks(sqlite_database: Database, laid: object) -> None:
    app, counter = app_for(sqlite_database, NOW), a_counter(sqlite_database)
    client = signed_in_client(app, sqlite_database, Role.MEDIATOR, counter.structure_id)
    client.get("/comptoir/lieux")
    assert call(client, "redeem", {"id": str(new_id()), "codes": [laid], "service": WORKSHOP}).status_code == 400


def test_the_procedure_on_paper_says_whom_to_call(client: FlaskClient) -> None:
    page = client.get("/comptoir/papier").text
    assert "01 99 00 12 34" in page
    assert page.count("<td></td>") == 60
