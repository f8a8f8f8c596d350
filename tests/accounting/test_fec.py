"""The FEC: what it holds, its order and numbers, its balance; its checker agrees, and beancount with its sums."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from beancount import loader
from beancount.core import realization
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update

from tests.accounting.office import SIREN, Office, an_office
from tests.accounting.year import closed
from tests.demonstrated import NOW
from voucher.accounting.balance import trial_balance
from voucher.accounting.fec import fec_file, holders, years_with_entries
from voucher.accounting.fec_checker import check_fec
from voucher.accounting.match_up import match_up
from voucher.cli.main import main
from voucher.demonstration.bank import BookedLine
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Book
from voucher.ledger.chart_file import OWN_NUMBERS, chart_numbers
from voucher.programme.model import PayingAccount
from voucher.trail.seal import seal

OCTOBER = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 14, 9, 0, tzinfo=UTC)
FEBRUARY = datetime(2027, 2, 10, 9, 0, tzinfo=UTC)
MODEL = Path(__file__).resolve().parents[2] / "docs" / "plan-comptable.toml"


@pytest.fixture
def office(database: Database) -> Office:
    """A batch paid in October, another sent in December and booked in January; charges of the bank in between."""
    office = an_office(database)
    office.town.redeem(0, 3, now=OCTOBER)
    office.town.redeem(1, 4, now=OCTOBER)
    office.pay(office.settle(OCTOBER), date(2026, 10, 7), OCTOBER + timedelta(days=3))
    office.bank_says(
        date(2026, 11, 2), DECEMBER, BookedLine(reference="F1", amount_cents=250, is_credit=False, kind="CHRG")
    )
    office.town.redeem(0, 5, now=DECEMBER)
    december = office.settle(DECEMBER + timedelta(hours=1))
    office.letter(DECEMBER + timedelta(hours=2))
    office.pay(december, date(2027, 1, 4), datetime(2027, 1, 5, 9, 0, tzinfo=UTC))
    return office


def rows(lines: Sequence[bytes]) -> list[dict[str, str]]:
    head, *rest = [line.decode().rstrip("\r\n").split("\t") for line in lines]
    return [dict(zip(head, cells, strict=True)) for cells in rest]


def close(office: Office) -> None:
    closed(office.database, 2026, now=FEBRUARY)


def cents(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_file_passes_the_checker_in_both_years(office: Office) -> None:
    close(office)
    for year in (2026, 2027):
        for encoding in ("utf-8", "iso8859-15"):
            found = fec_file(
                office.database, SIREN, year, numbers=chart_numbers(MODEL), now=FEBRUARY, encoding=encoding
            )
            content = b"".join(found.chunks).splitlines(keepends=True)
            assert [str(one) for one in check_fec(content, name=found.name, encoding=encoding)] == []
            assert [str(one) for one in check_fec(content, name=found.name)] == []
            assert ("iso8859-15" in found.name) == (encoding == "iso8859-15")
            assert b"?" not in b"".join(content), "a sign that the encoding has not is written by its nearest"


def test_a_file_is_provisional_until_its_year_is_closed_and_its_entries_sealed(office: Office) -> None:
    provisional = fec_file(office.database, SIREN, 2026, numbers=OWN_NUMBERS, now=FEBRUARY)
    assert (provisional.name, provisional.is_provisional) == (f"{SIREN}FEC20261231-provisoire.txt", True)
    close(office)
    assert fec_file(office.database, SIREN, 2026, numbers=OWN_NUMBERS, now=FEBRUARY).is_provisional
    seal(office.database, origin="pass.example/registre", key=Ed25519PrivateKey.generate(), now=FEBRUARY)
    final = fec_file(office.database, SIREN, 2026, numbers=OWN_NUMBERS, now=FEBRUARY)
    assert (final.name, final.is_provisional) == (f"{SIREN}FEC20261231.txt", False)
    content = b"".join(final.chunks).splitlines(keepends=True)
    assert check_fec(content, name=final.name) == []
    assert {row["ValidDate"] for row in rows(content)} == {"20270210"}


def test_entries_are_numbered_without_a_gap_in_each_journal(office: Office) -> None:
    found = rows(office.fec(2026, FEBRUARY))
    for journal in ("CH", "RG", "BQ"):
        numbers = [int(row["EcritureNum"]) for row in found if row["JournalCode"] == journal]
        assert sorted(set(numbers)) == list(range(1, max(numbers) + 1))
        assert numbers == sorted(numbers)
    assert {row["JournalCode"] for row in found} == {"CH", "RG", "BQ"}  # no budget


def test_only_the_general_book_of_this_holder_is_told(office: Office) -> None:
    other = an_office(office.database)
    with office.database.write() as session:
        session.execute(update(PayingAccount).where(PayingAccount.iban == other.iban).values(siren="300000429"))
    other.town.redeem(0, 9, now=DECEMBER)
    found = rows(office.fec(2026, FEBRUARY))
    assert {row["CompteNum"][0] for row in found} == {"4", "5", "6"}
    used = sum(cents(row["Debit"]) for row in found if row["CompteNum"] == "4430")
    assert used == 12_000


def test_a_structure_is_an_auxiliary_account_and_letters_are_told(office: Office) -> None:
    office.letter(FEBRUARY)
    owed = [row for row in rows(office.fec(2026, FEBRUARY)) if row["CompteNum"] == "4670"]
    assert all(row["CompAuxNum"].startswith("SW") and row["CompAuxLib"] for row in owed)
    assert {row["EcritureLet"] for row in owed} == {"AAA", "AAB", "AAC"}
    by_letter: dict[str, int] = {}
    for row in owed:
        by_letter[row["EcritureLet"]] = (
            by_letter.get(row["EcritureLet"], 0) + cents(row["Debit"]) - cents(row["Credit"])
        )
    assert set(by_letter.values()) == {0}


def test_a_year_opens_with_what_the_one_before_left_and_charges_are_carried_forward(office: Office) -> None:
    close(office)
    opening = [row for row in rows(office.fec(2027, FEBRUARY)) if row["JournalCode"] == "AN"]
    balance = {}
    for row in opening:
        key = row["CompteNum"]
        balance[key] = balance.get(key, 0) + cents(row["Debit"]) - cents(row["Credit"])
    assert balance == {"1100": 250, "4430": 12_000, "5115": -5_000, "5120": -7_250}
    assert {row["EcritureDate"] for row in opening} == {"20270101"}
    assert {row["ValidDate"] for row in opening} == {"20270210"}


def test_a_holder_without_a_siren_is_refused_with_what_to_do(office: Office) -> None:
    with pytest.raises(Refused, match="fiche du compte payeur"):
        fec_file(office.database, "000000000", 2026, numbers=OWN_NUMBERS, now=FEBRUARY)
    for year in (0, 9999, 10**30):
        with pytest.raises(Refused, match="exercice n’existe pas"):
            fec_file(office.database, SIREN, year, numbers=OWN_NUMBERS, now=FEBRUARY)
    assert [one.siren for one in holders(office.database)] == [SIREN]
    with office.database.write() as session:
        session.execute(update(PayingAccount).values(siren=None))
    assert [(one.siren, len(one.account_names)) for one in holders(office.database)] == [(None, 1)]


def test_the_trial_balance_is_the_sum_of_the_file(office: Office) -> None:
    close(office)
    found = rows(office.fec(2027, FEBRUARY))
    for line in trial_balance(office.database, 2027, book=Book.GENERAL):
        of_code = [row for row in found if row["CompteNum"] == line.code]
        debit = sum(cents(row["Debit"]) for row in of_code if row["JournalCode"] != "AN")
        credit = sum(cents(row["Credit"]) for row in of_code if row["JournalCode"] != "AN")
        opening = sum(cents(row["Debit"]) - cents(row["Credit"]) for row in of_code if row["JournalCode"] == "AN")
        assert (opening, debit, credit) == (line.sums.opening_cents, line.sums.debit_cents, line.sums.credit_cents), (
            line
        )


def test_beancount_finds_the_same_balances(office: Office) -> None:
    """An accounting program that knows nothing of ours reads the file's entries and agrees on every account."""
    close(office)
    lines = [line.decode().rstrip("\r\n").split("\t") for line in office.fec(2027, FEBRUARY)][1:]
    text, seen = StringIO(), set()
    entries: dict[tuple[str, str], list[list[str]]] = {}
    for cells in lines:
        seen.add(cells[4])
        entries.setdefault((cells[0], cells[2]), []).append(cells)
    for number in sorted(seen):
        text.write(f"2020-01-01 open Assets:C{number}\n")
    for group in entries.values():
        day = datetime.strptime(group[0][3], "%Y%m%d").replace(tzinfo=UTC).date()
        text.write(f'{day} * "{group[0][0]} {group[0][2]}"\n')
        for cells in group:
            amount = Decimal(cells[11].replace(",", ".")) - Decimal(cells[12].replace(",", "."))
            text.write(f"  Assets:C{cells[4]}  {amount} EUR\n")
    parsed, errors, _ = loader.load_string(text.getvalue())
    assert errors == []
    root = realization.realize(parsed)
    for line in trial_balance(office.database, 2027, book=Book.GENERAL):
        node = realization.get(root, f"Assets:C{line.code}")
        held = node.balance.get_currency_units("EUR").number if node is not None else None
        assert int((held or Decimal()) * 100) == line.sums.closing_cents, line


