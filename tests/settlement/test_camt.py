"""Bank files in: what a statement is read as."""

import gzip
import io
import tracemalloc
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.settlement.camt_texts import BATCH, IBAN, detail, document, entry, keys, lines, statement
from tests.settlement.reading import ReadFile, read_statements
from voucher.settlement.formats_in.camt import Reading
from voucher.settlement.formats_in.camt_lines import BankEntry
from voucher.settlement.formats_out.schemas import schema_names, validate


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
