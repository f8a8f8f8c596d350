"""What a citizen sees: worth, date, places; nothing that follows them, nothing that says where."""

import json
import logging
from datetime import UTC, datetime

import pytest
from flask import Flask

from tests.builders import (
    MASTER_SECRET,
    NOW,
    SOMEONE,
    a_counter,
    an_agreement,
    entrusted_booklets,
    handed_over_booklets,
    issued_booklets,
    scanned_codes,
    typed_codes,
)
from tests.clients import app_for
from voucher.issuing.code import SignedCode, read_code
from voucher.issuing.doors import Door
from voucher.issuing.key_document import verify_key_document
from voucher.issuing.keys import make_key
from voucher.issuing.recognise_code import stored_codes
from voucher.issuing.signing import public_key_of
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.programme.programme_key import programme_key
from voucher.redemption.redeem import redeem
from voucher.wallet import pages
from voucher.web.logs import CodeFilter, CodeFreeLogger, hide_codes
from voucher.web.typed_codes import TypedCodes

WORKSHOP = "everyday_digital_tools"


@pytest.fixture
def app(database: Database) -> Flask:
    return app_for(database, NOW)


def path_of(code: str) -> str:
    return "/V/" + code.rpartition("/")[2]


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def test_a_scanned_voucher_says_its_worth_its_date_and_where_to_go(database: Database, app: Flask) -> None:
    issued = handed_over_booklets(database)
    a_counter(database)
    answer = app.test_client().get(path_of(scanned_codes(database, issued.first_booklet_number)[0]))
    page = plain(answer.text)
    assert answer.status_code == 200
    assert "<h1>Ce chèque vaut 10 €.</h1>" in page
    assert "jusqu’au <strong>31 décembre 2026</strong>" in page
    assert "du lundi au vendredi de 9 h à 12 h" in page
    assert "Perdu ou volé" in page
    assert page.index("vaut 10 €") < page.index("31 décembre") < page.index("Où l’utiliser") < page.index("Perdu")


def test_the_code_page_sets_no_cookie_and_tells_nobody(database: Database, app: Flask) -> None:
    issued = handed_over_booklets(database)
    answer = app.test_client().get(path_of(scanned_codes(database, issued.first_booklet_number)[0]).lower())
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "http://" not in answer.text.replace("http://www.w3.org", "")
    assert "https://" not in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/cheque", "/lieux?code_postal=51100", "/aide", "/accessibilite", "/mentions-legales"]
)
def test_no_public_page_sets_a_cookie(sqlite_database: Database, path: str) -> None:
    answer = app_for(sqlite_database, NOW).test_client().get(path)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_each_state_is_told_in_plain_words(database: Database, app: Flask) -> None:
    client = app.test_client()
    stock, _ = entrusted_booklets(database, 1)
    assert "n’est pas encore actif" in plain(
        client.get(path_of(scanned_codes(database, stock.first_booklet_number)[0])).text
    )
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    counter = a_counter(database)
    redeem(database, new_id(), codes[:1], WORKSHOP, counter, by=SOMEONE, now=NOW)
    used = plain(client.get(path_of(codes[0])).text)
    assert "déjà utilisé" in used
    assert "2 mars 2026 à 10 h 00" in used
    assert "Il reste 9 chèques" in used
    assert "Comptoir" not in used  # when, never where
    forged = path_of(codes[1])[:-1] + ("A" if codes[1][-1] != "A" else "B")
    answer = client.get(forged)
    assert answer.status_code == 404
    assert "n’est pas un vrai chèque" in plain(answer.text)


def test_a_retired_key_s_code_with_one_bit_flipped_is_no_voucher_on_the_citizen_s_page(database: Database) -> None:
    client = app_for(database, NOW).test_client()
    issued = handed_over_booklets(database)
    make_key(database, issued.agreed.issuer_id, master_secret=MASTER_SECRET, by=SOMEONE, now=NOW)
    genuine = read_code(scanned_codes(database, issued.first_booklet_number)[0])
    assert "vaut 10" in plain(client.get(path_of(genuine.to_text())).text)
    for place in (0, 31, 63):
        flipped = bytearray(genuine.signature)
        flipped[place] ^= 1
        text = SignedCode(genuine.payload, bytes(flipped)).to_text()
        for answer in (client.get(path_of(text)), client.post("/cheque", data={"code": text}, follow_redirects=True)):
            assert answer.status_code == 404
            assert "n’est pas un vrai chèque" in plain(answer.text)


def test_the_grace_days_and_the_end_are_told(database: Database) -> None:
    issued = handed_over_booklets(database)
    path = path_of(scanned_codes(database, issued.first_booklet_number)[0])
    in_grace = app_for(database, datetime(2027, 1, 15, 12, tzinfo=UTC)).test_client().get(path)
    assert "le prennent encore jusqu’au <strong>31 janvier 2027" in plain(in_grace.text)
    ended = app_for(database, datetime(2027, 2, 1, 0, 0, tzinfo=UTC)).test_client().get(path)
    assert "n’est plus valable" in plain(ended.text)


