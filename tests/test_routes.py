"""Every route under its access class: a new one, or one that changes class, fails here until this page says so."""

import ast
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import BaseConverter, IntegerConverter, Rule, UUIDConverter
from werkzeug.test import TestResponse

from tests.clients import PASSWORD, a_person, app_for, csrf_token, sign_in, signed_in_client
from tests.factors import waiting_client
from tests.routes import ROUTES
from voucher.access.accounts import revoke_role
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.web.access import SIGNED_IN, access_of, is_open_before_factor, is_second_step
from voucher.web.services import utc_now

SCOPED = {Role.ISSUER, Role.PRESCRIBER, Role.MEDIATOR, Role.PLACE_MANAGER}


def written(roles: frozenset[Role] | None) -> str:
    if roles is None:
        return "nobody said"
    if not roles:
        return "public"
    return "anyone signed in" if roles == SIGNED_IN else " ".join(sorted(roles))


def sample(converter: BaseConverter) -> object:
    """Return a value that a part of an address takes."""
    if isinstance(converter, IntegerConverter):
        return 1
    return new_id() if isinstance(converter, UUIDConverter) else "x"


def test_every_route_stands_under_its_access_class(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    found = {}
    for rule in app.url_map.iter_rules():
        methods = "/".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        is_step = is_second_step(app, rule.endpoint)
        found[f"{methods} {rule.rule}"] = (
            "second step of a sign-in" if is_step else written(access_of(app, rule.endpoint))
        )
    assert found == ROUTES


def test_nobody_passes_where_their_role_is_not_named(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    clients = {
        role: signed_in_client(app, sqlite_database, role, new_id() if role in SCOPED else None) for role in Role
    }
    stranger = app.test_client()
    for rule in app.url_map.iter_rules():
        roles = access_of(app, rule.endpoint) or frozenset()
        if not roles or "GET" not in (rule.methods or ()):
            continue
        path = address_of(app, rule)
        assert stranger.get(path).status_code in (302, 401), path
        for role, client in clients.items():
            if role not in roles:
                assert client.get(path).status_code == 403, f"{role} at {path}"


def address_of(app: Flask, rule: Rule) -> str:
    values = {name: sample(rule._converters[name]) for name in rule.arguments}
    with app.test_request_context():
        return app.url_for(rule.endpoint, **values)


# What may be sent without the form's token: nothing that a session does.
WITHOUT_TOKEN = {
    "POST /cheque": "the citizen's page has no session: nobody is signed in whom another site could use",
}


def test_no_post_passes_without_the_form_token(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    clients = {
        role: signed_in_client(app, sqlite_database, role, new_id() if role in SCOPED else None) for role in Role
    }
    stranger, waiting = app.test_client(), waiting_client(app, sqlite_database)
    passed = set()
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}):
            roles = access_of(app, rule.endpoint) or frozenset()
            path = address_of(app, rule)
            nobody = waiting if is_second_step(app, rule.endpoint) else stranger
            for client in [clients[role] for role in sorted(roles)] or [nobody]:
                # As a form, and as the counter's page sends it.
                for body in ({"data": {"name": "x"}}, {"json": {"codes": []}}):
                    if client.open(path, method=method, **body).status_code != 400:  # type: ignore[arg-type]
                        passed.add(f"{method} {rule.rule}")
    assert passed == set(WITHOUT_TOKEN)


def test_who_must_have_a_second_factor_and_has_none_opens_nothing_else(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, second_factor_required=True)
    client = signed_in_client(app, sqlite_database, Role.PROGRAMME)
    token = csrf_token(client.get("/mon-compte/deuxieme-preuve").text)
    opened = set()
    # The way out ends the session: last.
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.endpoint == "staff.sign_out"):
        if not access_of(app, rule.endpoint):
            continue
        assert rule.methods is not None
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            answer = client.open(address_of(app, rule), method=method, data={"csrf_token": token})
            if answer.location == "/mon-compte/deuxieme-preuve" or ("/api/" in rule.rule and answer.status_code == 403):
                continue
            opened.add(rule.endpoint)
        assert (rule.endpoint in opened) == is_open_before_factor(app, rule.endpoint), rule.endpoint
    added = {"factors", "totp", "recovery_codes", "passkeys", "begin_passkey", "add_passkey"}
    # Adding a factor asks who is there: for who has neither password nor passkey, the provider answers it.
    assert opened == {f"own_account.{name}" for name in added} | {"sign_in.confirm_by_provider", "staff.sign_out"}


