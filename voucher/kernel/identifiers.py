"""Identifiers: ours (UUIDv7, derived numbers) and the country's (SIREN, SIRET, RNA, IBAN, BIC), always strings."""

import hashlib
import os
import time
from uuid import UUID

import schwifty
from schwifty.exceptions import SchwiftyException
from stdnum import exceptions as stdnum_errors
from stdnum.fr import siren, siret

from voucher.kernel import sepa
from voucher.kernel.characters import compact


class InvalidIdentifier(ValueError):
    """An identifier that cannot exist; its text is a French sentence for the person who typed it."""


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562 §5.7): ordered by time to the millisecond, random after."""
    stamp = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (
        (stamp & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    )
    return UUID(int=value)


def derived_number(name: str) -> int:
    """Return a positive 63-bit number that a name always gives: an id that needs no look-up and no counter."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) >> 1


def check_siren(text: str) -> str:
    """Return the nine digits of a SIREN. Raises InvalidIdentifier (Luhn key, length)."""
    try:
        return str(siren.validate(compact(text)))
    except stdnum_errors.ValidationError:
        raise InvalidIdentifier("Ce numéro SIREN n’existe pas. Vérifiez ses neuf chiffres.") from None


def check_siret(text: str) -> str:
    """Return the fourteen digits of a SIRET; La Poste's, which break the Luhn key, are taken. Raises InvalidIdentifier."""
    try:
        return str(siret.validate(compact(text)))
    except stdnum_errors.ValidationError:
        raise InvalidIdentifier("Ce numéro SIRET n’existe pas. Vérifiez ses quatorze chiffres.") from None


def check_iban(text: str) -> str:
    """Return an IBAN bare, as a transfer takes it. Raises InvalidIdentifier: ISO 13616 key, French clé RIB, outside SEPA."""
    try:
        return sepa.checked_iban(text)
    except sepa.WrongPayment as wrong:
        raise InvalidIdentifier(wrong.sentence) from None


def check_bic(text: str) -> str:
    """Return a BIC (ISO 9362) in capitals. Raises InvalidIdentifier."""
    try:
        return sepa.checked_bic(text)
    except sepa.WrongPayment as wrong:
        raise InvalidIdentifier(wrong.sentence) from None


def bic_of_iban(iban: str) -> str | None:
    """Return the BIC of a French bank from its IBAN, where the bank is known."""
    try:
        bic = schwifty.IBAN(iban).bic
    except SchwiftyException:
        return None
    return str(bic.compact) if bic else None
