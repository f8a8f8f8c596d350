"""The pages of a deputy: asked by an approver, accepted by the programme, then batches and nothing else, for the days said."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.clients import PASSWORD, a_person, app_for, csrf_token, sign_in
from tests.settlement.town import NOW, PREPARER, Town, a_town
from voucher.access.accounts import revoke_role
from voucher.access.changes import change_address, grant_role
from voucher.access.links import print_link, use_link
from voucher.access.read import may_be_deputies, person
from voucher.access.rules import Role
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.batches.read import batch
from voucher.settlement.batches.read_deputies import Deputyship, deputyships
from voucher.web.access import access_of, is_open_to_deputies
from voucher.web.services import Services

ACTS_OF_DEPUTIES = {"finance.approve"}
"""What a deputy may do beside reading."""


class House:
    """Claire approves, Alice prepares, Dominique is the programme; the clock can be moved."""

    def __init__(self, database: Database) -> None:
        self.database, self.now = database, NOW
        self.town: Town = a_town(database)
        self.app: Flask = app_for(database, NOW)
        self.app.extensions["services"] = Services(database, self.app.extensions["services"].settings, lambda: self.now)
        self.claire = self.somebody(Role.FINANCE_APPROVER, "claire@lieu.example")
        self.alice = self.somebody(Role.FINANCE_PREPARER, "alice@lieu.example")
        self.dominique = self.somebody(Role.PROGRAMME, "dominique@lieu.example")

    def somebody(self, role: Role | None, email: str) -> UUID:
        """Open an account whose person chose the password with a link."""
        account_id = a_person(self.database, role, now=NOW, email=email)
        use_link(self.database, print_link(self.database, email, now=NOW).rpartition("/")[2], PASSWORD, now=NOW)
        return account_id

    def post(self, client: FlaskClient, path: str, **data: object) -> str:
        """Send a form; return the page that follows."""
        token = csrf_token(client.get("/personnes/moi").text)
        return client.post(path, data={"csrf_token": token, **data}, follow_redirects=True).text

    def client(self, account_id: UUID) -> FlaskClient:
        """Sign a person in."""
        return sign_in(self.app, self.database, account_id)

    def named(self, deputy: UUID, *, days: int = 3) -> Deputyship:
        """Let Claire name a deputy from today on."""
        today = paris_day(self.now)
        form = {"id": new_id(), "deputy": deputy, "from_on": today, "until_on": today + timedelta(days=days)}
        page = self.post(self.client(self.claire), "/finances/remplacements/nouveau", **form)
        assert "dès qu’une personne du programme aura accepté" in page
        return deputyships(self.database, now=self.now)[0]

    def accept(self, row: Deputyship) -> str:
        """Let Dominique accept it."""
        return self.post(self.client(self.dominique), f"/finances/remplacements/{row.id}")

    def frozen(self) -> UUID:
        """Freeze a batch by somebody else."""
        self.town.redeem(0, 2)
        batch_id = new_id()
        freeze_batch(self.database, batch_id, self.town.agreement_id, by=PREPARER, now=NOW)
        return batch_id

    def approve(self, client: FlaskClient, batch_id: UUID) -> str:
        """Approve a batch from its page."""
        return self.post(client, f"/finances/lots/{batch_id}/valider", total_cents=2_000)


@pytest.fixture
def house(sqlite_database: Database) -> House:
    return House(sqlite_database)


def test_a_preparer_stands_in_approves_and_prepares_again_afterwards(house: House) -> None:
    batch_id = house.frozen()
    row = house.named(house.alice)
    alice = house.client(house.alice)
    assert alice.get(f"/finances/conventions/{house.town.agreement_id}/arreter").status_code == 200
    assert "remplacement à accepter" in house.client(house.dominique).get("/programme/").text
    assert "valide à la place de" in house.accept(row)
    page = alice.get(f"/finances/lots/{batch_id}").text
    assert "en remplacement de Camille Exemple" in page
    assert alice.get(f"/finances/conventions/{house.town.agreement_id}/arreter").status_code == 403
    assert "est validé" in house.approve(alice, batch_id)
    found = batch(house.database, batch_id)
    assert found is not None
    assert (found.approved_by, found.approved_for) == (house.alice, house.claire)
    assert "Camille Exemple, en remplacement de Camille Exemple" in alice.get(f"/finances/lots/{batch_id}").text
    house.now = NOW + timedelta(days=4)
    alice = house.client(house.alice)
    assert alice.get(f"/finances/conventions/{house.town.agreement_id}/arreter").status_code == 200
    assert alice.post(f"/finances/lots/{batch_id}/valider").status_code in (400, 403)


def test_somebody_without_a_role_reads_finance_for_those_days_and_does_nothing_else(house: House) -> None:
    luce = house.somebody(None, "luce@lieu.example")
    assert house.client(luce).get("/finances/").status_code == 403
    house.accept(house.named(luce))
    batch_id, client = house.frozen(), house.client(luce)
    assert "Lots de règlement" in client.get("/finances/").text
    acts = {
        rule.endpoint
        for rule in house.app.url_map.iter_rules()
        if is_open_to_deputies(house.app, rule.endpoint)
        and (access_of(house.app, rule.endpoint) or set()) <= {Role.FINANCE_APPROVER, Role.FINANCE_PREPARER}
    }
    assert acts == ACTS_OF_DEPUTIES
    for rule in house.app.url_map.iter_rules():
        if is_open_to_deputies(house.app, rule.endpoint) and not rule.arguments and "GET" in (rule.methods or ()):
            assert client.get(rule.rule).status_code == 200, rule
    assert client.get("/finances/remplacements/nouveau").status_code == 403
    assert client.get("/comptabilite/").status_code == 403
    house.now = NOW + timedelta(minutes=6)
    assert "prouvez que c’est bien vous, pour valider un lot." in house.approve(client, batch_id)
    client = house.client(luce)
    assert "est validé" in house.approve(client, batch_id)
    # Who stands in for who pays signs in again as soon as who pays.
    house.now += timedelta(minutes=31)
    assert client.get("/finances/").status_code == 302


def nothing(_: House, __: UUID) -> None:
    """Leave all as it is."""


def an_end(house: House, _: UUID) -> None:
    row = deputyships(house.database, now=house.now)[0]
    page = house.post(house.client(house.claire), f"/finances/remplacements/{row.id}/arreter")
    assert "ne valide plus à la place" in page


def another_role(house: House, deputy: UUID) -> None:
    grant_role(house.database, deputy, Role.MEDIATOR, new_id(), by=house.dominique, now=NOW)


def an_approver_who_left(house: House, _: UUID) -> None:
    revoke_role(house.database, house.claire, Role.FINANCE_APPROVER, by=house.dominique, now=NOW)


def days_gone_by(house: House, _: UUID) -> None:
    house.now = datetime.fromisoformat("2026-11-26T23:00:00+00:00")


@pytest.mark.parametrize("change", [an_end, another_role, an_approver_who_left, days_gone_by])
def test_a_deputyship_opens_nothing_once(house: House, change: Callable[[House, UUID], None]) -> None:
    luce = house.somebody(None, "luce@lieu.example")
    house.accept(house.named(luce))
    batch_id = house.frozen()
    assert house.client(luce).get(f"/finances/lots/{batch_id}").status_code == 200
    change(house, luce)
    client = house.client(luce)
    assert client.get(f"/finances/lots/{batch_id}").status_code == 403
    token = csrf_token(client.get("/personnes/moi").text)
    form = {"csrf_token": token, "total_cents": 2_000}
    assert client.post(f"/finances/lots/{batch_id}/valider", data=form).status_code == 403


def test_who_may_be_named_has_a_password_of_their_own_and_no_other_side(house: House) -> None:
    luce = house.somebody(None, "luce@lieu.example")
    a_person(house.database, None, now=NOW, email="ancien@lieu.example")  # a password of before the links
    house.somebody(Role.AUDITOR, "etienne@lieu.example")
    assert {one.id for one in may_be_deputies(house.database, now=NOW)} == {house.alice, luce}
    row = house.named(luce)
    another_role(house, luce)
    assert "a maintenant un autre rôle" in house.accept(row)
    page = house.post(house.client(house.dominique), f"/finances/remplacements/{row.id}/refuser")
    assert "est refusé" in page


def test_only_its_approver_and_the_programme_end_a_deputyship(house: House) -> None:
    row = house.named(house.alice)
    other = house.client(house.somebody(Role.FINANCE_APPROVER, "autre@lieu.example"))
    token = csrf_token(other.get("/personnes/moi").text)
    path = f"/finances/remplacements/{row.id}"
    assert other.post(f"{path}/arreter", data={"csrf_token": token}).status_code == 403
    assert other.post(path, data={"csrf_token": token}).status_code == 403
    assert deputyships(house.database, now=NOW) == [row]
    page = house.post(house.client(house.dominique), f"{path}/arreter")
    assert "ne valide plus" in page


def test_who_was_named_keeps_an_address_that_two_people_see(house: House) -> None:
    luce = house.somebody(None, "luce@lieu.example")
    house.named(luce)
    house.post(house.client(house.dominique), f"/personnes/{luce}/adresse", email="ailleurs@lieu.example")
    found = person(house.database, luce, now=NOW)
    assert found is not None
    assert found.email == "luce@lieu.example"
    # The rule that the page applies: without it one person would take the account.
    assert change_address(house.database, luce, "seul@lieu.example", by=house.dominique, now=NOW) is None
