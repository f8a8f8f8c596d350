"""Two people are two whatever the door each comes by: who asked by one door confirms by none, and another person does by each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.access.provided import app_by, link_path, there_and_back
from tests.builders import a_counter, an_iban
from tests.clients import a_person, csrf_token
from tests.factors import MASTER_SECRET, code_at, password_shown, viewer_of
from tests.soft_key import OURS, add_passkey, enter_by_passkey
from tests.stub_provider import Somebody, StubProvider, open_provider
from voucher.access.factors import passkey_proof
from voucher.access.factors.totp import begin_totp, confirm_totp, show_totp
from voucher.access.read_changes import waiting_changes
from voucher.access.rules import Door, Role
from voucher.access.sessions import NOWHERE, Viewer, open_session
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.structures import NewBankDetails, record_bank_details
from voucher.web.access import SESSION_COOKIE

NOW = datetime(2026, 3, 12, 9, 0, 10, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
RIBS = "/finances/ribs-a-confirmer"


@dataclass(frozen=True, slots=True)
class House:
    """An application that is registered at an identity provider."""

    app: Flask
    database: Database
    provider: StubProvider

    def client(self, token: str) -> FlaskClient:
        """Return a browser that holds a session."""
        client = self.app.test_client()
        client.set_cookie(SESSION_COOKIE, token)
        return client


@pytest.fixture
def house(database: Database) -> Iterator[House]:
    with open_provider(LATER.timestamp) as provider:
        yield House(app_by(provider, database, LATER), database, provider)


def by_password(house: House, account_id: UUID) -> FlaskClient:
    """Come in by the password alone, of who has no second factor."""
    return house.client(password_shown(house.database, account_id, LATER))


def by_code(house: House, account_id: UUID) -> FlaskClient:
    """Come in by the password and the code of an application."""
    database, who, more = house.database, proved(house, account_id), {"master_secret": MASTER_SECRET}
    new = begin_totp(database, who, programme_name="Pass", now=NOW, **more)
    confirm_totp(database, who, new.token, code_at(new.secret, NOW), now=NOW, **more)
    waiting = password_shown(database, account_id, LATER)
    return house.client(show_totp(database, account_id, waiting, code_at(new.secret, LATER), now=LATER, **more))


def by_passkey(house: House, account_id: UUID) -> FlaskClient:
    """Come in by a passkey."""
    key = add_passkey(house.database, proved(house, account_id), NOW)
    return house.client(enter_by_passkey(house.database, key, LATER))


def by_password_and_passkey(house: House, account_id: UUID) -> FlaskClient:
    """Come in by the password, then a passkey."""
    key = add_passkey(house.database, proved(house, account_id), NOW)
    waiting = password_shown(house.database, account_id, LATER)
    step = passkey_proof.begin_second_factor(house.database, OURS, waiting, now=LATER)
    answer = key.sign(step.options)
    token = passkey_proof.end_wait(house.database, OURS, waiting, step.token, answer, now=LATER, visit=NOWHERE)
    return house.client(token)


def by_provider(house: House, account_id: UUID) -> FlaskClient:
    """Come in by the identity provider, at a level that is two factors."""
    return through_provider(house, account_id, "/connexion/proconnect")


def a_linked_person(house: House) -> UUID:
    """Return a person of the programme whose account the identity provider opens too."""
    email = f"{new_id().hex[-12:]}@pass.example"
    account_id = a_person(house.database, Role.PROGRAMME, now=NOW, email=email)
    through_provider(house, account_id, link_path(house.database, email, NOW))
    return account_id


def through_provider(house: House, account_id: UUID, path: str) -> FlaskClient:
    house.provider.somebody = Somebody(sub=str(account_id), acr="eidas2")
    client = house.app.test_client()
    assert there_and_back(client, path).status_code == 302
    return client


def proved(house: House, account_id: UUID) -> Viewer:
    """Return a person who has shown the factors they have: they may add another."""
    with house.database.write() as session:
        token = open_session(session, account_id, now=NOW, door=Door.PASSWORD, is_strong=True)
    return viewer_of(house.database, token, NOW)


Comes = Callable[[House, UUID], FlaskClient]
DOORS: tuple[Comes, ...] = (
    by_password,
    by_code,
    by_passkey,
    by_password_and_passkey,
    by_provider,
)


def post(client: FlaskClient, path: str, **data: object) -> str:
    token = csrf_token(client.get("/personnes/moi").text)
    return client.post(path, data={"csrf_token": token} | data, follow_redirects=True).text


@pytest.mark.parametrize("door", DOORS)
def test_who_asks_by_one_door_confirms_by_none_and_another_person_does(house: House, door: Comes) -> None:
    database, counter = house.database, a_counter(house.database)
    pat, quentin = (a_linked_person(house) for _ in range(2))
    luce, details_id, iban = a_person(database, None, now=NOW), new_id(), an_iban(77)
    asked = post(door(house, pat), f"/personnes/{luce}/roles", role="finance_preparer", scope="")
    assert "La demande attend une autre personne du programme" in asked
    details = NewBankDetails(details_id, counter.structure_id, "ASSOCIATION 77", iban, iban)
    record_bank_details(database, details, by=pat, now=NOW)
    (waiting,) = waiting_changes(database)
    for other in DOORS[1:]:
        client = other(house, pat)
        assert "Vous avez fait cette demande." in post(client, f"/personnes/a-confirmer/{waiting.id}")
        assert "Vous avez enregistré ce RIB." in post(client, f"{RIBS}/{details_id}")
    assert len(waiting_changes(database)) == 1
    client = door(house, quentin)
    assert "est confirmé" in post(client, f"{RIBS}/{details_id}")
    post(client, f"/personnes/a-confirmer/{waiting.id}")
    assert waiting_changes(database) == []
