"""Numbers as people type them: one reading, that never joins what a sign kept apart, and says what it could not read."""

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.typed import typed_amounts
from voucher.kernel.money import format_euros, format_round_euros, thousands
from voucher.kernel.number_labels import booklet_label
from voucher.kernel.typed_numbers import (
    CENTS_MAX,
    COUNT_MAX,
    WrongNumber,
    parse_count,
    parse_euros,
    parse_percent,
    parse_serial,
    rank_number,
    whole_number,
)
from voucher.web.filters import basis_points, euros

SPACES = " \u00a0\u202f\u2007\u2009\u3000"


@pytest.mark.parametrize(("text", "cents"), typed_amounts())
def test_amounts_that_were_typed_in_the_field_are_read_or_refused(text: str, cents: str) -> None:
    if cents == "refused":
        with pytest.raises(WrongNumber):
            parse_euros(text)
    else:
        assert parse_euros(text) == int(cents)


@pytest.mark.parametrize(
    "text, cents",
    [
        ("12", 12_00), ("12,5", 12_50), ("12.5", 12_50), ("0,01", 1), ("1 234 567,89", 1_234_567_89), ("1234567.89", 1_234_567_89),
        ("12 € 50", 12_50), ("1\u00a0234€50", 1_234_50), ("12,50€", 12_50), ("\u200b12,50\u202f€\ufeff", 12_50), ("０１２．５", 12_50),
        ("10000000000", CENTS_MAX), ("\t12,50\r\n", 12_50),
    ],
)  # fmt: skip
def test_an_amount_is_read_as_people_write_it(text: str, cents: int) -> None:
    assert parse_euros(text) == cents


@pytest.mark.parametrize("space", SPACES)
def test_every_space_groups_by_three_and_nothing_else(space: str) -> None:
    assert parse_euros(f"1{space}234,50{space}€") == 1_234_50
    assert parse_count(f"1{space}200") == 1200
    assert parse_percent(f"35,5{space}%") == 3550
    for wrong in (f"1{space}2", f"12{space}34", f"1{space}23,50", f"1{space}{space}234", f"1{space}234{space}5"):
        for parse in (parse_euros, parse_percent, parse_count):
            with pytest.raises(WrongNumber):
                parse(wrong)


