"""What a person typed, checked before it is stored. Each function returns the clean value or raises Refused at its field."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from voucher.kernel.characters import compact
from voucher.kernel.identifiers import InvalidIdentifier
from voucher.kernel.refusals import Refused

POSTCODE_LENGTH = 5

Choice = TypeVar("Choice", bound=StrEnum)


def required_text(text: str, field: str, length_max: int) -> str:
    """Return a text on one line, spaces made single. Raises Refused when it is empty or too long."""
    plain = optional_text(text, field, length_max)
    if not plain:
        raise Refused("missing", "Remplissez ce champ.", field)
    return plain


def optional_text(text: str, field: str, length_max: int) -> str:
    """Return a text on one line, perhaps empty. Raises Refused when it is too long."""
    # PostgreSQL refuses a NUL in a text.
    plain = " ".join(text.replace("\x00", "").split())
    if len(plain) > length_max:
        raise Refused("too_long", f"Écrivez {length_max} caractères au plus.", field)
    return plain


def identifier(check: Callable[[str], str], text: str, field: str) -> str:
    """Return an identifier that `check` (of kernel.identifiers) takes. Raises Refused with its sentence."""
    try:
        return check(text)
    except InvalidIdentifier as error:
        raise Refused("invalid_identifier", str(error), field) from None


def member(choices: type[Choice], text: str, field: str) -> Choice:
    """Return the member of an enumeration. Raises Refused."""
    try:
        return choices(text)
    except ValueError:
        raise Refused("unknown_choice", "Choisissez une réponse de la liste.", field) from None


def postcode(text: str, field: str) -> str:
    """Return five digits. Raises Refused."""
    plain = compact(text)
    if len(plain) != POSTCODE_LENGTH or not plain.isascii() or not plain.isdigit():
        raise Refused("bad_postcode", "Un code postal compte cinq chiffres. Par exemple 51100.", field)
    return plain
