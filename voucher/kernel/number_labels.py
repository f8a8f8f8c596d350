"""How people read an identifier: digits by four, the same on paper, on a page, in a refusal, an e-mail and the journal.

In files that programs read (CSV, XLSX, JSON, XML) an identifier stays as it is stored.
"""

from voucher.kernel.money import NO_BREAK_SPACE

SERIAL_GROUPS_MIN = 2
SIRET_LENGTH = 14
_GROUP = 4


def fours(text: str) -> list[str]:
    """Return a text in groups of four characters, the last one shorter."""
    return [text[start : start + _GROUP] for start in range(0, len(text), _GROUP)]


def serial_label(serial: int) -> str:
    """Return a voucher's serial, on two groups of four digits at least: « 0012 3456 », « 0001 2345 6789 »."""
    return _by_four(serial, SERIAL_GROUPS_MIN)


def booklet_label(number: int) -> str:
    """Return a booklet's number, on as many groups as it needs: « 0412 », « 0001 2345 »."""
    return _by_four(number, 1)


def iban_label(iban: str) -> str:
    """Return an IBAN in groups of four: « FR76 3000 … »."""
    return NO_BREAK_SPACE.join(fours(iban))


def iban_end(iban: str) -> str:
    """Return what an IBAN ends by, enough for its holder to know it: « 0172 »."""
    return iban[-_GROUP:]


def masked_iban(iban: str) -> str:
    """Return « FR•• …… 0172 »: the country and the end."""
    return NO_BREAK_SPACE.join((f"{iban[:2]}••", "……", iban_end(iban)))


def siret_label(pivot: str) -> str:
    """Return « 123 456 789 00012 »; an RNA number stays as it is."""
    if len(pivot) != SIRET_LENGTH:
        return pivot
    return NO_BREAK_SPACE.join((pivot[:3], pivot[3:6], pivot[6:9], pivot[9:]))


def _by_four(number: int, groups_min: int) -> str:
    digits = str(number)
    group_count = max(groups_min, -(-len(digits) // _GROUP))
    return NO_BREAK_SPACE.join(fours(digits.zfill(group_count * _GROUP)))
