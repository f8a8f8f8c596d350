"""The typing code: what a person types when a QR code cannot be scanned.

Twelve characters of Crockford's Base32 (no I, L, O, U) in groups of four: serial (30 bits), secret tag (24 bits), check
(6 bits). A booklet's is the same behind a « C » (for *carnet*), thirteen characters, and its check is another: a cover that
lost its C is never taken for a voucher.

The check is linear over GF(64). Read each character as an element c of five bits, and let x be the generator: a code is
right when the sum of x^i · c_i over its twelve places is the constant of its kind. One wrong character changes the sum by
x^i · d, two exchanged characters by (x^i + x^j) · d, and neither is zero when d is not: both are always caught, wherever
they are. Any other slip passes one time in 64, and then meets the secret tag.
"""

from typing import NamedTuple

from voucher.issuing.code import SERIAL_MAX, TAG_MAX, Kind, Unreadable, UnreadableCode
from voucher.kernel.base32 import ALPHABET, as_printed
from voucher.kernel.number_labels import fours

CHARACTERS = 12
BOOKLET_LETTER = "C"

_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_SEPARATORS = dict.fromkeys(map(ord, "-‐‑‒–—_.·"))
_CHECK_OF = {Kind.VOUCHER: 0, Kind.BOOKLET: 1}
_GROUP = 4


class TypedCode(NamedTuple):
    """What a typing code says: a serial and the secret tag that must go with it."""

    serial: int
    tag: int
    kind: Kind


def _times_x(element: int) -> int:
    """Multiply by x in GF(64), modulo x^6 + x + 1."""
    return element << 1 if element < 32 else (element << 1) ^ 0b1000011


def _contributions() -> list[list[int]]:
    """Return, for each place, what each of the 32 characters adds to the sum."""
    places = [list(range(32))]
    while len(places) < CHARACTERS:
        places.append([_times_x(element) for element in places[-1]])
    return places


_CONTRIBUTIONS = _contributions()


def _sum(values: list[int]) -> int:
    total = 0
    for place, value in zip(_CONTRIBUTIONS, values, strict=True):
        total ^= place[value]
    return total


def _values(number: int) -> list[int]:
    return [number >> shift & 31 for shift in range(5 * (CHARACTERS - 1), -1, -5)]


# The six check bits reach every one of the 64 sums exactly once, so each serial and tag has exactly one code of each kind.
_CHECK_BITS = {_sum(_values(bits)): bits for bits in range(64)}


def typing_code(serial: int, tag: int, kind: Kind = Kind.VOUCHER) -> str:
    """Return « 0G7K 3M9Q XR2F » for a voucher, « C 0G7K 3M9Q XR2F » for a booklet (by its first voucher).

    Raises ValueError when the serial passes 30 bits or the tag 24.
    """
    if not 0 <= serial <= SERIAL_MAX or not 0 <= tag <= TAG_MAX:
        raise ValueError(f"serial {serial} or tag {tag} has no typing code")
    number = (serial << 24 | tag) << 6
    number |= _CHECK_BITS[_sum(_values(number)) ^ _CHECK_OF[kind]]
    characters = "".join(ALPHABET[value] for value in _values(number))
    groups = fours(characters)
    return " ".join([BOOKLET_LETTER, *groups] if kind is Kind.BOOKLET else groups)


def read_typing_code(text: str) -> TypedCode:
    """Read what a person typed: any case, any spaces and dashes, O for 0, I or L for 1.

    Raises UnreadableCode (truncated, too long, wrong alphabet, wrong check). The tag is not checked here.
    """
    characters = "".join(text.translate(_SEPARATORS).split())
    if not characters:
        raise UnreadableCode(Unreadable.EMPTY)
    characters = as_printed(characters)
    if any(character not in _VALUES for character in characters):
        raise UnreadableCode(Unreadable.WRONG_ALPHABET)
    kind = Kind.VOUCHER
    if len(characters) == CHARACTERS + 1 and characters[0] == BOOKLET_LETTER:
        kind, characters = Kind.BOOKLET, characters[1:]
    if len(characters) != CHARACTERS:
        raise UnreadableCode(Unreadable.TRUNCATED if len(characters) < CHARACTERS else Unreadable.TOO_LONG)
    values = [_VALUES[character] for character in characters]
    if _sum(values) != _CHECK_OF[kind]:
        raise UnreadableCode(Unreadable.WRONG_CHECK)
    number = 0
    for value in values:
        number = number << 5 | value
    return TypedCode(serial=number >> 30, tag=number >> 6 & TAG_MAX, kind=kind)
