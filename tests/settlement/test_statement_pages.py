"""A statement that the bank cut in pages: each page proves itself by its interim balances, and one that is missing is said."""

import pytest

from tests.settlement.bank import OUR_IBAN
from tests.settlement.reading import UnreadableBankFile, read_statements
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, Paid, counts
from tests.settlement.town import NOW, PREPARER, wrong_books
from voucher.kernel.database import Database
from voucher.settlement.bank_in.import_statement import Imported, import_statement
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.reconciliation import daily_balances as bank_days
from voucher.settlement.reconciliation.missing_pages import missing_pages


def balance(code: str, cents: int, sub_type: str = "") -> str:
    sub = f"<SubTp><Cd>{sub_type}</Cd></SubTp>" if sub_type else ""
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry>{sub}</Tp><Amt Ccy="EUR">{cents // 100}.{cents % 100:02d}</Amt>'
        f"<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{TODAY}</Dt></Dt></Bal>"
    )


def entry(cents: int, reference: str = "") -> str:
    of_bank = f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else ""
    return (
        f'<Ntry><Amt Ccy="EUR">{abs(cents) // 100}.{abs(cents) % 100:02d}</Amt><CdtDbtInd>{"CRDT" if cents > 0 else "DBIT"}</CdtDbtInd>'
        f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{TODAY}</Dt></BookgDt>{of_bank}</Ntry>"
    )


def page(iban: str, rank: int, balances: str, *entries: str, is_last: bool = False, of_message: bool = False) -> bytes:
    last = "true" if is_last else "false"
    told = f"<PgNb>{rank}</PgNb><LastPgInd>{last}</LastPgInd>"
    of_statement = "" if of_message else f"<StmtPgntn>{told}</StmtPgntn>"
    of_group = f"<MsgPgntn>{told}</MsgPgntn>" if of_message else ""
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>M{rank}</MsgId>{of_group}</GrpHdr><Stmt><Id>R1</Id>{of_statement}"
        f"<Acct><Id><IBAN>{iban}</IBAN></Id></Acct>{balances}{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def pages(iban: str, *, of_message: bool = False) -> tuple[bytes, bytes, bytes]:
    """Return three pages of a day: +5 € and +1 €, then −2 € twice, then +7 €."""
    start = OPENING_CENTS
    return (
        page(iban, 1, balance("OPBD", start) + balance("ITBD", start + 600), entry(500, "A"), entry(100), of_message=of_message),
        page(iban, 2, balance("ITBD", start + 600) + balance("ITBD", start + 200), entry(-200), entry(-200), of_message=of_message),
        page(iban, 3, balance("ITBD", start + 200) + balance("CLBD", start + 900), entry(700), is_last=True, of_message=of_message),
    )  # fmt: skip


@pytest.mark.parametrize("of_message", [False, True])
def test_each_page_opens_where_the_one_before_closes(of_message: bool) -> None:
    read = [read_statements(one).statements[0] for one in pages(OUR_IBAN, of_message=of_message)]
    assert [(one.page, one.is_last_page) for one in read] == [(1, False), (2, False), (3, True)]
    assert [one.closing_cents for one in read[:2]] == [one.opening_cents for one in read[1:]]


def test_interim_balances_are_told_by_a_sub_type_or_without_any_page_and_other_balances_are_not_read() -> None:
    typed = balance("CLBD", 1_500, "INTM") + balance("OPBD", 1_000, "INTM") + balance("CLAV", 9) + balance("ITAV", 8)
    (one,) = read_statements(page(OUR_IBAN, 2, typed, entry(500))).statements
    assert (one.opening_cents, one.closing_cents, one.page) == (1_000, 1_500, 2)
    bare = page(OUR_IBAN, 1, balance("OPAV", 5) + balance("OPBD", 1_000) + balance("ITBD", 1_500), entry(500))
    (one,) = read_statements(bare.replace(b"<PgNb>1</PgNb>", b"")).statements
    assert (one.opening_cents, one.closing_cents, one.page) == (1_000, 1_500, None)
    whole = balance("ITBD", 7) + balance("OPBD", 1_000) + balance("CLBD", 1_500) + balance("ITBD", 8)
    (one,) = read_statements(page(OUR_IBAN, 1, whole, entry(500), is_last=True)).statements
    assert (one.opening_cents, one.closing_cents, one.page) == (1_000, 1_500, None)


