"""The rules of a SEPA credit transfer that no XML schema holds: accounts, characters, lengths. A RIB is entered and a file is written by them.

Sources: EPC115-06 (rulebook) and EPC132-08 (implementation guidelines) for lengths and identifiers; EPC217-08 for the
character set: letters `a-z A-Z`, digits, space and `/ - ? : ( ) . , ' +`.
"""

import re
import unicodedata
from functools import lru_cache

from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException

from voucher.kernel.characters import compact

NAME_LENGTH_MAX = 70
REMITTANCE_LENGTH_MAX = 140
IDENTIFIER_LENGTH_MAX = 35
TOWN_LENGTH_MAX = 35
AMOUNT_CENTS_MAX = 99_999_999_999  # 999 999 999,99 €, the ceiling of the scheme (rulebook, AT-T002)

# Text that banks carry as it is; most is, and needs nothing more.
_PLAIN = re.compile(r"[A-Za-z0-9/\-?:().,'+]+(?: [A-Za-z0-9/\-?:().,'+]+)*")
_IDENTIFIER = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]+")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")
_FRENCH_IBAN = re.compile(r"FR[0-9]{12}[0-9A-Z]{11}[0-9]{2}")
_IBAN_DIGITS = {ord(letter): str(number) for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10)}
# A letter of an account number counts as a digit: A and J are 1, B, K and S are 2, and so on.
_RIB_DIGITS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "12345678912345678923456789")
_COUNTRY = re.compile(r"[A-Z]{2}")
_IBAN_WORD = re.compile(r"IBAN:?(?=[A-Z]{2}[0-9]{2})")
# ISO 3166 gives France's territories codes of their own, which BICs use; their IBANs are French, or bear that code (EPC409-09).
_FAMILIES = (
    frozenset({"FR", "GP", "MQ", "GF", "RE", "PM", "YT", "BL", "MF", "NC", "PF", "WF", "TF"}),
    frozenset({"GB", "GG", "JE", "IM"}),
)
_SPACES = re.compile(r"\s+")
_HAS_WORD = re.compile(r"[A-Za-z0-9]")

# What Unicode does not decompose, and the signs EPC217-08 maps; any other character becomes a full stop.
_REPLACEMENTS = str.maketrans(
    {
        "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "ß": "ss", "ẞ": "SS", "Ø": "O", "ø": "o", "Đ": "D", "đ": "d", "Ð": "D",
        "ð": "d", "Þ": "TH", "þ": "th", "Ł": "L", "ł": "l", "Ħ": "H", "ħ": "h", "ı": "i", "Ŋ": "N", "ŋ": "n",
        "&": "+", "€": "E", "@": "(at)", "_": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "~": "-",
        "’": "'", "‘": "'", "`": "'", "´": "'", "ʼ": "'", "°": "o", "º": "o", "ª": "a",
        '"': "'", "“": "'", "”": "'", "«": "'", "»": "'", ";": ",", "[": "(", "]": ")", "{": "(", "}": ")", "\\": "/", "|": "/",
        "\u00ad": None, "\u200b": None, "\u200c": None, "\u200d": None, "\ufeff": None,
    }
)  # fmt: skip


class WrongPayment(ValueError):
    """A transfer file cannot be written from this; `sentence` is French and says what to correct.

    `end_to_end_id` names the transfer at fault, or is None when the fault is in the file as a whole.
    """

    def __init__(self, sentence: str, *, end_to_end_id: str | None = None) -> None:
        super().__init__(sentence if end_to_end_id is None else f"Virement {end_to_end_id} : {sentence}")
        self.sentence = sentence
        self.end_to_end_id = end_to_end_id


class WrongIdentifier(WrongPayment):
    """An identifier is empty, too long, holds a forbidden character or slash, or is used twice."""


class WrongName(WrongPayment):
    """A name is empty, too long, or has nothing that the SEPA character set can write."""


class WrongAccount(WrongPayment):
    """An IBAN or a BIC is wrong, or the account lies outside SEPA."""


class WrongAddress(WrongPayment):
    """A town comes without its country, or the other way round, or cannot be written."""


