"""The checker of a FEC takes a right file, whoever wrote it, and names each fault of a wrong one."""

import pytest

from voucher.accounting.fec_checker import check_fec

NAME = "300000411FEC20261231.txt"
HEADER = (
    "JournalCode\tJournalLib\tEcritureNum\tEcritureDate\tCompteNum\tCompteLib\tCompAuxNum\tCompAuxLib\tPieceRef\tPieceDate\t"
    "EcritureLib\tDebit\tCredit\tEcritureLet\tDateLet\tValidDate\tMontantdevise\tIdevise"
)
SALE = [
    "CH\tChèques\t1\t20260302\t4430000\tFinanceurs\tF1\tÉtat\tA1\t20260302\tEncaissement\t10,00\t0,00\t\t\t20260303\t\t",
    "CH\tChèques\t1\t20260302\t4670000\tStructures\tS1\tLe Fil\tA1\t20260302\tEncaissement\t0,00\t10,00\t\t\t20260303\t\t",
]
BATCH = [
    "RG\tRèglements\t1\t20260401\t4670000\tStructures\tS1\tLe Fil\tL1\t20260401\tLot 1\t10,00\t0,00\tAAA\t20260402\t20260402\t\t",
    "RG\tRèglements\t1\t20260401\t4675000\tOrdonnancés\tS1\tLe Fil\tL1\t20260401\tLot 1\t0,00\t10,00\t\t\t20260402\t\t",
]
SECOND_SALE = [line.replace("\t1\t20260302", "\t2\t20260403").replace("20260303", "20260403") for line in SALE]
RIGHT = [HEADER, *SALE, *BATCH, *SECOND_SALE]
SIGNED = [
    line.replace("Debit\tCredit", "Montant\tSens").replace("10,00\t0,00", "10,00\tD").replace("0,00\t10,00", "10,00\tC")
    for line in RIGHT
]
CASH_BASIS = [
    f"{HEADER}\tDateRglt\tModeRglt\tNatOp\tIdClient",
    *(f"{line}\t20260305\tVirement\t\tLe Fil" for line in RIGHT[1:]),
]
ONE_SEQUENCE = [
    HEADER,
    *(line.replace("\t1\t2026", "\t1041\t2026", 1) for line in SALE),
    *(line.replace("\t1\t2026", "\t1042\t2026", 1) for line in BATCH),
    *(line.replace("\t2\t2026", "\t1043\t2026", 1) for line in SECOND_SALE),
]
FIRST_YEAR = [line.replace("20260302", "20250702") for line in RIGHT]
LAWFUL = {
    "an amount and its side": SIGNED,
    "a side said +1 or -1": [line.replace("10,00\tD", "10,00\t+1").replace("10,00\tC", "10,00\t-1") for line in SIGNED],
    "twenty-two columns of a cash-basis book": CASH_BASIS,
    "twenty-one columns of a farm": [line.rpartition("\t")[0] for line in CASH_BASIS],
    "a column of one's own": [f"{HEADER}\tCodeEtablissement", *(f"{line}\tNancy" for line in RIGHT[1:])],
    "one sequence for all journals, going on from the year before": ONE_SEQUENCE,
    "a first year of eighteen months": FIRST_YEAR,
    "a correction by negative amounts": [
        line.replace("10,00\t0,00", "0,00\t-10,00").replace("\t0,00\t10,00\t", "\t-10,00\t0,00\t") for line in RIGHT
    ],
}


def found(lines: list[str], *, name: str = NAME, encoding: str = "utf-8") -> set[str]:
    return {
        one.check for one in check_fec([f"{line}\r\n".encode(encoding) for line in lines], name=name, encoding=encoding)
    }


def changed(line: int, before: str, after: str) -> list[str]:
    assert before in RIGHT[line]
    return [one.replace(before, after, 1) if rank == line else one for rank, one in enumerate(RIGHT)]


