"""Every route under its access class: a new one, or one that changes class, fails here until this page says so."""

from werkzeug.routing import BaseConverter, IntegerConverter, UUIDConverter

from tests.clients import PASSWORD, a_person, app_for, csrf_token, sign_in, signed_in_client
from tests.routes import ROUTES
from voucher.access.accounts import revoke_role
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.web.access import SIGNED_IN, access_of
from voucher.web.house import utc_now

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
        found[f"{methods} {rule.rule}"] = written(access_of(app, rule.endpoint))
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
        values = {name: sample(rule._converters[name]) for name in rule.arguments}
        with app.test_request_context():
            path = app.url_for(rule.endpoint, **values)
        assert stranger.get(path).status_code in (302, 401), path
        for role, client in clients.items():
            if role not in roles:
                assert client.get(path).status_code == 403, f"{role} at {path}"


def test_no_post_passes_without_the_form_token(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    client = signed_in_client(app, sqlite_database, Role.PROGRAMME)
    assert client.post("/personnes/nouvelle", data={"name": "x"}).status_code == 400
    assert client.post("/personnes/deconnexion").status_code == 400


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
