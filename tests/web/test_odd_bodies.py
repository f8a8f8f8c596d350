"""Bodies that no page of ours sends, to every address that takes one: each is answered, none is a failure of ours."""

import ast
import io
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.routing import Rule, UUIDConverter

from tests.builders import NOW, a_counter, entrusted_booklets, handed_over_booklets, scanned_codes
from tests.clients import app_for, csrf_token, signed_in_client
from tests.test_house import ROOT
from tests.test_routes import sample
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.redemption.redeem import redeem
from voucher.web.access import access_of, is_second_step

DEEP = 9_000
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
ID = str(new_id())

# (content type, body)
ODD_BODIES: dict[str, tuple[str, bytes]] = {
    "deep arrays": (JSON, b'{"code": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
    "deep objects": (JSON, b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "deep and cut": (JSON, b"[" * DEEP),
    "a lone surrogate": (JSON, b'{"code": "\\ud800", "codes": ["\\udfff"], "id": "\\ud800", "service": "\\ud800"}'),
    "a lone surrogate in a list": (JSON, f'{{"id": "{ID}", "codes": ["\\ud800"], "service": "internet"}}'.encode()),
    "a lone surrogate in a name": (JSON, b'{"\\ud800": 1, "code": "A"}'),
    "a raw surrogate": (JSON, b'{"code": "\xed\xa0\x80"}'),
    "NUL": (JSON, f'{{"id": "{ID}", "code": "\\u0000", "codes": ["A\\u0000"], "service": "\\u0000"}}'.encode()),
    "not a number": (JSON, b'{"code": NaN, "id": Infinity, "codes": [-Infinity]}'),
    "a huge integer": (JSON, b'{"code": ' + b"9" * 60_000 + b"}"),
    "a huge real": (JSON, b'{"code": 1e999999, "codes": [1e999999]}'),
    "a name twice": (JSON, b'{"code": "A", "code": "B"}'),
    "numbers for texts": (JSON, b'{"code": 1, "id": 2, "codes": [3], "service": 4}'),
    "nothing": (JSON, b""),
    "null": (JSON, b"null"),
    "an array": (JSON, b"[]"),
    "UTF-16": ("application/json; charset=utf-16", '{"code": "A"}'.encode("utf-16")),
    "an unknown charset": ("application/json; charset=martian", b'{"code": "A"}'),
    "not UTF-8": (JSON, b'{"code": "\xff\xfe"}'),
    "no type": ("", b"\x00\x01\x02"),
    "odd type": ("application/\xff; charset=\x00".encode("latin-1").decode("latin-1"), b"x"),
    "a form of another charset": (FORM + "; charset=martian", b"code=%FF%FE"),
    "an endless form": (FORM, b"&".join(b"a%d=1" % rank for rank in range(3_000))),
    "no boundary": ("multipart/form-data", b"--b\r\n\r\n--b--"),
    "a part that does not end": (MULTIPART, b'--b\r\nContent-Disposition: form-data; name="code"\r\n\r\nA'),
    "a part without head": (MULTIPART, b"--b\r\n\r\nA\r\n--b--\r\n"),
    "a file named NUL": (
        MULTIPART,
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="\x00\xed\xa0\x80/../x"\r\n\r\n\xff\x00\r\n--b--\r\n',
    ),
    "many parts": (
        MULTIPART,
        b"".join(b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nA\r\n' for _ in range(1_500)) + b"--b--\r\n",
    ),
}
ODD_VALUES = (b"%00", b"A%00%ED%A0%80", b"9" * 400, b"NaN", b"%F0%9F%98%80" * 9)
ODD_HEADERS = {
    "Cookie": "pass_session=\xff\xed\xa0\x80; pass_form=\x01; pass_service=\xff",
    "Accept": "\xff/\xff;q=NaN",
    "Accept-Language": "\xff" * 50,
    "Range": "bytes=9-1,\xff",
    "If-None-Match": '"\xff',
    "If-Modified-Since": "\xff",
    "X-CSRFToken": "\xff\xed\xa0\x80",
    "X-Forwarded-For": "\xff, 999.999.999.999",
    "Host": "a b<\xff>",
    "Referer": "http://[\xff",
    "User-Agent": "\xff" * 300,
    "Authorization": "Basic \xff",
}


def field_names() -> list[str]:
    """Return the name of every field that a page reads: those of the forms, and those asked by name."""
    found = {"csrf_token"}
    for folder in ("issuer_portal", "merchant_portal", "voucher/wallet", "voucher/web"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=called))) if (
                        called.endswith("Field")
                    ):
                        found.add(name)
                    case ast.Call(func=ast.Attribute(attr="get" | "getlist"), args=[ast.Constant(value=str(name)), *_]):
                        found.add(name)
    return sorted(found)


class World:
    """An application with some of everything, and a person for each role."""

    def __init__(self, database: Database) -> None:
        self.app = app_for(database, NOW)
        self.app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)
        self.database = database
        issued, prescriber_id = entrusted_booklets(database, 2)
        counter = a_counter(database)
        handed = handed_over_booklets(database, agreed=issued.agreed)
        redemption_id = new_id()
        codes = scanned_codes(database, handed.first_booklet_number)[:1]
        redeem(database, redemption_id, codes, "everyday_digital_tools", counter, by=new_id(), now=NOW)
        with database.read() as session:
            account_id = session.execute(text("SELECT id FROM paying_account")).scalars().first()
        self._ids = {
            "agreement_id": issued.agreed.agreement_id, "issuer_id": issued.agreed.issuer_id, "batch_id": issued.batch_id,
            "funder_id": issued.agreed.funder_ids[0], "structure_id": counter.structure_id, "place_id": counter.place_id,
            "redemption_id": redemption_id, "prescriber_id": prescriber_id, "account_id": UUID(str(account_id)),
        }  # fmt: skip
        self._scopes = {
            Role.ISSUER: issued.agreed.issuer_id, Role.PRESCRIBER: prescriber_id,
            Role.MEDIATOR: counter.structure_id, Role.PLACE_MANAGER: counter.structure_id,
        }  # fmt: skip
        self._clients: dict[Role | None, tuple[FlaskClient, str]] = {}

    def rules(self, method: str) -> Iterator[tuple[Rule, str]]:
        """Give every rule that takes a method, with an address."""
        for rule in self.app.url_map.iter_rules():
            if method in (rule.methods or ()) and rule.endpoint != "web.static":
                yield rule, self._address(rule)

    def client_for(self, rule: Rule) -> tuple[FlaskClient, str]:
        """Return somebody who may come there, and their form token."""
        roles = access_of(self.app, rule.endpoint) or frozenset()
        role = min(roles) if roles else None
        if role not in self._clients:
            client = self.app.test_client()
            if role is not None:
                client = signed_in_client(self.app, self.database, role, self._scopes.get(role))
                client.get("/comptoir/lieux")
            page = client.get("/personnes/moi" if role else "/personnes/connexion").text
            self._clients[role] = client, csrf_token(page)
        return self._clients[role]

    def forget(self, rule: Rule) -> None:
        """Sign the person in again: what was sent may have signed them out."""
        if rule.endpoint == "staff.sign_out":
            self._clients.clear()

    def _address(self, rule: Rule) -> str:
        def value(name: str) -> object:
            kind = rule._converters[name]
            return self._ids.get(name, new_id()) if isinstance(kind, UUIDConverter) else sample(kind)

        with self.app.test_request_context():
            return self.app.url_for(rule.endpoint, **{name: value(name) for name in rule.arguments})  # type: ignore[arg-type]


