"""What each funder pays of vouchers, to the cent: shares rounded cumulatively, so that the parts always make the whole."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from voucher.kernel.money import BASIS_POINTS


def shares_of(
    face_value_cents: int, share_basis_points: Sequence[int], before_count: int, count: int
) -> tuple[int, ...]:
    """Return what each funder pays, in cents, of `count` vouchers that come after `before_count` of them.

    By cumulative rounding, so that the first funder (the State) pays exactly `floor(total * share)` of any whole number of
    vouchers, and these are paid to the cent. `share_basis_points` must sum to 10,000, and each share be worth at least one
    cent of a voucher.
    """
    end = before_count + count
    return _between(
        up_to * end // BASIS_POINTS - up_to * before_count // BASIS_POINTS
        for up_to in accumulate(face_value_cents * point for point in share_basis_points)
    )


def shares_of_order(
    face_value_cents: int,
    share_basis_points: Sequence[int],
    committed_cents: int,
    available_cents: Sequence[int],
    count: int,
) -> tuple[int, ...]:
    """Return what each funder pays, in cents, of an order of `count` vouchers, which the credit available must cover.

    Each funder is left its share of the vouchers that may still be ordered: its part of all those issued is exact, whatever
    was given back before. Nobody's part departs from its share by a cent a voucher; so what is left can always be ordered
    too, to the last voucher (ADR 3 has the proof).
    """
    left_count = sum(available_cents) // face_value_cents - count
    kept = shares_of(face_value_cents, share_basis_points, committed_cents // face_value_cents - left_count, left_count)
    reached = []
    for basis_points, available, keep in zip(
        accumulate(share_basis_points), accumulate(available_cents), accumulate(kept), strict=True
    ):
        least = face_value_cents * basis_points // BASIS_POINTS
        lowest = max(count * least, available - left_count * (least + 1))
        highest = min(count * (least + 1), available - left_count * least)
        reached.append(min(max(available - keep, lowest), highest))
    return _between(reached)


def spread(amounts_cents: Sequence[int], over_count: int, first: int, count: int = 1) -> tuple[int, ...]:
    """Return what each funder pays, in cents, of `count` vouchers from rank `first` (0 is the first) of an order.

    `amounts_cents` is what each pays of the whole order, `over_count` vouchers of one value: spread by cumulative rounding,
    so that each voucher is paid to the cent and no part of one is negative.
    """
    end = first + count
    return _between(up_to * end // over_count - up_to * first // over_count for up_to in accumulate(amounts_cents))


def _between(reached: Iterable[int]) -> tuple[int, ...]:
    """Return each amount without those before it."""
    return tuple(up_to - below for below, up_to in pairwise((0, *reached)))
