"""Bank files in: why one is refused, in words, before anything of it is believed."""

import contextlib
import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.settlement.camt_texts import (
    BATCH,
    detail,
    document,
    entry,
    lines,
    refusal,
    statement,
)
from tests.settlement.reading import UnreadableBankFile
from voucher.settlement.formats_in import safe_xml as xml_guard
from voucher.settlement.formats_in.pain002 import read_status_report
from voucher.settlement.formats_in.safe_xml import RefusedXml


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "vide"),
        (b" \n", "que des espaces"),
        (b"IBAN;MONTANT\n", "pas du XML"),
        (gzip.compress(BATCH)[:-20], "incomplet"),
        (gzip.compress(BATCH)[:40] + b"xx" + gzip.compress(BATCH)[42:], "abîmé"),
        (b"PK" + BATCH, "zip dans un autre"),
        (b"<?xml version='1.0' encoding='zork'?><Document/>", "codage de caractères inconnu"),
        (b"<?xml version='1.0'?>", "aucun élément"),
        (BATCH.replace(b"camt.053.001.02", b"camt.055.001.02"), "camt.055.001.02"),
        (BATCH.replace(b"camt.053.001.02", b"camt.053.001.01"), "camt.053.001.01"),
        (BATCH.replace(b"camt.053.001.02", b"camt.053.001.99"), "camt.053.001.99"),
        (b"<html/>", "html"),
        (document(), "aucun relevé"),
    ],
    ids=range(13),
)
def test_what_is_not_a_statement_is_refused_in_plain_words(data: bytes, words: str) -> None:
    assert words in refusal(data).reason


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b"</Document>", b"", "coupé avant sa fin"),
        (b"</BkToCstmrStmt>", b"</Stmt>", "en ferme une autre"),
        (b"Frais de virement", b"Frais & virement", "« & »"),
        (b"Frais de virement", b"Frais \x01", "caractère interdit"),
        (b"Frais de virement", b"Frais pr\xe9lev\xe9s", "codage de caractères"),
        (b"</Document>", b"</Document>fin", "après la fin du XML"),
        (b"<AddtlNtryInf>", b"<AddtlNtryInf><!-- ", "coupé avant sa fin"),
        (b"<AddtlNtryInf>", b"<x:AddtlNtryInf>", "préfixe"),
    ],
    ids=range(8),
)
def test_xml_that_is_not_well_formed_is_refused_at_its_line_in_french(before: bytes, after: bytes, words: str) -> None:
    refused = refusal(BATCH.replace(before, after))
    assert words in refused.reason
    assert "depuis la banque" in refused.reason
    assert refused.line > 0


BOMB = "<!DOCTYPE a [<!ENTITY x0 'ha'>" + "".join(f"<!ENTITY x{i} '{f'&x{i - 1};' * 10}'>" for i in range(1, 12)) + "]>"


