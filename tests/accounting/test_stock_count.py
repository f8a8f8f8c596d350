"""Counting inactive stock by hand: what lacks or is in excess at the end of a day, booklet by booklet, signed by a second person."""

from datetime import UTC, date, datetime

import pytest

from tests.builders import SOMEONE, Issued, a_prescriber, entrusted_booklets, issued_booklets
from tests.listed import listed
from tests.settlement.town import APPROVER, PREPARER
from voucher.accounting.checks import check_counts_add_up
from voucher.accounting.documents import Signatures, count_pdf
from voucher.accounting.inactive_stock import count_page, counts, inactive_stock
from voucher.accounting.stock_count import Gap, NewCount, parse_ranges, ranges_label, record_count, sign_count, tidy
from voucher.distribution.entrust import StockMove, entrust
from voucher.distribution.hand_over import hand_over
from voucher.distribution.stop import stop_booklet
from voucher.distribution.void_stock import NewStockVoid, void_stock
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused

MARCH = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
JULY = datetime(2026, 7, 6, 9, 0, tzinfo=UTC)
NEW_YEARS_EVE = date(2026, 12, 31)
JANUARY = datetime(2027, 1, 5, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "typed, ranges",
    [
        ("", []),
        ("57", [(57, 57)]),
        ("1-40, 57 ; 60 à 62", [(1, 40), (57, 57), (60, 62)]),
        ("1 204–1 206\n7", [(7, 7), (1204, 1206)]),
    ],
)
def test_numbers_are_read_as_people_write_them(typed: str, ranges: list[tuple[int, int]]) -> None:
    assert parse_ranges(typed) == ranges
    assert parse_ranges(tidy(ranges)) == ranges
    assert parse_ranges(ranges_label(tidy(ranges))) == ranges


