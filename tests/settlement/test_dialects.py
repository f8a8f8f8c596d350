"""Each dialect of camt says the same thing to us, and our own files of each are valid against ISO's schemas."""

import pytest

from tests.settlement.camt_files import VERSIONS, Account, Booked, Transaction, camt
from tests.settlement.reading import read_statements
from tests.settlement.town import NOW, OUR_IBAN
from voucher.settlement.formats_out.schemas import schema_names, validate

DAY = NOW.date()
THEIRS = "FR7630006000010000000000055"
ENTRIES = (
    Booked(-3_000, "V1", (Transaction(-3_000, "PN-1", "Association", THEIRS, "Pass numerique"),)),
    Booked(-4_050, "V2", (Transaction(-4_000, "PN-2", "Fablab", THEIRS),), charges_cents=50),
    Booked(-250, "F1", code="ACMT-MDOP-CHRG", words="Frais de tenue de compte"),
    Booked(3_000, "B1", (Transaction(3_000, "PN-1", "Association", THEIRS, return_reason="AC04"),), code="PMNT-ICDT-RRTN"),
    Booked(-7_000, "G1", message="LOT", payment_information="LOT-1", count=2),
    Booked(-7_100, "G2", (Transaction(-7_000, "PN-3"), Transaction(-100, "PN-4"))),
    Booked(-900, "P1", status="PDNG"),
)  # fmt: skip


@pytest.mark.parametrize("kind", ["052", "053", "054"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_of_each_message_says_the_same(kind: str, version: str) -> None:
    content = camt(kind, version, Account(OUR_IBAN, DAY, ENTRIES))
    name = f"camt.{kind}.001.{version}"
    if name in schema_names():
        assert validate(content, name) == []
    read = read_statements(content)
    assert [
        (line.end_to_end_id, line.amount_cents, line.is_credit, line.is_charge, line.return_reason)
        for line in read.lines
    ] == [
        ("PN-1", 3_000, False, False, None),
        ("PN-2", 4_000, False, False, None),
        (None, 50, False, True, None),
        (None, 250, False, True, None),
        ("PN-1", 3_000, True, False, "AC04"),
        (None, 7_000, False, False, None),
        ("PN-3", 7_000, False, False, None),
        ("PN-4", 100, False, False, None),
    ]
    assert read.lines[0].counterparty_name == "Association"
    whole = read.lines[5]
    assert (whole.message_id, whole.payment_information_id, whole.batch_count) == ("LOT", "LOT-1", 2)
    assert read.counted[0].pending_count == 1
    assert read.statements[0].has_balances == (kind == "053")


def test_the_same_entry_has_the_same_key_in_a_report_a_notification_and_a_statement() -> None:
    keys = [read_statements(camt(kind, "08", Account(OUR_IBAN, DAY, ENTRIES))).keys for kind in ("052", "053", "054")]
    assert keys[0] == keys[1] == keys[2]


def test_an_amount_in_another_currency_is_kept_in_words_and_never_counted_as_euros() -> None:
    converted = Booked(-11_000, "V1", (Transaction(-11_000, "PN-1", instructed="120.00 USD"),))
    (line,) = read_statements(camt("053", "08", Account(OUR_IBAN, DAY, [converted]))).lines
    assert (line.amount_cents, line.note) == (11_000, "Montant d’origine : 120,00\u00a0USD.")
    foreign = Booked(-12_000, "V2", currency="USD")
    read = read_statements(camt("053", "08", Account(OUR_IBAN, DAY, [converted, foreign])))
    assert [line.amount_cents for line in read.lines] == [11_000]
    (aside,) = read.ignored
    assert "120,00\u00a0USD" in aside.reason
    assert aside.line > 0


def test_charges_taken_from_what_came_back_leave_the_whole_return() -> None:
    back = Booked(2_950, "B1", (Transaction(3_000, "PN-1", return_reason="AC04"),), charges_cents=50)
    lines = read_statements(camt("053", "08", Account(OUR_IBAN, DAY, [back]))).lines
    assert [(line.amount_cents, line.is_credit, line.is_charge) for line in lines] == [
        (3_000, True, False),
        (50, False, True),
    ]
