"""What an abuser tries at every door: odd questions, guesses, huge bodies, false addresses; none breaks, none tells."""

import io
import logging
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.routing import BaseConverter, IntegerConverter, UUIDConverter

from issuer_portal.prescriber import pages as prescriber_pages
from tests.builders import NOW, a_counter, entrusted_booklets, handed_over_booklets, typed_codes
from tests.clients import PASSWORD, a_person, app_for, csrf_token, settings_for, sign_in, signed_in_client
from voucher.access import accounts
from voucher.access.rules import Role
from voucher.cli.main import main
from voucher.issuing.doors import Door
from voucher.issuing.typing_code import read_typing_code, typing_code
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.redemption.rules import WRONG_CODES_BY_MEDIATOR_MAX
from voucher.wallet import pages as wallet_pages
from voucher.web import uploads
from voucher.web.access import access_of
from voucher.web.logs import CodeFilter, hide_codes
from voucher.web.typed_codes import TypedCodes

ODD = ("9" * 60, "0000", "²", "٣٣٣٣٣", "0001-01-01", "9999-12-31", "\x00", "%' OR 1=1 --")
NAMES = (
    "a", "action", "age", "annee", "au", "banque", "booklet_count", "carnet", "circuit", "code_postal", "compte",
    "convention", "de", "departement", "dit", "du", "etape", "etat", "financeur", "first_booklet_number", "issue",
    "jour", "journal", "lieu", "livre", "lot", "mois", "montant", "motif", "nom", "numero", "page", "prescripteur",
    "qui", "quoi", "rib", "role", "service", "structure", "suite", "tableau", "texte", "tiers", "tri", "type",
)  # fmt: skip


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few tries are enough to see the limits."""
    monkeypatch.setattr(wallet_pages, "typed_codes", TypedCodes(Door.CITIZEN, 3))
    monkeypatch.setattr(prescriber_pages, "typed_codes", TypedCodes(Door.DESK, 3))


@pytest.mark.long
def test_no_odd_question_breaks_a_page(database: Database) -> None:
    app = app_for(database, NOW)
    app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)
    issued, prescriber_id = entrusted_booklets(database, 1)
    structure_id = a_counter(database).structure_id
    scopes = {
        Role.ISSUER: issued.agreed.issuer_id,
        Role.PRESCRIBER: prescriber_id,
        Role.MEDIATOR: structure_id,
        Role.PLACE_MANAGER: structure_id,
    }
    clients: dict[Role, FlaskClient] = {}
    broken = []
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint == "web.static":
            continue
        roles = access_of(app, rule.endpoint) or frozenset()
        client = app.test_client()
        if roles:
            role = min(roles)
            clients[role] = client = clients.get(role) or signed_in_client(app, database, role, scopes.get(role))
        if rule.endpoint == "counter.today":
            client.get("/comptoir/lieux")
        for odd in ODD:
            query = dict.fromkeys(NAMES, odd)
            for address in _addresses(app, rule, odd):
                with client.get(address, query_string=query) as answer:
                    if answer.status_code >= 500:
                        broken.append((address, odd[:10], answer.status_code))
    assert broken == []


def _addresses(app: Flask, rule: Any, odd: str) -> list[str]:
    """Return a route's address with an odd text in it; with numbers too long for a table, where it takes a number."""
    numbers = (10**30, 2**63, 2**63 - 1, 2**31, 0) if "<int:" in rule.rule else (0,)

    def filled(kind: BaseConverter, number: int) -> Any:
        if isinstance(kind, IntegerConverter):
            return number
        return new_id() if isinstance(kind, UUIDConverter) else odd

    with app.test_request_context():
        return [
            app.url_for(rule.endpoint, **{name: filled(rule._converters[name], number) for name in rule.arguments})
            for number in numbers
        ]


def _wrong(typed: str) -> str:
    """Return the typing code of the same voucher with another tag: what a guess is."""
    right = read_typing_code(typed)
    return typing_code(right.serial, right.tag ^ 1, right.kind)


