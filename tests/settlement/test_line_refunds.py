"""What nobody can identify of a credit goes back to its sender: two people, one transfer, and what the bank says of it."""

import csv
import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from issuer_portal.finance.report_receipt import report_receipt
from tests.builders import an_iban
from tests.clients import app_for, csrf_token, signed_in_client
from tests.killing import Killer
from tests.settlement.reports import status_report
from tests.settlement.test_line_accounts import FIRST, SECOND, undo
from tests.settlement.test_line_parts import OPENING_CENTS, accepted_count, left_cents
from tests.settlement.town import NOW, PREPARER, Town, a_town, wrong_books
from voucher.access.rules import Role
from voucher.accounting.match_up import match_up
from voucher.demonstration.bank import BookedLine, statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.number_labels import iban_label
from voucher.kernel.refusals import Refused
from voucher.programme.model import PayingAccount
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.formats_out.files_read_back import file_total_cents
from voucher.settlement.model.batches import BankLine
from voucher.settlement.model.refunds import LineRefund
from voucher.settlement.reconciliation.match_opposite_lines import match_with_opposite
from voucher.settlement.reconciliation.proposals import confirm_proposal, propose_undo, withdraw_proposal
from voucher.settlement.reconciliation.read import line
from voucher.settlement.reconciliation.read_ignored_parts import ignored_parts
from voucher.settlement.reconciliation.read_proposals import refund_file
from voucher.settlement.reconciliation.refund_line import NewRefund, match_with_sent_refund, propose_refund
from voucher.settlement.reconciliation.suggest import matches, suggestions
from voucher.settlement.reconciliation.undo_match import undo_match
from voucher.settlement.words.states import MatchKind

IBAN = an_iban(4242)


class Bank:
    """The bank of a town, its statements one after the other, and a credit of 123,45 € from nobody known."""

    def __init__(self, database: Database, channel: str = "mandated_operator") -> None:
        self.database = database
        self.town: Town = a_town(database, structure_count=1, channel=channel)
        self.balance_cents, self.count = OPENING_CENTS, 0
        self.line_id = self.book(12_345, True)

    def book(self, cents: int, is_credit: bool, end_to_end_id: str = "NOTPROVIDED", remittance: str = "") -> UUID:
        self.count += 1
        line = BookedLine(
            reference=f"L{self.count}", amount_cents=cents, is_credit=is_credit, end_to_end_id=end_to_end_id,
            counterparty="EXPEDITEUR INCONNU", remittance=remittance,
        )  # fmt: skip
        with self.database.read() as session:
            iban = session.scalars(select(PayingAccount.iban)).one()
        day, now = NOW.date() + timedelta(days=self.count), NOW + timedelta(days=self.count)
        content = statement(f"R{self.count}", iban, day, self.balance_cents, [line])
        import_statement(self.database, f"r{self.count}.xml", content, by=PREPARER, now=now)
        self.balance_cents += cents if is_credit else -cents
        with self.database.read() as session:
            return session.scalars(select(BankLine.id).where(BankLine.bank_reference == line.reference)).one()

    def ask(self, cents: int = 12_345, line_id: UUID | None = None) -> NewRefund:
        new = NewRefund(
            id=new_id(), line_id=line_id or self.line_id, amount_cents=cents, holder_name="Expéditeur inconnu",
            iban=IBAN, reason="Personne ne sait",
        )  # fmt: skip
        propose_refund(self.database, new, **FIRST)
        return new

    def send(self, cents: int = 12_345, line_id: UUID | None = None) -> UUID:
        new = self.ask(cents, line_id)
        confirm_proposal(self.database, new.id, **SECOND)
        return new.id

    def refund(self, refund_id: UUID) -> LineRefund:
        with self.database.read() as session:
            found = session.get_one(LineRefund, refund_id)
            session.expunge(found)
            return found


def why_it_waits(database: Database, line_id: UUID) -> str:
    found = line(database, line_id)
    assert found is not None
    return found[0].why