@pytest.fixture
def world(sqlite_database: Database) -> World:
    """What is read before any table is looked at does not depend on the engine."""
    return World(sqlite_database)


@pytest.fixture
def strict_world(postgresql_database: Database) -> World:
    """PostgreSQL takes neither NUL, nor half of a surrogate pair, nor a text that is too long."""
    return World(postgresql_database)


@pytest.mark.long
def test_no_body_breaks_a_page(world: World) -> None:
    broken = []
    for rule, address in world.rules("POST"):
        # A page reads forms alone: three bodies of JSON show that it reads none.
        is_api = "/api/" in rule.rule
        for name, (content_type, body) in ODD_BODIES.items():
            if (
                content_type == JSON
                and not is_api
                and name not in ("deep arrays", "a lone surrogate", "numbers for texts")
            ):
                continue
            client, token = world.client_for(rule)
            heads = {"X-CSRFToken": token}
            with client.post(address, data=body, content_type=content_type, headers=heads) as answer:
                if answer.status_code >= 500:
                    broken.append((address, name, answer.status_code))
            world.forget(rule)
    assert broken == []


def test_no_value_of_a_field_breaks_a_page(strict_world: World) -> None:
    world = strict_world
    names = [name.encode() for name in field_names()]
    assert len(names) > 100
    broken = []
    for rule, address in world.rules("POST"):
        for value in ODD_VALUES:
            client, token = world.client_for(rule)
            body = b"&".join(b"%s=%s" % (name, value) for name in names if name != b"csrf_token")
            # A page with several acts is asked with a true one too; the first of two values is read.
            for act in (b"", b"&action=encaisser&id=%s" % ID.encode()):
                sent = b"csrf_token=" + token.encode() + act + b"&" + body
                with client.post(address, data=sent, content_type=FORM) as answer:
                    if answer.status_code >= 500:
                        broken.append((address, value[:12], act, answer.status_code))
            world.forget(rule)
    assert broken == []