class WrongAmount(WrongPayment):
    """An amount is not a whole number of cents within the limits of the scheme."""


class WrongRemittance(WrongPayment):
    """The text for the payee is empty or too long."""


class WrongExecutionDay(WrongPayment):
    """The execution day is not a TARGET day, or lies before the file itself."""


class NothingToPay(WrongPayment):
    """A transfer file needs at least one transfer."""


def sepa_text(text: str) -> str:
    """Return the text in SEPA characters: accents dropped, ligatures spelt out, other signs replaced, spaces folded.

    `&` becomes `+`, quotes an apostrophe, `;` a comma, brackets parentheses, dashes `-`; what has no counterpart (other
    alphabets, symbols) becomes a full stop. Accepts any text; the result may be longer than the text, or have no letter.
    """
    if _PLAIN.fullmatch(text):
        return text
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text.translate(_REPLACEMENTS))
        text = "".join(char for char in decomposed if char.isascii() or not unicodedata.combining(char))
    plain = _SPACES.sub(" ", text.translate(_REPLACEMENTS)).strip()
    return _FORBIDDEN.sub(".", plain)


def checked_identifier(identifier: str, what: str) -> str:
    """Return the identifier if banks carry it unchanged from end to end, else raise WrongIdentifier."""
    if not identifier or len(identifier) > IDENTIFIER_LENGTH_MAX:
        raise WrongIdentifier(
            f"{what} doit compter de 1 à {IDENTIFIER_LENGTH_MAX} caractères ; « {identifier} » en compte {len(identifier)}."
        )
    if not _IDENTIFIER.fullmatch(identifier) or identifier != identifier.strip():
        raise WrongIdentifier(
            f"{what} « {identifier} » contient un caractère refusé. Utilisez des lettres sans accent et des chiffres."
        )
    if identifier.startswith("/") or identifier.endswith("/") or "//" in identifier:
        raise WrongIdentifier(f"{what} « {identifier} » ne doit ni commencer ni finir par « / », ni contenir « // ».")
    return identifier


def checked_name(name: str, what: str) -> str:
    """Return the name in SEPA characters, at most 70 of them, else raise WrongName.

    A name is never cut, nor any of its letters replaced by a full stop: banks compare it with the holder of the account
    (verification of payee, since 9 October 2025).
    """
    text = sepa_text(name)
    if not _HAS_WORD.search(text):
        raise WrongName(
            f"{what} est vide ou illisible pour une banque. Écrivez-le en lettres latines, comme sur le RIB."
        )
    # A sign that banks replace alike (« % ») is theirs to replace; a letter of another alphabet would be lost.
    is_plain = name.isascii() or text.count(".") == name.count(".")
    strange = None if is_plain else next((one for one in name if not one.isascii() and "." in sepa_text(one)), None)
    if strange is not None:
        raise WrongName(f"{what} contient « {strange} », qu’aucune banque n’écrit. Recopiez le nom du RIB.")
    if len(text) > NAME_LENGTH_MAX:
        raise WrongName(
            f"{what} compte {len(text)} caractères ; une banque en accepte {NAME_LENGTH_MAX}. Reprenez le nom du RIB."
        )
    return text


def checked_remittance(remittance: str) -> str:
    """Return the text for the payee in SEPA characters, at most 140 of them, else raise WrongRemittance."""
    text = sepa_text(remittance)
    if not _HAS_WORD.search(text):
        raise WrongRemittance("Le libellé du virement est vide. Écrivez un libellé que la structure reconnaîtra.")
    if len(text) > REMITTANCE_LENGTH_MAX:
        raise WrongRemittance(
            f"Le libellé compte {len(text)} caractères ; une banque en accepte {REMITTANCE_LENGTH_MAX}. Raccourcissez-le."
        )
    return text


