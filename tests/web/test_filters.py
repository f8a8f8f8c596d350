"""How values are said in French."""

from datetime import UTC, date, datetime

import pytest

from voucher.web import filters

NBSP, THIN = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    "said, expected",
    [
        (filters.euros(1_234_50), f"1{THIN}234,50{NBSP}€"),
        (filters.euros(None), "–"),
        (filters.euros(-3_410_00), f"−3{THIN}410,00{NBSP}€"),
        (filters.round_euros(-30_00), f"−30{NBSP}€"),
        (filters.round_euros(30_00), f"30{NBSP}€"),
        (filters.day(date(2026, 3, 12)), f"12{NBSP}mars{NBSP}2026"),
        (
            filters.instant(datetime(2026, 3, 12, 13, 5, tzinfo=UTC)),
            f"12{NBSP}mars{NBSP}2026 à{NBSP}14{NBSP}h{NBSP}05",
        ),
        (filters.thousands(1_234_567), f"1{THIN}234{THIN}567"),
        (filters.percent(7, 20), f"35{NBSP}% (7 sur 20)"),
        (filters.percent(1, 3), f"33,3{NBSP}% (1 sur 3)"),
        (filters.percent(0, 0), "– (0 sur 0)"),
        (filters.basis_points(3550), f"35,5{NBSP}%"),
        (filters.basis_points(10_000), f"100{NBSP}%"),
        (filters.basis_points(5), f"0,05{NBSP}%"),
        (filters.plural(0, "chèque"), f"0{NBSP}chèque"),
        (filters.plural(1, "chèque"), f"1{NBSP}chèque"),
        (filters.plural(1200, "chèque remis"), f"1{THIN}200{NBSP}chèques remis"),
        (filters.plural(2, "avis", "avis"), f"2{NBSP}avis"),
        (filters.slug("Lot d'août, 7e"), "lot-d-aout-7e"),
    ],
)
def test_each_value_is_said_as_french_typography_wants(said: str, expected: str) -> None:
    assert said == expected


def test_a_phone_can_say_the_column_of_each_cell_of_a_row() -> None:
    row = '<th scope="row">A</th>\n<td>B</td><td class="number">1</td>'
    assert filters.labelled(row, ["Nom", 'Dit "ainsi"', {"label": "Montant", "number": True}]) == (
        '<th role="rowheader" scope="row">A</th>\n<td role="cell" data-label="Dit &#34;ainsi&#34;">B</td>'
        '<td role="cell" data-label="Montant" class="number">1</td>'
    )
    assert filters.labelled('<th>A</th><td colspan="2">Rien</td>', ["Nom", "Un", "Deux"]) == (
        '<th role="rowheader">A</th><td role="cell" colspan="2">Rien</td>'
    )


def test_a_naive_instant_and_an_instant_taken_for_a_day_are_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        filters.instant(datetime(2026, 3, 12, 13, 5))  # noqa: DTZ001 - the very thing that is refused
    with pytest.raises(TypeError):
        filters.day(datetime(2026, 3, 12, 13, 5, tzinfo=UTC))
