"""What one cell of a lieux file must hold. Each reader returns the value or raises `BadCell` with a French sentence.

The schema's patterns are applied by the caller; here stand the rules it cannot express: check digits, territories, bounds, dates.
"""

import re
import unicodedata
from datetime import date
from enum import StrEnum
from urllib.parse import urlsplit

from stdnum.exceptions import ValidationError
from stdnum.fr import siret

from voucher.kernel import characters
from voucher.kernel.paper import FORMULA_STARTS
from voucher.kernel.typed_days import WrongDay, parse_day
from voucher.programme.territories import department, department_of_postcode, kilometres_from_seat, territory_name

KILOMETRES_FROM_SEAT_MAX = 150  # the farthest end of a département from its prefecture is about 120 km
OLDEST_YEAR = 2000


class BadCell(Exception):
    """A value that cannot be taken; `sentence` is for the person who made the file."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class PivotKind(StrEnum):
    SIRET = "siret"
    RNA = "rna"


# W, the département (2A, 9R…) and the sub-prefecture's register, then a number: W751234567, W2A1001234, W9R4001234.
_RNA = re.compile(r"W\d[0-9A-Z]\d{7}")
_SPREADSHEET_NUMBER = re.compile(r"\d+([.,]\d+)?E\+?\d+", re.IGNORECASE)
_INVISIBLE = ("Cc", "Cf")

# South, north, west, east in degrees: the box in which a place of this territory can stand. Metropolitan France under "".
_BOXES = {
    "": (41.3, 51.2, -5.3, 9.7),
    "971": (15.8, 16.6, -61.9, -60.9),
    "972": (14.3, 15.0, -61.3, -60.7),
    "973": (2.0, 5.9, -54.7, -51.5),
    "974": (-21.5, -20.8, 55.1, 55.9),
    "975": (46.7, 47.2, -56.5, -56.0),
    "976": (-13.1, -12.6, 44.9, 45.4),
    "977": (17.8, 18.0, -63.0, -62.7),
    "978": (18.0, 18.2, -63.2, -62.9),
    "986": (-14.5, -13.1, -178.3, -176.0),
    "987": (-28.0, -7.8, -155.0, -134.0),
    "988": (-23.0, -18.0, 158.0, 172.5),
}

_LANDLINE_AND_MOBILE_PREFIXES = {
    "0590": "+590", "0690": "+590", "0691": "+590",
    "0594": "+594", "0694": "+594",
    "0596": "+596", "0696": "+596", "0697": "+596",
    "0262": "+262", "0263": "+262", "0269": "+262", "0639": "+262", "0692": "+262", "0693": "+262",
}  # fmt: skip


def clean(text: str, *, keeps_lines: bool = False) -> str:
    """Composed letters (NFC), no invisible characters, single spaces; `keeps_lines` keeps the paragraphs of a long text."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = "".join(char for char in text if char.isspace() or unicodedata.category(char) not in _INVISIBLE)
    if keeps_lines:
        return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
    return " ".join(text.split())


def guarded(text: str) -> str:
    """A text that a spreadsheet would run as a formula, made plain by an apostrophe in front."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def unguarded(text: str) -> str:
    """The text without the apostrophe that `guarded`, or a spreadsheet, put in front of it."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text


def looks_damaged(text: str) -> bool:
    """Whether accents were lost on the way: « M�diathèque », « MÃ©diathÃ¨que »."""
    return "\ufffd" in text or re.search("Ã[\u0080-\u00bf]", text) is not None


def pivot_of(text: str, postcode: str) -> tuple[str, PivotKind]:
    """The SIRET (14 digits, check digits verified, La Poste's own sum included) or the RNA of the structure that will be paid.

    The standard also knows the RIDET of New Caledonia and Polynesia: it names nobody whom the programme can pay, so it is refused.
    """
    compact = characters.compact(text)
    if _RNA.fullmatch(compact):
        return compact, PivotKind.RNA
    if _SPREADSHEET_NUMBER.fullmatch(text.strip()):
        raise BadCell(
            "Votre tableur a transformé ce numéro en nombre. Mettez la colonne au format « Texte » et recopiez les 14 chiffres du SIRET."
        )
    if not (compact.isascii() and compact.isdigit()):
        raise BadCell(
            "Ce n’est ni un SIRET (14 chiffres) ni un RNA (W et 9 caractères). Recopiez-le depuis annuaire-entreprises.data.gouv.fr."
        )
    if len(compact) in (9, 10) and postcode.startswith(("987", "988")):
        raise BadCell(
            "C’est un RIDET : le programme ne peut payer qu’un SIRET ou un RNA. Indiquez celui de la structure qui sera payée."
        )
    if len(compact) == 9:
        raise BadCell("C’est un SIREN (9 chiffres). Écrivez le SIRET de l’établissement : 14 chiffres.")
    if len(compact) == 13:
        raise BadCell(
            "Ce SIRET n’a que 13 chiffres : votre tableur a sans doute enlevé le zéro du début. Écrivez les 14 chiffres."
        )
    if len(compact) != 14:
        raise BadCell(f"Ce numéro a {len(compact)} chiffres, un SIRET en a 14. Recopiez-le en entier.")
    if compact.startswith("000000000"):
        raise BadCell(
            "Ce SIRET ne contient que des zéros : il ne désigne personne. Écrivez celui de la structure qui sera payée."
        )
    try:
        return str(siret.validate(compact)), PivotKind.SIRET
    except ValidationError:
        raise BadCell("Ce SIRET a une erreur de frappe : ses chiffres de contrôle sont faux. Recopiez-le.") from None


