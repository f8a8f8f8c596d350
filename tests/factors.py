"""People with second factors, and the codes that their telephones show."""

from datetime import datetime
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from pyotp import TOTP

from tests.clients import MASTER_KEY, PASSWORD, a_person
from voucher.access import sessions
from voucher.access.factors.totp import begin_totp, confirm_totp, show_totp
from voucher.access.read import person
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.web.access import SESSION_COOKIE

MASTER_SECRET = bytes.fromhex(MASTER_KEY)


def code_at(secret: str, at: datetime) -> str:
    """Return what an application shows at an instant."""
    return TOTP(secret).at(at)


def viewer_of(database: Database, token: str, now: datetime) -> sessions.Viewer:
    """Return the person of a session that is open."""
    found = sessions.viewer_of(database, token, now=now)
    assert found is not None
    return found


def password_shown(database: Database, account_id: UUID, now: datetime) -> str:
    """Return the token of a session whose password was right: open, or waiting where its person has a second factor."""
    found = person(database, account_id, now=now)
    assert found is not None
    return sessions.sign_in(database, found.email, PASSWORD, now=now)


def add_totp(database: Database, account_id: UUID, now: datetime) -> str:
    """Give a person who has no factor an application of codes, as they would; return its secret. Its code of `now` has served."""
    who = viewer_of(database, password_shown(database, account_id, now), now)
    new = begin_totp(database, who, programme_name="Pass numérique", master_secret=MASTER_SECRET, now=now)
    confirm_totp(database, who, new.token, code_at(new.secret, now), master_secret=MASTER_SECRET, now=now)
    return new.secret


def waiting_client(app: Flask, database: Database) -> FlaskClient:
    """Return a client who has shown a password, of a new person who has an application of codes."""
    now = app.extensions["services"].now()
    account_id = a_person(database, Role.AUDITOR, now=now)
    add_totp(database, account_id, now)
    client = app.test_client()
    client.set_cookie(SESSION_COOKIE, password_shown(database, account_id, now))
    return client


def strong(database: Database, account_id: UUID, secret: str, now: datetime) -> sessions.Viewer:
    """Sign a person in with their password and a code of their application."""
    token = password_shown(database, account_id, now)
    opened = show_totp(database, account_id, token, code_at(secret, now), master_secret=MASTER_SECRET, now=now)
    return viewer_of(database, opened, now)
