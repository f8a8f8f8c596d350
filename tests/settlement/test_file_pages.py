"""What leaves, through the application: files of a batch, an urgent batch, the accountant's journey, an account's terms."""

import csv
import hashlib
import io
import json
import re

from sqlalchemy import select

from tests.settlement.test_finance_pages import Office
from tests.settlement.test_parts import set_terms
from tests.settlement.town import NOW, give_rib, wrong_books
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.programme.model import PayingAccount
from voucher.trail.model import AuditLine

IMPORT = "/finances/banque/importer"


def sent(office: Office) -> str:
    """Freeze, approve and send through the pages; return the batch's address."""
    batch = office.freeze()
    office.post(office.approver, batch, f"{batch}/valider", total_cents=7_000)
    assert "est prêt" in office.post(office.preparer, batch, f"{batch}/transmettre")
    return batch


def test_each_part_is_shown_with_its_size_and_fingerprint_and_given_again_byte_for_byte(
    sqlite_database: Database,
) -> None:
    office = Office(sqlite_database)
    set_terms(sqlite_database, transfers_per_file=1)
    batch = sent(office)
    page = office.preparer.get(batch).get_data(as_text=True)
    links = re.findall(rf'href="({batch}/fichiers/[^"]+)"', page)
    assert len(links) == 2
    assert "partie 2" in page
    for link in links:
        content = office.preparer.get(link).get_data()
        assert content == office.preparer.get(link).get_data()
        assert hashlib.sha256(content).hexdigest() in page
    assert re.search(r"1,\d\u00a0ko", page)
    for part in ("3", "9" * 12, "x", ""):
        assert office.preparer.get(f"{batch}/fichiers/pain.001.001.09?partie={part}").status_code == 404
    for client in (office.as_role(Role.FINANCE_PREPARER, new_id()), office.as_role(Role.FINANCE_APPROVER, new_id())):
        assert client.get(links[1]).status_code == 404
    with sqlite_database.read() as session:
        trail = session.scalars(select(AuditLine.action)).all()
    assert trail.count("Fichier de règlement téléchargé") == 4


def test_an_accountant_is_given_its_files_and_its_return_pays_and_rejects(database: Database) -> None:
    office = Office(database, channel="public_accountant")
    batch = sent(office)
    page = office.preparer.get(batch).get_data(as_text=True)
    for words in (
        "État liquidatif (PDF à signer)",
        "État liquidatif (CSV)",
        "État liquidatif (JSON)",
        "Pièce justificative",
    ):
        assert words in page
    assert "pain.001" not in page
    state = json.loads(office.preparer.get(f"{batch}/fichiers/liquidation_json").get_data())
    supporting = office.preparer.get(f"{batch}/fichiers/supporting_csv").get_data()
    assert state["piece_justificative"]["sha256"] == hashlib.sha256(supporting).hexdigest()
    orders = office.preparer.get(f"{batch}/fichiers/liquidation_csv").get_data().decode("utf-8-sig")
    paid, rejected = sorted(csv.DictReader(io.StringIO(orders), delimiter=";"), key=lambda row: row["Montant en euros"])
    day = NOW.strftime("%d/%m/%Y")
    wrong = f"Référence;Montant;Statut;Date\n{paid['Référence']};30,01;payé;{day}\n"
    said = office.post(office.preparer, IMPORT, IMPORT, file=(io.BytesIO(wrong.encode("cp1252")), "retour.csv"))
    assert "est refusé en entier." in said
    assert "Ligne 2 : La ligne dit" in said
    right = (
        "Référence;Montant;Statut;Date;Motif\n"
        f"{paid['Référence']};{paid['Montant en euros']};payé;{day};\n"
        f"{rejected['Référence']};{rejected['Montant en euros']};rejeté;{day};Compte clos\n"
    )
    for expected in ("1\u00a0règlement payé, 1\u00a0règlement rejeté", "déjà importé"):
        file = (io.BytesIO(right.encode("cp1252")), "retour.csv")
        assert expected in office.post(office.preparer, IMPORT, IMPORT, file=file)
    page = office.preparer.get(batch).get_data(as_text=True)
    assert "1\u00a0virement rejeté" in page
    assert "urgence" in page
    assert wrong_books(database) == []


def test_what_failed_is_paid_again_from_the_page_that_says_it(sqlite_database: Database) -> None:
    office = Office(sqlite_database, channel="public_accountant")
    batch = sent(office)
    orders = office.preparer.get(f"{batch}/fichiers/liquidation_csv").get_data().decode("utf-8-sig")
    first = min(csv.DictReader(io.StringIO(orders), delimiter=";"), key=lambda row: row["Montant en euros"])
    returned = f"Référence;Montant;Statut;Date;Motif\n{first['Référence']};30;rejeté;{NOW:%d/%m/%Y};AC04\n"
    office.post(office.preparer, IMPORT, IMPORT, file=(io.BytesIO(returned.encode()), "retour.csv"))
    address = f"/finances/conventions/{office.town.agreement_id}/urgence"
    page = office.preparer.get(address).get_data(as_text=True)
    assert "Ce qui ne peut pas encore repartir" in page
    assert "demandez un nouveau RIB" in page
    structure_id = office.town.structure_ids[0]
    give_rib(sqlite_database, structure_id, 90)
    page = office.preparer.get(address).get_data(as_text=True)
    form_id = re.search(r'name="id"[^>]*value="([^"]+)"', page)
    assert form_id is not None
    assert f"{format_euros(3_000)}" in page
    said = office.post(office.preparer, address, address, id=form_id[1])
    assert "Choisissez au moins une structure" in said
    said = office.post(office.preparer, address, address, id=form_id[1], structures=str(structure_id))
    assert "Le lot urgent" in said
    assert "Lot urgent : il reprend des règlements qui ont échoué." in said
    assert office.approver.get(address).status_code == 403
    assert office.as_role(Role.FINANCE_PREPARER, new_id()).get(address).status_code == 404
    assert wrong_books(sqlite_database) == []


def test_the_programme_sets_what_an_accounts_bank_takes(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    programme = office.as_role(Role.PROGRAMME)
    with sqlite_database.read() as session:
        account_id = session.scalars(select(PayingAccount.id)).one()
    address = f"/programme/comptes-payeurs/{account_id}"
    assert address in programme.get("/programme/comptes-payeurs").get_data(as_text=True)
    said = office.post(
        programme, address, address, siren="300000008", transfer_schema="pain.001.001.03", transfers_per_file="2 000"
    )
    assert "SIREN" in said, "a wrong key is said at its field"
    said = office.post(
        programme, address, address, siren="", transfer_schema="pain.001.001.03", transfers_per_file="2 000"
    )
    assert "sont enregistrées" in said
    with sqlite_database.read() as session:
        account = session.execute(select(PayingAccount.transfer_schema, PayingAccount.transfers_per_file)).one()
        trail = session.execute(select(AuditLine.action, AuditLine.subject)).all()
    assert tuple(account) == ("pain.001.001.03", 2_000)
    assert any(row[0] == "Changer les conditions d’un compte payeur" and "2000 par fichier" in row[1] for row in trail)
    assert "de 1 à" in office.post(
        programme, address, address, transfer_schema="pain.001.001.09", transfers_per_file="100001"
    )
    assert programme.get(f"/programme/comptes-payeurs/{new_id()}").status_code == 404
    assert office.preparer.get(address).status_code == 403
