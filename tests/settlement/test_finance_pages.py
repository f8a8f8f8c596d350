"""The finance pages and the place manager's, through the application: who may, what they show, what they change."""

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.builders import SOMEONE, an_iban
from tests.clients import a_person, app_for, csrf_token, sign_in, signed_in_client
from tests.settlement.bank import Bank
from tests.settlement.town import NOW, Town, a_town, give_rib, wrong_books
from voucher.access.changes import change_address
from voucher.access.rules import Role
from voucher.demonstration.bank import BookedLine, statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.network.structures import NewBankDetails, record_bank_details
from voucher.programme.model import PayingAccount
from voucher.trail.model import AuditLine


class Office:
    """A town with its finance people at their screens."""

    def __init__(self, database: Database, *, channel: str = "mandated_operator") -> None:
        self.town: Town = a_town(database, channel=channel)
        self.town.redeem(0, 3)
        self.town.redeem(1, 4)
        self.database = database
        self.app: Flask = app_for(database, NOW)
        self.preparer = self.as_role(Role.FINANCE_PREPARER)
        self.approver = self.as_role(Role.FINANCE_APPROVER)

    def as_role(self, role: Role, scope_id: UUID | None = None) -> FlaskClient:
        return signed_in_client(self.app, self.database, role, scope_id)

    def freeze(self) -> str:
        """Freeze from the page; return the batch's address."""
        address = f"/finances/conventions/{self.town.agreement_id}/arreter"
        page = self.preparer.get(address).get_data(as_text=True)
        form_id = re.search(r'name="id"[^>]*value="([^"]+)"', page)
        assert form_id is not None
        answer = self.preparer.post(address, data={"id": form_id[1], "csrf_token": csrf_token(page)})
        assert answer.status_code == 302, answer.get_data(as_text=True)
        return answer.location

    def post(self, client: FlaskClient, page: str, act: str, **fields: object) -> str:
        """Send an act of a page; return the page that follows."""
        token = csrf_token(client.get(page).get_data(as_text=True))
        answer = client.post(act, data={"csrf_token": token, **fields}, follow_redirects=True)
        return answer.get_data(as_text=True)


@pytest.fixture
def office(sqlite_database: Database) -> Iterator[Office]:
    return Office(sqlite_database)


def test_a_batch_goes_from_the_preview_to_the_bank_line_through_the_pages(database: Database) -> None:
    office = Office(database)
    home = office.preparer.get("/finances/").get_data(as_text=True)
    assert format_euros(7_000) in home
    preview = office.preparer.get(f"/finances/conventions/{office.town.agreement_id}/arreter").get_data(as_text=True)
    assert f"— 2\u00a0structures, {format_euros(7_000)}" in preview
    batch = office.freeze()
    page = office.approver.get(batch).get_data(as_text=True)
    assert "Valider le lot" in page
    assert "Deux totaux sur trois sont égaux." in page
    assert "Valider le lot" not in office.preparer.get(batch).get_data(as_text=True)
    assert "est validé" in office.post(office.approver, batch, f"{batch}/valider", total_cents=7_000)
    assert "est prêt" in office.post(office.preparer, batch, f"{batch}/transmettre")
    file = office.preparer.get(f"{batch}/fichiers/pain.001.001.09")
    assert file.headers["Cache-Control"] == "no-store"
    with database.read() as session:
        iban = session.execute(select(PayingAccount.iban)).scalar_one()
        trail = session.scalars(select(AuditLine.action)).all()
    assert "Fichier de règlement téléchargé" in trail
    with Bank(today=NOW.date(), iban=iban) as bank:
        bank.send(file.get_data())
        bank.receive_credit(12_345, name="Une inconnue", note="Don")
        bank.advance_to(NOW.date() + timedelta(days=1))
        statements = bank.statements()
    for content in statements:
        said = office.post(
            office.preparer, "/finances/banque/importer", "/finances/banque/importer",
            file=(io.BytesIO(content), "releve.xml"),
        )  # fmt: skip
        assert "Le relevé est importé" in said
        assert "Une inconnue" in said
        assert "Égaux" in said
    assert "Terminé" in office.preparer.get("/finances/lots").get_data(as_text=True)
    assert wrong_books(database) == []


def test_who_gives_up_before_the_proof_of_who_is_there_comes_back_to_the_page_of_the_act(office: Office) -> None:
    batch = office.freeze()
    assert office.approver.get(f"{batch}/valider").location == batch