def test_the_second_step_is_of_a_sign_in_whose_password_was_right(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    waiting, stranger = waiting_client(app, sqlite_database), app.test_client()
    signed_in = signed_in_client(app, sqlite_database, Role.AUDITOR)
    for rule in app.url_map.iter_rules():
        roles, is_get = access_of(app, rule.endpoint), "GET" in (rule.methods or ())
        if is_second_step(app, rule.endpoint) and is_get:
            assert waiting.get(rule.rule).status_code == 200
            for client in (stranger, signed_in):
                assert client.get(rule.rule, query_string={"suite": "/x"}).location == "/personnes/connexion?suite=/x"
        elif roles and is_get:
            answer = waiting.get(address_of(app, rule))
            assert answer.status_code == 401 or answer.location.startswith("/connexion/deuxieme-preuve?suite="), (
                rule.rule
            )


def test_every_cookie_is_out_of_reach_of_scripts_and_of_other_sites(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, base_url="https://pass.example")
    # A scope that nobody has makes some pages fail: their cookies count all the same.
    app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)
    given: list[tuple[str, str]] = []

    def ask(client: FlaskClient, path: str, **more: Any) -> TestResponse:
        answer = client.open(path, base_url="https://pass.example", **more)
        given.extend((path, one) for one in answer.headers.getlist("Set-Cookie"))
        return answer

    for role in Role:
        a_person(sqlite_database, role, new_id() if role in SCOPED else None, email=f"{role}@lieu.example")
        client = app.test_client()
        page = ask(client, "/personnes/connexion").get_data(as_text=True)
        data = {"csrf_token": csrf_token(page), "email": f"{role}@lieu.example", "password": PASSWORD}
        headers = {"Referer": "https://pass.example/personnes/connexion"}
        assert ask(client, "/personnes/connexion", method="POST", data=data, headers=headers).status_code == 302, role
        for rule in app.url_map.iter_rules():
            if "GET" in (rule.methods or ()) and role in (access_of(app, rule.endpoint) or ()):
                ask(client, address_of(app, rule))
    assert {one.partition("=")[0] for _, one in given} >= {"pass_session", "pass_form"}
    attributes = {(path, one.partition("=")[0]): {part.strip() for part in one.split(";")[1:]} for path, one in given}
    lax = {
        where: sorted(found)
        for where, found in attributes.items()
        if not {"Secure", "HttpOnly", "SameSite=Lax"} <= found
    }
    assert lax == {}
    assert {"/personnes/connexion"} <= {path for path, name in attributes if name == "pass_session"}


def test_whoever_sets_a_cookie_says_all_three() -> None:
    """Some cookies are set on ways that no walk takes: their calls say it too."""
    calls = [
        (path.name, {keyword.arg for keyword in node.keywords})
        for room in ("voucher", "issuer_portal", "merchant_portal")
        for path in Path(room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "set_cookie"
    ]
    assert len(calls) >= 1
    assert [call for call in calls if not {"secure", "httponly", "samesite"} <= call[1]] == []


def test_a_person_without_a_role_may_only_change_their_password(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    account_id = a_person(sqlite_database, Role.AUDITOR)
    revoke_role(sqlite_database, account_id, Role.AUDITOR, by=account_id, now=utc_now())
    client = sign_in(app, sqlite_database, account_id)
    assert client.get("/personnes/moi").status_code == 200
    assert client.get("/registre/").status_code == 403


def test_the_sign_in_page_never_leads_to_another_site(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    a_person(sqlite_database, Role.AUDITOR, email="lea@lieu.example")
    for there in ("https://ailleurs.example/", "//ailleurs.example/", "/\\ailleurs.example", "javascript:alert(1)"):
        client = app.test_client()
        page = client.get("/personnes/connexion", query_string={"suite": there}).get_data(as_text=True)
        answer = client.post(
            "/personnes/connexion",
            query_string={"suite": there},
            data={"csrf_token": csrf_token(page), "email": "lea@lieu.example", "password": PASSWORD},
        )
        assert answer.status_code == 302
        assert answer.location == "/tableau/"
        assert "HttpOnly" in answer.headers["Set-Cookie"]
