"""One password however it is typed (RFC 8265), and hashes made before that rule."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher.access.passwords import TYPED_LENGTH_MAX, hash_password, hasher, is_password, prepared
from voucher.access.strength import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, password_weakness

ACCENTED = "éclair très tôt là-bas"


def test_an_accent_typed_with_one_key_or_two_is_the_same_password() -> None:
    apart = unicodedata.normalize("NFD", ACCENTED)
    assert apart != ACCENTED
    for chosen, typed in ((ACCENTED, apart), (apart, ACCENTED)):
        assert is_password(hash_password(chosen), typed)
    assert not is_password(hash_password(ACCENTED), "eclair tres tot la-bas")
    assert not is_password(hash_password("Trois Noix Sous"), "trois noix sous")


@pytest.mark.parametrize("space", ["\u00a0", "\u202f", "\u3000", "\u2003"])
def test_a_space_is_a_space_whatever_keyboard_made_it(space: str) -> None:
    assert is_password(
        hash_password("trois noix sous la lanterne"), space.join(["trois", "noix", "sous", "la", "lanterne"])
    )


def test_a_hash_made_before_the_rule_opens_where_the_rule_leaves_the_text_as_it_is() -> None:
    assert is_password(hasher.hash(ACCENTED), unicodedata.normalize("NFD", ACCENTED))
    assert not is_password(hasher.hash(unicodedata.normalize("NFD", ACCENTED)), ACCENTED)


@pytest.mark.parametrize(
    "typed", ["", "a\x00b", "trois noix\x07 sous", "\ue000" * 12, "\ud800 noix", "x" * (TYPED_LENGTH_MAX + 1)]
)
def test_what_is_no_password_is_hashed_for_nobody_and_opens_nothing(typed: str) -> None:
    assert prepared(typed) is None
    assert not is_password(hash_password(ACCENTED), typed)
    assert not is_password(None, typed)
    with pytest.raises(ValueError, match="no password"):
        hash_password(typed)
    assert password_weakness(typed, "luce@lieu.example", "Luce Arbre")


def test_a_password_is_measured_as_it_is_hashed() -> None:
    short = unicodedata.normalize("NFD", "éàèùâêîôûé")
    assert len(short) > PASSWORD_LENGTH_MIN
    assert "trop court" in (password_weakness(short, "luce@lieu.example", "Luce Arbre") or "")
    long = unicodedata.normalize("NFD", "éàèùâê ôû" * 14)
    assert len(long) > PASSWORD_LENGTH_MAX
    assert "trop long" not in (password_weakness(long, "luce@lieu.example", "Luce Arbre") or "")
    hidden = "trois noix\u200b sous la lanterne"
    assert "un signe que l’on ne voit pas" in (password_weakness(hidden, "luce@lieu.example", "Luce Arbre") or "")


@given(st.text(max_size=60))
def test_preparing_is_done_once_whatever_is_typed(typed: str) -> None:
    text = prepared(typed)
    assert text is None or prepared(text) == text
    # However the system that typed it puts accents, it is one text (or none).
    assert text is None or prepared(unicodedata.normalize("NFD", typed)) == text