def test_a_credit_is_sent_back_once_by_two_people_in_a_file_and_its_debit_pays_it(database: Database) -> None:
    bank = Bank(database)
    new = bank.ask(12_000)
    propose_refund(database, new, **FIRST)
    for other in (replace(new, iban=an_iban(4243)), replace(new, holder_name="Un autre"), replace(new, amount_cents=1)):
        with pytest.raises(Refused, match="same_id_other_content"):
            propose_refund(database, other, **FIRST)
    with pytest.raises(Refused, match="four_eyes"):
        confirm_proposal(database, new.id, **FIRST)
    for _ in range(2):
        confirm_proposal(database, new.id, **SECOND)
    refund = bank.refund(new.id)
    assert refund.file_content is not None
    assert file_total_cents("pain.001.001.09", refund.file_content) == 12_000
    assert IBAN.encode() in refund.file_content
    with pytest.raises(Refused, match="beyond_the_line"):
        bank.ask(346)
    assert wrong_books(database) == []
    debit_id = bank.book(12_000, False, refund.reference)
    assert bank.refund(new.id).state == "paid"
    assert left_cents(database) == -345
    assert wrong_books(database) == []
    assert match_up(database, now=NOW).given_count == 0, "345 cents of the line still wait"
    # A second look: the debit was another's, then it is that refund all the same.
    (made,) = matches(database, debit_id)
    with pytest.raises(Refused, match="match_rested_on"):
        undo(database, new.id)
    undo_match(database, made.id, "Autre débit", **FIRST)
    assert bank.refund(new.id).state == "in_file"
    assert wrong_books(database) == []
    best = next(one for one in suggestions(database, debit_id) if one.kind == MatchKind.REFUND_DEBIT)
    match_id = new_id()
    for _ in range(2):
        match_with_sent_refund(database, match_id, debit_id, best.target_id, **FIRST)
    with pytest.raises(Refused, match="same_id_other_content"):
        match_with_sent_refund(database, match_id, debit_id, new_id(), **FIRST)
    assert bank.refund(new.id).state == "paid"
    rest = bank.send(345)
    bank.book(345, False, bank.refund(rest).reference)
    assert left_cents(database) == 0
    assert match_up(database, now=NOW).given_count == 1
    assert wrong_books(database) == []


def test_a_refund_that_comes_back_waits_as_a_new_line_that_may_be_sent_elsewhere(database: Database) -> None:
    bank = Bank(database)
    first = bank.send()
    reference = bank.refund(first).reference
    doubled = import_report(
        database, "d.xml", status_report(first, transfers={reference: "AM05"}), by=PREPARER, now=NOW
    )
    assert "annonce un doublon" in doubled.ignored[0].reason
    debit_id = bank.book(12_345, False, reference)
    # A rejection that comes after the debit changes nothing, and says so once, on the page of bank files.
    late = status_report(first, transfers={reference: "AC04"})
    done = import_report(database, "late.xml", late, by=PREPARER, now=NOW)
    assert "que son relevé a débité" in done.ignored[0].reason
    assert report_receipt(done) == f"Renvoi {reference} : le compte rendu est gardé. Rien ne change."
    assert import_report(database, "late.xml", late, by=PREPARER, now=NOW).is_known
    kept = [one.reason for one in ignored_parts(database, limit=9)]
    assert sorted(kept) == sorted(one.ignored[0].reason for one in (doubled, done))
    assert bank.refund(first).state == "paid"
    back_id = bank.book(12_345, True, reference)
    assert why_it_waits(database, back_id).startswith("C’est l’argent d’un renvoi, qui revient.")
    assert "déjà revenu" in why_it_waits(database, bank.book(12_345, False, reference))
    bank.book(12_345, True, "SECOND DEBIT RENDU")
    assert (bank.refund(first).state, bank.refund(first).return_line_id) == ("returned", back_id)
    assert left_cents(database) == -12_345
    with pytest.raises(Refused, match="match_rested_on"):
        undo_match(database, matches(database, debit_id)[0].id, "Faux", **FIRST)
    again = bank.send(line_id=back_id)
    bank.book(12_345, False, bank.refund(again).reference)
    assert bank.refund(again).state == "paid"
    assert left_cents(database) == 0
    assert wrong_books(database) == []


def test_a_refund_that_the_bank_refuses_or_two_people_take_back_lets_the_line_wait_again(database: Database) -> None:
    bank = Bank(database)
    refused = bank.send()
    reference = bank.refund(refused).reference
    for _ in range(2):
        done = import_report(
            database, "r.xml", status_report(refused, transfers={reference: "AC04"}), by=PREPARER, now=NOW
        )
        assert done.is_refund
    assert bank.refund(refused).state == "rejected"
    assert wrong_books(database) == []
    taken_back = bank.send()
    assert refund_file(database, taken_back) is not None
    undo(database, taken_back)
    assert bank.refund(taken_back).state == "rejected"
    for gone in (refused, taken_back):
        assert refund_file(database, gone) is None, "its line waits again: who still had its page would send it twice"
    dropped = bank.ask()
    withdraw_proposal(database, dropped.id, **FIRST)
    assert bank.refund(dropped.id).state == "withdrawn"
    last = bank.send()
    assert bank.refund(last).state == "in_file"
    assert wrong_books(database) == []
    late_debit = bank.book(12_345, False, bank.refund(taken_back).reference)
    assert "Ne le renvoyez pas une seconde fois." in why_it_waits(database, late_debit)
    undo(database, last)
    with pytest.raises(Refused, match="debited_after_all"):
        bank.ask(1)
    match_with_opposite(database, new_id(), late_debit, bank.line_id, **FIRST)
    assert "son montant est 123,45" in why_it_waits(database, bank.book(1, False, reference))
    again = status_report(refused, transfers={reference: "AC01"})
    done = import_report(database, "again.xml", again, by=PREPARER, now=NOW)
    assert "dont l’argent attend déjà" in done.ignored[0].reason
    assert wrong_books(database) == []


