"""Contesting, deciding, claiming and giving up through the pages; and what the structure reads of it."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.clients import app_for, csrf_token, signed_in_client
from tests.settlement.test_disputes import claw_back, contest, sent
from tests.settlement.town import NOW, Town, a_town, wrong_books
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros


class Office:
    """A town, with its finance people and a place manager at their screens, some days later."""

    def __init__(self, database: Database, *, days_later: int = 0) -> None:
        self.database = database
        self.town: Town = a_town(database, structure_count=2)
        self.app: Flask = app_for(database, NOW + timedelta(days=days_later))
        self.preparer = self.as_role(Role.FINANCE_PREPARER)
        self.approver = self.as_role(Role.FINANCE_APPROVER)
        self.manager = self.as_role(Role.PLACE_MANAGER, self.town.structure_ids[0])

    def as_role(self, role: Role, scope_id: UUID | None = None) -> FlaskClient:
        return signed_in_client(self.app, self.database, role, scope_id)

    def post(self, client: FlaskClient, page: str, act: str, **fields: object) -> str:
        """Send a form of a page, with the id that it holds; return the page that follows."""
        shown = client.get(page).get_data(as_text=True)
        form_id = re.search(r'name="id"[^>]*value="([^"]+)"', shown)
        data = {"csrf_token": csrf_token(shown), **({"id": form_id[1]} if form_id else {}), **fields}
        return client.post(act, data=data, follow_redirects=True).get_data(as_text=True)


def test_a_redemption_is_contested_then_decided_by_another_person_and_the_structure_reads_why(
    database: Database,
) -> None:
    office = Office(database)
    redemption_id = office.town.redeem(0, 3)
    form = f"/finances/contestations/encaissements/{redemption_id}"
    assert form in office.preparer.get("/finances/contestations/encaissements").get_data(as_text=True)
    assert "Remplissez" in office.post(office.preparer, form, form, reason="control", facts="")
    page = office.post(office.preparer, form, form, reason="control", facts="La salle était fermée.")
    assert "Le paiement est suspendu jusqu’à une décision." in page
    assert "attend une décision" in page
    dispute = re.search(
        r"/finances/contestations/[0-9a-f-]{36}", office.approver.get("/finances/contestations").get_data(as_text=True)
    )
    assert dispute is not None
    said = office.manager.get("/comptoir/paiements/").get_data(as_text=True)
    assert f"Contesté : {format_euros(3_000)}" in said
    why = office.manager.get(f"/comptoir/paiements/encaissements/{redemption_id}").get_data(as_text=True)
    assert "Encaissement contesté. Le paiement est suspendu jusqu’à une décision." in why
    done = office.post(office.approver, dispute[0], dispute[0], outcome="upheld", decision="Le planning le montre.")
    assert "La décision est écrite." in done
    assert "rien n’est à rendre" in done
    read = office.manager.get(dispute[0].replace("/finances/", "/comptoir/paiements/")).get_data(as_text=True)
    assert "La salle était fermée." in read
    assert "Le planning le montre." in read
    assert "Vous n’êtes pas d’accord ?" in read
    assert wrong_books(database) == []


def test_an_overpayment_is_claimed_then_given_up_by_two_people_through_the_pages(database: Database) -> None:
    office = Office(database, days_later=61)
    contested = office.town.redeem(0, 3)
    sent(office.town)
    claw_back(office.town, contested)
    listed = office.preparer.get("/finances/trop-percus?etat=due").get_data(as_text=True)
    found = re.search(r"/finances/trop-percus/[0-9a-f-]{36}", listed)
    assert found is not None
    assert "à réclamer par un titre" in office.preparer.get("/finances/").get_data(as_text=True)
    claimed = office.post(office.preparer, found[0], f"{found[0]}/titre")
    assert "La demande DT-2027-0001 est écrite" in claimed
    pdf = office.as_role(Role.AUDITOR).get(f"{found[0]}/demande/pdf")
    assert (pdf.data[:4], pdf.headers["Cache-Control"]) == (b"%PDF", "no-store")
    asked = office.post(office.preparer, found[0], f"{found[0]}/demander-abandon", reason="Structure liquidée")
    assert "Une autre personne doit l’accepter." in asked
    gone = office.post(office.approver, found[0], f"{found[0]}/abandonner", left_cents=3_000)
    assert "est abandonné" in gone
    assert f"à rendre, sur {format_euros(3_000)}" in gone
    for list_page in ("/finances/trop-percus", "/finances/contestations"):
        assert office.preparer.get(f"{list_page}?format=csv").mimetype == "text/csv"
    assert wrong_books(database) == []


def test_gross_netted_and_net_are_on_the_pages_and_on_paper(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    town = office.town
    contested = town.redeem(0, 2)
    sent(town)
    claw_back(town, contested)
    town.redeem(0, 5)
    preview = office.preparer.get(f"/finances/conventions/{town.agreement_id}/arreter").get_data(as_text=True)
    assert f"{format_euros(2_000)} sont retenus pour des trop-perçus" in preview
    sent(town)
    home = office.manager.get("/comptoir/paiements/").get_data(as_text=True)
    links = re.findall(r"/comptoir/paiements/[0-9a-f-]{36}", home)
    page = next(
        shown for link in links if "Trop-perçu retenu" in (shown := office.manager.get(link).get_data(as_text=True))
    )
    assert format_euros(-2_000).replace("-", "−") in page
    assert format_euros(3_000) in page
    for link in links:
        assert office.manager.get(f"{link}/bordereau.pdf").data.startswith(b"%PDF")
    town.redeem(0, 1)
    again = sent(town)
    assert again.total_cents == 1_000


def test_an_advice_that_is_netted_to_nothing_has_its_page_and_its_paper(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    town = office.town
    contested = town.redeem(0, 5)
    town.redeem(1, 1)
    sent(town)
    claw_back(town, contested)
    paid_by_netting = town.redeem(0, 2)
    town.redeem(1, 1)
    batch = f"/finances/lots/{sent(town).batch_id}"
    links = re.findall(r"/finances/reglements/[0-9a-f-]{36}", office.preparer.get(batch).get_data(as_text=True))
    page = next(link for link in links if "sans virement" in office.preparer.get(link).get_data(as_text=True))
    assert office.preparer.get(f"{page}/bordereau.pdf").data.startswith(b"%PDF")
    why = office.manager.get(f"/comptoir/paiements/encaissements/{paid_by_netting}").get_data(as_text=True)
    assert "sans virement : la somme a rendu un trop-perçu." in why


@pytest.mark.parametrize("page", ["/finances/contestations", "/finances/trop-percus"])
def test_another_issuers_disputes_and_overpayments_are_not_found(sqlite_database: Database, page: str) -> None:
    office = Office(sqlite_database)
    town = office.town
    contested = town.redeem(0, 2)
    sent(town)
    claw_back(town, contested)
    found = re.search(rf"{page}/[0-9a-f-]{{36}}", office.preparer.get(page).get_data(as_text=True))
    assert found is not None
    stranger = office.as_role(Role.FINANCE_PREPARER, new_id())
    assert stranger.get(found[0]).status_code == 404
    assert found[0] not in stranger.get(page).get_data(as_text=True)
    other_manager = office.as_role(Role.PLACE_MANAGER, town.structure_ids[1])
    assert other_manager.get(found[0].replace("/finances/", "/comptoir/paiements/")).status_code == 404


def test_who_opened_a_dispute_is_not_offered_to_decide_it(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    dispute = f"/finances/contestations/{contest(office.town, office.town.redeem(0, 2))}"
    assert "Une décision ne se reprend pas." in office.approver.get(dispute).get_data(as_text=True)
    assert "Une décision ne se reprend pas." not in office.preparer.get(dispute).get_data(as_text=True)
    token = csrf_token(office.preparer.get(dispute).get_data(as_text=True))
    answer = office.preparer.post(dispute, data={"csrf_token": token, "outcome": "upheld", "decision": "Oui"})
    assert answer.status_code == 403