@pytest.mark.parametrize(
    ("balances", "words"),
    [
        (balance("OPBD", 1_000), "La page 2 du relevé n’a pas de solde de clôture, même intermédiaire"),
        (balance("CLBD", 1_500), "La page 2 du relevé n’a pas de solde d’ouverture, même intermédiaire"),
        (balance("OPBD", 1_000) + balance("CLBD", 1_900), "page 2 : le solde de clôture est 19,00"),
    ],
)
def test_a_page_that_proves_nothing_refuses_its_file(balances: str, words: str) -> None:
    with pytest.raises(UnreadableBankFile) as refused:
        read_statements(page(OUR_IBAN, 2, balances, entry(500)))
    assert words in refused.value.reason.replace("\u00a0", " ")


def take(paid: Paid, content: bytes) -> Imported:
    return import_statement(paid.database, "page.xml", content, by=PREPARER, now=NOW)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_pages_are_put_together_in_any_order_and_a_missing_one_is_said(
    database: Database, order: tuple[int, int, int]
) -> None:
    paid = Paid(database)
    cut = pages(paid.iban)
    missing = []
    for rank in order:
        take(paid, cut[rank])
        missing.append(sorted({one.page for one in missing_pages(database)}))
    assert (
        missing
        == {
            (0, 1, 2): [[2], [3], []],
            (2, 0, 1): [[2], [2], []],
            (1, 2, 0): [[1, 3], [1], []],
        }[order]
    )
    (day,) = bank_days.days(database)
    assert (day.closing_cents, day.is_equal, day.is_following) == (OPENING_CENTS + 900, True, True)
    assert [take(paid, one).is_known for one in cut] == [True, True, True]
    assert wrong_books(database) == []


def test_a_missing_page_has_a_sentence_until_it_comes_or_the_whole_statement_does(database: Database) -> None:
    paid = Paid(database)
    first, _, third = pages(paid.iban)
    take(paid, first)
    take(paid, third)
    (one,) = missing_pages(database)
    assert one.sentence.startswith("Relevé R1 du ")
    assert "la page 2 manque" in one.sentence
    assert [day.is_following for day in bank_days.days(database)] == [False]
    whole = balance("OPBD", OPENING_CENTS) + balance("CLBD", OPENING_CENTS + 900)
    take(paid, page(paid.iban, 1, whole, entry(900, "TOUT"), is_last=True))
    assert missing_pages(database) == []


def test_what_the_bank_does_not_name_is_not_told_by_pages_and_whole(database: Database) -> None:
    paid = Paid(database)
    first, *_ = pages(paid.iban)
    whole = balance("OPBD", OPENING_CENTS) + balance("CLBD", OPENING_CENTS + 600)
    entries = (entry(500, "A"), entry(100))
    take(paid, first)
    before = counts(database)
    with pytest.raises(RefusedBankFile, match="déjà importé par pages"):
        take(paid, page(paid.iban, 1, whole, *entries, is_last=True))
    assert counts(database) == before


def test_entries_alike_on_two_pages_that_open_alike_are_two(database: Database) -> None:
    paid = Paid(database)
    start = OPENING_CENTS
    for rank in (1, 2):
        both = balance("OPBD" if rank == 1 else "ITBD", start) + balance("ITBD" if rank == 1 else "CLBD", start)
        assert take(paid, page(paid.iban, rank, both, entry(300), entry(-300), is_last=rank == 2)).new_count == 2
    assert wrong_books(database) == []


def test_pages_of_another_issuers_account_are_not_said(database: Database) -> None:
    paid = Paid(database)
    take(paid, pages(paid.iban)[0])
    assert missing_pages(database, issuer_id=paid.town.agreed.issuer_id) != []
    assert missing_pages(database, issuer_id=paid.first_id) == []
    assert [day.closed_on for day in bank_days.days(database)] == [TODAY]