def test_on_the_accountants_channel_a_request_asks_for_it_and_no_bank_file_is_written(database: Database) -> None:
    bank = Bank(database, channel="public_accountant")
    refund = bank.refund(bank.send())
    assert refund.file_name == f"demande-de-renvoi-{refund.reference}.csv"
    assert refund.file_content is not None
    assert "123,45;Expéditeur inconnu" in refund.file_content.decode("utf-8-sig")
    formula = '=HYPERLINK("x";"y")'
    with_formula = bank.refund(bank.send(500, bank.book(500, True, remittance=formula)))
    assert with_formula.file_content is not None
    _, row = csv.reader(with_formula.file_content.decode("utf-8-sig").splitlines(), delimiter=";")
    assert row[2:] == ["5,00", "Expéditeur inconnu", IBAN, f"'{formula}"], (
        "no words of a bank's become a formula or two cells"
    )
    bank.book(500, False, with_formula.reference)
    assert refund.execution_on is None
    bank.book(12_345, False, refund.reference)
    assert left_cents(database) == 0
    assert wrong_books(database) == []


def test_what_is_sent_back_is_never_more_than_what_waits_whoever_confirms_at_once(database: Database) -> None:
    bank = Bank(database)
    asked = iter([bank.ask(5_000).id for _ in range(4)])
    assert accepted_count(lambda: confirm_proposal(database, next(asked), **SECOND), 4) == 2
    debit_id = bank.book(700, False)
    with pytest.raises(Refused, match="other_side"):
        bank.ask(700, debit_id)
    with pytest.raises(Refused, match="invalid_identifier") as refused:
        propose_refund(
            database,
            NewRefund(id=new_id(), line_id=bank.line_id, amount_cents=1, holder_name="A", iban="FR76", reason="R"),
            **FIRST,
        )
    assert refused.value.field == "iban"
    assert wrong_books(database) == []


@pytest.mark.kill
def test_a_refund_killed_anywhere_is_asked_sent_and_taken_back_once(database: Database, killer: Killer) -> None:
    bank = Bank(database)
    new, asked = bank.ask(), new_id()
    killer.everywhere(propose_refund, NewRefund(
        id=new_id(), line_id=bank.line_id, amount_cents=45, holder_name="A", iban=IBAN, reason="R",
    ), **FIRST)  # fmt: skip
    killer.everywhere(confirm_proposal, new.id, **SECOND)
    killer.everywhere(propose_undo, asked, new.id, "Faux", **FIRST)
    killer.everywhere(confirm_proposal, asked, **SECOND)
    assert left_cents(database) == -12_345
    assert wrong_books(database) == []


def test_a_refund_is_asked_confirmed_and_downloaded_on_the_page_of_its_line_with_a_note(
    sqlite_database: Database,
) -> None:
    bank = Bank(sqlite_database)
    app = app_for(sqlite_database, NOW + timedelta(days=9))
    alice, claire = (
        signed_in_client(app, sqlite_database, role) for role in (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)
    )
    path = f"/finances/banque/lignes/{bank.line_id}"
    page = alice.get(f"{path}/renvoi").text
    sent = {
        "csrf_token": csrf_token(page), "id": str(new_id()), "amount_cents": "123,46", "holder_name": "Mairie",
        "iban": IBAN, "reason": "Versé par erreur",
    }  # fmt: skip
    said = alice.post(f"{path}/renvoi", data=sent).text
    assert "Il reste 123,45\u00a0€ de cette ligne à identifier." in said
    said = alice.post(f"{path}/renvoi", data=sent | {"amount_cents": "123,45"}, follow_redirects=True).text
    assert "rien ne part avant" in said
    page = claire.get(path).text
    assert f"Compte à créditer : {iban_label(IBAN)}, Mairie. <strong>Cet IBAN n’est pas celui de la ligne." in page
    address = re.search(r'action="([^"]+/confirmer)"', page)
    assert address is not None
    said = claire.post(address[1], data={"csrf_token": csrf_token(page)}, follow_redirects=True).text
    assert "Le renvoi est prêt" in said
    file = re.search(r'href="([^"]+/fichier)"', said)
    assert file is not None
    assert IBAN in claire.get(file[1]).text
    note = {"csrf_token": csrf_token(page), "id": str(new_id()), "note": "J’ai appelé la mairie", "assignee": ""}
    for text, assignee in (("J’ai appelé la mairie", ""), ("Elle rappelle lundi", person_of(page))):
        said = claire.post(
            f"{path}/note", data=note | {"id": str(new_id()), "note": text, "assignee": assignee}, follow_redirects=True
        ).text
        assert text in said
    assert "J’ai appelé la mairie" in said, "what was noted before stays written"
    for page in (claire.get("/finances/banque/lignes").text, claire.get("/finances/banque/lignes?format=csv").text):
        assert "Elle rappelle lundi" in page
        assert "J’ai appelé" not in page
    assert "s’en occupe" in claire.get("/finances/banque/lignes").text
    assert wrong_books(sqlite_database) == []


def person_of(page: str) -> str:
    """Return the first person of the list of who may be on a line."""
    found = re.search(r'<option value="([0-9a-f-]{36})"', page)
    assert found is not None
    return found[1]
