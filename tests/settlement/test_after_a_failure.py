"""After a failure: the structure's page, the message written from its payment, paying again at once where the failure is read."""

import re
from datetime import timedelta
from html import unescape
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.clients import app_for, csrf_token, signed_in_client
from tests.settlement.test_urgent import LATER, Failed
from tests.settlement.town import PREPARER, give_rib
from tests.web.separated import write_to
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.number_labels import iban_label
from voucher.kernel.refusals import Refused
from voucher.mail.model import OutboxMessage
from voucher.reporting.structure_account import structure_account
from voucher.settlement.batches.read_advice import advice
from voucher.settlement.batches.write_letter import NewLetter, prepared_letter, write_letter
from voucher.settlement.batches.write_to_structures import send_again_to_structure
from voucher.settlement.deadlines.read_payments import owing
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.model.letters import PaymentLetter

ADDRESS = "tresor@association.example"


def failed_advice(failed: Failed) -> UUID:
    with failed.database.read() as session:
        return session.scalars(select(PaymentAdvice.id).where(PaymentAdvice.structure_id == failed.first)).one()


def a_letter(failed: Failed, **changes: object) -> NewLetter:
    said = {
        "id": new_id(),
        "advice_id": failed_advice(failed),
        "subject": "votre règlement",
        "body": "Bonjour,\r\n\r\n60,00\u00a0€ :\tappelez-nous\u200b.",
    }
    return NewLetter(**{**said, **changes})  # type: ignore[arg-type]


def letters(database: Database) -> list[tuple[str, str, str]]:
    with database.read() as session:
        rows = session.execute(select(OutboxMessage).where(OutboxMessage.kind == "payment_letter")).scalars()
        return [(one.recipient, one.subject, one.body) for one in rows]


def test_a_letter_is_kept_once_sent_through_the_outbox_and_shown_on_the_structure_s_page(database: Database) -> None:
    failed = Failed(database)
    write_to(database, failed.first, ADDRESS)
    new = a_letter(failed)
    for _ in range(2):
        assert write_letter(database, new, by=PREPARER, now=LATER) == ADDRESS
    assert letters(database) == [(ADDRESS, "votre règlement", "Bonjour,\n\n60,00\u00a0€ : appelez-nous.")], (
        "no space is taken away"
    )
    with pytest.raises(Refused, match="same_id_other_content"):
        write_letter(database, a_letter(failed, id=new.id, body="Autre chose"), by=PREPARER, now=LATER)
    with database.read() as session:
        (kept,) = session.scalars(select(PaymentLetter)).all()
        assert (kept.advice_id, kept.recipient, kept.written_by) == (new.advice_id, ADDRESS, PREPARER)
        message_id = session.scalars(select(OutboxMessage.id).where(OutboxMessage.about_id == new.id)).one()
    found = structure_account(database, failed.first, now=LATER)
    other = structure_account(database, failed.second, now=LATER)
    assert found is not None
    assert other is not None
    assert "votre règlement" in {one.subject for one in found.messages}
    assert "votre règlement" not in {one.subject for one in other.messages}
    # Its address was wrong: it leaves again, to the one that the structure has now.
    write_to(database, failed.first, "autre@association.example")
    send_again_to_structure(database, message_id, by=PREPARER, now=LATER)
    assert [one[0] for one in letters(database)] == ["autre@association.example"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"subject": " "}, "missing"),
        ({"body": "\r\n \u200b\r\n"}, "missing"),
        ({"body": "x" * 4_001}, "too_long"),
        ({"advice_id": new_id()}, "unknown_advice"),
    ],
)
def test_a_letter_that_cannot_be_sent_writes_nothing(database: Database, changes: dict[str, object], code: str) -> None:
    failed = Failed(database)
    write_to(database, failed.first, ADDRESS)
    with pytest.raises(Refused, match=code):
        write_letter(database, a_letter(failed, **changes), by=PREPARER, now=LATER)
    with pytest.raises(Refused, match="unknown_advice"):
        write_letter(database, a_letter(failed), by=PREPARER, now=LATER, issuer_id=new_id())
    write_to(database, failed.first, "")
    if code == "missing":
        with pytest.raises(Refused, match="no_address"):
            write_letter(database, a_letter(failed), by=PREPARER, now=LATER)
    assert letters(database) == []