@pytest.mark.parametrize(
    "text, why",
    [
        ("1e3", "contient une lettre"), ("12 EUR", "contient une lettre"), ("douze", "contient une lettre"),
        ("1.234", "a plus de deux chiffres après la virgule"), ("1,234", "a plus de deux chiffres après la virgule"),
        ("1.234,50", "a deux signes au lieu d’un"), ("12€50€", "a deux signes au lieu d’un"), ("--5", "a un signe moins en trop"),
        ("−-5", "a un signe moins en trop"), ("5-", "a un signe moins en trop"), ("+5", "contient le signe « + »"),
        ("€12", "a « € » au mauvais endroit : mettez-le à la fin"), ("12€5", "a « € » au mauvais endroit : mettez-le à la fin"),
        ("12€500", "a « € » au mauvais endroit : mettez-le à la fin"), ("12,5€50", "a « € » au mauvais endroit : mettez-le à la fin"),
        ("12,", "a une virgule qui n’est pas entre deux chiffres"), (",50", "a une virgule qui n’est pas entre deux chiffres"), ("€", "n’a aucun chiffre"),
        ("1 2", "a une espace qui ne sépare pas des milliers"), ("12\u200b50", "contient un signe caché"),
        ("12²", "contient le signe « ² »"), ("١٢", "contient le signe « ١ »"), ("12%", "contient le signe « % »"),
        ("1'234", "contient le signe « ' »"), ("1_0", "contient le signe « _ »"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_was_read_wrong_and_how_to_write_it(text: str, why: str) -> None:
    with pytest.raises(WrongNumber) as wrong:
        parse_euros(text)
    assert str(wrong.value) == f"« {text} » {why}. Écrivez par exemple 1\u00a0234,50."


@pytest.mark.parametrize(
    "text", ["3%5", "%5", "5%%", "101", "100,01", "-5", "33,333", "1e2", "1 2", "0", "12,0,0", "5 € "]
)
def test_a_rate_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(WrongNumber):
        parse_percent(text)


@pytest.mark.parametrize("text", ["1 2", "1,5", "1.000", "1e3", "-3", "0", "1000000000", "9" * 5_000, "12 €", "", "un"])
def test_a_count_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(WrongNumber):
        parse_count(text)


@pytest.mark.parametrize("text", ["10 000 000 000,01", "9" * 5_000, "10000000001"])
def test_more_than_ten_thousand_million_euros_is_a_slip_of_the_hand(text: str) -> None:
    with pytest.raises(WrongNumber, match="trop grand"):
        parse_euros(text)


def test_a_minus_and_zero_are_read_where_the_field_allows_them() -> None:
    for text in ("-12,50", "−12,50", "－12,50 €"):
        assert parse_euros(text, may_be_negative=True) == -12_50
        with pytest.raises(WrongNumber, match="négatif"):
            parse_euros(text)
    assert (
        parse_euros("0", may_be_zero=True),
        parse_percent("0 %", may_be_zero=True),
        parse_count("0", may_be_zero=True),
    ) == (0, 0, 0)
    for parse in (parse_euros, parse_percent, parse_count):
        with pytest.raises(WrongNumber, match="au-dessus de zéro"):
            parse("0")


@pytest.mark.parametrize(
    "text, found", [("0412", 412), ("0001\u00a02345", 12345), ("12345", 12345), ("12 345", 12345), ("1 0412", 1_0412)]
)
def test_a_booklet_is_named_as_it_is_printed_or_plain(text: str, found: int) -> None:
    assert parse_serial(text) == found


@pytest.mark.parametrize("text", ["1 2", "04 12", "0001-2345", "0", "", "carnet 12", "1" * 10])
def test_what_is_no_booklet_is_refused(text: str) -> None:
    with pytest.raises(WrongNumber, match="numéro de carnet"):
        parse_serial(text)


@given(st.integers(-CENTS_MAX, CENTS_MAX))
def test_what_the_house_writes_of_an_amount_is_read_back(cents: int) -> None:
    for written in (format_euros(cents), format_round_euros(cents), euros(cents)):
        assert parse_euros(written, may_be_negative=True, may_be_zero=True) == cents


@given(st.integers(1, COUNT_MAX))
def test_what_the_house_writes_of_a_count_or_a_serial_is_read_back(count: int) -> None:
    assert parse_count(thousands(count)) == count
    assert parse_serial(booklet_label(count)) == count
    assert whole_number(str(count)) == count


@given(st.integers(0, 10_000))
def test_what_the_house_writes_of_a_rate_is_read_back(rate: int) -> None:
    assert parse_percent(basis_points(rate), may_be_zero=True) == rate


@given(st.text("0123456789 \u00a0\u202f.,-−€%eE'０５", max_size=12))
@example("12€50")
def test_no_text_is_read_as_a_number_that_it_does_not_show(text: str) -> None:
    """A second reading, by hand: the digits that stand apart by anything but a space of thousands were never one number."""
    try:
        cents = parse_euros(text, may_be_negative=True, may_be_zero=True)
    except WrongNumber:
        return
    shown = re.sub(r"[ \u00a0\u202f]+", " ", text.replace("０", "0").replace("５", "5").replace("−", "-")).strip()
    shown = re.sub(r" ?€ ?(?=[0-9])", ",", shown)
    shown = re.sub(r" ?€$", "", shown)
    whole, _, decimals = shown.replace(".", ",").removeprefix("-").partition(",")
    assert re.fullmatch(r"[0-9]+|[0-9]{1,3}( [0-9]{3})+", whole)
    assert re.fullmatch(r"([0-9]{1,2})?", decimals)
    exact = Decimal(f"{whole.replace(' ', '')}.{decimals or 0}") * 100
    assert cents == (-exact if shown.startswith("-") else exact)


def test_a_rank_or_a_year_of_an_address_is_one_that_a_column_holds() -> None:
    assert (rank_number("2026"), rank_number(str(COUNT_MAX))) == (2026, COUNT_MAX)
    assert rank_number(str(COUNT_MAX + 1)) is rank_number("9" * 17) is rank_number("-1") is rank_number("") is None
