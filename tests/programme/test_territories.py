"""Where a place is, and how sixty places are spread over France."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher.programme.territories import (
    COLLECTIVITIES,
    DEPARTMENTS,
    OTHER_TERRITORIES,
    REGIONS,
    THIRD_PLACES_2018,
    department,
    department_of_postcode,
    kilometres_from_seat,
    places_in_proportion,
    region,
    region_of_department,
    territory_name,
)


def test_france_has_101_departements_in_18_regions() -> None:
    codes = [d.code for d in DEPARTMENTS]
    expected = [f"{n:02}" for n in range(1, 96) if n != 20] + ["2A", "2B", "971", "972", "973", "974", "976"]
    assert len(codes) == 101
    assert sorted(codes) == sorted(expected)
    assert len(REGIONS) == 18
    assert {d.region_code for d in DEPARTMENTS} == {r.code for r in REGIONS}


@pytest.mark.parametrize(
    "postcode, code",
    [
        ("01000", "01"),
        ("51100", "51"),
        ("75116", "75"),
        ("20000", "2A"),
        ("20137", "2A"),
        ("20200", "2B"),
        ("20620", "2B"),
        ("97110", "971"),
        ("97400", "974"),
        ("97600", "976"),
        ("97500", "975"),
        ("97133", "977"),
        ("97150", "978"),
        ("98600", "986"),
        ("98714", "987"),
        ("98800", "988"),
    ],
)
def test_a_postcode_names_its_departement_or_collectivity(postcode: str, code: str) -> None:
    assert department_of_postcode(postcode) == code


@pytest.mark.parametrize(
    "postcode", ["00100", "96000", "98000", "99999", "20300", "5110", "511000", "2A004", "", "abcde", "٥١١٠٠"]
)
def test_a_postcode_of_nowhere_in_particular_names_nothing(postcode: str) -> None:
    assert department_of_postcode(postcode) is None


def test_the_insee_code_wins_over_the_postcode_of_the_next_departement() -> None:
    # Éloise is in the Haute-Savoie and its letters go through the Ain; Paray-Vieille-Poste is in the Essonne.
    assert department_of_postcode("01200", "74109") == "74"
    assert department_of_postcode("94390", "91479") == "91"
    assert department_of_postcode("20300", "2A004") == "2A"
    assert department_of_postcode("97133", "97701") == "977"


def test_an_insee_code_that_names_nothing_leaves_the_postcode_to_decide() -> None:
    assert department_of_postcode("51100", "99999") == "51"
    assert department_of_postcode("51100", "51") == "51"
    assert department_of_postcode("51100", None) == "51"


def test_every_departement_has_its_region_and_every_collectivity_the_other_one() -> None:
    assert region_of_department("51").name == "Grand Est"
    assert region_of_department("2A") == region_of_department("2B") == region("94")
    assert region_of_department("974").name == "La Réunion"
    for code in COLLECTIVITIES:
        assert region_of_department(code) is OTHER_TERRITORIES
        assert department(code) is None
    with pytest.raises(KeyError):
        region_of_department("20")


def test_territories_are_named_in_french() -> None:
    assert territory_name("2B") == "Haute-Corse"
    assert territory_name("987") == "Polynésie française"


def test_the_census_of_2018_counts_1800_places_of_which_337_are_nowhere() -> None:
    assert THIRD_PLACES_2018.total_count == 1800
    assert THIRD_PLACES_2018.located_count == 1463
    assert THIRD_PLACES_2018.not_located_count == 337
    assert set(THIRD_PLACES_2018.by_region) == {r.code for r in REGIONS}
    assert THIRD_PLACES_2018.by_region["11"] == 316
    assert THIRD_PLACES_2018.by_region["06"] == 0


@given(st.integers(min_value=0, max_value=100_000))
def test_places_in_proportion_sum_exactly_and_stay_within_one_of_their_share(count: int) -> None:
    shares = places_in_proportion(count)
    assert sum(shares.values()) == count
    assert set(shares) == {r.code for r in REGIONS}
    for code, share in shares.items():
        assert abs(share * 1463 - count * THIRD_PLACES_2018.by_region[code]) < 1463


def test_sixty_places_go_where_the_third_places_are() -> None:
    shares = places_in_proportion(60)
    assert shares["11"] == 13
    assert shares["75"] == 9
    assert shares["06"] == 0
    assert places_in_proportion(1463) == THIRD_PLACES_2018.by_region


def test_a_negative_number_of_places_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError):
        places_in_proportion(-1)


def test_the_distance_from_the_prefecture_tells_aix_from_the_marne() -> None:
    in_aix = kilometres_from_seat("51", 43.52609, 5.41423)
    in_reims = kilometres_from_seat("51", 49.2583, 4.0317)
    assert in_aix is not None
    assert in_reims is not None
    assert 590 < in_aix < 630
    assert in_reims < 50
    assert kilometres_from_seat("988", 0, 0) is None
