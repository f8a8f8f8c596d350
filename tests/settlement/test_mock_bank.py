"""Our files against a bank that answers: what we send, what it says, what comes back on the statements."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time

import pytest
from schwifty import IBAN

from tests.settlement.bank import OUR_IBAN, Bank
from tests.settlement.reading import UnreadableBankFile, read_statements
from voucher.settlement.formats_in.camt_lines import BankEntry, BankLine
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.formats_in.pain002 import StatusReport, read_status_report
from voucher.settlement.formats_out.pain001 import Debtor, Transfer, write_credit_transfers

MONDAY = date(2026, 11, 23)
TUESDAY = date(2026, 11, 24)
NEXT_MONDAY = date(2026, 11, 30)


def account(number: int) -> str:
    return str(IBAN.generate("FR", bank_code="30006", branch_code="00001", account_code=f"{number:011d}"))


TRANSFERS = [
    Transfer(
        end_to_end_id=f"L2026-33-01-{number:04d}",
        creditor_name=f"Médiathèque n° {number}",
        creditor_iban=account(number),
        creditor_bic=None,
        amount_cents=1234 * number + 1,
        remittance="Pass numérique",
    )
    for number in range(1, 6)
]


@pytest.fixture
def bank() -> Iterator[Bank]:
    with Bank(today=MONDAY) as bank:
        yield bank


def payment_file(message_id: str = "LOT-33-01") -> bytes:
    at = datetime.combine(MONDAY, time(8), tzinfo=UTC)
    return write_credit_transfers(message_id, f"{message_id}-P", at, MONDAY, Debtor("Régie", OUR_IBAN, None), TRANSFERS)


def send(bank: Bank, content: bytes) -> list[StatusReport]:
    return [
        read_status_report(message.content) for message in bank.send(content) if message.type.startswith("pain.002")
    ]


def lines(bank: Bank) -> list[BankLine]:
    return [line for entry in entries(bank) for line in entry.lines]


def entries(bank: Bank) -> list[BankEntry]:
    return [entry for content in bank.statements() for entry in read_statements(content).entries]


def amounts(found: list[BankLine]) -> dict[str | None, int]:
    return {line.end_to_end_id: line.amount_cents for line in found}


def test_what_was_sent_comes_back_booked_to_the_cent(bank: Bank) -> None:
    (report,) = send(bank, payment_file())
    assert (report.original_message_id, report.status) == ("LOT-33-01", "ACCP")
    bank.advance_to(TUESDAY)
    booked = lines(bank)
    assert amounts(booked) == {transfer.end_to_end_id: transfer.amount_cents for transfer in TRANSFERS}
    assert {line.counterparty_iban for line in booked} == {transfer.creditor_iban for transfer in TRANSFERS}
    assert not any(line.is_credit for line in booked)
    assert {line.payment_information_id for line in booked} == {"LOT-33-01-P"}


def test_a_structure_whose_account_is_closed_is_rejected_and_the_others_are_paid(bank: Bank) -> None:
    bank.close_account(TRANSFERS[1].creditor_iban)
    (report,) = send(bank, payment_file())
    assert report.status == "PART"
    (rejected,) = [transfer for transfer in report.transfers if transfer.is_rejected]
    assert (rejected.end_to_end_id, rejected.reason) == (TRANSFERS[1].end_to_end_id, "AC04")
    assert "fermé" in explain(rejected.reason).sentence
    bank.advance_to(TUESDAY)
    assert TRANSFERS[1].end_to_end_id not in amounts(lines(bank))


def test_a_transfer_returned_days_later_is_a_credit_that_names_the_transfer_and_the_reason(bank: Bank) -> None:
    bank.return_later(TRANSFERS[2].end_to_end_id, days=2, reason="MD07")
    send(bank, payment_file())
    bank.advance_to(NEXT_MONDAY)
    found = entries(bank)
    (back,) = [entry for entry in found if entry.is_credit]
    (returned,) = back.lines
    assert (returned.end_to_end_id, returned.amount_cents) == (TRANSFERS[2].end_to_end_id, TRANSFERS[2].amount_cents)
    assert (returned.return_reason, back.booked_on) == ("MD07", date(2026, 11, 25))
    assert returned.counterparty_iban == TRANSFERS[2].creditor_iban
    assert len({entry.key for entry in found}) == len(TRANSFERS) + 1


def test_a_silent_bank_still_books_what_it_was_sent(bank: Bank) -> None:
    bank.behave("silent")
    assert send(bank, payment_file()) == []
    bank.advance_to(TUESDAY)
    assert len(lines(bank)) == len(TRANSFERS)


def test_a_file_sent_twice_is_refused_as_a_duplicate_and_paid_once(bank: Bank) -> None:
    send(bank, payment_file())
    (report,) = send(bank, payment_file())
    assert report.is_rejected
    assert report.reason == "DUPL"
    assert report.transfers == ()
    bank.advance_to(TUESDAY)
    assert len(lines(bank)) == len(TRANSFERS)


def test_a_whole_file_can_be_refused(bank: Bank) -> None:
    bank.behave("reject-file")
    (report,) = send(bank, payment_file())
    assert (report.is_rejected, report.reason) == (True, "FF01")


def test_a_statement_with_a_line_missing_is_refused_as_a_whole(bank: Bank) -> None:
    bank.behave("statement-gap")
    send(bank, payment_file())
    bank.advance_to(TUESDAY)
    (content,) = bank.statements()
    with pytest.raises(UnreadableBankFile, match="solde de clôture"):
        read_statements(content)


def test_each_statement_opens_where_the_one_before_closed(bank: Bank) -> None:
    send(bank, payment_file())
    bank.receive_credit(555, name="Trésor public", note="Avance")
    bank.advance_to(NEXT_MONDAY)
    statements = [statement for content in bank.statements() for statement in read_statements(content).statements]
    assert [later.opening_cents for later in statements[1:]] == [earlier.closing_cents for earlier in statements[:-1]]
    assert statements[-1].closing_cents == 100_000_000 - sum(transfer.amount_cents for transfer in TRANSFERS) + 555