def checked_iban(iban: str) -> str:
    """Return the IBAN bare: without spaces, dashes, invisible marks, nor the word IBAN in front.

    Its check digits (ISO 13616), the French clé RIB and its SEPA country are verified. Raises WrongAccount.
    """
    # Nearly all are French and right: two sums say so thirty times faster than what knows every country.
    if _FRENCH_IBAN.fullmatch(iban) and _is_right(iban):
        return iban
    bare = _IBAN_WORD.sub("", compact(iban), count=1)
    try:
        account = IBAN(bare, validate_bban=True)
    except SchwiftyException:
        raise WrongAccount(f"L’IBAN « {iban} » est faux. Recopiez-le depuis le RIB.") from None
    if not account.in_sepa_zone:
        raise WrongAccount(f"L’IBAN « {iban} » est hors de la zone SEPA. Demandez un compte de la zone SEPA.")
    return str(account.compact)


def french_iban(bank: str, branch: str, account: str, country: str = "FR") -> str:
    """Return the IBAN of a French account (or Monaco's, MC), with its clé RIB and its check digits, from 5, 5 and 11 characters."""
    plain = account.translate(_RIB_DIGITS)
    # The clé RIB is 97 less 89 × bank + 15 × branch + 3 × account modulo 97; the check digits are ISO 13616's.
    key = 97 - (89 * int(bank) + 15 * int(branch) + 3 * int(plain)) % 97
    bban = f"{bank}{branch}{account}{key:02d}"
    return f"{country}{98 - int(f'{bban}{country}00'.translate(_IBAN_DIGITS)) % 97:02d}{bban}"


def _is_right(iban: str) -> bool:
    """Whether the check digits and the clé RIB of a French IBAN are right."""
    return french_iban(iban[4:9], iban[9:14], iban[14:25]) == iban


def checked_bic(bic: str) -> str:
    """Return the BIC (ISO 9362) in capitals; its shape and its country are verified, not that the bank exists."""
    try:
        return str(BIC(compact(bic)).compact)
    except SchwiftyException:
        raise WrongAccount(f"Le BIC « {bic} » est faux. Recopiez-le depuis le RIB, ou laissez-le vide.") from None


def checked_bic_of(bic: str, iban: str) -> str:
    """Return the BIC, its bank that of the IBAN: same country, and where the IBAN's bank is known, same bank. Raises WrongAccount.

    A bank has several BICs, one by region or by branch: the four letters that name it are compared.
    """
    bare = checked_bic(bic)
    _check_bank(bare, iban[:2], IBAN(iban, allow_invalid=True).bank_code)
    return bare


@lru_cache(maxsize=10_000)
def _check_bank(bic: str, country: str, bank_code: str) -> None:
    is_one_country = bic[4:6] == country or any({bic[4:6], country} <= family for family in _FAMILIES)
    try:
        known = {str(one)[:4] for one in BIC.candidates_from_bank_code(country, bank_code)}
    except SchwiftyException:
        known = set()
    if not is_one_country or (known and bic[:4] not in known):
        raise WrongAccount(
            f"Le BIC « {bic} » est celui d’une autre banque que l’IBAN. Recopiez-le, ou laissez-le vide."
        )


def checked_address(town: str | None, country: str | None) -> tuple[str, str] | tuple[None, None]:
    """Return a structured address, a town (35 SEPA characters) and its country (ISO 3166), or none. Raises WrongAddress.

    Only these two are kept: the rest of an address would be unstructured, which banks refuse since 15 November 2026.
    """
    if not town and not country:
        return None, None
    plain = sepa_text(town or "")
    if not _HAS_WORD.search(plain) or len(plain) > TOWN_LENGTH_MAX or not _COUNTRY.fullmatch(country or ""):
        raise WrongAddress(
            f"L’adresse « {town or ''}, {country or ''} » est incomplète. Donnez la ville et le pays, ou rien."
        )
    return plain, country or ""


def checked_amount(amount_cents: int) -> int:
    """Return the amount if it is a whole number of cents from 0,01 € to 999 999 999,99 €, else raise WrongAmount."""
    if type(amount_cents) is not int:
        raise WrongAmount("Le montant doit être un nombre entier de centimes.")
    if amount_cents < 1:
        raise WrongAmount("Le montant doit être d’au moins 0,01 €. Retirez ce virement.")
    if amount_cents > AMOUNT_CENTS_MAX:
        raise WrongAmount(
            "Le montant dépasse 999 999 999,99 €, le plafond d’un virement SEPA. Faites plusieurs virements."
        )
    return amount_cents
