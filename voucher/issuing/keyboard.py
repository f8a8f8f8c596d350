"""What a scanner typed, and what it meant: a USB scanner is a keyboard, and its layout need not be the computer's.

A scanner set to QWERTY on a computer set to AZERTY writes « HTTPSM!!PQSS » for « HTTPS://PASS »; capitals may be locked; `]Q1`, STX
or a byte order mark may come before, `?…` after. Of the ways to read what came, the first that has the shape of an address
or of 128 characters is what was meant: the signature then decides. The scanner's script has the same rule
(voucher/web/static/scanner/typed.js); one table of cases holds both.
"""

import re
from collections.abc import Callable
from itertools import product

from voucher.issuing.code import Unreadable, UnreadableCode
from voucher.issuing.typing_code import read_typing_code

# The same keys in the same order, as two layouts write them, without and with the key of capitals.
_QWERTY = ("1234567890-=qwertyuiop[]asdfghjkl;'\\zxcvbnm,./", '!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"|ZXCVBNM<>?')
_AZERTY = ("&é\"'(-è_çà)=azertyuiop^$qsdfghjklmù*wxcvbn,;:!", "1234567890°+AZERTYUIOP¨£QSDFGHJKLM%µWXCVBN?./§")
_CAPITALS = str.maketrans("ÉÈÇÀÙ", "éèçàù")  # what a lock of capitals makes of the first row

_EDGE = "\\s\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff"
_EDGES = re.compile(f"^[{_EDGE}]+|[{_EDGE}]+$")
_SYMBOLOGY = re.compile(r"^\][qQ][0-6]")
_AFTER_THE_CODE = re.compile(r"[?#].*$", re.DOTALL)
_WHOLE = re.compile(r"https?://[^/?#\s]+/v/[a-z2-7]*|[a-z2-7]{128}", re.IGNORECASE | re.ASCII)


def _translation(
    computer: tuple[str, str], scanner: tuple[str, str], is_locked: Callable[[str], bool]
) -> dict[int, int]:
    """Return what each character written on the computer's layout is on the scanner's."""
    found = {}
    for is_shifted in (False, True):
        for rank, character in enumerate(computer[is_shifted]):
            found[ord(character)] = ord(scanner[is_shifted != is_locked(character)][rank])
    return found


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


_LOCKS: tuple[Callable[[str], bool], ...] = (lambda _: False, _is_letter, lambda _: True)
_WAYS = ((_AZERTY, _QWERTY), (_QWERTY, _AZERTY), (_AZERTY, _AZERTY))
_READINGS = tuple(_translation(*way, lock) for way, lock in product(_WAYS, _LOCKS))
_WITHOUT_SHIFT = _translation(_AZERTY, _AZERTY, lambda _: True)


def meant(text: str) -> str:
    """Return the address, the 128 characters or the typing code that a text stands for; else the text, its edges trimmed.

    Typed without the key of capitals on AZERTY, the digits of a typing code are signs: they are read as digits where
    the check character agrees.
    """
    if (same := _whole(text)) is not None:
        return same
    written = text.translate(_CAPITALS)
    for reading in _READINGS:
        if (found := _whole(written.translate(reading))) is not None:
            return found
    typed = _trimmed(text)
    shifted = typed.translate(_CAPITALS).translate(_WITHOUT_SHIFT)
    return shifted if _mistake(typed) is Unreadable.WRONG_ALPHABET and _mistake(shifted) is None else typed


def _mistake(text: str) -> Unreadable | None:
    try:
        read_typing_code(text)
    except UnreadableCode as unreadable:
        return unreadable.reason
    return None


def _trimmed(text: str) -> str:
    return _EDGES.sub("", _SYMBOLOGY.sub("", _EDGES.sub("", text)))


def _whole(text: str) -> str | None:
    found = _AFTER_THE_CODE.sub("", _trimmed(text))
    return found if _WHOLE.fullmatch(found) else None