def test_a_typed_code_is_not_guessed_through_the_address_of_a_scanned_one(sqlite_database: Database) -> None:
    client = app_for(sqlite_database, NOW).test_client()
    right = typed_codes(sqlite_database, handed_over_booklets(sqlite_database).first_booklet_number)[0]
    answers = {client.get("/V/" + code.replace(" ", "")).status_code for code in (right, _wrong(right))}
    assert answers == {404}
    assert "vaut 10" not in client.get("/V/" + right.replace(" ", "")).text


def test_only_wrong_guesses_count_and_a_whole_ipv6_site_is_one_address(sqlite_database: Database) -> None:
    client = app_for(sqlite_database, NOW).test_client()
    right = typed_codes(sqlite_database, handed_over_booklets(sqlite_database).first_booklet_number)[0]

    def type_in(code: str, address: str) -> int:
        return client.post("/cheque", data={"code": code}, environ_base={"REMOTE_ADDR": address}).status_code

    assert [type_in(right, "10.0.0.1") for _ in range(6)] == [200] * 6
    assert [type_in(_wrong(right), f"2001:db8:1:2::{rank}") for rank in range(5)] == [422, 422, 422, 429, 429]
    assert type_in(_wrong(right), "2001:db8:1:3::1") == 422
    assert type_in(right, "2001:db8:1:2::9") == 429


def test_an_address_said_by_a_header_is_believed_only_behind_a_proxy(sqlite_database: Database) -> None:
    def guesses(client: FlaskClient) -> list[int]:
        return [
            client.post(
                "/cheque", data={"code": "000000000000"}, headers={"X-Forwarded-For": f"203.0.113.{rank}"}
            ).status_code
            for rank in range(5)
        ]

    assert guesses(app_for(sqlite_database, NOW).test_client()) == [422, 422, 422, 429, 429]
    assert guesses(app_for(sqlite_database, NOW, proxy_count=1).test_client()) == [422] * 5


