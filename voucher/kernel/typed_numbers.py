"""Amounts, rates, counts and serials as people type them: one reading for every form, file, filter and command.

    1 234,50 €    12,5    12€50    1234.5    −3,00        35,5 %        1 200        0001 2345

A sign is never removed with its two sides joined. Spaces, of any kind, group digits by three and nothing else (a serial is also
grouped by four, as we print it). The decimal sign, comma or point, stands before one or two digits. « € » is last, or between
euros and two digits; « % » is last. A minus, and zero, are read where the field allows them. All else is refused, with a
sentence that says what was read wrong and how to write it.
"""

import re

from voucher.kernel.characters import plain
from voucher.kernel.money import BASIS_POINTS
from voucher.kernel.number_labels import booklet_label

CENTS_MAX = 10**12
"""Ten thousand million euros: more is a slip of the hand."""
COUNT_MAX = 999_999_999
"""What any table holds."""
WHOLE_DIGITS_MAX = 17
NO_SERIAL = 0

_SHOWN_MAX = 40
_GROUPED = r"(?:[0-9]{1,3}(?: [0-9]{3})+|[0-9]+)"
_EUROS = re.compile(
    rf"(?P<sign>-?)(?P<whole>{_GROUPED})(?:(?:[.,](?P<decimals>[0-9]{{1,2}}))? *€?| *€ *(?P<after>[0-9]{{2}}))"
)
_PERCENT = re.compile(rf"(?P<sign>-?)(?P<whole>{_GROUPED})(?:[.,](?P<decimals>[0-9]{{1,2}}))? *%?")
_COUNT = re.compile(rf"(?P<sign>-?)(?P<whole>{_GROUPED})")
_SERIAL = re.compile(rf"{_GROUPED}|[0-9]{{1,4}}(?: [0-9]{{4}})+")

_EUROS_EXAMPLE = "Écrivez par exemple 1\u00a0234,50."
_PERCENT_EXAMPLE = "Écrivez un taux entre 0 et 100, par exemple 35,5."
_COUNT_EXAMPLE = "Écrivez un nombre entier, par exemple 1\u00a0200."


class WrongNumber(ValueError):
    """A text is not the number that a field asks for; its own text is a French sentence for the person who typed it."""


def parse_euros(text: str, *, may_be_negative: bool = False, may_be_zero: bool = False) -> int:
    """Return the cents of an amount, 10¹² at most either way. Raises WrongNumber."""
    found = _EUROS.fullmatch(read := plain(text))
    if found is None:
        raise _wrong(text, read, "€", _EUROS_EXAMPLE)
    cents = _hundredths(found["whole"], found["decimals"] or found["after"])
    if cents > CENTS_MAX:
        raise WrongNumber("Ce montant est trop grand. Vérifiez le nombre de chiffres.")
    if found["sign"] and not may_be_negative:
        raise WrongNumber(f"« {_shown(text)} » est négatif. Écrivez ce montant sans le signe moins.")
    if cents == 0 and not may_be_zero:
        raise WrongNumber("Écrivez un montant au-dessus de zéro.")
    return -cents if found["sign"] else cents


def parse_percent(text: str, *, may_be_zero: bool = False) -> int:
    """Return the basis points of a rate from 0 to 100 percent. Raises WrongNumber."""
    found = _PERCENT.fullmatch(read := plain(text))
    if found is None:
        raise _wrong(text, read, "%", _PERCENT_EXAMPLE)
    basis_points = _hundredths(found["whole"], found["decimals"])
    if found["sign"] or basis_points > BASIS_POINTS:
        raise WrongNumber(f"« {_shown(text)} » n’est pas entre 0 et 100. {_PERCENT_EXAMPLE}")
    if basis_points == 0 and not may_be_zero:
        raise WrongNumber("Écrivez un taux au-dessus de zéro.")
    return basis_points


def parse_count(text: str, *, may_be_zero: bool = False) -> int:
    """Return a whole number of things. Raises WrongNumber."""
    found = _COUNT.fullmatch(read := plain(text))
    if found is None:
        raise _wrong(text, read, "", _COUNT_EXAMPLE)
    count = _digits(found["whole"])
    if found["sign"]:
        raise WrongNumber(f"« {_shown(text)} » est négatif. {_COUNT_EXAMPLE}")
    if count > COUNT_MAX:
        raise WrongNumber("Ce nombre est trop grand. Vérifiez le nombre de chiffres.")
    if count == 0 and not may_be_zero:
        raise WrongNumber("Écrivez un nombre au-dessus de zéro.")
    return count


def parse_serial(text: str) -> int:
    """Return the number of a booklet, as printed (0001 2345) or plain (12345). Raises WrongNumber."""
    found = _SERIAL.fullmatch(plain(text))
    serial = 0 if found is None else _digits(found[0])
    if not 0 < serial <= COUNT_MAX:
        raise WrongNumber(
            f"« {_shown(text)} » n’est pas un numéro de carnet. Écrivez par exemple {booklet_label(12_345)}."
        )
    return serial


def serial_asked(text: str) -> int:
    """Return the number of a booklet that a filter asks for; 0, which no booklet has, for what cannot be read."""
    try:
        return parse_serial(text)
    except WrongNumber:
        return NO_SERIAL


def whole_number(text: str) -> int | None:
    """Return the whole number that a page of ours put in an address or a hidden field; None for anything but plain digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= WHOLE_DIGITS_MAX else None


def rank_number(text: str) -> int | None:
    """Return the same for a rank or a year; None too beyond COUNT_MAX: PostgreSQL refuses to compare what its column cannot hold."""
    number = whole_number(text)
    return None if number is None or number > COUNT_MAX else number


def _hundredths(whole: str, decimals: str | None) -> int:
    return _digits(whole) * 100 + int((decimals or "").ljust(2, "0"))


def _digits(grouped: str) -> int:
    # Beyond what any field takes, only that it is beyond counts: Python reads no number of thousands of digits.
    digits = grouped.replace(" ", "").lstrip("0")
    return int(digits[: WHOLE_DIGITS_MAX + 1] or "0")


def _wrong(text: str, read: str, unit: str, example: str) -> WrongNumber:
    """Say the first thing that makes a text no number."""
    if not read:
        return WrongNumber(example)
    return WrongNumber(f"« {_shown(text)} » {_fault(read, unit)}. {example}")


def _fault(read: str, unit: str) -> str:
    if any(mark.isalpha() for mark in read):
        return "contient une lettre"
    strange = next((mark for mark in read if mark not in f"0123456789 -.,{unit}"), None)
    if strange is not None:
        return f"contient le signe « {strange} »" if strange.isprintable() else "contient un signe caché"
    if not any(mark.isdigit() for mark in read):
        return "n’a aucun chiffre"
    if read.count("-") > 1 or "-" in read[1:]:
        return "a un signe moins en trop"
    if read.count(",") + read.count(".") > 1 or (unit and read.count(unit) > 1):
        return "a deux signes au lieu d’un"
    if not unit and ("," in read or "." in read):
        return "a une virgule"
    if re.search(r"[.,][0-9]{3}", read):
        return "a plus de deux chiffres après la virgule"
    if re.search(r"[.,](?![0-9])|(?<![0-9])[.,]", read):
        return "a une virgule qui n’est pas entre deux chiffres"
    if unit and unit in read.rstrip(unit):
        return f"a « {unit} » au mauvais endroit : mettez-le à la fin"
    return "a une espace qui ne sépare pas des milliers"


def _shown(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= _SHOWN_MAX else f"{shown[:_SHOWN_MAX]}…"
