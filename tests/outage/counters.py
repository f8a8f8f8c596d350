"""A counter over HTTP, on a database that may be frozen or die: what its script does, and nothing more."""

import threading
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.builders import a_counter, handed_over_booklets, scanned_codes
from tests.clients import csrf_token, settings_for, signed_in_client
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.migrations import upgrade
from voucher.web.services import Services
from wsgi import create_app

SERVICE = "everyday_digital_tools"


@dataclass
class Till:
    """An application with a pool of its own and the settings' own limits, a mediator signed in, vouchers to redeem."""

    app: Flask
    database: Database
    client: FlaskClient
    token: str
    place_id: UUID
    codes: list[str]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def redeem(self, attempt_id: UUID, code: str) -> TestResponse:
        """Send one redemption, as the counter's script does."""
        body = {"place": str(self.place_id), "id": str(attempt_id), "codes": [code], "service": SERVICE}
        return self._again().post("/comptoir/api/redeem", json=body, headers={"X-CSRFToken": self.token})

    def page(self) -> TestResponse:
        """Open a page that reads the database."""
        return self._again().get("/comptoir/aujourdhui")

    def next_code(self) -> str | None:
        """Give a voucher that nobody took yet."""
        with self._lock:
            return self.codes.pop() if self.codes else None

    def _again(self) -> FlaskClient:
        """Give a client with the same cookies: one client is not for several threads."""
        client = self.app.test_client()
        client._cookies = self.client._cookies  # type: ignore[attr-defined]
        return client


def open_till(url: str, booklet_count: int = 1, **settings: Any) -> Till:
    """Migrate the database at `url`, put vouchers into it, and open a counter there. `settings` are the installation's."""
    upgrade(url)
    patient = Database(url)
    counter = a_counter(patient)
    issued = handed_over_booklets(patient, booklet_count)
    codes = [
        code
        for number in range(issued.first_booklet_number, issued.first_booklet_number + booklet_count)
        for code in scanned_codes(patient, number)
    ]
    app = create_app(settings_for(patient, **settings))
    house = app.extensions["services"]
    assert isinstance(house, Services)
    client = signed_in_client(app, house.database, Role.MEDIATOR, counter.structure_id)
    client.get("/comptoir/lieux")
    token = csrf_token(client.get("/comptoir/").text)
    patient.dispose()
    return Till(app, house.database, client, token, counter.place_id, codes)


def an_attempt() -> UUID:
    """Make the id of a redemption, as the client does before it sends."""
    return new_id()
