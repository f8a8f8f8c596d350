"""The pages of what the bank says: a file imported with parts set aside, a line explained, matched and undone, a balance."""

import io
import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from issuer_portal.finance import bank
from tests.clients import app_for, csrf_token, signed_in_client
from tests.settlement import cfonb_files
from tests.settlement.camt_files import Account, Booked, Transaction, camt
from tests.settlement.cfonb_files import cfonb
from tests.settlement.test_import_statement import TODAY, Paid
from tests.settlement.test_several_files import zipped
from tests.settlement.test_statement_pages import pages
from tests.settlement.town import NOW, OUR_IBAN, wrong_books
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.settlement.model.batches import BankLine


class Screen:
    """A preparer before a batch that left."""

    def __init__(self, database: Database) -> None:
        self.paid = Paid(database)
        self.client: FlaskClient = signed_in_client(app_for(database, NOW), database, Role.FINANCE_PREPARER)

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.get_data(as_text=True)

    def post(self, page: str, act: str, **fields: object) -> str:
        token = csrf_token(self.get(page))
        answer = self.client.post(act, data={"csrf_token": token, **fields}, follow_redirects=True)
        assert answer.status_code == 200
        return answer.get_data(as_text=True)

    def upload(self, content: bytes) -> str:
        page = "/finances/banque/importer"
        return self.post(page, page, file=(io.BytesIO(content), "releve.xml"))

    def upload_all(self, *files: tuple[str, bytes]) -> str:
        page = "/finances/banque/importer"
        return self.post(page, page, file=[(io.BytesIO(content), name) for name, content in files])

    def line(self) -> str:
        with self.paid.database.read() as session:
            return f"/finances/banque/lignes/{session.execute(select(BankLine.id)).scalar_one()}"


@pytest.fixture
def screen(sqlite_database: Database) -> Screen:
    return Screen(sqlite_database)


def test_a_part_of_a_file_that_is_set_aside_is_told_with_its_line_at_once_and_after(screen: Screen) -> None:
    ours = Account(screen.paid.iban, TODAY, [Booked(-12_000, "D1", currency="USD"), Booked(500, "C1")])
    theirs = Account(OUR_IBAN, TODAY, [Booked(-9_000, "T9")], "AUTRE")
    said = screen.upload(camt("053", "08", ours, theirs))
    assert "sauf ce qui suit" in said
    assert re.search(r"Ligne \d+ : Écriture de 120,00\u00a0USD", said)
    page = screen.get("/finances/banque")
    assert "Mis de côté" in page
    assert OUR_IBAN in page
    assert wrong_books(screen.paid.database) == []


def test_a_file_that_cannot_be_read_is_refused_once_in_french_at_its_line(screen: Screen) -> None:
    content = camt("053", "08", Account(screen.paid.iban, TODAY, [Booked(-500, "D1")]))
    said = screen.upload(content[: content.rindex(b"</Document>")])
    assert said.count("Le fichier est coupé avant sa fin.") == 1
    assert re.search(r"Ligne \d+ : Le fichier est coupé", said)
    assert "Premature" not in said
    assert screen.paid.states() == ["in_file", "in_file"]


def test_a_line_says_what_it_is_and_its_match_is_undone_with_a_reason_that_stays_written(screen: Screen) -> None:
    paid = screen.paid
    screen.upload(
        camt("053", "08", Account(paid.iban, TODAY, [Booked(-3_000, "T1", (Transaction(-3_000, paid.first),))]))
    )
    page = screen.get(screen.line())
    assert "Même référence, même montant." in page
    assert "Défaire ce rapprochement de 30,00" in page
    undo = re.search(r'action="([^"]+/defaire)".*?name="([^"]+-reason)"', page, re.DOTALL)
    assert undo is not None
    said = screen.post(screen.line(), undo[1])
    assert "Dites pourquoi." in said
    assert "<title>Erreur : " in said
    assert paid.states() == ["paid", "in_file"]
    said = screen.post(screen.line(), undo[1], **{undo[2]: "Ce n’est pas ce règlement"})
    assert "Le rapprochement est défait" in said
    assert "« Ce n’est pas ce règlement »" in said
    assert paid.states() == ["in_file", "in_file"]
    assert wrong_books(paid.database) == []