@pytest.mark.parametrize(
    "prologue",
    [
        BOMB,
        "<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/evil.dtd'>",
        "<!DOCTYPE a [<!ENTITY x11 SYSTEM 'file:///etc/passwd'>]>",
        "<!DOCTYPE a [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_bombs_and_external_entities_are_refused_before_the_content_is_read(prologue: str, encoding: str) -> None:
    text = (
        BATCH.decode()
        .replace("UTF-8", encoding)
        .replace("?>", f"?>{prologue}", 1)
        .replace("Frais de virement", "&x11;")
    )
    assert "DOCTYPE" in refusal(text.encode(encoding)).reason


def test_an_inclusion_of_another_file_is_refused() -> None:
    included = b'<AddtlNtryInf><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/></AddtlNtryInf>'
    assert "XInclude" in refusal(BATCH.replace(b"<AddtlNtryInf>Frais de virement</AddtlNtryInf>", included)).reason


def test_elements_too_deep_and_files_too_big_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = BATCH.replace(b"Frais de virement", b"<a>" * 400 + b"</a>" * 400)
    assert "limites" in refusal(deep).reason
    monkeypatch.setattr(xml_guard, "UNPACKED_BYTES_MAX", 1_000_000)
    bomb = gzip.compress(b" " * 50_000_000)
    assert "dépasse" in refusal(b" " * 1_000_001 + BATCH).reason
    tracemalloc.start()
    try:
        assert "dépasse" in refusal(bomb).reason
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("old", "new", "words", "line"),
    [
        ('<Amt Ccy="EUR">5.00</Amt>', '<Amt Ccy="EUR">5.001</Amt>', "plus de deux décimales", 6),
        ('<Amt Ccy="EUR">5.00</Amt>', '<Amt Ccy="USD">5.00</Amt>', "les lignes font 1", 3),
        ('<Amt Ccy="EUR">5.00</Amt>', "<Amt>5.00</Amt>", "n’est pas l’euro", 6),
        ('<Amt Ccy="EUR">5.00</Amt>', '<Amt Ccy="EUR">5,00</Amt>', "n’est pas un nombre", 6),
        ('<Amt Ccy="EUR">5.00</Amt>', '<Amt Ccy="EUR">-5.00</Amt>', "n’est pas un nombre", 6),
        ('<Amt Ccy="EUR">5.00</Amt>', '<Amt Ccy="EUR">NaN</Amt>', "n’est pas un nombre", 6),
        ('<Amt Ccy="EUR">5.00</Amt>', '<Amt Ccy="EUR">5E0</Amt>', "n’est pas un nombre", 6),
        ('<Amt Ccy="EUR">5.00</Amt>', "", "pas de montant", 6),
        ("<CdtDbtInd>DBIT</CdtDbtInd>", "", "débit ou au crédit", 6),
        ("<BookgDt><Dt>2026-07-10</Dt></BookgDt>", "", "pas de date", 6),
        ("<BookgDt><Dt>2026-07-10", "<BookgDt><Dt>2026-02-30", "n’existe pas", 6),
        ('<Amt Ccy="EUR">5.00</Amt>', f'<Amt Ccy="EUR">{"9" * 18}.00</Amt>', "dépasse ce qu’un compte", 6),
        ("<Cd>CLBD</Cd>", "<Cd>CLAV</Cd>", "solde de clôture", 3),
        ("<Cd>OPBD</Cd>", "<Cd>OPAV</Cd>", "solde d’ouverture", 3),
        ("<Cd>OPBD</Cd>", "<Cd>CLBD</Cd>", "solde d’ouverture", 3),
        ('<Amt Ccy="EUR">995.00</Amt>', '<Amt Ccy="EUR">994.99</Amt>', "solde de clôture est 994,99", 3),
    ],
)  # fmt: skip
def test_money_that_cannot_be_trusted_refuses_the_file_and_names_the_line(
    old: str, new: str, words: str, line: int
) -> None:
    data = document(statement(entry(-500, details=detail("E1")), closing=99_500)).decode()
    assert old in data
    refused = refusal(data.replace(old, new, 1).encode())
    assert (words in refused.reason, refused.line) == (True, line), refused.errors


@pytest.mark.parametrize(
    "totals",
    [
        "<TtlNtries><NbOfNtries>3</NbOfNtries></TtlNtries>",
        "<TtlNtries><NbOfNtries>2</NbOfNtries><Sum>700.01</Sum></TtlNtries>",
        "<TtlCdtNtries><NbOfNtries>2</NbOfNtries></TtlCdtNtries>",
        "<TtlDbtNtries><Sum>1</Sum></TtlDbtNtries>",
        "<TtlDbtNtries><Sum>beaucoup</Sum></TtlDbtNtries>",
    ],
)
def test_totals_that_the_bank_announces_must_be_those_of_its_entries(totals: str) -> None:
    data = document(statement(entry(-500), entry(200), closing=99_700, head=f"<TxsSummry>{totals}</TxsSummry>"))
    assert "la banque annonce" in refusal(data).reason


def test_all_the_faults_of_a_file_are_told_at_once() -> None:
    wrong = entry(-500).replace("5.00", "5.001")
    errors = refusal(document(statement(wrong, entry(-1, day="2026-13-01"), closing=99_000))).errors
    assert [error.line for error in errors] == [6, 7]


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail_otherwise_than_by_a_sentence(data: bytes) -> None:
    for packed in (data, b"\x1f\x8b" + data, b"PK\x03\x04" + data, BATCH[:900] + data):
        refusal(packed)


@given(st.integers(0, len(BATCH) - 1), st.binary(min_size=1, max_size=4))
def test_a_damaged_statement_is_refused_or_read_but_never_a_crash(position: int, noise: bytes) -> None:
    with contextlib.suppress(UnreadableBankFile):
        for line in lines(BATCH[:position] + noise + BATCH[position + len(noise) :]):
            assert line.amount_cents > 0


def test_a_statement_given_as_a_status_report_is_refused() -> None:
    with pytest.raises(RefusedXml, match=r"camt\.053\.001\.02"):
        read_status_report(BATCH)
