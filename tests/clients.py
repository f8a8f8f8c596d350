"""An application over a test's database, and a browser-less client that is signed in."""

import re
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from voucher.access import sessions
from voucher.access.model import AccountChange, RoleGrant, StaffAccount
from voucher.access.passwords import hash_password
from voucher.access.read import person
from voucher.access.rules import TWO_PEOPLE_ROLES, ChangeKind, ChangeOutcome, Origin, Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.settings import Settings
from voucher.web.access import SESSION_COOKIE
from voucher.web.services import Services, utc_now
from wsgi import create_app

PASSWORD = "quatre mots bien longs"
MASTER_KEY = "0f" * 32


def settings_for(database: Database, **changes: object) -> Settings:
    """Return the settings of a test's installation."""
    values = {
        "database_url": database.url,
        "secret_key": "a secret for tests alone, thirty-two bytes",
        "master_key": MASTER_KEY,
        "base_url": "http://127.0.0.1:8000",
        "second_factor_required": False,
    }
    return Settings(**(values | changes))  # type: ignore[arg-type]  # pydantic reads the texts


def app_for(database: Database, now: datetime | None = None, **changes: object) -> Flask:
    """Return the application over a test's database; its clock stands at `now` where given."""
    settings, clock = settings_for(database, **changes), (lambda: now) if now else utc_now
    app = create_app(settings, clock)
    # The test's own pool, which its fixture closes; the one that the application made has not been connected yet.
    app.extensions["services"] = Services(database, settings, clock)
    app.config.update(TESTING=True)
    return app


def a_person(
    database: Database,
    role: Role | None,
    scope_id: UUID | None = None,
    *,
    now: datetime | None = None,
    email: str = "",
    password: str = PASSWORD,
) -> UUID:
    """Put down a staff account with one role, or none, and a password: a person who was here before the rule of two people.

    Its rows alone, in one transaction: no letter, no line in the trail. What the use cases do is tested in tests/access.
    """
    at, account_id, change_id = now or utc_now(), new_id(), new_id()
    email = email or f"{account_id.hex[-12:]}@lieu.example"
    given = {"account_id": account_id, "role": role, "scope_id": scope_id}
    with database.write() as session:
        session.execute(
            insert(StaffAccount).values(
                id=account_id, email=email, name="Camille Exemple", password_hash=hash_of(password), created_at=at
            )
        )
        if role in TWO_PEOPLE_ROLES:
            decided = {"asked_at": at, "decided_at": at, "outcome": ChangeOutcome.BEFORE, "decided_from": Origin.HOST}
            session.execute(
                insert(AccountChange).values(id=change_id, kind=ChangeKind.ROLE, known_email=email, **given, **decided)
            )
        if role is not None:
            change = change_id if role in TWO_PEOPLE_ROLES else None
            session.execute(insert(RoleGrant).values(id=new_id(), granted_at=at, change_id=change, **given))
    return account_id


hash_of = lru_cache(hash_password)


def sign_in(app: Flask, database: Database, account_id: UUID) -> FlaskClient:
    """Return a client signed in as this person."""
    house = app.extensions["services"]
    found = person(database, account_id, now=house.now())
    assert found is not None
    client = app.test_client()
    client.set_cookie(SESSION_COOKIE, sessions.sign_in(database, found.email, PASSWORD, now=house.now()))
    return client


def signed_in_client(app: Flask, database: Database, role: Role, scope_id: UUID | None = None) -> FlaskClient:
    """Return a client signed in as a new person with this role."""
    return sign_in(app, database, a_person(database, role, scope_id, now=app.extensions["services"].now()))


def csrf_token(page: str) -> str:
    """Return the token that a page's form or its meta element holds."""
    found = re.search(r'name="csrf[-_]token"[^>]*(?:value|content)="([^"]+)"', page)
    assert found is not None, "the page has no form token"
    return found[1]