def test_no_header_breaks_a_page(world: World) -> None:
    broken = []
    for rule, address in [*world.rules("GET"), *world.rules("POST")]:
        method = "GET" if "GET" in (rule.methods or ()) else "POST"
        client, _ = world.client_for(rule)
        environs = [{"HTTP_" + name.upper().replace("-", "_"): value} for name, value in ODD_HEADERS.items()]
        together = {name: value for one in environs for name, value in one.items() if name != "HTTP_COOKIE"}
        for environ in environs if "/api/" in address or address in ("/", "/cheque") else [together]:
            with client.open(address, method=method, environ_overrides=environ) as answer:
                if answer.status_code >= 500:
                    broken.append((address, sorted(environ), answer.status_code))
        world.forget(rule)
    assert broken == []


def test_a_path_that_is_no_text_is_found_nowhere(world: World) -> None:
    client = world.app.test_client()
    for path in ("/V/%00", "/V/%ED%A0%80", "/%FF", "/v/%F0%9F", "/lieux/%00", "/.well-known/%00", "/comptoir/api/%00"):
        assert client.get(path).status_code in (302, 404), path
    assert client.get("/lieux?code_postal=%00&departement=%ED%A0%80").status_code < 500


def test_what_a_program_may_not_send_is_a_400_that_says_nothing_was_taken(world: World) -> None:
    rule, address = next(one for one in world.rules("POST") if one[0].endpoint == "counter.api_check")
    client, token = world.client_for(rule)
    for name, (content_type, body) in ODD_BODIES.items():
        if content_type != JSON:
            continue
        answer = client.post(address, data=body, content_type=JSON, headers={"X-CSRFToken": token})
        assert answer.status_code == 400, name
        assert answer.content_type == "application/problem+json"
        assert answer.get_json(force=True)["money"] == "Rien n’a été débité."


