"""Duplicates at the screens of finance and of the structure: the file, two answers, one withdrawn, the sentences of each page."""

import io
import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.clients import app_for, csrf_token, signed_in_client
from tests.settlement.doubt import Doubt
from tests.settlement.reports import status_report
from tests.settlement.test_import_statement import debit
from tests.settlement.town import NOW, wrong_books
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.settlement.words.states import DuplicateOutcome

STANDS, NEVER = DuplicateOutcome.STANDS, DuplicateOutcome.NEVER_CAME


class Screens:
    """A batch that left, and everybody at their screens."""

    def __init__(self, database: Database) -> None:
        self.doubt = Doubt(database)
        self.app = app_for(database, NOW + timedelta(hours=1))
        self.database = database
        self.preparer, self.approver = (self.as_role(one) for one in (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER))
        self.batch = f"/finances/lots/{self.doubt.batch_id}"
        self.page = f"{self.batch}/doublons"

    def as_role(self, role: Role) -> FlaskClient:
        scope_id = self.doubt.paid.town.structure_ids[0] if role is Role.PLACE_MANAGER else None
        return signed_in_client(self.app, self.database, role, scope_id)

    def upload(self, content: bytes) -> str:
        page = "/finances/banque/importer"
        data = {"csrf_token": csrf_token(read(self.preparer, page)), "file": (io.BytesIO(content), "cr.xml")}
        return plain(self.preparer.post(page, data=data, follow_redirects=True))

    def send(self, client: FlaskClient, page: str, **fields: str) -> str:
        shown = read(client, page)
        hidden = dict(re.findall(r'<input[^>]*name="(id|seen_count)"[^>]*value="([^"]*)"', shown))
        data = {"csrf_token": csrf_token(shown), **hidden, **fields}
        return plain(client.post(page, data=data, follow_redirects=True))


def plain(answer: TestResponse) -> str:
    return answer.get_data(as_text=True).replace("\u00a0", " ")


def read(client: FlaskClient, page: str) -> str:
    answer = client.get(page)
    assert answer.status_code == 200, page
    return plain(answer)


@pytest.fixture
def screens(sqlite_database: Database) -> Screens:
    return Screens(sqlite_database)


def test_a_duplicate_goes_from_its_file_to_two_answers_and_to_the_next_batch(screens: Screens) -> None:
    said = screens.upload(status_report(screens.doubt.batch_id, group="DU01"))
    assert "2 doublons annoncés. Aucune dette n’est rouverte : deux personnes doivent répondre." in said
    assert "ne rejette aucun virement" not in said
    home = read(screens.approver, "/finances/")
    assert "La banque dit avoir déjà reçu 2 virements" in home
    assert screens.page in home
    assert "Rien n’attend." not in home
    batch = read(screens.preparer, screens.batch)
    assert batch.count("Doublon annoncé") >= 3
    assert "Deux personnes doivent dire si le premier envoi tient." in batch
    assert "Remplissez" in screens.send(screens.preparer, screens.page, outcome=NEVER, reason="")
    done = screens.send(screens.preparer, screens.page, outcome=NEVER, reason="La banque ne trouve rien.")
    assert "Une autre personne doit répondre à son tour" in done
    again = screens.send(screens.preparer, screens.page, outcome=NEVER, reason="Encore.")
    assert "Vous avez déjà répondu. Une autre personne" in again
    done = screens.send(screens.approver, screens.page, outcome=NEVER, reason="Confirmé par écrit.")
    assert "La première n’existe pas : 2 virements à payer de nouveau" in done
    assert "La banque ne trouve rien." in done
    assert "Il n’y a rien à répondre." in done
    assert screens.doubt.states() == ["rejected", "rejected"]
    assert "2 virements rejetés" in read(screens.preparer, screens.batch)
    assert "doublons" not in read(screens.preparer, "/finances/")
    assert "Aucun doublon n’attend" in read(screens.preparer, "/finances/doublons")
    assert wrong_books(screens.database) == []


def test_an_answer_is_withdrawn_with_its_reason_and_one_transfer_answered_apart(screens: Screens) -> None:
    screens.upload(status_report(screens.doubt.batch_id, group="DUPL"))
    page = screens.send(screens.preparer, screens.page, outcome=STANDS, reason="Vu à l’écran.")
    (link,) = re.findall(r'href="([^"]*/retirer)"', page)
    assert "Vu à l’écran." in read(screens.approver, link)
    assert "Remplissez" in screens.send(screens.approver, link, reason="")
    done = screens.send(screens.approver, link, reason="Mauvais fichier.")
    assert "attendent de nouveau une réponse" in done
    assert "Mauvais fichier." in done
    assert "déjà retirée" in read(screens.approver, link)
    alone = f"/finances/reglements/{screens.doubt.paid.first_id}/doublon"
    assert alone in done
    assert "à répondre" in read(screens.preparer, alone)
    screens.send(screens.preparer, alone, outcome=STANDS, reason="Reçu.")
    assert "La première tient" in screens.send(screens.approver, alone, outcome=STANDS, reason="Reçu.")
    assert "1 virement à répondre" in read(screens.preparer, screens.page)
    advice = read(screens.preparer, f"/finances/reglements/{screens.doubt.paid.first_id}")
    assert "La banque a déjà reçu ce fichier ou ce virement (DUPL, tout le fichier)." in advice
    assert "Voir les réponses" in advice


def test_a_debit_closes_the_question_and_the_page_says_that_the_first_stood(screens: Screens) -> None:
    screens.upload(status_report(screens.doubt.batch_id, transfers={screens.doubt.first: "DU03"}))
    assert "Lot" in read(screens.preparer, "/finances/doublons")
    screens.doubt.paid.take(debit("T1", 3_000, screens.doubt.first))
    page = read(screens.preparer, screens.page)
    assert "Débité : la première tient" in page
    assert "Il n’y a rien à répondre." in page


def test_the_structure_reads_that_finance_looks_for_the_first_sending(screens: Screens) -> None:
    screens.upload(status_report(screens.doubt.batch_id, group="DU01"))
    said = read(screens.as_role(Role.PLACE_MANAGER), "/comptoir/paiements/")
    assert "Doublon annoncé : la banque dit avoir déjà reçu ce virement." in said
    assert "DU01" not in said


def test_an_auditor_reads_and_never_answers(screens: Screens) -> None:
    screens.upload(status_report(screens.doubt.batch_id, group="DU01"))
    auditor = screens.as_role(Role.AUDITOR)
    page = read(auditor, screens.page)
    assert "Deux personnes des finances doivent répondre." in page
    data = {"csrf_token": csrf_token(page), "outcome": NEVER, "reason": "Non.", "seen_count": "2"}
    data["id"] = "01890000-0000-7000-8000-0000000000ff"
    assert auditor.post(screens.page, data=data).status_code == 403
    assert screens.doubt.states() == ["in_file", "in_file"]


@pytest.mark.parametrize("path", ["/finances/lots/{}/doublons", "/finances/reglements/{}/doublon"])
def test_a_page_without_a_duplicate_is_not_found(screens: Screens, path: str) -> None:
    which = screens.doubt.batch_id if "lots" in path else screens.doubt.paid.first_id
    assert screens.preparer.get(path.format(which)).status_code == 404
