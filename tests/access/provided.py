"""People who come by the stub provider, through the pages."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update
from werkzeug.test import TestResponse

from tests.clients import a_person, app_for
from tests.stub_provider import StubProvider
from voucher.access import links
from voucher.access.model import (
    ProviderIdentity,
    StaffAccount,
    StaffSession,
    TotpDevice,
)
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.mail.model import OutboxMessage
from voucher.trail.model import AuditLine

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)

BACK = "/connexion/proconnect/retour"


def app_by(provider: StubProvider, database: Database, now: datetime | None = None, **changes: object) -> Flask:
    """Return an application that is registered at a provider."""
    return app_for(database, now, **(provider.settings | changes))


def at_provider(address: str) -> str:
    """Do what the person's browser does at the provider: open its page, and follow where it leads; return that address."""
    answer = requests.get(address, allow_redirects=False, timeout=5)
    assert answer.status_code in (302, 303), answer.text
    return answer.headers["Location"]


def local(address: str) -> str:
    """Return the path and the question of an address of ours."""
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}" == "http://127.0.0.1:8000"
    return f"{parts.path}?{parts.query}"


def there_and_back(client: FlaskClient, path: str = "/connexion/proconnect") -> TestResponse:
    """Go to the provider and come back, as often as we send the browser there; return our last answer."""
    answer = client.get(path)
    while answer.location and "/api/v2/" in answer.location:
        answer = client.get(local(at_provider(answer.location)))
    return answer


def said(address: str) -> dict[str, str]:
    """Return what an address asks."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(address).query).items()}


def linked_person(
    app: Flask, database: Database, role: Role | None, scope_id: UUID | None = None, *, has_password: bool = True
) -> tuple[UUID, FlaskClient]:
    """Return a person whom the host sent a link, with which the provider's account now opens theirs, and their client, signed in."""
    now = app.extensions["services"].now()
    account_id = a_person(database, role, scope_id, now=now, email=f"personne-{role}@lieu.example")
    if not has_password:
        with database.write() as session:
            session.execute(update(StaffAccount).where(StaffAccount.id == account_id).values(password_hash=None))
    client = app.test_client()
    answer = there_and_back(client, link_path(database, f"personne-{role}@lieu.example", now))
    assert answer.status_code == 302, answer.text
    return account_id, client


def link_path(database: Database, email: str, now: datetime) -> str:
    """Return the address by which a one-time link, made by the host, goes to the provider."""
    token = links.print_link(database, email, now=now).rpartition("/")[2]
    return f"/connexion/proconnect/lien/{token}"


def sessions_of(database: Database) -> list[StaffSession]:
    with database.read() as session:
        found = list(session.scalars(select(StaffSession)))
        session.expunge_all()
    return found


def trail(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        return [
            (row.action, row.subject)
            for row in session.execute(select(AuditLine.action, AuditLine.subject).order_by(AuditLine.id))
        ]


def outcomes(database: Database) -> list[tuple[UUID, bool]]:
    """Return each identity: whose, and whether it opens the account still."""
    with database.read() as session:
        rows = session.execute(
            select(ProviderIdentity.account_id, ProviderIdentity.ended_at).order_by(ProviderIdentity.id)
        )
        return [(row.account_id, row.ended_at is None) for row in rows]


def letters(database: Database, email: str) -> list[str]:
    with database.read() as session:
        return list(
            session.scalars(
                select(OutboxMessage.subject).where(OutboxMessage.recipient == email).order_by(OutboxMessage.id)
            )
        )


def with_application(database: Database, account_id: UUID) -> None:
    """Give a person an application of codes: a second factor."""
    with database.write() as session:
        session.execute(
            insert(TotpDevice).values(
                id=new_id(), account_id=account_id, sealed_secret=b"sealed", last_step=0, created_at=NOW
            )
        )
