"""Bank files in: what a statement is read as, and why one is refused."""

import contextlib
import gzip
import io
import tracemalloc
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.settlement.reading import ReadFile, UnreadableBankFile, read_statements
from voucher.settlement.formats_in import safe_xml as xml_guard
from voucher.settlement.formats_in.camt import Reading
from voucher.settlement.formats_in.camt_lines import BankEntry, BankLine
from voucher.settlement.formats_in.pain002 import read_status_report
from voucher.settlement.formats_in.safe_xml import RefusedXml
from voucher.settlement.formats_out.schemas import schema_names, validate

IBAN = "FR7630006000011234567890189"
BATCH = (Path(__file__).parent / "files" / "camt053-001.02-batch.xml").read_bytes()


def euros(cents: int) -> str:
    return f"{abs(cents) // 100}.{abs(cents) % 100:02d}"


def entry(
    cents: int,
    *,
    details: str = "",
    reference: str | None = "REF",
    extra: str = "",
    status: str = "BOOK",
    day: str = "2026-07-10",
) -> str:
    side = "CRDT" if cents >= 0 else "DBIT"
    of_bank = "" if reference is None else f"<AcctSvcrRef>{reference}</AcctSvcrRef>"
    return (
        f'<Ntry>{extra}<Amt Ccy="EUR">{euros(cents)}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts><Cd>{status}</Cd></Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt>{of_bank}<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd>"
        f"<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls>{details}</NtryDtls></Ntry>\n"
    )


def detail(end_to_end_id: str, cents: int | None = None, *, currency: str = "EUR", side: str = "") -> str:
    amount = (
        ""
        if cents is None
        else f'<Amt Ccy="{currency}">{euros(cents)}</Amt>{side and f"<CdtDbtInd>{side}</CdtDbtInd>"}'
    )
    return f"<TxDtls><Refs><EndToEndId>{end_to_end_id}</EndToEndId></Refs>{amount}</TxDtls>"


def balance(code: str, cents: int) -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{euros(cents)}</Amt>'
        f"<CdtDbtInd>{'CRDT' if cents >= 0 else 'DBIT'}</CdtDbtInd><Dt><Dt>2026-07-10</Dt></Dt></Bal>\n"
    )


def statement(*entries: str, opening: int = 100_000, closing: int = 100_000, name: str = "R1", head: str = "") -> str:
    return (
        f"<Stmt><Id>{name}</Id><Acct><Id><IBAN>{IBAN}</IBAN></Id></Acct>\n{balance('OPBD', opening)}{balance('CLBD', closing)}{head}"
        f"{''.join(entries)}</Stmt>\n"
    )


def document(*statements: str, version: str = "08") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-07-10T20:00:00Z</CreDtTm></GrpHdr>\n{''.join(statements)}"
        "</BkToCstmrStmt></Document>"
    ).encode()


def lines(data: bytes) -> list[BankLine]:
    return read_statements(data).lines


def keys(data: bytes) -> list[str]:
    return read_statements(data).keys


def refusal(data: bytes) -> UnreadableBankFile:
    with pytest.raises(UnreadableBankFile) as refused:
        read_statements(data)
    return refused.value


def test_the_files_that_the_tests_read_are_valid_against_the_iso_schemas() -> None:
    kept = {f"camt.05{kind}.001.{version}" for kind in (2, 3, 4) for version in ("02", "04", "06", "08", "13")}
    assert set(schema_names()) == kept | {"pain.001.001.03", "pain.001.001.09"}
    assert validate(BATCH, "camt.053.001.02") == []
    made = document(statement(entry(-500, details=detail("E1", 500, side="DBIT")), closing=99_500))
    assert validate(made, "camt.053.001.08") == []


def test_a_batch_booking_gives_one_line_for_each_transfer_with_its_own_amount() -> None:
    paid, other, fee, returned = lines(BATCH)
    assert (paid.end_to_end_id, paid.amount_cents, paid.part, paid.is_credit) == ("L2026-33-01-0001", 47_000, 1, False)
    assert (other.end_to_end_id, other.amount_cents, other.part) == ("L2026-33-01-0002", 12_000, 2)
    assert (paid.counterparty_name, paid.counterparty_iban) == ("Clic et Cie", "FR7630006000010000000000055")
    assert (paid.remittance, paid.domain_code, paid.batch_count) == ("Pass numerique juin 2026", "PMNT-ICDT-ESCT", 2)
    assert (paid.message_id, paid.payment_information_id, paid.note) == ("LOT-MSG-1", "LOT-PMT-1", None)
    assert (fee.amount_cents, fee.end_to_end_id, fee.remittance, fee.domain_code) == (
        50,
        None,
        "Frais de virement",
        "FRAIS",
    )
    assert (returned.return_reason, returned.return_additional, returned.is_credit) == ("AC04", "compte cloture", True)
    assert (returned.counterparty_name, returned.end_to_end_id) == ("Le Fournil numerique", "L2026-33-01-0002")
    assert read_statements(BATCH).entries[-1].booked_on == date(
        2026, 7, 10
    )  # half past eleven at night in UTC is the day after in Paris