def test_a_debit_for_a_whole_file_is_chosen_on_the_page_of_the_line(screen: Screen) -> None:
    paid = screen.paid
    screen.upload(camt("053", "08", Account(paid.iban, TODAY, [Booked(-7_000, "G1")])))
    page = screen.get(screen.line())
    assert "total des 2 virements attendus de ce fichier" in page
    form = re.search(r'name="kind" value="payment".*?</form>', page, re.DOTALL)
    assert form is not None
    fields = dict(re.findall(r'name="(kind|target_id|part|match_id)" value="([^"]*)"', form[0]))
    said = screen.post(screen.line(), f"{screen.line()}/rapprocher", **fields)
    assert "La ligne est rapprochée." in said
    assert "2\u00a0règlements" in screen.get("/finances/banque/lignes")
    assert paid.states() == ["paid", "paid"]
    assert wrong_books(paid.database) == []


def test_a_days_balance_lists_the_lines_that_explain_a_difference(screen: Screen) -> None:
    paid = screen.paid
    screen.upload(camt("054", "08", Account(paid.iban, TODAY, [Booked(700, "N1", words="Annonce")], "N")))
    screen.upload(camt("053", "08", Account(paid.iban, TODAY, [], "R1")))
    address = re.search(r"/finances/banque/soldes/[0-9a-f-]+/[0-9-]+", screen.get("/finances/banque"))
    assert address is not None
    page = screen.get(address[0])
    assert "Écart de -7,00" in page or "Écart de −7,00" in page
    assert "Annonce" in page
    assert screen.client.get(address[0][:-1] + "0").status_code == 404
    later = signed_in_client(app_for(paid.database, NOW + timedelta(days=9)), paid.database, Role.AUDITOR)
    assert "9\u00a0jours" in later.get("/finances/banque").get_data(as_text=True)


def test_several_files_each_have_their_line_and_each_import_says_its_format(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid = screen.paid
    pending = Booked(-900, "P1", status="PDNG")
    first = camt(
        "053", "08", Account(paid.iban, TODAY, [Booked(-3_000, "T1", (Transaction(-3_000, paid.first),)), pending])
    )
    packed = zipped(
        ("dossier/r2.txt", cfonb(cfonb_files.Account(paid.iban, TODAY - timedelta(days=1), []))),
        ("r3.sta", b":20:X\r\n"),
    )
    said = screen.upload_all(("<b>r1.xml", first), ("tout.zip", packed))
    assert "2\u00a0fichiers gardés, 1\u00a0refusé" in said
    assert "&lt;b&gt;r1.xml (camt.053.001.08)" in said
    assert "1\u00a0écriture en attente ou d’information" in said
    assert "tout.zip › dossier/r2.txt (CFONB 120)" in said
    assert "tout.zip › r3.sta est refusé en entier." in said
    assert "C’est un relevé MT940 (SWIFT). Demandez à la banque un relevé camt.053" in said
    page = screen.get("/finances/banque")
    assert "seulement" not in page
    with monkeypatch.context() as patch:
        patch.setattr(bank, "SHOWN_MAX", 1)
        patch.setattr(bank, "DAYS_SHOWN_MAX", 1)
        cut = screen.get("/finances/banque")
    assert "Les 1 fichiers les plus récents seulement." in cut
    assert "Les 1 soldes les plus récents seulement." in cut
    assert re.search(r"tout\.zip › dossier/r2\.txt</th>\s*<td[^>]*>CFONB 120</td>", page)
    assert "Choisissez au moins un fichier." in screen.post("/finances/banque/importer", "/finances/banque/importer")
    assert wrong_books(paid.database) == []


def test_a_missing_page_is_said_after_the_import_and_on_the_page_of_reconciliation(screen: Screen) -> None:
    said = screen.upload_all(("p1.xml", pages(screen.paid.iban)[0]), ("p3.xml", pages(screen.paid.iban)[2]))
    for page in (said, screen.get("/finances/banque")):
        assert "la page 2 manque. Importez-la, ou demandez-la à la banque." in page
