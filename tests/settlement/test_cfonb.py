"""CFONB 120: the same money as in a camt file, with the same checks."""

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.settlement import camt_files
from tests.settlement.bank import OUR_IBAN
from tests.settlement.camt_files import Booked, Transaction, camt
from tests.settlement.cfonb_files import Account, Moved, amount, cfonb
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, Paid, counts
from tests.settlement.town import NOW, PREPARER, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.sepa import checked_iban
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.bank_in.import_statement import Imported
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.formats_in import cfonb_records
from voucher.settlement.formats_in.bank_stages import Counted, Ignored, Statement
from voucher.settlement.formats_in.camt_lines import BankEntry
from voucher.settlement.formats_in.cfonb import CfonbReading
from voucher.settlement.formats_in.recognise_file import CFONB_120, format_of
from voucher.settlement.reconciliation import daily_balances as bank_days
from voucher.settlement.words.states import AdviceState

THEIRS = "FR7630006000010000000000055"


class Read:
    """A file read to its end for our account."""

    def __init__(self, content: bytes, iban: str = OUR_IBAN) -> None:
        reading = CfonbReading(io.BytesIO(content), lambda one: one == iban)
        stages = list(reading)
        self.errors = reading.errors
        self.entries = [one for one in stages if isinstance(one, BankEntry)]
        self.statements = [one for one in stages if isinstance(one, Statement)]
        self.counted = [one for one in stages if isinstance(one, Counted)]
        self.aside = [one for one in stages if isinstance(one, Ignored)]

    @property
    def lines(self) -> list[tuple[int, str | None]]:
        """Signed cents and reference of each line."""
        return [
            (line.amount_cents if line.is_credit else -line.amount_cents, line.end_to_end_id)
            for entry in self.entries
            for line in entry.lines
        ]


def take(database: Database, content: bytes, name: str = "releve.txt", days: int = 0) -> Imported:
    done = import_bank_file(database, name, content, by=PREPARER, now=NOW + timedelta(days=days))
    assert isinstance(done, Imported)
    return done


def refusal(content: bytes) -> str:
    errors = Read(content).errors
    assert errors
    return errors[0].reason


OURS = "PN-ABCD-1234-EFGH-5678"
MOVED = (
    Moved(-3_000, "VIR SEPA EMIS", rcn=OURS, complements=(("NBE", "ASSOCIATION UN"), ("CBE", THEIRS), ("LCC", "PASS NUMERIQUE"))),
    Moved(3_000, "VIREMENT REJETE", motive="12", complements=(("LIB", f"REJET {OURS}"), ("NBE", "ASSOCIATION UN"))),
    Moved(50_000, "VIR REGION", complements=(("NPY", "REGION"), ("RCN", "NOTPROVIDED"), ("LCC", "APPEL 12"), ("ZZZ", "autre"))),
    Moved(-250, "FRAIS", complements=(("MMO", "USD2" + "12050".rjust(14, "0")),)),
    Moved(0, "POUR INFORMATION"),
)  # fmt: skip