def test_a_statement_tells_its_account_its_days_and_its_balances() -> None:
    found = read_statements(BATCH)
    (read,), (counted,) = found.statements, found.counted
    assert (read.statement_id, read.number, read.account_iban) == ("R-2026-131", "131", IBAN)
    assert (read.opened_on, read.closed_on) == (date(2026, 7, 9), date(2026, 7, 10))
    assert (read.opening_cents, read.closing_cents) == (1_000_000, 952_950)
    assert (counted.credit_cents, counted.debit_cents, counted.entry_count, counted.pending_count) == (
        12_000,
        59_050,
        3,
        1,
    )
    assert len(found.lines) == 4


def test_every_line_of_a_file_has_its_own_key_and_keeps_it_in_another_file() -> None:
    found = keys(BATCH)
    assert len(set(found)) == len(found)
    assert found[:2] == [f"{IBAN}|VIR0001|D59000|2026-07-10||1|1", f"{IBAN}|VIR0001|D59000|2026-07-10||1|2"]
    resent = BATCH.replace(b"BANQUE-20260710", b"BANQUE-20260711").replace(b"R-2026-131", b"R-2026-131-BIS")
    assert keys(resent) == found


def test_lines_without_a_reference_are_told_apart_and_keep_their_key_whatever_comes_before_them() -> None:
    same = entry(-100, reference=None, details=detail("E1", 100))
    other = entry(-100, reference="NOTPROVIDED", details=detail("E2", 100))
    next_day = entry(-100, reference=None, details=detail("E1", 100), day="2026-07-11")
    first, second, third, fourth = keys(document(statement(same, same, other, next_day, closing=99_600)))
    assert len({first, second, third, fourth}) == 4
    assert keys(document(statement(other, same, closing=99_800))) == [third, first]


def test_a_reference_that_starts_again_at_one_each_day_does_not_hide_a_line() -> None:
    monday = document(statement(entry(-100, reference=None, extra="<NtryRef>1</NtryRef>"), closing=99_900))
    tuesday = monday.replace(b"<BookgDt><Dt>2026-07-10", b"<BookgDt><Dt>2026-07-11")
    assert keys(monday) != keys(tuesday)


def test_two_entries_of_a_statement_that_share_a_reference_are_two_lines() -> None:
    found = keys(document(statement(entry(-100), entry(-200), entry(-200), closing=99_500)))
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("details", "words"),
    [
        (detail("E1") + detail("E2"), "ne donne pas le montant"),
        (detail("E1", 100) + detail("E2"), "ne donne pas le montant"),
        (detail("E1", 100) + detail("E2", 300), "ne font pas le total"),
        (detail("E1", 100) + detail("E2", 400, currency="USD"), "ne donne pas le montant"),
        ("<Btch><NbOfTxs>3</NbOfTxs></Btch>" + detail("E1", 100) + detail("E2", 400), "ne détaille pas tous"),
        ("<Btch><NbOfTxs>2</NbOfTxs></Btch>" + detail("E1", 500), "ne détaille pas tous"),
        ("<Btch><PmtInfId>P1</PmtInfId><NbOfTxs>2</NbOfTxs></Btch>", "ne détaille pas tous"),
    ],
)
def test_a_batch_booking_that_is_not_fully_detailed_stays_one_line_and_says_so(details: str, words: str) -> None:
    (line,) = lines(document(statement(entry(-500, details=details), closing=99_500)))
    assert (line.amount_cents, line.end_to_end_id) == (500, None)
    assert words in (line.note or "")


def test_one_detail_of_another_amount_keeps_its_identifier_and_the_amount_of_the_entry() -> None:
    (line,) = lines(document(statement(entry(-500, details=detail("E1", 490)), closing=99_500)))
    assert (line.amount_cents, line.end_to_end_id) == (500, "E1")
    assert "c’est l’écriture qui compte" in (line.note or "")


def test_a_batch_of_both_sides_is_split_when_its_net_is_the_entry() -> None:
    details = detail("E1", 700, side="DBIT") + detail("E2", 200, side="CRDT")
    found = lines(document(statement(entry(-500, details=details), closing=99_500)))
    assert [(line.end_to_end_id, line.amount_cents, line.is_credit) for line in found] == [
        ("E1", 700, False),
        ("E2", 200, True),
    ]