def test_a_prescriber_does_not_guess_the_codes_of_vouchers(sqlite_database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(sqlite_database, 1)
    others = handed_over_booklets(sqlite_database, agreed=issued.agreed)
    client = signed_in_client(app_for(sqlite_database, NOW), sqlite_database, Role.PRESCRIBER, prescriber_id)
    right = typed_codes(sqlite_database, others.first_booklet_number)[0]
    token = csrf_token(client.get("/prescripteur/").text)

    def type_in(code: str) -> str:
        return client.post("/prescripteur/", data={"csrf_token": token, "code": code}).text

    for _ in range(5):
        assert "déjà été remis" in type_in(right)
    for _ in range(3):
        assert "n’existe pas" in type_in(_wrong(right))
    assert "trop de codes faux" in type_in(_wrong(right))
    assert "trop de codes faux" in type_in(right)


def test_a_mediator_does_not_guess_them_by_testing_on_the_page_nor_by_its_script(sqlite_database: Database) -> None:
    app, counter = app_for(sqlite_database, NOW), a_counter(sqlite_database)
    client = signed_in_client(app, sqlite_database, Role.MEDIATOR, counter.structure_id)
    client.get("/comptoir/lieux")
    place = str(counter.place_id)
    right = typed_codes(sqlite_database, handed_over_booklets(sqlite_database).first_booklet_number)[0]
    token = csrf_token(client.get("/comptoir/").text)
    heads = {"X-CSRFToken": token}
    for rank in range(WRONG_CODES_BY_MEDIATOR_MAX):
        code = typing_code(1_000_000 + rank, rank)
        if rank % 2:
            client.post("/comptoir/", data={"csrf_token": token, "action": "tester", "code": code})
        else:
            client.post("/comptoir/api/check", json={"place": place, "code": code}, headers=heads)
    for path, body in (
        ("check", {"place": place, "code": right}),
        ("redeem", {"place": place, "id": str(new_id()), "codes": [right], "service": "everyday_digital_tools"}),
    ):
        answer = client.post(f"/comptoir/api/{path}", json=body, headers=heads)
        assert answer.json is not None
        assert answer.json["code"] == "typing_locked"


def test_an_address_that_cannot_be_read_leads_nowhere_else(sqlite_database: Database) -> None:
    client = app_for(sqlite_database, NOW).test_client()
    a_person(sqlite_database, Role.AUDITOR, now=NOW, email="lea@lieu.example")
    token = csrf_token(client.get("/personnes/connexion").text)
    data = {"csrf_token": token, "email": "lea@lieu.example", "password": PASSWORD}
    for there in ("//[", "/\t/ailleurs.example", "///ailleurs.example", "http:///ailleurs.example"):
        answer = client.post("/personnes/connexion", query_string={"suite": there}, data=data)
        assert answer.location == "/tableau/", there
        token = csrf_token(client.get("/personnes/moi").text)
        data["csrf_token"] = token


def test_a_role_is_held_for_an_organisation_of_its_kind(sqlite_database: Database) -> None:
    counter = a_counter(sqlite_database)
    client = signed_in_client(app_for(sqlite_database, NOW), sqlite_database, Role.PROGRAMME)
    person_id = a_person(sqlite_database, Role.FINANCE_PREPARER, now=NOW)
    accounts.revoke_role(sqlite_database, person_id, Role.FINANCE_PREPARER, by=person_id, now=NOW)
    token = csrf_token(client.get("/personnes/moi").text)
    for role, status in (("issuer", 200), ("finance_approver", 200), ("mediator", 302)):
        data = {"csrf_token": token, "role": role, "scope": str(counter.structure_id)}
        assert client.post(f"/personnes/{person_id}/roles", data=data).status_code == status, role


def test_what_a_person_typed_too_long_is_refused_at_its_field(database: Database) -> None:
    client = signed_in_client(app_for(database, NOW), database, Role.PROGRAMME)
    token = csrf_token(client.get("/personnes/nouvelle").text)
    good = {"csrf_token": token, "id": str(new_id()), "name": "Zoé", "email": "zoe@lieu.example"}
    for odd in ({"name": "x" * 121}, {"email": "x" * 201}):
        answer = client.post("/personnes/nouvelle", data=good | odd)
        assert answer.status_code == 200
        assert "caractères au plus" in answer.text
    assert client.post("/personnes/nouvelle", data=good | {"id": "not an id"}).status_code == 400


def test_a_request_brings_little_but_where_files_are_taken(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "FORM_BYTES_MAX", 100_000)
    app = app_for(sqlite_database, NOW)
    mediator = signed_in_client(app, sqlite_database, Role.MEDIATOR, a_counter(sqlite_database).structure_id)
    mediator.get("/comptoir/lieux")
    heads = {"X-CSRFToken": csrf_token(mediator.get("/personnes/moi").text)}
    # No length is said: the body comes in chunks.
    body = b'{"code": "' + b"A" * 100_000 + b'"}'
    environ = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "", "wsgi.input": io.BytesIO(body)}
    answer = mediator.post(
        "/comptoir/api/check", environ_overrides=environ, content_type="application/json", headers=heads
    )
    assert answer.status_code in (400, 413)
    big = (io.BytesIO(b"x" * 100_001), "big.xml")
    assert app.test_client().post("/cheque", data={"code": "A", "file": big}).status_code == 413
    preparer = signed_in_client(app, sqlite_database, Role.FINANCE_PREPARER)
    token = csrf_token(preparer.get("/finances/banque/importer").text)
    big = (io.BytesIO(b"x" * 100_001), "big.xml")
    answer = preparer.post("/finances/banque/importer", data={"csrf_token": token, "file": big})
    assert answer.status_code == 200
    assert "n’est pas du XML" in answer.text


@pytest.mark.parametrize(
    "odd", [{"secret_key": "short"}, {"master_key": "0f" * 31}, {"master_key": "zz" * 32}, {"proxy_count": -1}]
)
def test_settings_that_protect_nothing_are_refused_and_never_written(
    sqlite_database: Database, odd: dict[str, object]
) -> None:
    with pytest.raises(ValidationError) as refused:
        settings_for(sqlite_database, **odd)
    assert all(str(value) not in str(refused.value) for value in odd.values() if isinstance(value, str))