def test_a_booklet_cover_says_how_many_are_left(database: Database, app: Flask) -> None:
    issued = handed_over_booklets(database)
    counter = a_counter(database)
    redeem(
        database,
        new_id(),
        scanned_codes(database, issued.first_booklet_number)[:3],
        WORKSHOP,
        counter,
        by=SOMEONE,
        now=NOW,
    )
    with database.read() as session:
        cover = stored_codes(session, issued.first_booklet_number, 1)[0].cover
    page = plain(app.test_client().get("/V/" + cover.to_text()).text)
    assert "Ce carnet vaut encore 70 €." in page
    assert "Il reste 7 chèques de 10 €, sur 10." in page


def test_a_typed_code_opens_the_same_page_without_cookie(database: Database, app: Flask) -> None:
    issued = handed_over_booklets(database)
    typed = typed_codes(database, issued.first_booklet_number)[0]
    answer = app.test_client().post("/cheque", data={"code": typed.lower()})
    assert answer.status_code == 200
    assert "vaut 10 €" in plain(answer.text)
    assert "Set-Cookie" not in answer.headers
    wrong = app.test_client().post("/cheque", data={"code": "0G7K 3M9Q XR"})
    assert wrong.status_code == 422
    assert "incomplet" in wrong.text
    assert 'value="0G7K 3M9Q XR"' in wrong.text


def test_guessing_typed_codes_is_slowed_down_by_address(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "typed_codes", TypedCodes(Door.CITIZEN, 3))
    client = app_for(sqlite_database, NOW).test_client()
    statuses = [client.post("/cheque", data={"code": "000000000000"}).status_code for _ in range(5)]
    assert statuses == [422, 422, 422, 429, 429]
    other = client.post("/cheque", data={"code": "000000000000"}, environ_base={"REMOTE_ADDR": "10.0.0.9"})
    assert other.status_code == 422


def test_places_are_found_by_postcode_departement_and_service(database: Database, app: Flask) -> None:
    a_counter(database)
    client = app.test_client()
    assert "Bellerive" in client.get("/lieux?code_postal=51100").text
    assert "Bellerive" in client.get("/lieux?departement=51&service=everyday_digital_tools").text
    assert "Aucun lieu" in client.get("/lieux?departement=51&service=safe_digital_use").text
    assert "Aucun lieu" in client.get("/lieux?departement=2A").text
    assert "cinq chiffres" in client.get("/lieux?code_postal=abc").text


def test_the_keys_are_published_with_the_programme_s_signature(database: Database, app: Flask) -> None:
    issued = issued_booklets(database, 1, agreed=an_agreement(database))
    answer = app.test_client().get("/.well-known/pass-numerique/keys.json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    document = verify_key_document(answer.data, public_key_of(programme_key(MASTER_SECRET)))
    assert [key.key_id for key in document.keys] == [issued.agreed.key_id]
    assert "sealed" not in json.dumps(answer.json)


def test_logs_never_hold_a_code() -> None:
    code = "CEVAAAIAAAAAAAAB" * 8
    line = f'"GET /v/{code.lower()}?x=1 HTTP/1.1" 200 "https://pass.fr/V/{code}" {code}'
    assert code[:20] not in hide_codes(line).upper()
    assert hide_codes("GET /lieux HTTP/1.1") == "GET /lieux HTTP/1.1"
    record = logging.LogRecord("x", 20, "", 1, "%s failed", (f"/V/{code}",), None)
    CodeFilter().filter(record)
    assert record.getMessage() == "/V/… failed"
    assert CodeFreeLogger.atoms is not CodeFreeLogger.__mro__[1].atoms


def test_gunicorn_s_access_log_holds_no_code() -> None:
    from types import SimpleNamespace

    from gunicorn.config import Config

    logger = CodeFreeLogger(Config())
    path = "/V/" + "A" * 128
    environ = {
        "REQUEST_METHOD": "GET", "RAW_URI": path, "SERVER_PROTOCOL": "HTTP/1.1", "PATH_INFO": path, "QUERY_STRING": "",
        "REMOTE_ADDR": "127.0.0.1", "HTTP_REFERER": "https://pass.fr" + path,
    }  # fmt: skip
    answer = SimpleNamespace(status="200 OK", headers=[], sent=1)
    request = SimpleNamespace(headers=[("REFERER", environ["HTTP_REFERER"])])
    from datetime import timedelta

    atoms = logger.atoms(answer, request, environ, timedelta(seconds=1))
    assert "AAAA" not in " ".join(str(value) for value in atoms.values())
    assert atoms["U"] == "/V/…"