class Desk:
    """A preparer who reads pages about what failed."""

    def __init__(self, failed: Failed, role: Role = Role.FINANCE_PREPARER) -> None:
        self.failed = failed
        app = app_for(failed.database, LATER)
        self.client: FlaskClient = signed_in_client(app, failed.database, role)

    def read(self, path: str) -> str:
        """Return a page as a person reads it."""
        return unescape(self.client.get(path).text).replace("\u00a0", " ").replace("\u202f", " ")


def test_pay_without_waiting_stands_where_the_failure_is_read_once_it_can_be_paid(database: Database) -> None:
    failed = Failed(database)
    desk, advice_id = Desk(failed), failed_advice(failed)
    pages = (
        f"/finances/reglements/{advice_id}",
        f"/finances/structures/{failed.first}",
        "/finances/tableau-de-bord/rejets/lignes",
    )
    for page in pages:
        said = desk.read(page)
        assert "30,00 € à payer sans attendre : pas encore." in said, page
        assert failed.why_not()[failed.first] in said, page
    give_rib(database, failed.first, 50, now=LATER - timedelta(hours=1))
    urgent = f"/finances/conventions/{failed.town.agreement_id}/urgence?structure={failed.first}"
    for page in pages:
        said = desk.read(page)
        assert urgent in said, page
        assert "Payer sans attendre 30,00 €" in said, page
    assert re.search(rf'value="{failed.first}"[^>]*checked|checked[^>]*value="{failed.first}"', desk.read(urgent))
    assert urgent not in Desk(failed, Role.AUDITOR).read(pages[0])


def test_a_person_writes_to_the_structure_from_the_failed_payment(database: Database) -> None:
    failed = Failed(database)
    desk, advice_id = Desk(failed), failed_advice(failed)
    path = f"/finances/reglements/{advice_id}/ecrire"
    assert path in desk.read(f"/finances/reglements/{advice_id}")
    assert "n’a pas d’adresse électronique" in desk.read(path)
    write_to(database, failed.first, ADDRESS)
    page = advice(database, advice_id, now=LATER)
    assert page is not None
    subject, body = prepared_letter(page, "Camille Exemple")
    assert "30,00" in body
    assert page.said.next_for_structure[1:] in body
    assert page.iban is not None
    assert page.iban not in body
    assert subject.replace("\u00a0", " ").replace("\u202f", " ") in desk.read(path)
    form = {
        "csrf_token": csrf_token(desk.client.get(path).text),
        "id": new_id(),
        "subject": subject,
        "body": f"{body}\n\nMerci.",
    }
    spaced = form | {"body": f"{body}\n\nVotre compte {iban_label(page.iban)}"}
    assert "Un courriel ne porte jamais un IBAN entier." in desk.client.post(path, data=spaced).text
    answer = desk.client.post(path, data=form, follow_redirects=True)
    assert ADDRESS in answer.text
    assert [(one[0], one[2]) for one in letters(database)] == [(ADDRESS, form["body"])], "as the page showed it"
    assert desk.client.get(f"/finances/structures/{failed.first}").status_code == 200


def test_what_finance_reads_of_a_structure_is_what_the_structure_reads(database: Database) -> None:
    failed = Failed(database)
    found = structure_account(database, failed.first, now=LATER)
    assert found is not None
    assert found.sums == owing(database, failed.first)
    assert (found.sums.owed_cents, found.sums.waiting_cents, found.sums.open_cents) == (8_000, 3_000, 5_000)
    assert sum(one.amount_cents for one in found.dues) == found.sums.owed_cents
    assert structure_account(database, failed.first, now=LATER, issuer_id=new_id()) is None
    scoped = structure_account(database, failed.first, now=LATER, issuer_id=failed.town.agreed.issuer_id)
    assert scoped is not None
    assert scoped.sums == found.sums
    assert "IBAN" in (said := Desk(failed).read(f"/finances/structures/{failed.first}"))
    assert found.page.bank_details[0].masked_iban.replace("\u00a0", " ") in said