@pytest.mark.parametrize("typed", ["douze", "5-2", "0-3", "1-5, 4", "1-999999999", "1--2"])
def test_numbers_that_cannot_be_are_refused(typed: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_ranges(typed)
    assert refused.value.field == "ranges"


def count(database: Database, issued: Issued, ranges: str, prescriber_id: object = None, **more: object) -> NewCount:
    values = {"counted_on": NEW_YEARS_EVE} | more
    return NewCount(new_id(), issued.agreed.issuer_id, prescriber_id, ranges=ranges, **values)  # type: ignore[arg-type]


def test_a_count_that_finds_everything_has_no_difference(database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(database, 5, now=MARCH)
    first = issued.first_booklet_number
    new = count(database, issued, f"{first}-{first + 4}", prescriber_id)
    assert record_count(database, new, by=PREPARER, now=JANUARY) == []
    page = count_page(database, new.id)
    assert page is not None
    assert (page.expected_count, page.counted_count, page.expected_cents) == (5, 5, 50_000)
    own = count(database, issued, "")
    assert record_count(database, own, by=PREPARER, now=JANUARY) == []


def test_what_lacks_and_what_is_in_excess_is_told_with_what_the_system_knew(database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(database, 6, now=MARCH)
    first = issued.first_booklet_number
    hand_over(database, new_id(), first, prescriber_id, by=SOMEONE, now=MARCH)
    stop_booklet(database, new_id(), first + 1, "lost", by=SOMEONE, now=MARCH)
    new = count(database, issued, f"{first}, {first + 2}-{first + 4}, 999999", prescriber_id)
    gaps = record_count(database, new, by=PREPARER, now=JANUARY)
    assert gaps == [
        Gap(first + 5, "missing", gaps[0].known_as),
        Gap(first, "extra", "remis à une personne le 2\u00a0mars\u00a02026"),
        Gap(999999, "extra", "inconnu de votre collectivité"),
    ]
    assert gaps[0].known_as.startswith("en stock chez CCAS")
    assert record_count(database, new, by=PREPARER, now=JANUARY) == gaps
    with database.read() as session:
        assert check_counts_add_up(session) == []


def test_what_happened_after_the_day_does_not_count(database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(database, 4, now=MARCH)
    first, issuer_id = issued.first_booklet_number, issued.agreed.issuer_id
    hand_over(database, new_id(), first, prescriber_id, by=SOMEONE, now=JULY)
    other = a_prescriber(database, issuer_id, name="Mission locale", now=MARCH)
    entrust(database, StockMove(new_id(), issuer_id, first + 1, 1, other, prescriber_id), by=SOMEONE, now=JULY)
    void = NewStockVoid(new_id(), issuer_id, first + 2, 1, "Inventaire")
    void_stock(database, void, by=SOMEONE, now=JULY)
    assert (
        record_count(
            database,
            count(database, issued, f"{first}-{first + 3}", prescriber_id, counted_on=date(2026, 6, 30)),
            by=PREPARER,
            now=JULY,
        )
        == []
    )
    assert (
        record_count(database, count(database, issued, "", other, counted_on=date(2026, 6, 30)), by=PREPARER, now=JULY)
        == []
    )
    today = {"counted_on": date(2026, 7, 6)}
    late = count(database, issued, f"{first + 3}", prescriber_id, **today)
    assert record_count(database, late, by=PREPARER, now=JULY) == []


def test_a_count_is_signed_by_a_second_person_of_the_issuer(database: Database) -> None:
    issued = issued_booklets(database, 2, now=MARCH)
    new = count(database, issued, str(issued.first_booklet_number))
    record_count(database, new, by=PREPARER, now=JANUARY)
    issuer_id = issued.agreed.issuer_id
    with pytest.raises(Refused, match="Une autre personne"):
        sign_count(database, new.id, issuer_id, by=PREPARER, now=JANUARY)
    with pytest.raises(Refused, match="n’existe pas"):
        sign_count(database, new.id, new_id(), by=APPROVER, now=JANUARY)
    for _ in range(2):
        sign_count(database, new.id, issuer_id, by=APPROVER, now=JANUARY)
    with pytest.raises(Refused, match="vient de signer"):
        sign_count(database, new.id, issuer_id, by=SOMEONE, now=JANUARY)
    page = count_page(database, new.id, issuer_id)
    assert page is not None
    assert page.signed_by == APPROVER
    assert count_page(database, new.id, new_id()) is None
    assert count_pdf(page, Signatures("Camille", "Dominique")).startswith(b"%PDF")
    rows, total = listed(counts(database, issuer_id, Asked(descending=True, limit=10, filters={"state": "signe"})))
    assert ([row.id for row in rows], total) == ([new.id], 1)


def test_a_count_of_a_day_to_come_or_of_anothers_prescriber_is_refused(database: Database) -> None:
    issued = issued_booklets(database, 2, now=MARCH)
    stranger, prescriber_id = entrusted_booklets(database, 1, now=MARCH)
    with pytest.raises(Refused, match="est à venir"):
        record_count(database, count(database, issued, "1", counted_on=date(2027, 1, 6)), by=PREPARER, now=JANUARY)
    with pytest.raises(Refused, match="prescripteur"):
        record_count(database, count(database, issued, "1", prescriber_id), by=PREPARER, now=JANUARY)
    assert stranger


def test_inactive_stock_is_what_the_ledger_says(database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(database, 3, now=MARCH)
    issued_booklets(database, 2, agreed=issued.agreed, now=MARCH)
    hand_over(database, new_id(), issued.first_booklet_number, prescriber_id, by=SOMEONE, now=MARCH)
    for issuer_id in (None, issued.agreed.issuer_id):
        stock = inactive_stock(database, issuer_id)
        assert sorted((one.booklet_count, one.cents) for one in stock.holdings) == [(2, 20_000), (2, 20_000)]
        assert stock.is_proven
    assert inactive_stock(database, new_id()).holdings == ()
