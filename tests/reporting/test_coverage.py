"""Coverage by region: small counts are hidden, and no subtraction finds them again."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import SOMEONE, handed_over_booklets, scanned_codes
from tests.settlement.town import NOW, Town, a_town
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.places import PlaceDescription, add_place, close_place
from voucher.programme.territories import THIRD_PLACES_2018
from voucher.redemption.answers import Counter, Redeemed
from voucher.redemption.redeem import redeem
from voucher.reporting.coverage import NOT_LOCATED, Coverage, RegionCoverage, Used, coverage
from voucher.reporting.small_cells import SMALL_CELL_MAX, TOTAL, Cell, hidden_cells, with_totals

tables = st.dictionaries(
    st.tuples(st.sampled_from("ABCD"), st.sampled_from(("11", "44", "53", "75", "94"))),
    st.integers(0, 30),
    min_size=1,
)


def can_be_found(cells: dict[Cell, int], hidden: set[Cell]) -> set[Cell]:
    """Solve the sums of the table exactly: return the hidden cells that what is shown determines."""
    lines, columns = ({cell[side] for cell in cells} - {TOTAL} for side in (0, 1))
    sums = [{(line, column): 1 for column in columns} | {(line, TOTAL): -1} for line in lines | {TOTAL}]
    sums += [{(line, column): 1 for line in lines} | {(TOTAL, column): -1} for column in columns | {TOTAL}]
    names = sorted(hidden)
    rows = [[Fraction(one.get(name, 0)) for name in names] for one in sums]
    done = 0
    for at in range(len(names)):
        pivot = next((rank for rank in range(done, len(rows)) if rows[rank][at]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [value / rows[done][at] for value in rows[done]]
        for rank, row in enumerate(rows):
            if rank != done and row[at]:
                rows[rank] = [mine - row[at] * theirs for mine, theirs in zip(row, rows[done], strict=True)]
        done += 1
    return {names[row.index(1)] for row in rows if sum(1 for value in row if value) == 1}


@given(tables)
def test_no_hidden_cell_is_found_by_subtraction(counts: dict[Cell, int]) -> None:
    cells = with_totals(counts)
    hidden = hidden_cells(cells)
    assert all(cell in hidden for cell, count in cells.items() if 0 < count <= SMALL_CELL_MAX)
    assert can_be_found(cells, hidden) == set()


@given(tables)
def test_a_total_never_says_that_hidden_cells_are_few_together(counts: dict[Cell, int]) -> None:
    cells = with_totals(counts)
    hidden = hidden_cells(cells)
    for line in {line for line, _ in cells} - {TOTAL}:
        together = [cells[cell] for cell in hidden if cell[0] == line and cell[1] != TOTAL]
        assert not together or (line, TOTAL) in hidden or sum(together) > SMALL_CELL_MAX


def test_a_table_without_small_counts_is_shown_whole() -> None:
    assert hidden_cells(with_totals({("A", "11"): 11, ("A", "44"): 40, ("B", "44"): 0})) == set()


def test_a_small_count_alone_hides_the_smallest_other_with_it() -> None:
    cells = with_totals({("A", "11"): 3, ("A", "44"): 40, ("A", "53"): 25})
    assert hidden_cells(cells) >= {("A", "11"), ("A", "53")}
    assert ("A", "44") not in hidden_cells(cells)
    assert ("A", TOTAL) not in hidden_cells(cells)


def the_region(found: Coverage, code: str) -> RegionCoverage:
    return next(row for row in found.rows if row.code == code)


def a_place_at(town: Town, postcode: str) -> Counter:
    place = PlaceDescription(name="Comptoir", address="1 quai des Essais", postcode=postcode, city="Bellerive")
    structure_id = town.counters[0].structure_id
    return Counter(add_place(town.database, new_id(), structure_id, place, by=SOMEONE, now=NOW), structure_id)


def redeem_times(town: Town, counter: Counter, times: int) -> None:
    issued = handed_over_booklets(town.database, -(-times // 10), agreed=town.agreed, now=NOW)
    numbers = range(issued.first_booklet_number, issued.first_booklet_number + issued.booklet_count)
    codes = [code for number in numbers for code in scanned_codes(town.database, number)]
    for code in codes[:times]:
        answer = redeem(town.database, new_id(), [code], "everyday_digital_tools", counter, by=SOMEONE, now=NOW)
        assert isinstance(answer, Redeemed), answer


def test_the_census_of_2018_stands_beside_with_its_not_located(sqlite_database: Database) -> None:
    found = coverage(sqlite_database, now=NOW)
    assert {row.code: row.third_place_count for row in found.rows} == {
        **THIRD_PLACES_2018.by_region,
        NOT_LOCATED: 337,
    }
    assert (found.total.third_place_count, found.rows[-1].name, found.rows[0].name) == (
        1800,
        "Non localisés",
        "Auvergne-Rhône-Alpes",
    )
    assert found.hidden_count == 0


def test_redemptions_and_open_places_are_counted_where_the_place_is(database: Database) -> None:
    town = a_town(database, structure_count=1)
    redeem_times(town, town.counters[0], 11)
    close_place(database, a_place_at(town, "51000").place_id, by=SOMEONE, now=NOW)
    found = coverage(database, now=NOW)
    assert the_region(found, "44").used == Used(11, 11, 11_000)
    assert the_region(found, "44").place_count == 1
    assert the_region(found, "53").used == Used(0, 0, 0)
    assert found.total.used == Used(11, 11, 11_000)


def test_a_region_with_few_redemptions_is_hidden_with_another(database: Database) -> None:
    town = a_town(database, structure_count=1)
    redeem_times(town, town.counters[0], 12)
    redeem_times(town, a_place_at(town, "33000"), 3)
    found = coverage(database, now=NOW)
    assert (the_region(found, "75").used, the_region(found, "75").is_small) == (None, True)
    assert (the_region(found, "44").used, the_region(found, "44").is_small) == (None, False)
    assert found.hidden_count == 2
    assert found.total.used == Used(15, 15, 15_000)


def test_the_programme_less_an_agreement_does_not_tell_the_other(database: Database) -> None:
    big, small = a_town(database, structure_count=1), a_town(database, structure_count=1)
    redeem_times(big, big.counters[0], 14)
    redeem_times(small, small.counters[0], 2)
    whole = coverage(database, now=NOW)
    parts = [coverage(database, now=NOW, agreement_id=town.agreement_id) for town in (big, small)]
    assert (the_region(parts[1], "44").used, the_region(parts[1], "44").is_small) == (None, True)
    shown = [the_region(found, "44").used for found in (whole, parts[0])]
    assert None in shown, "16 redemptions in all, less 14 here, would be 2 there"