def test_an_entry_that_the_bank_undoes_is_marked() -> None:
    reversal = entry(500).replace("</CdtDbtInd><Sts>", "</CdtDbtInd><RvslInd>true</RvslInd><Sts>")
    (line,) = lines(document(statement(reversal, closing=100_500)))
    assert line.is_reversal
    assert line.is_credit


@pytest.mark.parametrize("status", ["PDNG", "INFO", "FUTR"])
def test_what_is_not_booked_is_not_money(status: str) -> None:
    parsed = read_statements(document(statement(entry(-500, status=status))))
    assert parsed.lines == []
    assert parsed.counted[0].pending_count == 1


@pytest.mark.parametrize("version", [f"{number:02d}" for number in range(2, 15)])
def test_every_version_of_the_family_is_read(version: str) -> None:
    data = document(statement(entry(-500, details=detail("E1", 500)), closing=99_500), version=version)
    if int(version) < 8:
        data = data.replace(b"<Sts><Cd>BOOK</Cd></Sts>", b"<Sts>BOOK</Sts>")
    assert [line.end_to_end_id for line in lines(data)] == ["E1"]
    assert read_statements(data).version == f"001.{version}"


def test_several_statements_in_a_file_keep_their_own_lines() -> None:
    data = document(
        statement(entry(-100), closing=99_900),
        statement(name="R2", opening=99_900, closing=99_900),
        statement(entry(300), name="R3", closing=100_300),
    )
    found = read_statements(data)
    assert [one.statement_id for one in found.statements] == ["R1", "R2", "R3"]
    assert [(one.statement_rank, one.amount_cents) for one in found.entries] == [(1, 100), (3, 300)]


def test_a_packed_file_is_the_same_file() -> None:
    assert read_statements(gzip.compress(BATCH)) == read_statements(BATCH)


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


def test_trailing_zeros_of_an_amount_are_not_decimals() -> None:
    data = document(statement(entry(-500), closing=99_500)).replace(b">5.00<", b">5.00000<")
    assert lines(data)[0].amount_cents == 500


@given(
    st.lists(
        st.tuples(st.integers(1, 10**12), st.booleans(), st.text("ABCxyz019-", min_size=1, max_size=35)), max_size=8
    )
)
def test_amounts_and_identifiers_are_read_as_they_were_written(written: list[tuple[int, bool, str]]) -> None:
    signed = [cents if is_credit else -cents for cents, is_credit, _name in written]
    entries = [
        entry(cents, details=detail(f"{name}")) for cents, (_cents, _side, name) in zip(signed, written, strict=True)
    ]
    parsed: ReadFile = read_statements(document(statement(*entries, closing=100_000 + sum(signed))))
    found = parsed.lines
    assert [(line.amount_cents, line.is_credit) for line in found] == [
        (cents, is_credit) for cents, is_credit, _name in written
    ]
    assert [line.end_to_end_id for line in found] == [name if name != "0" else None for _cents, _side, name in written]
    assert len(set(parsed.keys)) == len(found)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail_otherwise_than_by_a_sentence(data: bytes) -> None:
    for packed in (data, b"\x1f\x8b" + data, b"PK\x03\x04" + data, BATCH[:900] + data):
        refusal(packed)


@given(st.integers(0, len(BATCH) - 1), st.binary(min_size=1, max_size=4))
def test_a_damaged_statement_is_refused_or_read_but_never_a_crash(position: int, noise: bytes) -> None:
    with contextlib.suppress(UnreadableBankFile):
        for line in lines(BATCH[:position] + noise + BATCH[position + len(noise) :]):
            assert line.amount_cents > 0


def test_memory_does_not_grow_with_the_number_of_entries() -> None:
    def peak(entry_count: int) -> int:
        entries = "".join(
            entry(-100, reference=f"R{rank}", details=detail(f"E{rank}", 100)) for rank in range(entry_count)
        )
        data = document(statement(entries, opening=100_000_000, closing=100_000_000 - 100 * entry_count))
        tracemalloc.start()
        try:
            stages = (stage for stage in Reading(io.BytesIO(data)) if isinstance(stage, BankEntry))
            assert sum(stage.amount_cents for stage in stages) == 100 * entry_count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # What grows is the set of references that tells lines apart: about a hundred bytes for each.
    assert peak(1_200) - peak(200) < 1_000 * 400


def test_a_statement_given_as_a_status_report_is_refused() -> None:
    with pytest.raises(RefusedXml, match=r"camt\.053\.001\.02"):
        read_status_report(BATCH)
