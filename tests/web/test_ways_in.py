"""The ways in and out: which addresses open a session, how passwords are typed, and that every page leads out (docs/security.md)."""

import ast
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from http import HTTPStatus
from pathlib import Path

from tests.clients import app_for
from tests.demonstrated import NOW
from tests.web.test_who_writes_entries import named_by, reached_from
from voucher.access.sessions import sign_in
from voucher.demonstration import DEMO_PASSWORD, DEMO_STAFF
from voucher.kernel.database import Database
from voucher.web.access import SESSION_COOKIE, access_of

ROOT = Path(__file__).parents[2]
PORTALS = ("issuer_portal", "merchant_portal", "voucher")
OPENS = ("voucher.access.sessions", "open_session")
WAYS = {
    # The sign-in: a password, a passkey, the identity provider.
    "staff.sign_in", "sign_in.passkey", "sign_in.from_provider",
    # The second step of a password.
    "sign_in.second_factor", "sign_in.recovery_code", "sign_in.second_passkey",
    # One's own password or factors changed: the session goes on under another token.
    "staff.me", "own_account.add_passkey", "own_account.remove_passkey", "own_account.totp", "own_account.without_totp",
}  # fmt: skip
PAGES_MIN = 60


def test_any_route_that_opens_a_session_is_one_of_the_ways_that_the_document_names(sqlite_database: Database) -> None:
    app, names = app_for(sqlite_database), named_by()
    opening = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if OPENS
        in reached_from(
            (app.view_functions[rule.endpoint].__module__, app.view_functions[rule.endpoint].__name__), names
        )
    }
    assert opening == WAYS


def test_every_field_of_a_password_is_masked_and_may_be_filled_by_a_manager() -> None:
    fields = {
        (path.parent, target.id)
        for portal in PORTALS
        for path in (ROOT / portal).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name) and node.value.func.id == "PasswordField"
        for target in node.targets if isinstance(target, ast.Name)
    }  # fmt: skip
    assert len(fields) >= 5
    for folder, name in fields:
        drawn = [
            line
            for template in (folder / "templates").rglob("*.html")
            for line in template.read_text("utf-8").splitlines()
            if f"form.{name}" in line and "ui.field" in line
        ]
        assert drawn, f"{folder}: nothing draws {name}"
        assert all(re.search(r'autocomplete="(current|new)-password"', line) for line in drawn), drawn
    asked = [
        path
        for portal in PORTALS
        for kind in ("*.html", "*.js")
        for path in (ROOT / portal).rglob(kind)
        if re.search(r"onpaste|[\"']paste[\"']|autocomplete=\"off\"[^>]*password", path.read_text("utf-8"))
    ]
    assert [path for path in asked if "scanner" not in path.parts and "vendor" not in path.parts] == []


def test_every_page_of_somebody_signed_in_leads_out(
    open_demonstration: Callable[[str], AbstractContextManager[Database]],
) -> None:
    seen = 0
    with open_demonstration("sqlite") as database:
        app = app_for(database, NOW, is_demo=True)
        clients = {}
        for role, (email, *_) in DEMO_STAFF.items():
            clients[role] = app.test_client()
            clients[role].set_cookie(SESSION_COOKIE, sign_in(database, email, DEMO_PASSWORD, now=NOW))
        for rule in app.url_map.iter_rules():
            roles = sorted(access_of(app, rule.endpoint) or ())
            if rule.arguments or "GET" not in (rule.methods or ()) or not roles:
                continue
            answer = clients[roles[0]].get(rule.rule)
            if answer.status_code == HTTPStatus.OK and answer.mimetype == "text/html":
                seen += 1
                assert 'action="/personnes/deconnexion"' in answer.get_data(as_text=True), rule.rule
    assert seen >= PAGES_MIN