def test_an_error_of_the_database_never_says_its_values(database: Database) -> None:
    with pytest.raises(SQLAlchemyError) as error, database.read() as session:
        session.execute(text("SELECT * FROM no_such_table WHERE tag = :tag"), {"tag": 12_345_678})
    assert "12345678" not in str(error.value)


def test_the_trace_of_an_error_never_says_a_code(sqlite_database: Database) -> None:
    code = "CEVAAAIAAAAAAAAB" * 8
    app = app_for(sqlite_database)
    assert any(isinstance(one, CodeFilter) for one in app.logger.filters)
    try:
        raise ValueError(f"cannot read https://pass.example/V/{code}")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 1, "failure", (), sys.exc_info())
    CodeFilter().filter(record)
    written = logging.Formatter().format(record)
    assert "ValueError" in written
    assert code[:16] not in written


def test_no_log_says_a_one_time_link() -> None:
    token = secrets.token_urlsafe(32)
    for line in (
        f"GET /personnes/lien/{token} HTTP/1.1",
        f"https://pass.example/personnes/lien/{token}?x=1",
        f"a /LIEN/{token}#y",
    ):
        assert token not in hide_codes(line)
        assert "/lien/…" in hide_codes(line).lower()
    answer = "GET /connexion/proconnect/retour?code=abc-1&state=def_2&iss=https://fournisseur.example"
    assert hide_codes(answer) == "GET /connexion/proconnect/retour?code=…&state=…&iss=https://fournisseur.example"
    assert hide_codes("/session/end?id_token_hint=a.b.c&state=d") == "/session/end?id_token_hint=…&state=…"
    assert hide_codes("/personnes/lien/<token>") == "/personnes/lien/<token>"


def test_https_is_remembered_where_the_public_address_says_so(sqlite_database: Database) -> None:
    client = app_for(sqlite_database, base_url="https://pass.example").test_client()
    assert "max-age" in client.get("/").headers["Strict-Transport-Security"]
    page = client.get("/personnes/connexion")
    assert "Secure" in page.headers["Set-Cookie"]
    assert "HttpOnly" in page.headers["Set-Cookie"]
    assert "Strict-Transport-Security" not in app_for(sqlite_database).test_client().get("/").headers


def test_no_answer_repeats_the_host_that_a_request_names(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, NOW, proxy_count=1)
    auditor = sign_in(app, sqlite_database, a_person(sqlite_database, Role.AUDITOR, now=NOW))
    heads = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    for path in ("/", "/tableau/", "/personnes/connexion", "/nowhere", "/finances/lots"):
        answer = auditor.get(path, headers=heads)
        assert "evil.example" not in answer.text + str(answer.headers), path


def test_what_a_command_writes_is_its_owner_s_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o022)
    try:
        monkeypatch.setenv("PASS_DATABASE_URL", f"sqlite:///{tmp_path}/pass.sqlite3")
        assert CliRunner().invoke(main, ["migrate"]).exit_code == 0
    finally:
        os.umask(before)
    assert (tmp_path / "pass.sqlite3").stat().st_mode & 0o077 == 0


def test_a_command_says_which_setting_is_wrong_and_not_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASS_SECRET_KEY", "too short a secret")
    monkeypatch.delenv("PASS_MASTER_KEY", raising=False)
    answer = CliRunner().invoke(main, ["serve"])
    assert answer.exit_code == 1
    assert "PASS_SECRET_KEY : trop court" in answer.output
    monkeypatch.setenv("PASS_SECRET_KEY", "a secret for tests alone, thirty-two bytes")
    missing = CliRunner().invoke(main, ["serve"])
    assert (missing.exit_code, "PASS_MASTER_KEY : à donner" in missing.output) == (1, True)
    assert "too short a secret" not in answer.output
    assert "Traceback" not in answer.output