def test_every_finance_page_opens_for_those_who_read_and_for_nobody_else(office: Office) -> None:
    batch = office.freeze()
    advice = re.search(r"/finances/reglements/[0-9a-f-]+", office.preparer.get(batch).get_data(as_text=True))
    assert advice is not None
    pages = ["/finances/", "/finances/lots", batch, advice[0], "/finances/banque", "/finances/banque/lignes"]
    auditor, manager = office.as_role(Role.AUDITOR), office.as_role(Role.PLACE_MANAGER, office.town.structure_ids[0])
    for page in pages:
        for client in (office.preparer, office.approver, auditor):
            assert client.get(page).status_code == 200, page
        assert manager.get(page).status_code == 403
        assert office.app.test_client().get(page).status_code == 302
    assert auditor.get(f"{advice[0]}/bordereau.pdf").data.startswith(b"%PDF")
    for list_page in ("/finances/lots", batch, "/finances/banque/lignes"):
        assert auditor.get(f"{list_page}?format=csv").mimetype == "text/csv"
    token = csrf_token(auditor.get("/personnes/moi").get_data(as_text=True))
    for act in (f"{batch}/valider", f"{batch}/transmettre"):
        assert auditor.post(act, data={"csrf_token": token}).status_code == 403


def test_another_issuers_batch_is_not_found(office: Office) -> None:
    batch = office.freeze()
    advice = re.search(r"/finances/reglements/[0-9a-f-]+", office.preparer.get(batch).get_data(as_text=True))
    assert advice is not None
    for role in (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER):
        stranger = office.as_role(role, new_id())
        own = office.as_role(role, office.town.agreed.issuer_id)
        for page in (batch, advice[0], f"{advice[0]}/bordereau.pdf", f"{batch}?format=csv"):
            assert stranger.get(page).status_code == 404, page
            assert own.get(page).status_code == 200, page
        assert "Aucun lot" in stranger.get("/finances/lots").get_data(as_text=True)
        token = csrf_token(stranger.get("/finances/").get_data(as_text=True))
        act = "valider" if role is Role.FINANCE_APPROVER else "transmettre"
        answer = stranger.post(f"{batch}/{act}", data={"csrf_token": token, "total_cents": 7_000})
        assert answer.status_code == 404


def test_a_payment_set_aside_from_its_page_lowers_the_batch(office: Office) -> None:
    batch = office.freeze()
    give_rib(office.database, office.town.structure_ids[1], 99)
    page = office.preparer.get(batch).get_data(as_text=True)
    assert "Le RIB de la structure a changé" in page
    changed = re.search(r"/finances/reglements/[0-9a-f-]+", page)
    assert changed is not None
    said = office.post(office.preparer, changed[0], changed[0], reason="RIB changé")
    assert "mis de côté" in said
    assert format_euros(3_000) in said
    history = office.preparer.get(changed[0]).get_data(as_text=True).partition("Ce qui s’est passé")[2]
    events = re.findall(r"<strong>(.*?)</strong>", history)
    assert events == ["Arrêté dans un lot", "Mis de côté"]
    assert "« RIB changé »" in history


def test_a_rib_is_confirmed_from_its_page_by_another_person(office: Office) -> None:
    programme = office.as_role(Role.PROGRAMME)
    structure_id, iban = office.town.structure_ids[0], an_iban(9100)
    address = f"/programme/structures/{structure_id}"
    rib = {
        "id": str(new_id()),
        "holder_name": "LE FIL",
        "iban": f"IBAN {iban}",
        "iban_again": iban,
    }
    page = office.post(programme, address, f"{address}/rib", **rib)
    assert "À confirmer" in page
    assert "En service" in page
    assert "1\u00a0RIB à confirmer" in programme.get("/programme/").get_data(as_text=True)
    own = programme.get("/finances/ribs-a-confirmer").get_data(as_text=True)
    assert "Une autre personne doit le confirmer." in own
    assert iban not in own
    assert "Voir les RIB à confirmer" in office.approver.get("/finances/").get_data(as_text=True)
    listed = office.approver.get("/finances/ribs-a-confirmer").get_data(as_text=True)
    found = re.search(r"/finances/ribs-a-confirmer/[0-9a-f-]+", listed)
    assert found is not None
    refused = office.post(programme, address, found[0])
    assert "Vous avez enregistré ce RIB." in refused
    assert "Si vous confirmez ce RIB, une autre personne devra valider" in office.approver.get(found[0]).get_data(
        as_text=True
    )
    assert "est confirmé" in office.post(office.preparer, found[0], found[0])
    assert "Ce RIB n’attend plus" in office.post(office.approver, "/finances/", found[0])
    assert office.as_role(Role.AUDITOR).get("/finances/ribs-a-confirmer").status_code == 200
    assert office.as_role(Role.AUDITOR).get(found[0]).status_code == 403
    with office.database.read() as session:
        assert "Confirmer un RIB" in session.scalars(select(AuditLine.action)).all()


def test_a_rib_is_dismissed_from_its_page_and_a_stranger_does_not_see_it(office: Office) -> None:
    structure_id, iban = office.town.structure_ids[0], an_iban(9101)
    details = NewBankDetails(new_id(), structure_id, "LE FIL", iban, iban)
    record_bank_details(office.database, details, by=SOMEONE, now=NOW)
    page = f"/finances/ribs-a-confirmer/{details.id}"
    stranger = office.as_role(Role.FINANCE_PREPARER, new_id())
    assert "Aucun RIB n’attend." in stranger.get("/finances/ribs-a-confirmer").get_data(as_text=True)
    assert stranger.get(page).status_code == 302
    assert "Ce RIB n’attend plus" in office.post(stranger, "/finances/", page)
    assert office.preparer.get(f"{page}/ecarter").location == page
    assert "est écarté" in office.post(office.preparer, page, f"{page}/ecarter")
    assert office.preparer.get(page).status_code == 302


