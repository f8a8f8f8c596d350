"""What a bank's file leaves in doubt waits for a person: another account, two files that one debit could be, words that pay nothing."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.settlement.camt_files import Account, Booked, Transaction, camt
from tests.settlement.reports import status_report
from tests.settlement.test_import_statement import TODAY, Paid
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.bank_in.import_statement import Imported, import_statement
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.formats_out.references import message_id, payment_information_id
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.reconciliation import read as read_bank
from voucher.settlement.reconciliation.match_by_hand import match_line, match_with_file


class TwoAccounts:
    """A batch that left one account, and another account of ours that pays another agreement."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.paid = Paid(database)
        self.elsewhere = iban_of(a_town(database))
        with database.read() as session:
            self.batch_id = session.execute(select(SettlementBatch.id)).scalar_one()

    def take(self, iban: str, *entries: Booked, kind: str = "053", name: str = "R1") -> Imported:
        content = camt(kind, "08", Account(iban, TODAY, entries, name))
        return import_statement(self.database, f"{name}.xml", content, by=PREPARER, now=NOW)

    def waits_elsewhere(self) -> read_bank.LineRow:
        """Return the one line, which waits on the other account."""
        ((line, candidates),) = read_bank.waiting(self.database, limit=9)
        assert candidates == []
        with self.database.read() as session:
            account = session.execute(
                select(PayingAccount.iban).join(BankLine, BankLine.paying_account_id == PayingAccount.id)
            ).scalar_one()
        assert account == self.elsewhere
        return line


def iban_of(town: Town) -> str:
    with town.database.read() as session:
        return session.execute(
            select(PayingAccount.iban)
            .join(Agreement, Agreement.paying_account_id == PayingAccount.id)
            .where(Agreement.id == town.agreement_id)
        ).scalar_one()


@pytest.fixture
def two(database: Database) -> TwoAccounts:
    return TwoAccounts(database)


def test_a_debit_on_another_account_with_our_reference_waits_there(two: TwoAccounts) -> None:
    done = two.take(two.elsewhere, Booked(-3_000, "T1", (Transaction(-3_000, two.paid.first),)))
    assert (done.paid_count, done.unknown_count) == (0, 1)
    assert two.paid.states() == ["in_file", "in_file"]
    line = two.waits_elsewhere()
    assert line.why == "Aucun règlement de ce compte ne porte cette référence."
    with pytest.raises(Refused, match="Choisissez"):
        match_line(two.database, line.id, two.paid.first_id, by=PREPARER, now=NOW)
    assert wrong_books(two.database) == []


@pytest.mark.parametrize("named", ["message", "block", "nothing"])
def test_a_whole_file_debited_on_another_account_waits_there(two: TwoAccounts, named: str) -> None:
    whole = Booked(
        -7_000,
        "G1",
        message=message_id(two.batch_id) if named == "message" else "",
        payment_information=payment_information_id(two.batch_id) if named == "block" else "",
        count=2,
    )
    assert two.take(two.elsewhere, whole).paid_count == 0
    assert two.paid.states() == ["in_file", "in_file"]
    line = two.waits_elsewhere()
    with pytest.raises(Refused):
        match_with_file(two.database, new_id(), line.id, two.batch_id, 1, by=PREPARER, now=NOW)
    assert wrong_books(two.database) == []


def test_a_debit_of_another_account_that_is_detailed_later_pays_nothing_of_ours(two: TwoAccounts) -> None:
    two.take(two.elsewhere, Booked(-7_000, "G1"))
    transfers = (Transaction(-3_000, two.paid.first), Transaction(-4_000, two.paid.second))
    two.take(two.elsewhere, Booked(-7_000, "G1", transfers), kind="054", name="N1")
    assert two.paid.states() == ["in_file", "in_file"]
    two.waits_elsewhere()
    assert wrong_books(two.database) == []


def test_a_return_on_another_account_brings_nothing_back_now_or_later(two: TwoAccounts) -> None:
    two.take(two.elsewhere, Booked(3_000, "B1", (Transaction(3_000, two.paid.first, return_reason="AC04"),)))
    two.take(two.paid.iban, Booked(-3_000, "T1", (Transaction(-3_000, two.paid.first),)))
    assert two.paid.states() == ["paid", "in_file"]
    two.take(two.elsewhere, Booked(3_000, "B2", (Transaction(3_000, two.paid.first, return_reason="AC04"),)), name="R2")
    assert two.paid.states() == ["paid", "in_file"]
    assert wrong_books(two.database) == []