class Counted(io.RawIOBase):
    """A body that counts what is read of it."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._body, self.read_count = io.BytesIO(body), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._body.read(len(buffer))
        buffer[: len(found)] = found
        self.read_count += len(found)
        return len(found)


def read_of(app: Flask, client: FlaskClient, address: str, content_type: str, size: int) -> tuple[int, int]:
    """Send so many bytes; return the status and how many of them were read."""
    head = b'--b\r\nContent-Disposition: form-data; name="code"\r\n\r\n' if "multipart" in content_type else b"code="
    body = Counted(head + b"x" * (size - len(head)))
    environ = {"wsgi.input": body, "CONTENT_LENGTH": str(size)}
    with client.post(address, content_type=content_type, environ_overrides=environ) as answer:
        return answer.status_code, body.read_count


def test_nothing_is_read_of_what_a_stranger_brings_where_one_must_sign_in(world: World) -> None:
    seen = []
    for rule, address in world.rules("POST"):
        is_public = not access_of(world.app, rule.endpoint) and not is_second_step(world.app, rule.endpoint)
        for content_type in (JSON, FORM, MULTIPART):
            status, count = read_of(world.app, world.app.test_client(), address, content_type, 2_000_000)
            expected = (413,) if is_public else (302, 401)
            if status not in expected or count:
                seen.append((address, content_type, status, count))
    assert seen == []


def test_somebody_without_the_role_is_told_so_before_anything_is_read(world: World) -> None:
    auditor = signed_in_client(world.app, world.database, Role.AUDITOR)
    for rule, address in world.rules("POST"):
        roles = access_of(world.app, rule.endpoint) or frozenset()
        if roles and Role.AUDITOR not in roles:
            assert read_of(world.app, auditor, address, MULTIPART, 2_000_000) == (403, 0), address


def test_files_are_taken_only_from_people_who_are_signed_in(world: World) -> None:
    for rule in world.app.url_map.iter_rules():
        view = world.app.view_functions[rule.endpoint]
        if view.__dict__.get("takes_files"):
            assert access_of(world.app, rule.endpoint), rule.endpoint


def test_a_body_of_unsaid_length_is_stopped_at_its_limit(world: World) -> None:
    rule, address = next(one for one in world.rules("POST") if one[0].endpoint == "counter.api_check")
    client, token = world.client_for(rule)
    body = Counted(b'{"code": "' + b"A" * 3_000_000 + b'"}')
    environ = {"wsgi.input": body, "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    answer = client.post(address, content_type=JSON, environ_overrides=environ, headers={"X-CSRFToken": token})
    assert answer.status_code in (400, 413)  # cut at the limit, it is no JSON any more
    assert body.read_count <= 64 * 1024


@pytest.mark.parametrize("base_url", ["https://pass.example", "http://127.0.0.1:8000", "https://a.example:8443"])
def test_no_absolute_address_comes_from_the_host_that_a_request_names(sqlite_database: Database, base_url: str) -> None:
    app = app_for(sqlite_database, NOW, base_url=base_url, proxy_count=1)
    auditor = signed_in_client(app, sqlite_database, Role.AUDITOR)
    slashes = [
        rule.rule.rstrip("/") for rule in app.url_map.iter_rules() if rule.rule.endswith("/") and rule.rule != "/"
    ]
    paths = [path for path in slashes if "<" not in path]
    assert len(paths) > 8
    for host in (
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "[::1].evil.example",
        "",
    ):
        heads = {"Host": host, "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
        for path in paths:
            for client in (auditor, app.test_client()):
                answer = client.get(path, headers=heads)
                assert "evil" not in answer.text + str(answer.headers), (host, path)
                assert answer.status_code == 308
                assert answer.location == f"{base_url}{path}/"
    seen: list[str] = []
    app.before_request_funcs[None].insert(0, lambda: seen.append(request.host))
    app.test_client().get("/", headers={"Host": "evil.example"})
    app.test_client().get("/", headers={"Host": "localhost:8123"})
    assert seen == [base_url.partition("//")[2], "localhost:8123"]


def test_a_prescriber_s_address_is_checked_without_a_library_that_nobody_installed(world: World) -> None:
    rule, address = next(one for one in world.rules("POST") if one[1] == "/emetteur/prescripteurs/nouveau")
    client, token = world.client_for(rule)
    good = {
        "csrf_token": token, "id": ID, "name": "CCAS de Bellerive", "kind": "ccas", "postcode": "51100", "city": "Bellerive",
    }  # fmt: skip
    refused = client.post(address, data=good | {"contact_email": "pas une adresse"})
    assert refused.status_code == 200
    assert "comme prenom.nom@exemple.fr" in refused.text
    assert client.post(address, data=good | {"contact_email": "accueil@ccas.example"}).status_code == 302
