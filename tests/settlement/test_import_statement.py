"""Statements: what they change, what they never change, and what is refused whole."""

import gzip
from collections.abc import Callable
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, wrong_books
from voucher.demonstration.bank import BookedLine, statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.model import Entry
from voucher.programme.model import PayingAccount
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.bank_in.import_statement import Imported, import_statement
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.formats_in import safe_xml
from voucher.settlement.model.batches import BankFile, BankLine, BankStatement, PaymentAdvice
from voucher.settlement.reconciliation import daily_balances as bank_days
from voucher.settlement.reconciliation import read as read_bank
from voucher.settlement.reconciliation.match_by_hand import match_line
from voucher.settlement.words.states import AdviceState

TODAY = NOW.date()
OPENING_CENTS = 1_000_000


class Paid:
    """A batch that left: two structures, 30 € and 40 €, and the bank account they are paid from."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.town: Town = a_town(database)
        self.town.redeem(0, 3)
        self.town.redeem(1, 4)
        frozen = freeze_batch(database, new_id(), self.town.agreement_id, by=PREPARER, now=NOW)
        approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW)
        export_batch(database, frozen.batch_id, by=PREPARER, now=NOW)
        with database.read() as session:
            self.iban = session.execute(select(PayingAccount.iban)).scalar_one()
            rows = session.execute(
                select(PaymentAdvice.reference, PaymentAdvice.id).order_by(PaymentAdvice.amount_cents)
            ).all()
        (self.first, self.first_id), (self.second, self.second_id) = rows

    def take(
        self, *lines: BookedLine, name: str = "R1", day: date = TODAY, opening_cents: int = OPENING_CENTS
    ) -> Imported:
        content = statement(name, self.iban, day, opening_cents, lines)
        return import_statement(self.database, f"{name}.xml", content, by=PREPARER, now=NOW + (day - TODAY))

    def states(self) -> list[str]:
        with self.database.read() as session:
            return list(session.scalars(select(PaymentAdvice.state).order_by(PaymentAdvice.amount_cents)))

    def waiting(self) -> dict[int, str]:
        """Return why each line waits, by its signed cents."""
        found = read_bank.waiting(self.database, limit=50)
        return {line.signed_cents: line.why for line, _ in found}


@pytest.fixture
def paid(database: Database) -> Paid:
    return Paid(database)


def debit(reference: str, cents: int, end_to_end_id: str = "NOTPROVIDED", **more: str) -> BookedLine:
    return BookedLine(reference=reference, amount_cents=cents, is_credit=False, end_to_end_id=end_to_end_id, **more)


def credit(reference: str, cents: int, end_to_end_id: str = "NOTPROVIDED", **more: str) -> BookedLine:
    return BookedLine(reference=reference, amount_cents=cents, is_credit=True, end_to_end_id=end_to_end_id, **more)


def test_a_line_with_our_reference_and_amount_pays_its_advice(paid: Paid) -> None:
    done = paid.take(debit("T1", 3_000, paid.first), debit("T2", 4_000, paid.second))
    assert (done.new_count, done.paid_count, done.unknown_count) == (2, 2, 0)
    assert paid.states() == ["paid", "paid"]
    assert wrong_books(paid.database) == []


def test_the_same_statement_twice_changes_nothing_zipped_or_not_and_is_unpacked_once(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    gunzip, unpacked = safe_xml._gunzip, []
    monkeypatch.setattr(safe_xml, "_gunzip", lambda *given: unpacked.append(gunzip(*given)))
    content = statement("R1", paid.iban, TODAY, OPENING_CENTS, [debit("T1", 3_000, paid.first), credit("C1", 500)])
    import_statement(paid.database, "releve.xml", content, by=PREPARER, now=NOW)
    before = counts(paid.database)
    for again in (content, gzip.compress(content)):
        done = import_bank_file(paid.database, "encore.xml", again, by=APPROVER, now=NOW + timedelta(days=3))
        assert done == Imported(
            is_known=True, statement_count=0, line_count=0, new_count=0, paid_count=0, returned_count=0, unknown_count=0
        )
    assert len(unpacked) == 1
    assert counts(paid.database) == before
    assert wrong_books(paid.database) == []


def test_a_line_that_two_files_bring_counts_once(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first), credit("C1", 500))
    week = paid.take(debit("T1", 3_000, paid.first), credit("C1", 500), debit("T2", 4_000, paid.second), name="SEMAINE")
    assert (week.line_count, week.new_count, week.paid_count) == (3, 1, 1)
    assert counts(paid.database)["bank_line"] == 3
    assert wrong_books(paid.database) == []


def test_what_nothing_explains_stays_visible_with_its_reason(paid: Paid) -> None:
    done = paid.take(
        credit("C1", 50_000, counterparty="REGION", remittance="Versement"),
        debit("T1", 2_999, paid.first),
        debit("T2", 777, "PN-XXXX"),
        debit("T3", 888),
        credit("C2", 4_000, paid.second),
    )
    assert (done.paid_count, done.returned_count, done.unknown_count) == (0, 0, 5)
    why = paid.waiting()
    assert why[50_000] == "La banque ne donne pas de référence."
    assert "le montant attendu est 30,00" in why[-2_999]
    assert "Aucun règlement" in why[-777]
    assert "avant son débit" in why[4_000]
    assert paid.states() == ["in_file", "in_file"]
    waiting = read_bank.line_counts(paid.database)
    assert (waiting.waiting_count, waiting.waiting_credit_cents, waiting.waiting_debit_cents) == (5, 54_000, 4_664)
    assert wrong_books(paid.database) == []


def test_a_return_is_said_in_french_and_a_second_one_waits(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first), credit("B1", 3_000, paid.first, return_reason="AC04"))
    assert paid.states() == ["returned", "in_file"]
    paid.take(credit("B2", 3_000, paid.first, return_reason="AC04"), name="R2", opening_cents=OPENING_CENTS)
    assert paid.waiting() == {3_000: "Ce règlement est déjà revenu une fois."}
    assert wrong_books(paid.database) == []


def test_a_transfer_that_the_bank_debits_twice_is_paid_once(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first))
    paid.take(debit("T9", 3_000, paid.first), name="R2", opening_cents=OPENING_CENTS - 3_000)
    assert paid.states() == ["paid", "in_file"]
    assert "payé deux fois" in paid.waiting()[-3_000]
    assert wrong_books(paid.database) == []


def test_a_known_line_with_another_amount_is_refused_with_the_whole_file(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first))
    before = counts(paid.database)
    with pytest.raises(RefusedBankFile, match="autre montant") as refused:
        paid.take(debit("T1", 3_100, paid.first), credit("C1", 500), name="R2")
    assert refused.value.errors[0].line > 0
    assert counts(paid.database) == before


def test_a_known_statement_with_other_balances_is_refused(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first))
    with pytest.raises(RefusedBankFile, match="autres soldes"):
        paid.take(debit("T1", 3_000, paid.first), opening_cents=5)


def test_an_account_that_is_not_ours_is_refused_with_its_line(paid: Paid) -> None:
    content = statement("R1", "FR7630006000011234567890189", TODAY, 0, [credit("C1", 500)])
    with pytest.raises(RefusedBankFile, match="n’est pas l’un de vos comptes payeurs") as refused:
        import_statement(paid.database, "autre.xml", content, by=PREPARER, now=NOW)
    assert refused.value.errors[0].line > 0


def test_an_account_that_serves_another_issuer_is_out_of_scope(paid: Paid) -> None:
    content = statement("R1", paid.iban, TODAY, 0, [credit("C1", 500)])
    with pytest.raises(RefusedBankFile):
        import_statement(paid.database, "r.xml", content, by=PREPARER, now=NOW, issuer_id=new_id())
    own = paid.town.agreed.issuer_id
    assert import_statement(paid.database, "r.xml", content, by=PREPARER, now=NOW, issuer_id=own).new_count == 1
    assert read_bank.line_counts(paid.database, issuer_id=new_id()).waiting_count == 0
    assert read_bank.line_counts(paid.database, issuer_id=own).waiting_count == 1


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "missing line": lambda content: content.replace(b"<Cd>BOOK</Cd>", b"<Cd>PDNG</Cd>", 1),
    "another encoding than it says": lambda content: content.replace(b"REGION", "RÉGION".encode("latin-1")),
    "bomb": lambda content: content.replace(b"<Document", b'<!DOCTYPE a [<!ENTITY b "b">]>\n<Document', 1),
    "external entity": lambda content: content.replace(
        b"<Document", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>\n<Document', 1
    ),
    "not a statement": lambda content: content.replace(b"camt.053", b"camt.999"),
    "dollars": lambda content: content.replace(b'Ccy="EUR"', b'Ccy="USD"'),
    "a spreadsheet": lambda _content: "Jour;Montant\n12/03;30,00\n".encode("utf-16"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_refused_in_french_and_nothing_of_it_is_kept(paid: Paid, fault: str) -> None:
    before = counts(paid.database)
    content = statement(
        "R1",
        paid.iban,
        TODAY,
        OPENING_CENTS,
        [debit("T1", 3_000, paid.first), credit("C1", 500, counterparty="REGION")],
    )
    with pytest.raises(RefusedBankFile) as refused:
        import_statement(paid.database, "releve.xml", BROKEN[fault](content), by=PREPARER, now=NOW)
    assert refused.value.sentence
    assert refused.value.field == "file"
    assert counts(paid.database) == before
    assert paid.states() == ["in_file", "in_file"]


def test_the_balance_of_each_day_is_the_ledgers_and_a_missing_statement_is_seen(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first))
    paid.take(credit("C1", 500), name="R2", day=TODAY + timedelta(days=1), opening_cents=OPENING_CENTS - 3_000)
    paid.take(credit("C2", 700), name="R4", day=TODAY + timedelta(days=3), opening_cents=OPENING_CENTS - 2_400)
    found = [(day.closing_cents, day.is_equal, day.is_following) for day in bank_days.days(paid.database)]
    assert found == [
        (OPENING_CENTS - 1_700, False, False),
        (OPENING_CENTS - 2_500, True, True),
        (OPENING_CENTS - 3_000, True, True),
    ]


def test_a_line_is_matched_by_hand_with_a_payment_of_the_same_amount_only(paid: Paid) -> None:
    paid.take(debit("T1", 4_000, counterparty="ASSOCIATION 2"), debit("T2", 4_100))
    lines = {line.signed_cents: (line.id, candidates) for line, candidates in read_bank.waiting(paid.database, limit=9)}
    line_id, (candidate,) = lines[-4_000]
    assert candidate.advice_id == paid.second_id
    assert candidate.reasons == ("même montant", "même nom")
    match(paid, line_id, paid.second_id)
    match(paid, line_id, paid.second_id)
    assert paid.states() == ["in_file", "paid"]
    with pytest.raises(Refused, match="déjà rapprochée"):
        match(paid, line_id, paid.first_id)
    with pytest.raises(Refused, match="même montant"):
        match(paid, lines[-4_100][0], paid.first_id)
    with pytest.raises(Refused, match="n’existe pas"):
        match_line(paid.database, line_id, paid.second_id, by=PREPARER, now=NOW, issuer_id=new_id())
    assert wrong_books(paid.database) == []
    paid.take(credit("B1", 4_000, counterparty="ASSOCIATION 2"), name="R2", opening_cents=OPENING_CENTS - 8_100)
    (back,) = [line.id for line, _ in read_bank.waiting(paid.database, limit=9) if line.is_credit]
    match(paid, back, paid.second_id)
    assert paid.states() == ["in_file", AdviceState.RETURNED]
    assert wrong_books(paid.database) == []


def match(paid: Paid, line_id: UUID, advice_id: UUID) -> None:
    match_line(paid.database, line_id, advice_id, by=PREPARER, now=NOW)


def counts(database: Database) -> dict[str, int]:
    """Count the rows that an import may write."""
    with database.read() as session:
        return {
            table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0
            for table in (BankFile, BankStatement, BankLine, Entry)
        }


def test_a_line_or_a_statement_of_a_day_to_come_is_refused(paid: Paid) -> None:
    to_come = statement("R1", paid.iban, TODAY + timedelta(days=1), OPENING_CENTS, [debit("T1", 3_000, paid.first)])
    for content in (to_come, statement("R2", paid.iban, TODAY + timedelta(days=1), OPENING_CENTS, [])):
        with pytest.raises(RefusedBankFile, match=r"Ligne \d+ : Le 24.novembre.2026 n’est pas encore venu"):
            import_statement(paid.database, "demain.xml", content, by=PREPARER, now=NOW)
    assert counts(paid.database)["bank_line"] == 0
    assert paid.states() == ["in_file", "in_file"]
    assert (
        import_statement(paid.database, "demain.xml", to_come, by=PREPARER, now=NOW + timedelta(days=1)).paid_count == 1
    )


def test_a_planted_line_of_a_day_to_come_is_found(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first))
    with paid.database.write() as session:
        session.execute(update(BankLine).values(booked_on=TODAY + timedelta(days=1)))
    assert any("no_line_is_of_a_day_to_come" in one for one in wrong_books(paid.database))