class TwoFiles:
    """Two batches of one agreement, of two transfers and 70 € each, both in transit."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.town = a_town(database)
        self.batch_ids = [self._sent(), self._sent()]
        self.iban = iban_of(self.town)

    def _sent(self) -> UUID:
        self.town.redeem(0, 3)
        self.town.redeem(1, 4)
        frozen = freeze_batch(self.database, new_id(), self.town.agreement_id, by=PREPARER, now=NOW)
        approve_batch(self.database, frozen.batch_id, by=APPROVER, now=NOW)
        export_batch(self.database, frozen.batch_id, by=PREPARER, now=NOW)
        return frozen.batch_id

    def take(self, *entries: Booked, name: str = "R1") -> Imported:
        content = camt("053", "08", Account(self.iban, TODAY, entries, name))
        return import_statement(self.database, f"{name}.xml", content, by=PREPARER, now=NOW)

    def states(self) -> list[Sequence[str]]:
        with self.database.read() as session:
            return [
                session.scalars(
                    select(PaymentAdvice.state)
                    .where(PaymentAdvice.batch_id == one)
                    .order_by(PaymentAdvice.amount_cents)
                ).all()
                for one in self.batch_ids
            ]

    def reject_first_of(self, rank: int) -> None:
        with self.database.read() as session:
            of_batch = select(PaymentAdvice.reference).where(PaymentAdvice.batch_id == self.batch_ids[rank])
            reference = session.scalars(of_batch.order_by(PaymentAdvice.amount_cents).limit(1)).one()
        content = status_report(self.batch_ids[rank], transfers={reference: "MS03"})
        import_report(self.database, "rapport.xml", content, by=PREPARER, now=NOW)


IN_FILE, PAID = ["in_file", "in_file"], ["paid", "paid"]


@pytest.fixture
def files(database: Database) -> TwoFiles:
    return TwoFiles(database)


def test_an_unnamed_debit_that_two_files_could_be_waits_for_a_person_who_says_which(files: TwoFiles) -> None:
    done = files.take(Booked(-7_000, "G1", count=2))
    assert (done.paid_count, done.unknown_count) == (0, 1)
    assert files.states() == [IN_FILE, IN_FILE]
    with files.database.read() as session:
        line_id = session.scalars(select(BankLine.id)).one()
    assert wrong_books(files.database) == []
    assert match_with_file(files.database, new_id(), line_id, files.batch_ids[1], 1, by=PREPARER, now=NOW) == 2
    assert files.states() == [IN_FILE, PAID]
    assert wrong_books(files.database) == []


def test_a_debit_that_names_one_of_two_files_alike_pays_that_one(files: TwoFiles) -> None:
    assert files.take(Booked(-7_000, "G1", message=message_id(files.batch_ids[1]), count=2)).paid_count == 2
    assert files.states() == [IN_FILE, PAID]
    assert files.take(Booked(-7_000, "G2", count=2), name="R2").paid_count == 2, "one file alone is left"
    assert files.states() == [PAID, PAID]
    assert wrong_books(files.database) == []


@pytest.mark.parametrize("rank", [0, 1])
def test_an_unnamed_debit_that_a_file_with_a_refused_transfer_could_be_too_waits(files: TwoFiles, rank: int) -> None:
    files.reject_first_of(rank)
    before = files.states()
    assert files.take(Booked(-7_000, "G1", count=2)).unknown_count == 1
    assert files.states() == before
    assert wrong_books(files.database) == []


def test_an_unnamed_debit_of_another_count_or_total_waits(files: TwoFiles) -> None:
    files.take(Booked(-7_000, "G1", message=message_id(files.batch_ids[0])))
    assert files.take(Booked(-7_000, "G2", count=3), Booked(-6_999, "G3", count=2), name="R2").unknown_count == 2
    assert files.states() == [PAID, IN_FILE]
    assert wrong_books(files.database) == []


@pytest.mark.parametrize("status", ["PDNG", "ACSP", "ACSC", "ACCP", "ACTC", "ACWC", "RCVD", "PART", "ACCC"])
def test_what_is_no_refusal_changes_nothing_at_any_level(sqlite_database: Database, status: str) -> None:
    paid = Paid(sqlite_database)
    with sqlite_database.read() as session:
        batch_id = session.execute(select(SettlementBatch.id)).scalar_one()
    for rank, told in enumerate(
        ({"transfers": {paid.first: "", paid.second: "AC04"}}, {"group": "AC04"}, {"block": "AC04"})
    ):
        content = status_report(batch_id, status=status, **told)  # type: ignore[arg-type]
        done = import_report(sqlite_database, f"{rank}.xml", content, by=PREPARER, now=NOW)
        assert (done.is_known, done.rejected_count, done.duplicate_count, done.ignored) == (False, 0, 0, ())
    assert paid.states() == ["in_file", "in_file"]
    with pytest.raises(Refused, match="Rien n’est à régler"):
        freeze_batch(sqlite_database, new_id(), paid.town.agreement_id, by=PREPARER, now=NOW + timedelta(hours=1))
    assert wrong_books(sqlite_database) == []


def test_the_transfer_that_is_refused_beside_those_that_are_not_is_alone_owed_again(database: Database) -> None:
    paid = Paid(database)
    with database.read() as session:
        batch_id = session.execute(select(SettlementBatch.id)).scalar_one()
    said = {one: status_report(batch_id, transfers={paid.first: ""}, status=one) for one in ("ACSP", "RJCT", "ACSC")}
    for name, content in said.items():
        import_report(database, f"{name}.xml", content, by=PREPARER, now=NOW)
        assert paid.states() == ["in_file" if name == "ACSP" else "rejected", "in_file"], (
            "an ACSC after it pays nothing"
        )
    assert wrong_books(database) == []