def postcode_of(text: str) -> str:
    """Five digits of a known territory. A lost zero is not put back in silence: 1000 could be anything."""
    text = characters.compact(text)
    if re.fullmatch(r"2[AB]\d{3}", text.upper()):
        raise BadCell("C’est un code INSEE de Corse, pas un code postal. Un code postal de Corse commence par 20.")
    if re.fullmatch(r"\d{4}", text, re.ASCII):
        raise BadCell(
            f"Ce code postal n’a que 4 chiffres : votre tableur a sans doute enlevé le zéro du début. Écrivez 0{text} si c’est bien lui."
        )
    if not re.fullmatch(r"\d{5}", text, re.ASCII):
        raise BadCell("Un code postal a 5 chiffres et aucune lettre. Corrigez-le.")
    is_corsican = text.startswith("20")
    if not is_corsican and department_of_postcode(text) is None:
        raise BadCell("Ce code postal n’est dans aucun département. Corrigez-le.")
    return text


def insee_code_of(text: str) -> str:
    """The commune's code: five characters, 2A or 2B in Corsica."""
    code = text.upper()
    if re.fullmatch(r"20\d{3}", code, re.ASCII):
        raise BadCell(
            "C’est un code postal. Un code INSEE de Corse commence par 2A ou 2B. Corrigez-le, ou laissez la case vide."
        )
    if re.fullmatch(r"\d{4}", code, re.ASCII):
        raise BadCell(
            f"Ce code INSEE n’a que 4 chiffres : votre tableur a sans doute enlevé le zéro du début. Écrivez 0{code} si c’est bien lui."
        )
    if not re.fullmatch(r"(\d\d|2[AB])\d{3}", code, re.ASCII) or department_of_postcode("", code) is None:
        raise BadCell("Ce n’est pas le code INSEE d’une commune (5 caractères). Corrigez-le, ou laissez la case vide.")
    return code


def day_of(text: str) -> date:
    """A civil day, as the standard writes it (2024-04-02) or as a spreadsheet leaves it (02/04/2024)."""
    try:
        day = parse_day(text)
    except WrongDay as wrong:
        raise BadCell(str(wrong)) from None
    if day.year < OLDEST_YEAR:
        raise BadCell(f"L’année {day.year} est trop ancienne. Vérifiez la date.")
    return day


def point_of(latitude: str, longitude: str, postcode: str, insee_code: str | None) -> tuple[float, float]:
    """Latitude and longitude in degrees (WGS 84, six decimals, about 10 cm), where the postcode says the place is.

    A point elsewhere would send a person to the wrong town, so it is not taken; the address stands.
    """
    if not latitude or not longitude:
        raise BadCell("Il manque la latitude ou la longitude. Le point n’a pas été pris : donnez les deux.")
    north, east = _degrees(latitude), _degrees(longitude)
    where = department_of_postcode(postcode, insee_code) or ""
    is_mainland = where not in _BOXES
    if not _is_in_box(north, east, "" if is_mainland else where):
        if any(_is_in_box(east, north, box) for box in _BOXES):
            raise BadCell("La latitude et la longitude semblent inversées. Le point n’a pas été pris : échangez-les.")
        raise BadCell(
            f"Ce point n’est pas {'en France métropolitaine' if is_mainland else f'là où est le code postal ({territory_name(where)})'}. Il n’a pas été pris : vérifiez-le."
        )
    distance = kilometres_from_seat(where, north, east) if is_mainland else None
    here = department(where)
    if distance is not None and here is not None and distance > KILOMETRES_FROM_SEAT_MAX:
        raise BadCell(
            f"Ce point est à {round(distance, -1):.0f} km de la préfecture du département ({here.name}). Il n’a pas été pris : vérifiez le point et l’adresse."
        )
    return north, east


def phone_of(text: str) -> str:
    """+33180059880 for 01 80 05 98 80: spaces out, the country in. The caller applies the standard's pattern."""
    compact = re.sub(r"[\s.\-()/]", "", text).replace("+330", "+33")
    if compact.startswith("00"):
        compact = f"+{compact[2:]}"
    if re.fullmatch(r"0\d{9}", compact, re.ASCII):
        compact = _LANDLINE_AND_MOBILE_PREFIXES.get(compact[:4], "+33") + compact[1:]
    return compact


def is_email(text: str) -> bool:
    return re.fullmatch(r"[^\s@<>,;|]+@[^\s@<>,;|]+\.[^\s@<>,;|.]+", text) is not None


def web_address_of(text: str) -> str | None:
    """An http(s) address; « www.… » gets its https; anything else, such as a script, is None."""
    address = f"https://{text}" if text.lower().startswith("www.") else text
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    is_web = (
        parts.scheme in ("http", "https") and "." in (parts.hostname or "") and not re.search(r"[\s<>\"'\\]", address)
    )
    return address if is_web else None


def _degrees(text: str) -> float:
    if not re.fullmatch(r"[+-]?\d{1,3}([.,]\d+)?", text, re.ASCII):
        raise BadCell("La latitude ou la longitude n’est pas un nombre comme 48.8566. Le point n’a pas été pris.")
    return round(float(text.replace(",", ".")), 6)


def _is_in_box(latitude: float, longitude: float, box: str) -> bool:
    south, north, west, east = _BOXES[box]
    return south <= latitude <= north and west <= longitude <= east