@pytest.mark.parametrize("encoding", ["utf-8", "iso8859-15"])
def test_a_right_file_is_taken_in_both_encodings(encoding: str) -> None:
    assert found(RIGHT, encoding=encoding) == set()


def test_a_bar_may_stand_for_the_tabulation() -> None:
    assert found([line.replace("\t", "|") for line in RIGHT]) == set()


@pytest.mark.parametrize("kind", LAWFUL)
def test_a_lawful_file_is_not_flagged(kind: str) -> None:
    lines = LAWFUL[kind]
    assert lines != RIGHT
    assert [str(one) for one in check_fec([f"{line}\r\n".encode() for line in lines], name=NAME)] == []


@pytest.mark.parametrize("encoding", ["utf-8", "iso8859-15"])
def test_the_bytes_say_the_encoding(encoding: str) -> None:
    assert check_fec([f"{line}\r\n".encode(encoding) for line in RIGHT], name=NAME) == []


def test_two_encodings_in_one_file_or_another_than_the_name_says_are_named() -> None:
    for codes in (("utf-8", "iso8859-15"), ("iso8859-15", "utf-8")):
        mixed = [f"{line}\n".encode(codes[rank % 2]) for rank, line in enumerate(RIGHT)]
        assert "encoding" in {one.check for one in check_fec(mixed, name=NAME)}, codes
    latin_name = NAME.replace(".txt", "-iso8859-15.txt")
    assert check_fec([f"{line}\n".encode("iso8859-15") for line in RIGHT], name=latin_name) == []
    assert "encoding" in {one.check for one in check_fec([f"{line}\n".encode() for line in RIGHT], name=latin_name)}
    windows = [f"{line}\n".encode("cp1252") for line in changed(1, "Financeurs", "L’État")]
    assert "encoding" in {one.check for one in check_fec(windows, name=NAME)}


