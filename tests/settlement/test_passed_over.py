"""What a bank file holds and nobody reads refuses nothing: the good lines of our accounts are kept, whatever stands beside them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.settlement.bank import OUR_IBAN
from tests.settlement.camt_files import VERSIONS, Account, Booked, camt
from tests.settlement.odd_parts import ACCOUNTS, BOOKED, GOOD_CENTS, GOOD_REFERENCE, HEADS, NOT_BOOKED, ROOTS, odd_file
from tests.settlement.reading import ReadFile, UnreadableBankFile, read_statements
from tests.settlement.reports import status_report
from tests.settlement.test_import_statement import TODAY, Paid
from tests.settlement.town import NOW, PREPARER, wrong_books
from voucher.kernel.database import Database
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.bank_in.import_report import Reported
from voucher.settlement.bank_in.import_statement import IGNORED_MAX, Imported
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.model.bank import IgnoredPart
from voucher.settlement.model.batches import BankLine, PaymentAdvice

PENDING = (Path(__file__).parent / "files" / "camt052-pending-undated.xml").read_text()


def is_ours(iban: str) -> bool:
    return iban == OUR_IBAN


def good_line(read: ReadFile) -> tuple[int, bool]:
    (found,) = [one for one in read.entries if one.reference == GOOD_REFERENCE]
    assert found.account_iban == OUR_IBAN
    return found.amount_cents, found.is_credit


@pytest.mark.parametrize("kind", ROOTS)
def test_no_entry_that_is_not_booked_refuses_a_file_however_broken(kind: str) -> None:
    content = odd_file(kind, "08", head="", booked=(), passed=NOT_BOOKED, accounts=())
    read = read_statements(content, is_ours)
    assert good_line(read) == (GOOD_CENTS, True)
    assert len(read.entries) == 1
    assert read.counted[0].pending_count == len(NOT_BOOKED)


@pytest.mark.parametrize("kind", ROOTS)
@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_no_account_of_others_and_no_word_of_a_head_that_is_not_read_refuses_a_file(kind: str, head: str) -> None:
    read = read_statements(odd_file(kind, "02", head=head, booked=BOOKED, passed=(), accounts=ACCOUNTS), is_ours)
    assert good_line(read) == (GOOD_CENTS, True)
    assert len(read.ignored) == len(ACCOUNTS) + 2  # and the two entries in another currency


@settings(max_examples=300)
@given(
    kind=st.sampled_from(sorted(ROOTS)),
    version=st.sampled_from(VERSIONS),
    head=st.sampled_from(HEADS),
    booked=st.lists(st.sampled_from(BOOKED), max_size=4),
    passed=st.lists(st.sampled_from(NOT_BOOKED), max_size=6),
    accounts=st.lists(st.sampled_from(ACCOUNTS), max_size=4),
)
def test_no_mixture_of_such_parts_refuses_a_file(
    kind: str, version: str, head: str, booked: list[str], passed: list[str], accounts: list[str]
) -> None:
    content = odd_file(kind, version, head=head, booked=booked, passed=passed, accounts=accounts)
    assert good_line(read_statements(content, is_ours)) == (GOOD_CENTS, True)


def test_the_same_broken_entry_refuses_the_file_once_it_is_booked() -> None:
    for fault in ('<Amt Ccy="EUR">1.001</Amt>', '<Amt Ccy="EUR">1.00</Amt>'):
        broken = f"<Ntry>{fault}<Sts><Cd>BOOK</Cd></Sts></Ntry>"
        with pytest.raises(UnreadableBankFile):
            read_statements(odd_file("052", "08", head="", booked=(), passed=[broken], accounts=()), is_ours)


def test_a_pending_entry_without_a_date_is_passed_over_and_the_booked_one_is_kept(database: Database) -> None:
    paid = Paid(database)
    later = NOW.replace(day=27, hour=18)
    content = PENDING.replace("{PAYING_IBAN}", paid.iban).encode()
    done = import_bank_file(database, "releve.xml", content, by=PREPARER, now=later)
    assert isinstance(done, Imported)
    assert (done.new_count, done.pending_count, done.unknown_count, done.ignored) == (1, 1, 1, ())
    with database.read() as session:
        assert session.execute(select(BankLine.amount_cents, BankLine.is_credit)).all() == [(1_250, True)]
    assert wrong_books(database) == []


def test_odd_parts_around_our_line_are_imported_and_each_says_why_it_is_not_counted(database: Database) -> None:
    paid = Paid(database)
    content = odd_file("053", "08", head=HEADS[1], booked=BOOKED, passed=NOT_BOOKED, accounts=ACCOUNTS)
    done = import_bank_file(
        database, "releve.xml", content.replace(OUR_IBAN.encode(), paid.iban.encode()), by=PREPARER, now=NOW
    )
    assert isinstance(done, Imported)
    assert (done.new_count, done.pending_count) == (1 + len(BOOKED) - 2, len(NOT_BOOKED))
    assert len(done.ignored) == IGNORED_MAX + 1
    assert "autres parties" in done.ignored[-1].reason
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(IgnoredPart)) == IGNORED_MAX + 1
    assert wrong_books(database) == []


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ("<Acct><Id><Othr><Id>1</Id></Othr></Id><Ccy>USD</Ccy></Acct>", "Un compte sans IBAN est en « USD »"),
        ("<Acct><Id><IBAN>FR14</IBAN></Id><Ccy>USD</Ccy></Acct>", "Le compte FR14 est en « USD »"),
        ("<Acct><Id><Othr><Id>1</Id></Othr></Id></Acct>", "ne donne pas l’IBAN de son compte"),
    ],
)
def test_a_file_with_no_account_of_ours_says_why_without_a_hole(
    sqlite_database: Database, account: str, words: str
) -> None:
    content = odd_file("053", "08", head="", booked=(), passed=(), accounts=(account,))
    with pytest.raises(RefusedBankFile) as refused:
        import_bank_file(sqlite_database, "releve.xml", content, by=PREPARER, now=NOW)
    assert any(words in error.reason for error in refused.value.errors)
    assert all("  " not in error.reason for error in refused.value.errors)


def test_a_report_until_tomorrow_is_read_and_a_booked_line_of_tomorrow_is_not(database: Database) -> None:
    paid = Paid(database)
    head = "<FrToDt><FrDtTm>2026-11-23T00:00:00</FrDtTm><ToDtTm>2026-11-24T00:00:00</ToDtTm></FrToDt>"
    content = odd_file("052", "08", head=head, booked=(), passed=(), accounts=()).replace(
        OUR_IBAN.encode(), paid.iban.encode()
    )
    done = import_bank_file(database, "jour.xml", content, by=PREPARER, now=NOW)
    assert isinstance(done, Imported)
    assert done.new_count == 1
    with pytest.raises(RefusedBankFile, match="n’est pas encore venu"):
        import_bank_file(
            database, "demain.xml", content.replace(b"<Dt>2026-11-20", b"<Dt>2026-11-24"), by=PREPARER, now=NOW
        )


@pytest.mark.parametrize("kind", ROOTS)
def test_a_document_inside_the_envelope_of_its_business_header_is_read(kind: str) -> None:
    plain = camt(kind, "14", Account(OUR_IBAN, TODAY, [Booked(500, "C1")]))
    document = plain.partition(b"?>")[2]
    header = b'<AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02"><Fr><FIId/></Fr><MsgDefIdr>camt</MsgDefIdr></AppHdr>'
    for opening, closing in (
        (b"<BizMsgEnvlp>", b"</BizMsgEnvlp>"),
        (b'<Saa:DataPDU xmlns:Saa="urn:swift:saa:xsd:saa.2.0"><Saa:Body>', b"</Saa:Body></Saa:DataPDU>"),
        (b'<RequestPayload xmlns="urn:bank">', b"</RequestPayload>"),
    ):
        read = read_statements(opening + header + document + closing)
        assert [one.amount_cents for one in read.lines] == [500]
        assert (read.message_id, read.version) == ("M1", "001.14")
    with pytest.raises(UnreadableBankFile, match="DOCTYPE"):
        read_statements(b"<!DOCTYPE a><BizMsgEnvlp>" + header + document + b"</BizMsgEnvlp>")


def test_another_document_in_the_envelope_is_told() -> None:
    document = camt("053", "08", Account(OUR_IBAN, TODAY, [Booked(500, "C1")])).partition(b"?>")[2]
    other = camt("054", "08", Account(OUR_IBAN, TODAY, [Booked(700, "C2")])).partition(b"?>")[2]
    read = read_statements(b"<Envelope>" + document + other + b"</Envelope>")
    assert [one.amount_cents for one in read.lines] == [500]
    assert "camt.054.001.08" in read.ignored[0].reason


def test_a_report_is_read_in_its_envelope_and_a_transfer_that_it_accepts_without_a_name_refuses_nothing(
    database: Database,
) -> None:
    paid = Paid(database)
    with database.read() as session:
        batch_id = session.scalars(select(PaymentAdvice.batch_id).distinct()).one()
    report = status_report(batch_id, transfers={paid.first: "AB05", paid.second: ""})
    unnamed = b"<TxInfAndSts><TxSts>ACSP</TxSts></TxInfAndSts>"
    long = b"<TxInfAndSts><OrgnlEndToEndId>" + b"X" * 60 + b"</OrgnlEndToEndId><TxSts>PDNG</TxSts></TxInfAndSts>"
    one_rejected = report.replace(
        b"<TxSts>RJCT</TxSts></TxInfAndSts>", b"<TxSts>ACSP</TxSts></TxInfAndSts>" + unnamed + long
    )
    wrong = one_rejected.replace(unnamed, unnamed.replace(b"ACSP", b"RJCT"))
    with pytest.raises(RefusedBankFile, match="rejette un virement sans dire lequel"):
        import_bank_file(database, "rapport.xml", wrong, by=PREPARER, now=NOW)
    wrapped = (
        b"<BizMsgEnvlp><AppHdr xmlns='urn:iso:std:iso:20022:tech:xsd:head.001.001.02'/>"
        + one_rejected
        + b"</BizMsgEnvlp>"
    )
    done = import_bank_file(database, "rapport.xml", wrapped, by=PREPARER, now=NOW)
    assert isinstance(done, Reported)
    assert done.rejected_count == 1
    assert paid.states() == ["rejected", "in_file"]
    assert wrong_books(database) == []
