"""What a person typed, checked before it is stored. Each function returns the clean value or raises Refused at its field."""

import unicodedata
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from voucher.kernel import sepa
from voucher.kernel.characters import compact, is_invisible
from voucher.kernel.identifiers import InvalidIdentifier, bic_of_iban
from voucher.kernel.refusals import Refused

POSTCODE_LENGTH = 5
HOLDER_TYPED_MAX = 500

Choice = TypeVar("Choice", bound=StrEnum)


def required_text(text: str, field: str, length_max: int) -> str:
    """Return a text on one line, spaces made single. Raises Refused when it is empty or too long."""
    plain = optional_text(text, field, length_max)
    if not plain:
        raise Refused("missing", "Remplissez ce champ.", field)
    return plain


def required_lines(text: str, field: str, length_max: int) -> str:
    """Return a text of several lines, its ends and what no screen shows taken away. Raises Refused when it is empty or too long."""
    lines = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    plain = "\n".join("".join(map(_shown, line)).rstrip() for line in lines).strip()
    if not plain:
        raise Refused("missing", "Remplissez ce champ.", field)
    if len(plain) > length_max:
        raise Refused("too_long", f"Écrivez {length_max} caractères au plus.", field)
    return plain


def _shown(mark: str) -> str:
    """Return a mark that a screen shows, a space of any kind included (« 60,00 € » has a no-break one); nothing for another."""
    if mark.isprintable() or unicodedata.category(mark) == "Zs":
        return mark
    return " " if mark.isspace() else ""


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


def account_holder(text: str, field: str) -> str:
    """Return the title of an account as its RIB gives it, which banks must be able to write whole. Raises Refused."""
    name = required_text("".join(mark for mark in text if not is_invisible(mark)), field, HOLDER_TYPED_MAX)
    name = unicodedata.normalize("NFC", name)
    try:
        sepa.checked_name(name, "Le nom du titulaire")
    except sepa.WrongPayment as wrong:
        raise Refused("wrong_holder", wrong.sentence, field) from None
    return name


def bank_of_account(text: str | None, iban: str, field: str) -> str | None:
    """Return the BIC that a person typed, which must be of the IBAN's bank; the known one where nothing was typed. Raises Refused."""
    if not text:
        return bic_of_iban(iban)
    try:
        return sepa.checked_bic_of(text, iban)
    except sepa.WrongPayment as wrong:
        raise Refused("wrong_bank", wrong.sentence, field) from None


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