def test_a_rib_is_not_confirmed_by_who_made_the_account_that_recorded_it(office: Office) -> None:
    database, structure_id, iban = office.database, office.town.structure_ids[0], an_iban(9102)
    pat, bruno = (
        a_person(database, Role.PROGRAMME, now=NOW),
        a_person(database, Role.PLACE_MANAGER, structure_id, now=NOW),
    )
    change_address(database, bruno, "pat.bis@ailleurs.example", by=pat, now=NOW)
    details = NewBankDetails(new_id(), structure_id, "LE FIL", iban, iban)
    record_bank_details(database, details, by=bruno, now=NOW)
    page = f"/finances/ribs-a-confirmer/{details.id}"
    said = office.post(sign_in(office.app, database, pat), page, page)
    assert "Vous avez invité la personne qui a enregistré ce RIB" in said
    assert "est confirmé" in office.post(office.preparer, page, page)


def test_a_refused_bank_file_says_its_line_and_keeps_nothing(office: Office) -> None:
    bomb = b'<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "c">]>\n<a>&b;</a>'
    address = "/finances/banque/importer"
    said = office.post(office.preparer, address, address, file=(io.BytesIO(bomb), "releve.xml"))
    assert "est refusé en entier." in said
    assert "DOCTYPE" in said
    assert "Aucun relevé." in office.preparer.get("/finances/banque").get_data(as_text=True)


def test_an_etat_liquidatif_is_paid_by_matching_the_accountants_line_by_hand(sqlite_database: Database) -> None:
    office = Office(sqlite_database, channel="public_accountant")
    batch = office.freeze()
    office.post(office.approver, batch, f"{batch}/valider", total_cents=7_000)
    said = office.post(office.preparer, batch, f"{batch}/transmettre")
    assert "État liquidatif (PDF à signer)" in said
    assert "pain.001" not in said
    assert office.preparer.get(f"{batch}/fichiers/pain.001.001.09").status_code == 404
    with sqlite_database.read() as session:
        iban = session.execute(select(PayingAccount.iban)).scalar_one()
    content = own_statement(iban, 4_000)
    address = "/finances/banque/importer"
    said = office.post(office.preparer, address, address, file=(io.BytesIO(content), "releve.xml"))
    line = re.search(r"/finances/banque/lignes/[0-9a-f-]+", said)
    assert line is not None
    page = office.preparer.get(line[0]).get_data(as_text=True)
    assert "C’est ce règlement" in page
    advice = re.search(r'name="advice_id" value="([^"]+)"', page)
    assert advice is not None
    assert "rapprochée" in office.post(office.preparer, line[0], f"{line[0]}/rapprocher", advice_id=advice[1])
    assert wrong_books(sqlite_database) == []


def test_a_place_manager_sees_when_and_why_and_nobody_elses_money(office: Office) -> None:
    first, second = office.town.structure_ids
    manager, other = office.as_role(Role.PLACE_MANAGER, first), office.as_role(Role.PLACE_MANAGER, second)
    listed = manager.get("/comptoir/paiements/encaissements").get_data(as_text=True)
    assert "Le mois n’est pas fini" in listed
    redemption = re.search(r"/comptoir/paiements/encaissements/[0-9a-f-]+", listed)
    assert redemption is not None
    why = manager.get(redemption[0]).get_data(as_text=True)
    assert "Le service des finances arrête le lot une fois le mois fini." in why
    assert "30\u00a0décembre\u00a02026" in why
    assert other.get(redemption[0]).status_code == 404
    office.freeze()
    home = manager.get("/comptoir/paiements/").get_data(as_text=True)
    payment = re.search(r"/comptoir/paiements/[0-9a-f-]{36}", home)
    assert payment is not None
    assert format_euros(3_000) in home
    assert "deuxième personne" in manager.get(redemption[0]).get_data(as_text=True)
    assert manager.get(payment[0]).status_code == 200
    assert manager.get(f"{payment[0]}/bordereau.pdf").data.startswith(b"%PDF")
    assert other.get(payment[0]).status_code == 404
    assert other.get(f"{payment[0]}/bordereau.pdf").status_code == 404
    assert office.preparer.get("/comptoir/paiements/").status_code == 403


def own_statement(iban: str, debit_cents: int) -> bytes:
    """Return a statement with one debit that bears no reference of ours."""
    return statement(
        "R1",
        iban,
        NOW.date(),
        100_000,
        [BookedLine(reference="T1", amount_cents=debit_cents, is_credit=False, counterparty="COMPTE")],
    )