PLANTED = {
    "a column of the header in another place": (changed(0, "Debit\tCredit", "Credit\tDebit"), "header"),
    "seventeen columns": (changed(1, "\t\t\t20260303\t\t", "\t\t\t20260303\t"), "columns"),
    "no account name": (changed(1, "Financeurs", ""), "required"),
    "a day that does not exist": (changed(1, "\t20260302\t4430000", "\t20260231\t4430000"), "dates"),
    "a day with dashes": (changed(1, "A1\t20260302", "A1\t2026-03-02"), "dates"),
    "an entry of another year": ([line.replace("20260302", "20240302") for line in RIGHT], "dates"),
    "an entry of the year before, in a year that has opening balances": (
        [line.replace("CH\tChèques", "AN\tÀ nouveaux").replace("20260302", "20250302") for line in RIGHT],
        "dates",
    ),
    "a gap in the numbers": ([line.replace("\t2\t20260403", "\t3\t20260403") for line in RIGHT], "numbering"),
    "a number given twice": ([line.replace("\t2\t20260403", "\t1\t20260403") for line in RIGHT], "numbering"),
    "a number that is none": ([line.replace("\t2\t20260403", "\tdeux\t20260403") for line in RIGHT], "numbering"),
    "a first number that is not one": ([line.replace("\t1\t20260401", "\t7\t20260401") for line in RIGHT], "numbering"),
    "validated before the one that precedes": (
        [line.replace("20260403\t\t", "20260401\t\t") for line in RIGHT],
        "validation_order",
    ),
    "an entry that does not balance": (changed(1, "10,00\t0,00", "10,01\t0,00"), "entry_balances"),
    "a file that does not balance": (changed(1, "10,00\t0,00", "10,01\t0,00"), "file_balances"),
    "a lonely line": (RIGHT[:-1], "entry_balances"),
    "a debit and a credit on one line": (changed(1, "10,00\t0,00", "10,00\t10,00"), "debit_or_credit"),
    "neither debit nor credit": (changed(1, "10,00\t0,00", "0,00\t0,00"), "debit_or_credit"),
    "a sign after its amount": (changed(1, "10,00\t0,00", "0,00\t10,00-"), "amounts"),
    "thousands apart": (changed(1, "10,00\t0,00", "1 000,00\t0,00"), "amounts"),
    "a point in an amount": (changed(1, "10,00\t0,00", "10.00\t0,00"), "amounts"),
    "an account without three digits": (changed(1, "4430000", "F430000"), "accounts"),
    "an account of class zero": (changed(1, "4430000", "0430000"), "accounts"),
    "an account with two names": (changed(5, "Financeurs", "Bailleurs"), "accounts"),
    "an auxiliary account without a name": (changed(1, "F1\tÉtat", "F1\t"), "accounts"),
    "a journal with two names": (changed(5, "Chèques", "Ventes"), "journals"),
    "a letter without its day": (changed(3, "AAA\t20260402", "AAA\t"), "letters"),
    "an entry on two days": (changed(2, "\t1\t20260302", "\t1\t20260301"), "entry_days"),
    "an amount in a currency that is not said": (changed(1, "20260303\t\t", "20260303\t10,00\t"), "currency"),
    "nothing but a header": ([HEADER], "header"),
    "a side that is none": ([line.replace("\tD\t", "\tX\t") for line in SIGNED], "debit_or_credit"),
    "an amount of nothing on a side": ([line.replace("\t10,00\tD", "\t0,00\tD") for line in SIGNED], "debit_or_credit"),
    "two sides alike": ([line.replace("\tC\t", "\tD\t") for line in SIGNED], "file_balances"),
    "no side": ([line.replace("\tD\t", "\t\t") for line in SIGNED], "required"),
    "a day of payment that is none": ([line.replace("20260305", "20260335") for line in CASH_BASIS], "dates"),
    "a line shorter than its header": ([*CASH_BASIS[:-1], CASH_BASIS[-1].rpartition("\t")[0]], "columns"),
    "an added column without a name": ([f"{line}\t" for line in RIGHT], "header"),
    "an added column with the name of another": (
        [f"{HEADER}\tIdevise", *(f"{line}\t" for line in RIGHT[1:])],
        "header",
    ),
    "a gap in one sequence for all journals": (
        [line.replace("\t1042\t", "\t1043\t") for line in ONE_SEQUENCE],
        "numbering",
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_named(fault: str) -> None:
    lines, check = PLANTED[fault]
    assert check in found(lines)


def test_a_violation_says_the_line() -> None:
    violations = check_fec([f"{line}\n".encode() for line in changed(1, "10,00\t0,00", "10.00\t0,00")])
    assert violations[0].subject == "ligne 2"
    assert "10.00" in violations[0].detail


def test_an_empty_file_a_wrong_name_and_wrong_bytes_are_named() -> None:
    assert {one.check for one in check_fec([], name=NAME)} == {"header"}
    assert found(RIGHT, name="FEC2026.txt") == {"file_name"}
    assert found(RIGHT, name="300000411FEC20261331.txt") == {"file_name"}
    latin = [f"{line}\r\n".encode("iso8859-15") for line in RIGHT]
    assert "encoding" in {one.check for one in check_fec(latin, name=NAME, encoding="utf-8")}
    with_bom = [b"\xef\xbb\xbf" + f"{RIGHT[0]}\r\n".encode(), *(f"{line}\r\n".encode() for line in RIGHT[1:])]
    assert {one.check for one in check_fec(with_bom, name=NAME)} == {"encoding"}


def test_a_fiscal_year_may_end_on_any_day() -> None:
    assert found(RIGHT, name="300000411FEC20260630.txt") == set()
    assert found(RIGHT, name="300000411FEC20280229.txt") == {"dates"}


def test_a_file_of_nothing_but_faults_is_answered_in_bounded_memory() -> None:
    lines = [HEADER, *["x"] * 5000]
    assert len(check_fec([f"{line}\n".encode() for line in lines])) == 1000
