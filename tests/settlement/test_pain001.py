"""Bank files out: what a SEPA file says, and what is refused before it is written."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from voucher.kernel import sepa
from voucher.settlement.formats_out.pain001 import (
    SCHEMA_NAME,
    Debtor,
    Transfer,
    namespace_of,
    next_target_day,
    write_credit_transfers,
)
from voucher.settlement.formats_out.schemas import validate
from voucher.settlement.formats_out.target_days import easter_sunday, is_target_day

OUR_ACCOUNT = Debtor("Régie du Pass numérique", "FR7630006000011234567890189", "AGRIFRPPXXX")
CLIC = Transfer(
    end_to_end_id="L2026-33-01-0001",
    creditor_name="Clic & Cie",
    creditor_iban="FR1420041010050500013M02606",
    creditor_bic="PSSTFRPPXXX",
    amount_cents=47000,
    remittance="Pass numérique – juin 2026",
)
FOURNIL = Transfer(
    end_to_end_id="L2026-33-01-0002",
    creditor_name="Le Fournil d’Ô",
    creditor_iban="FR7630006000011234567890189",
    creditor_bic=None,
    amount_cents=1,
    remittance="Pass numérique",
)
AT_NIGHT = datetime(2026, 7, 9, 22, 30, tzinfo=UTC)  # already the 10th in Paris
FRIDAY = date(2026, 7, 10)


def write(*transfers: Transfer, **changed: object) -> bytes:
    given = {
        "message_id": "LOT-33-01",
        "payment_information_id": "LOT-33-01/P",
        "created_at": AT_NIGHT,
        "execution_on": FRIDAY,
        "debtor": OUR_ACCOUNT,
        "transfers": transfers or (CLIC, FOURNIL),
    }
    return write_credit_transfers(**(given | changed))  # type: ignore[arg-type]


def texts(xml: bytes, path: str) -> list[str]:
    steps = "/".join(f"{{{namespace_of(SCHEMA_NAME)}}}{step}" for step in path.split("/"))
    return [element.text for element in etree.fromstring(xml).iterfind(f".//{steps}")]


def test_a_file_is_valid_against_the_iso_schema_and_carries_its_sums() -> None:
    xml = write()
    assert validate(xml, "pain.001.001.09") == []
    assert texts(xml, "NbOfTxs") == ["2", "2"]
    assert texts(xml, "CtrlSum") == ["470.01", "470.01"]
    assert texts(xml, "InstdAmt") == ["470.00", "0.01"]
    assert texts(xml, "EndToEndId") == ["L2026-33-01-0001", "L2026-33-01-0002"]
    assert texts(xml, "Cdtr/Nm") == ["Clic + Cie", "Le Fournil d'O"]
    assert texts(xml, "Ustrd") == ["Pass numerique - juin 2026", "Pass numerique"]
    assert texts(xml, "SvcLvl/Cd") + texts(xml, "ChrgBr") + texts(xml, "BtchBookg") == ["SEPA", "SLEV", "false"]
    assert texts(xml, "ReqdExctnDt/Dt") == ["2026-07-10"]


def test_the_same_batch_written_twice_gives_the_same_bytes() -> None:
    assert write() == write()


def test_a_file_has_no_postal_address_because_unstructured_ones_are_refused() -> None:
    assert b"PstlAdr" not in write()


@pytest.mark.parametrize("schema_name", ["pain.001.001.09", "pain.001.001.03"])
def test_an_address_is_a_town_and_its_country_or_nothing(schema_name: str) -> None:
    xml = write(replace(CLIC, creditor_town="L’Haÿ-les-Roses", creditor_country="FR"), FOURNIL, schema_name=schema_name)
    assert validate(xml, schema_name) == []
    assert xml.count(b"<PstlAdr><TwnNm>L'Hay-les-Roses</TwnNm><Ctry>FR</Ctry></PstlAdr>") == 1
    assert xml.count(b"PstlAdr") == 2
    for town, country in (("Reims", None), (None, "FR"), ("Reims", "France"), ("…", "FR"), ("R" * 36, "FR")):
        with pytest.raises(sepa.WrongAddress):
            write(replace(CLIC, creditor_town=town, creditor_country=country))


def test_the_old_version_says_the_same_in_its_own_words() -> None:
    xml = write(schema_name="pain.001.001.03")
    assert validate(xml, "pain.001.001.03") == []
    assert b"urn:iso:std:iso:20022:tech:xsd:pain.001.001.03" in xml
    assert b"<BIC>PSSTFRPPXXX</BIC>" in xml
    assert b"<ReqdExctnDt>2026-07-10</ReqdExctnDt>" in xml
    with pytest.raises(ValueError, match="no payment file"):
        write(schema_name="camt.053.001.08")


@pytest.mark.parametrize("schema_name", ["pain.001.001.09", "pain.001.001.03"])
def test_an_urgent_file_asks_for_priority(schema_name: str) -> None:
    xml = write(is_urgent=True, schema_name=schema_name)
    assert validate(xml, schema_name) == []
    assert b"<PmtTpInf><InstrPrty>HIGH</InstrPrty><SvcLvl>" in xml
    assert b"InstrPrty" not in write()


def test_a_file_has_one_account_that_pays() -> None:
    assert texts(write(), "DbtrAcct/Id/IBAN") == [OUR_ACCOUNT.iban]


def test_a_debtor_without_a_bic_is_still_valid() -> None:
    xml = write(debtor=replace(OUR_ACCOUNT, bic=None))
    assert validate(xml, "pain.001.001.09") == []
    assert texts(xml, "DbtrAgt/FinInstnId/Othr/Id") == ["NOTPROVIDED"]


@pytest.mark.parametrize(
    "iban",
    [
        "FR7630006000011234567890188",  # check digits
        str(IBAN.from_bban("FR", "30006000011234567890188")),  # check digits right, clé RIB wrong
        "BR1500000000000010932840814P2",  # outside SEPA
        "",
        "FR76 abc",
    ],
)
def test_a_wrong_iban_is_refused_and_the_transfer_is_named(iban: str) -> None:
    with pytest.raises(sepa.WrongAccount) as refused:
        write(CLIC, replace(FOURNIL, creditor_iban=iban))
    assert refused.value.end_to_end_id == FOURNIL.end_to_end_id
    assert "IBAN" in refused.value.sentence


@pytest.mark.parametrize("identifier", ["", "A" * 36, "/A", "A/", "A//B", "é", "A_B", " A", "A\n"])
def test_an_identifier_that_banks_would_change_is_refused(identifier: str) -> None:
    for change in ({"message_id": identifier}, {"payment_information_id": identifier}):
        with pytest.raises(sepa.WrongIdentifier):
            write(**change)
    with pytest.raises(sepa.WrongIdentifier):
        write(replace(CLIC, end_to_end_id=identifier))


@pytest.mark.parametrize("amount_cents", [0, -1, 100_000_000_000, 10.0, True, "10"])
def test_an_amount_that_is_no_whole_number_of_cents_within_the_scheme_is_refused(amount_cents: object) -> None:
    with pytest.raises(sepa.WrongAmount):
        write(replace(CLIC, amount_cents=amount_cents))


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"creditor_name": "  "}, sepa.WrongName),
        ({"creditor_name": "東京"}, sepa.WrongName),
        ({"creditor_name": "N" * 71}, sepa.WrongName),
        ({"creditor_name": "Œ" * 36}, sepa.WrongName),  # 72 letters once spelt out: a name is never cut
        ({"creditor_bic": "AGRIFR"}, sepa.WrongAccount),
        ({"remittance": "R" * 141}, sepa.WrongRemittance),
        ({"remittance": "…"}, sepa.WrongRemittance),
    ],
)
def test_names_and_texts_must_fit_what_banks_carry(change: dict[str, str], refusal: type[sepa.WrongPayment]) -> None:
    with pytest.raises(refusal):
        write(replace(CLIC, **change))


def test_two_transfers_never_share_an_identifier() -> None:
    with pytest.raises(sepa.WrongIdentifier, match="deux fois"):
        write(CLIC, replace(FOURNIL, end_to_end_id=CLIC.end_to_end_id))


def test_a_file_without_transfers_is_refused() -> None:
    with pytest.raises(sepa.NothingToPay):
        write(transfers=())


def test_a_file_is_executed_on_a_target_day_not_before_it_is_made() -> None:
    with pytest.raises(sepa.WrongExecutionDay, match="13\u00a0juillet"):
        write(execution_on=date(2026, 7, 11))
    with pytest.raises(sepa.WrongExecutionDay, match="passé"):
        write(execution_on=date(2026, 7, 9))  # the file is made on the 10th in Paris


def test_a_naive_instant_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="time zone"):
        write(created_at=datetime(2026, 7, 9))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize(
    ("day", "settled_on"),
    [
        (date(2026, 1, 1), date(2026, 1, 2)),
        (date(2026, 4, 3), date(2026, 4, 7)),  # Good Friday to the Tuesday after Easter
        (date(2026, 5, 1), date(2026, 5, 4)),
        (date(2026, 7, 14), date(2026, 7, 14)),  # a French holiday on which euros are settled
        (date(2026, 12, 25), date(2026, 12, 28)),
        (date(2027, 12, 31), date(2027, 12, 31)),
    ],
)
def test_the_next_target_day_skips_week_ends_and_the_six_closing_days(day: date, settled_on: date) -> None:
    assert next_target_day(day) == settled_on


def test_easter_falls_where_the_calendar_says() -> None:
    assert [easter_sunday(year) for year in (2019, 2024, 2025, 2026, 2027, 2038)] == [
        date(2019, 4, 21), date(2024, 3, 31), date(2025, 4, 20), date(2026, 4, 5), date(2027, 3, 28), date(2038, 4, 25)
    ]  # fmt: skip
    assert not is_target_day(date(2038, 4, 26))


@given(
    st.text("0123456789", min_size=10, max_size=10),
    st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=11, max_size=11),
    st.integers(0, 99),
    st.booleans(),
    st.integers(0, 99),
    st.booleans(),
)
def test_what_checks_a_french_iban_fast_says_what_the_library_says(
    bank: str, account: str, key: int, is_key_right: bool, check: int, is_check_right: bool
) -> None:
    if is_key_right:
        plain = int(account.translate(str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "12345678912345678923456789")))
        key = 97 - (89 * int(bank[:5]) + 15 * int(bank[5:]) + 3 * plain) % 97
    bban = f"{bank}{account}{key:02d}"
    if is_check_right:
        check = 98 - int("".join(str(int(letter, 36)) for letter in f"{bban}FR00")) % 97
    iban = f"FR{check:02d}{bban}"
    try:
        expected = IBAN(iban, validate_bban=True).compact
    except SchwiftyException:
        with pytest.raises(sepa.WrongAccount):
            sepa.checked_iban(iban)
    else:
        assert sepa.checked_iban(iban) == expected


@given(st.text())
def test_any_text_becomes_sepa_characters_and_stays_so(text: str) -> None:
    plain = sepa.sepa_text(text)
    assert set(plain) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ")
    assert sepa.sepa_text(plain) == plain


@given(
    st.lists(st.integers(1, 99_999_999_999), min_size=1, max_size=5),
    st.text(min_size=1, max_size=80),
    st.text(alphabet="AZaz09-/+", min_size=1, max_size=33),
)
def test_what_is_not_refused_is_valid_and_sums_up_to_the_cent(amounts: list[int], name: str, identifier: str) -> None:
    transfers = [
        replace(CLIC, end_to_end_id=f"{identifier}{i}", creditor_name=name, amount_cents=cents)
        for i, cents in enumerate(amounts)
    ]
    try:
        xml = write(*transfers)
    except (sepa.WrongName, sepa.WrongIdentifier):
        return
    assert validate(xml, "pain.001.001.09") == []
    assert [int(text.replace(".", "")) for text in texts(xml, "InstdAmt")] == amounts
    assert int(texts(xml, "CtrlSum")[0].replace(".", "")) == sum(amounts)
    assert texts(xml, "EndToEndId") == [transfer.end_to_end_id for transfer in transfers]


def test_an_invalid_file_is_reported_line_by_line() -> None:
    broken = write().replace(b"<PmtMtd>TRF</PmtMtd>", b"<PmtMtd>CASH</PmtMtd>")
    errors = validate(broken, "pain.001.001.09")
    assert [error.line for error in errors] == [6]
    assert "PmtMtd" in errors[0].message
    assert validate(b"<a>", "pain.001.001.09")[0].line == 1
    with pytest.raises(ValueError, match="no schema"):
        validate(broken, "../pain.001.001.09")
