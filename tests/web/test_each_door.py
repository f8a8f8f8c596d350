"""Two people are two whatever the door each comes by: who asked by one door confirms by none, and another person does by each."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.builders import a_counter, an_iban
from tests.clients import a_person, app_for, csrf_token
from tests.factors import MASTER_SECRET, code_at, password_shown, viewer_of
from tests.soft_key import OURS, SoftKey, add_passkey, enter_by_passkey
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


def by_password(database: Database, account_id: UUID) -> str:
    """Come in by the password alone, of who has no second factor."""
    return password_shown(database, account_id, LATER)


def by_code(database: Database, account_id: UUID) -> str:
    """Come in by the password and the code of an application."""
    who = proved(database, account_id)
    new = begin_totp(database, who, programme_name="Pass", master_secret=MASTER_SECRET, now=NOW)
    confirm_totp(database, who, new.token, code_at(new.secret, NOW), master_secret=MASTER_SECRET, now=NOW)
    waiting, code = password_shown(database, account_id, LATER), code_at(new.secret, LATER)
    return show_totp(database, account_id, waiting, code, master_secret=MASTER_SECRET, now=LATER)


def by_passkey(database: Database, account_id: UUID) -> str:
    """Come in by a passkey."""
    return enter_by_passkey(database, add_passkey(database, proved(database, account_id), NOW), LATER)


def by_password_and_passkey(database: Database, account_id: UUID) -> str:
    """Come in by the password, then a passkey."""
    key: SoftKey = add_passkey(database, proved(database, account_id), NOW)
    waiting = password_shown(database, account_id, LATER)
    step = passkey_proof.begin_second_factor(database, OURS, waiting, now=LATER)
    answer = key.sign(step.options)
    return passkey_proof.end_wait(database, OURS, waiting, step.token, answer, now=LATER, visit=NOWHERE)


def by_provider(database: Database, account_id: UUID) -> str:
    """Come in as who comes back from the identity provider does, in its last step."""
    with database.write() as session:
        return open_session(session, account_id, now=LATER, door=Door.PROVIDER, is_strong=True)


def proved(database: Database, account_id: UUID) -> Viewer:
    """Return a person who has shown the factors they have: they may add another."""
    with database.write() as session:
        token = open_session(session, account_id, now=NOW, door=Door.PASSWORD, is_strong=True)
    return viewer_of(database, token, NOW)


DOORS: tuple[Callable[[Database, UUID], str], ...] = (
    by_password,
    by_code,
    by_passkey,
    by_password_and_passkey,
    by_provider,
)


def enter(app: Flask, token: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie(SESSION_COOKIE, token)
    return client


def post(client: FlaskClient, path: str, **data: object) -> str:
    token = csrf_token(client.get("/personnes/moi").text)
    return client.post(path, data={"csrf_token": token} | data, follow_redirects=True).text


@pytest.mark.parametrize("door", DOORS)
def test_who_asks_by_one_door_confirms_by_none_and_another_person_does(
    database: Database, door: Callable[[Database, UUID], str]
) -> None:
    app, counter = app_for(database, LATER), a_counter(database)
    pat, quentin = (a_person(database, Role.PROGRAMME, now=NOW) for _ in range(2))
    luce, details_id, iban = a_person(database, None, now=NOW), new_id(), an_iban(77)
    asked = post(enter(app, door(database, pat)), f"/personnes/{luce}/roles", role="finance_preparer", scope="")
    assert "La demande attend une autre personne du programme" in asked
    details = NewBankDetails(details_id, counter.structure_id, "ASSOCIATION 77", iban, iban)
    record_bank_details(database, details, by=pat, now=NOW)
    (waiting,) = waiting_changes(database)
    for other in DOORS[1:]:
        client = enter(app, other(database, pat))
        assert "Vous avez fait cette demande." in post(client, f"/personnes/a-confirmer/{waiting.id}")
        assert "Vous avez enregistré ce RIB." in post(client, f"{RIBS}/{details_id}")
    assert len(waiting_changes(database)) == 1
    client = enter(app, door(database, quentin))
    assert "est confirmé" in post(client, f"{RIBS}/{details_id}")
    post(client, f"/personnes/a-confirmer/{waiting.id}")
    assert waiting_changes(database) == []