def test_each_movement_is_a_line_with_its_reference_its_names_and_its_words() -> None:
    read = Read(cfonb(Account(OUR_IBAN, TODAY, MOVED)))
    assert read.errors == []
    assert read.lines == [(-3_000, OURS), (3_000, OURS), (50_000, None), (-250, None)]
    paid, back, funds, fee = (entry.lines[0] for entry in read.entries)
    assert (paid.counterparty_name, paid.counterparty_iban) == ("ASSOCIATION UN", THEIRS)
    assert paid.remittance == "VIR SEPA EMIS PASS NUMERIQUE"
    assert (back.return_reason, back.counterparty_name, back.note) == (
        "NARR",
        "ASSOCIATION UN",
        "Motif de rejet de la banque : 12.",
    )
    assert (funds.counterparty_name, funds.remittance, funds.return_reason) == ("REGION", "VIR REGION APPEL 12", None)
    assert fee.note == "Montant d’origine : 120,50\u00a0USD."
    (statement,) = read.statements
    assert (statement.account_iban, statement.opening_cents, statement.closing_cents) == (
        OUR_IBAN,
        1_000_000,
        1_049_750,
    )
    assert (statement.opened_on, statement.closed_on) == (TODAY - timedelta(days=1), TODAY)
    assert (read.counted[0].entry_count, read.counted[0].credit_cents, read.counted[0].debit_cents) == (
        5,
        53_000,
        3_250,
    )
    assert format_of(cfonb(Account(OUR_IBAN, TODAY, MOVED))) == CFONB_120


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", ""])
@pytest.mark.parametrize("size", [7, 121, 65_536])
def test_lines_end_in_any_way_or_not_at_all_wherever_a_piece_is_cut(
    end: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Read(cfonb(Account(OUR_IBAN, TODAY, MOVED)))
    monkeypatch.setattr(cfonb_records, "_CHUNK_BYTES", max(size, 121) if end else size)
    read = Read(cfonb(Account(OUR_IBAN, TODAY, MOVED), end=end) + b"\x1a")
    assert [entry.key for entry in read.entries] == [entry.key for entry in plain.entries]
    assert [entry.line for entry in read.entries] == [entry.line for entry in plain.entries]
    assert read.errors == []


def test_records_cut_of_their_blanks_accents_and_french_braces_are_read() -> None:
    content = cfonb(Account(OUR_IBAN, TODAY, [Moved(-3_010, "PRÉLÈVEMENT"), Moved(2_000)]))
    cut = b"\n".join(line.rstrip() for line in content.splitlines())
    french = content.decode("latin-1").replace("{", "é").replace("}", "è")
    for same in (cut, french.encode("utf-8"), french.encode("cp1252"), b"\xef\xbb\xbf" + content):
        read = Read(same)
        assert (read.errors, [cents for cents, _ in read.lines]) == ([], [-3_010, 2_000])


def replaced(content: bytes, rank: int, place: int, text: str) -> bytes:
    lines = content.split(b"\r\n")
    lines[rank] = lines[rank][:place] + text.encode() + lines[rank][place + len(text) :]
    return b"\r\n".join(lines)


@pytest.mark.parametrize(
    ("rank", "place", "text", "words"),
    [
        (1, 90, "0000000000300A", "nouveau solde est 9"),
        (1, 90, "00000000003000", "n’est pas celui d’un relevé"),
        (1, 90, "0000000000 00}", "n’est pas celui d’un relevé"),
        (1, 34, "300226", "n’existe pas"),
        (1, 34, "      ", "n’existe pas"),
        (1, 16, "USD", "n’est pas du compte en euros"),
        (1, 21, "99999999999", "n’est pas du compte en euros"),
        (1, 19, "3", "plus de deux décimales"),
        (2, 0, "99", "nouveau solde"),
        (2, 21, "99999999999", "n’est pas du compte de l’ancien"),
        (2, 34, "321326", "n’existe pas"),
        (2, 90, "?", "n’est pas celui d’un relevé"),
        (0, 90, "0000000000000{", "nouveau solde est"),
    ],
)
def test_money_that_cannot_be_trusted_refuses_the_file(rank: int, place: int, text: str, words: str) -> None:
    content = cfonb(Account(OUR_IBAN, TODAY, [Moved(-3_001)]))
    assert words in refusal(replaced(content, rank, place, text))


def test_what_stands_out_of_a_statement_is_refused_and_a_complement_alone_is_not() -> None:
    lines = cfonb(Account(OUR_IBAN, TODAY, [Moved(-3_000, rcn=OURS)])).split(b"\r\n")
    assert "hors d’un relevé" in refusal(b"\r\n".join([lines[1], *lines]))
    assert "sans son ancien solde" in refusal(b"\r\n".join([*lines, lines[3]]))
    assert "plus de 120" in refusal(lines[0] + b"X" * 9 + b"\r\n" + b"\r\n".join(lines[1:]))
    read = Read(b"\r\n".join([lines[0], lines[2], *lines[1:]]))
    assert (read.errors, len(read.lines)) == ([], 1)


def test_accounts_of_others_or_not_in_euros_and_records_unknown_refuse_nothing() -> None:
    broken = cfonb(Account(THEIRS, TODAY, [Moved(-1)])).replace(b"}", b"?").replace(b"J", b"?")
    dollars = cfonb(Account(OUR_IBAN, TODAY, [Moved(-1)], currency="USD"))
    ours = cfonb(Account(OUR_IBAN, TODAY, [Moved(-3_000, rcn=OURS)]))
    unknown = b"06" + b"X" * 118 + b"\r\n"
    read = Read(broken + unknown + dollars + ours + unknown + broken)
    assert (read.errors, read.lines) == ([], [(-3_000, OURS)])
    reasons = " ".join(one.reason for one in read.aside)
    assert f"Le compte {THEIRS} n’est pas" in reasons
    assert f"Le compte {OUR_IBAN} est en « USD »" in reasons
    assert reasons.count("« 06 »") == 1


@given(st.lists(st.tuples(st.integers(-(10**12), 10**12), st.text("ABC 019", max_size=31)), max_size=9))
def test_amounts_and_labels_are_read_as_they_were_written(moved: list[tuple[int, str]]) -> None:
    read = Read(cfonb(Account(OUR_IBAN, TODAY, [Moved(cents, label) for cents, label in moved])))
    assert read.errors == []
    assert [cents for cents, _ in read.lines] == [cents for cents, _ in moved if cents]
    assert len({entry.key for entry in read.entries}) == len(read.entries)


@given(st.integers(0, 600), st.binary(min_size=1, max_size=4))
def test_a_damaged_file_is_refused_or_read_but_never_a_crash(position: int, noise: bytes) -> None:
    content = cfonb(Account(OUR_IBAN, TODAY, MOVED))
    Read(content[:position] + noise + content[position + len(noise) :])


def test_the_iban_of_an_account_is_computed_with_both_its_keys() -> None:
    assert Read(cfonb(Account(OUR_IBAN, TODAY, []))).statements[0].account_iban == checked_iban(OUR_IBAN)


def test_a_payment_its_return_and_unknown_money_are_told_as_a_camt_file_would(database: Database) -> None:
    paid = Paid(database)
    day = Account(
        paid.iban,
        TODAY,
        [
            Moved(-3_000, rcn=paid.first),
            Moved(-4_000, "VIR", complements=(("LCC", f"PASS {paid.second} JUIN"),)),
            Moved(777),
        ],
    )
    done = take(database, cfonb(day))
    assert (done.new_count, done.paid_count, done.unknown_count) == (3, 2, 1)
    assert paid.states() == ["paid", "paid"]
    again = replace(
        day,
        day=TODAY + timedelta(days=1),
        opening_cents=day.closing_cents,
        movements=[Moved(3_000, rcn=paid.first, motive="04")],
    )
    assert take(database, cfonb(again), days=1).returned_count == 1
    assert paid.states() == [AdviceState.RETURNED, "paid"]
    assert [one.is_equal and one.is_following for one in bank_days.days(database)] == [True, True]
    assert wrong_books(database) == []
    # The same days in one longer file: nothing moves twice.
    before = counts(database)
    week = Account(
        paid.iban,
        TODAY + timedelta(days=1),
        [*(replace(one, day=TODAY) for one in day.movements), *again.movements],
        first_day=TODAY,
    )
    assert take(database, cfonb(week), "semaine.txt", days=1).new_count == 0
    assert take(database, cfonb(day)).is_known
    assert counts(database)["bank_line"] == before["bank_line"]
    assert wrong_books(database) == []


def test_two_movements_alike_are_two_in_one_file_and_in_two(database: Database) -> None:
    paid = Paid(database)
    first = Account(paid.iban, TODAY, [Moved(-100, "CB"), Moved(-100, "CB")])
    assert take(database, cfonb(first)).new_count == 2
    second = replace(first, opening_cents=first.closing_cents)
    assert take(database, cfonb(second)).new_count == 2
    assert wrong_books(database) == []


def test_a_day_told_in_one_format_is_not_told_again_in_the_other(database: Database) -> None:
    paid = Paid(database)
    in_camt = camt(
        "053",
        "08",
        camt_files.Account(
            paid.iban, TODAY, [Booked(-3_000, "T1", (Transaction(-3_000, paid.first),))], opening_cents=OPENING_CENTS
        ),
    )
    in_cfonb = cfonb(Account(paid.iban, TODAY, [Moved(-3_000, rcn=paid.first)]))
    take(database, in_cfonb)
    before = counts(database)
    with pytest.raises(RefusedBankFile, match="déjà importé en CFONB 120"):
        take(database, in_camt, "camt.xml")
    assert counts(database) == before
    tomorrow = camt_files.Account(
        paid.iban,
        TODAY + timedelta(days=1),
        [Booked(-4_000, "T2", (Transaction(-4_000, paid.second),))],
        opening_cents=OPENING_CENTS - 3_000,
    )
    take(database, camt("053", "08", tomorrow), "demain.xml", days=1)
    assert paid.states() == ["paid", "paid"]
    with pytest.raises(RefusedBankFile, match="déjà importé en camt"):
        take(
            database,
            cfonb(Account(paid.iban, tomorrow.day, [Moved(-4_000, rcn=paid.second)], OPENING_CENTS - 3_000)),
            days=1,
        )
    assert wrong_books(database) == []


def test_a_movement_of_a_day_to_come_is_refused(sqlite_database: Database) -> None:
    paid = Paid(sqlite_database)
    content = cfonb(Account(paid.iban, TODAY + timedelta(days=1), [Moved(-3_000)]))
    with pytest.raises(RefusedBankFile, match="n’est pas encore venu"):
        take(sqlite_database, content)


def test_an_amount_bears_its_sign_on_its_last_digit() -> None:
    assert (amount(-92_00), amount(12_340), amount(-117_6)) == ("0000000000920}", "0000000001234{", "0000000000117O")
