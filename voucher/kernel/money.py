"""Money is a whole number of cents. No float ever holds an amount."""

import re
from collections.abc import Sequence

BASIS_POINTS = 10_000
NO_BREAK_SPACE = "\u00a0"
NARROW_NO_BREAK_SPACE = "\u202f"

_EUROS = re.compile(r"(?P<sign>-?)(?P<euros>\d{1,3}(?: \d{3})+|\d+)(?:[.,](?P<cents>\d{1,2}))?")


def format_euros(cents: int) -> str:
    """Return « 1 234,50 € » for 123450 cents, with the no-break spaces French typography asks for."""
    euros, rest = divmod(abs(cents), 100)
    grouped = f"{euros:,}".replace(",", NARROW_NO_BREAK_SPACE)
    sign = "-" if cents < 0 else ""
    return f"{sign}{grouped},{rest:02d}{NO_BREAK_SPACE}€"


def format_round_euros(cents: int) -> str:
    """Return « 30 € » where there are no cents, else the same as `format_euros`: for buttons and vouchers."""
    return format_euros(cents).replace(",00", "") if cents % 100 == 0 else format_euros(cents)


def parse_euros(text: str) -> int:
    """Return the cents of an amount as a person types it: « 1 234,50 € », « 1234.5 », « 12 ».

    Raises ValueError with a French sentence when the text is not an amount to the cent.
    """
    plain = re.sub(r"[\s\u00a0\u202f]+", " ", text.replace("€", "")).strip()
    found = _EUROS.fullmatch(plain)
    if found is None:
        raise ValueError("Écrivez un montant en euros, par exemple 1 234,50.")
    cents = int(found["euros"].replace(" ", "")) * 100 + int((found["cents"] or "0").ljust(2, "0"))
    return -cents if found["sign"] else cents


def shares_of(
    face_value_cents: int, share_basis_points: Sequence[int], first_position: int, count: int = 1
) -> tuple[int, ...]:
    """Return what each funder pays, in cents, of `count` vouchers that start at `first_position`.

    Shares are fixed by cumulative rounding over the positions of an agreement, so that the first funder (the State) pays
    exactly `floor(total * share)` of any whole number of vouchers, and every voucher is paid to the cent.
    `share_basis_points` must sum to 10,000, and each share be worth at least one cent of a voucher.
    """
    end = first_position + count
    shares, below, so_far = [], 0, 0
    for basis_points in share_basis_points:
        so_far += basis_points
        up_to = face_value_cents * so_far
        reached = up_to * end // BASIS_POINTS - up_to * first_position // BASIS_POINTS
        shares.append(reached - below)
        below = reached
    return tuple(shares)
