"""However an amount is committed, in one time or in many, each funder's part is the same to the cent."""

from hypothesis import given
from hypothesis import strategies as st

from voucher.programme.rules import parts_of


@st.composite
def shares_of_an_agreement(draw: st.DrawFn) -> tuple[int, list[int]]:
    """A face value and shares in basis points, each worth a cent of a voucher at least."""
    face_value_cents = draw(st.integers(100, 100_000))
    count = draw(st.integers(1, 5))
    least = -(-10_000 // face_value_cents)
    shares, left = [], 10_000
    for rank in range(count - 1):
        shares.append(draw(st.integers(least, left - least * (count - 1 - rank))))
        left -= shares[-1]
    return face_value_cents, [*shares, left]


@given(terms=shares_of_an_agreement(), counts=st.lists(st.integers(1, 5_000), min_size=1, max_size=20))
def test_the_parts_of_several_commitments_sum_to_the_part_of_their_sum(
    terms: tuple[int, list[int]], counts: list[int]
) -> None:
    face_value_cents, shares = terms
    summed, before_cents = [0] * len(shares), 0
    for count in counts:
        amount_cents = count * face_value_cents
        parts = parts_of(amount_cents, face_value_cents, shares, before_cents)
        assert sum(parts) == amount_cents
        assert min(parts) >= 0
        summed = [total + part for total, part in zip(summed, parts, strict=True)]
        before_cents += amount_cents
    assert tuple(summed) == parts_of(before_cents, face_value_cents, shares)
    assert summed[0] == before_cents * shares[0] // 10_000  # the first funder, the State, exactly