def test_the_command_writes_a_file_and_checks_it(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASS_DATABASE_URL", office.database.url)
    done = CliRunner().invoke(main, ["fec", "write", SIREN, "2026", "--folder", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "Ce fichier est conforme." in done.output
    path = tmp_path / f"{SIREN}FEC20261231-provisoire.txt"
    assert CliRunner().invoke(main, ["fec", "check", str(path)]).exit_code == 0
    path.write_bytes(path.read_bytes().replace(b"10,00", b"10.00", 1).replace(b"30,00", b"30.00", 1))
    wrong = CliRunner().invoke(main, ["fec", "check", str(path)])
    assert wrong.exit_code == 1
    assert "[amounts]" in wrong.output
    refused = CliRunner().invoke(main, ["fec", "write", "123456789", "2026", "--folder", str(tmp_path)])
    assert refused.exit_code == 1
    assert "SIREN" in refused.output


@pytest.fixture
def demonstration(open_demonstration: Callable[[str], AbstractContextManager[Database]]) -> Iterator[Database]:
    with open_demonstration("sqlite") as database:
        yield database


def test_the_files_of_the_demonstration_pass_the_checker(demonstration: Database) -> None:
    """Two years, one closed: claw-backs, returns, funders, charges; every holder's file is right."""
    now = NOW
    match_up(demonstration, now=now)
    found = [one.siren for one in holders(demonstration)]
    assert len(found) == 2
    written = 0
    for siren in found:
        assert siren is not None
        has_file = years_with_entries(demonstration, siren, (2024, 2025, 2026))
        assert 2024 not in has_file
        with pytest.raises(Refused, match="aucune écriture en 2024"):
            fec_file(demonstration, siren, 2024, numbers=chart_numbers(MODEL), now=now)
        for year in has_file:
            file = fec_file(demonstration, siren, year, numbers=chart_numbers(MODEL), now=now)
            content = b"".join(file.chunks).splitlines(keepends=True)
            written += len(content) - 1
            wrong = [str(one) for one in check_fec(content, name=file.name)]
            assert wrong == [], (siren, year)
            assert len(content) > 1, (siren, year)
    assert written > 1000
