"""What a person types: forgiving of looks, unforgiving of slips."""

import json
from contextlib import suppress
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher.issuing.code import SERIAL_MAX, TAG_MAX, Kind, UnreadableCode
from voucher.issuing.typing_code import read_typing_code, typing_code
from voucher.kernel.base32 import ALPHABET

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))

serials = st.integers(0, SERIAL_MAX)
tags = st.integers(0, TAG_MAX)
kinds = st.sampled_from(Kind)


def refused(text: str) -> bool:
    try:
        read_typing_code(text)
    except UnreadableCode:
        return True
    return False


@given(serials, tags, kinds)
def test_a_typing_code_reads_back(serial: int, tag: int, kind: Kind) -> None:
    assert read_typing_code(typing_code(serial, tag, kind)) == (serial, tag, kind)


def test_a_voucher_has_three_groups_of_four_and_a_booklet_a_c_before() -> None:
    assert typing_code(1234567, 99) == "015N M700 066P"
    assert typing_code(1234567, 99, Kind.BOOKLET) == "C 015N M700 0663"


@given(serials, tags, kinds)
def test_case_spaces_dashes_and_lookalikes_do_not_matter(serial: int, tag: int, kind: Kind) -> None:
    written = typing_code(serial, tag, kind)
    for typed in (
        written.lower(),
        written.replace(" ", ""),
        f"  {written.replace(' ', ' - ')}\n",
        written.replace(" ", "\u00a0").replace("0", "O").replace("1", "l"),
        written.replace(" ", "–").replace("0", "o").replace("1", "I"),
    ):
        assert read_typing_code(typed) == (serial, tag, kind)


@given(serials, tags, kinds)
def test_every_single_wrong_character_is_caught(serial: int, tag: int, kind: Kind) -> None:
    right = typing_code(serial, tag, kind).replace(" ", "")
    for place, character in enumerate(right):
        for other in ALPHABET:
            assert other == character or refused(right[:place] + other + right[place + 1 :])


@given(serials, tags, kinds)
def test_every_exchange_of_two_characters_is_caught_neighbours_or_not(serial: int, tag: int, kind: Kind) -> None:
    right = typing_code(serial, tag, kind).replace(" ", "")
    for i, j in combinations(range(len(right)), 2):
        swapped = list(right)
        swapped[i], swapped[j] = right[j], right[i]
        assert right[i] == right[j] or refused("".join(swapped))


def test_the_check_catches_every_error_of_one_place_and_every_exchange_whatever_the_code() -> None:
    """The check is linear, so the errors of one code are those of all: this is the whole proof for twelve characters."""
    zero = typing_code(0, 0).replace(" ", "")
    assert zero == "0" * 12
    for place in range(12):
        for difference in ALPHABET[1:]:
            assert refused(zero[:place] + difference + zero[place + 1 :])
    for i, j in combinations(range(12), 2):
        for difference in ALPHABET[1:]:
            both = list(zero)
            both[i] = both[j] = difference
            assert refused("".join(both))


@given(serials, tags)
def test_a_cover_is_never_taken_for_a_voucher(serial: int, tag: int) -> None:
    assert refused(typing_code(serial, tag, Kind.BOOKLET)[1:])
    assert refused("C" + typing_code(serial, tag))


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    with suppress(UnreadableCode):
        serial, tag, kind = read_typing_code(text)
        assert read_typing_code(typing_code(serial, tag, kind)) == (serial, tag, kind)


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["label"])
def test_the_shared_vectors_have_their_typing_code(vector: dict) -> None:
    payload = vector["payload"]
    assert typing_code(payload["serial"], payload["tag"], Kind(payload["kind"])) == vector["typing_code"]


@pytest.mark.parametrize("vector", VECTORS["typed"], ids=lambda vector: vector["typed"])
def test_the_shared_typed_texts_are_read(vector: dict) -> None:
    assert read_typing_code(vector["typed"]) == (vector["serial"], vector["tag"], Kind(vector["kind"]))


@pytest.mark.parametrize("vector", VECTORS["mistyped"], ids=lambda vector: vector["label"])
def test_the_shared_mistyped_texts_are_refused_with_their_reason(vector: dict) -> None:
    with pytest.raises(UnreadableCode) as refusal:
        read_typing_code(vector["typed"])
    assert refusal.value.reason == vector["reason"]


@pytest.mark.parametrize(("serial", "tag"), [(-1, 0), (SERIAL_MAX + 1, 0), (0, -1), (0, TAG_MAX + 1)])
def test_a_serial_or_a_tag_too_big_to_type_is_refused(serial: int, tag: int) -> None:
    with pytest.raises(ValueError, match="no typing code"):
        typing_code(serial, tag)
