"""The accountant's own numbers and names of accounts, from a TOML file, checked before anything starts.

Our codes stay the keys of the ledger: entries do not change with the file. Pages, the FEC and exports show what it says.

    [comptes.4670]
    numero = "4671100"
    nom = "Structures, chèques à régler"
    auxiliaire = "S"          # optional: what begins the numbers of its auxiliary accounts

    [regles]                  # optional
    chiffres_min = 3
    chiffres_max = 8
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from voucher.ledger.chart import CHART, AccountClass, Book, Code, Dimension, Side

CARRIED_FORWARD = AccountClass(Code.CARRIED_FORWARD, "Report à nouveau", Book.GENERAL, Side.CREDIT, ())
"""Where charges of closed years stand: nothing is posted to it, a year's opening balances are shown there (ADR 12)."""

PRESENTED: Mapping[str, AccountClass] = {CARRIED_FORWARD.code: CARRIED_FORWARD, **CHART}
"""Every line that a book shows: the chart's, and what is carried forward."""

DIGITS_MIN, DIGITS_MAX = 3, 8
NAME_LENGTH_MAX = 120
PREFIX_LENGTH_MAX = 4
_AUXILIARY: Mapping[Dimension, str] = {Dimension.STRUCTURE: "S", Dimension.FUNDER: "F"}


@dataclass(frozen=True, slots=True)
class Numbered:
    """How a code is shown: its number, its name, and what begins the numbers of its auxiliary accounts (empty: it has none)."""

    code: str
    number: str
    name: str
    auxiliary: str


Numbering = Mapping[str, Numbered]
"""How each code is shown."""


class WrongChart(ValueError):
    """A chart file that cannot be used; `errors` are French sentences, all of them."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__(" ".join(self.errors))


def default_auxiliary(line: AccountClass) -> str:
    """Return what begins the auxiliary numbers of a code: its third party's kind."""
    if line.book is not Book.GENERAL or line.code[0] != "4":
        return ""
    return next((prefix for dimension, prefix in _AUXILIARY.items() if dimension in line.dimensions), "")


OWN_NUMBERS: Numbering = {
    code: Numbered(code, code, line.name, default_auxiliary(line)) for code, line in PRESENTED.items()
}
"""Without a file: our codes are the numbers."""


@lru_cache(maxsize=4)
def chart_numbers(path: Path | None) -> Numbering:
    """Return the numbering of a chart file, or our own without one. Raises WrongChart with every error of the file."""
    if path is None:
        return OWN_NUMBERS
    try:
        content = path.read_bytes()
    except OSError:
        raise WrongChart([f"Le fichier {path} ne se lit pas. Vérifiez PASS_CHART_FILE et ses droits."]) from None
    return read_chart(content)


def read_chart(content: bytes) -> Numbering:
    """Return the numbering that the text of a chart file says. Raises WrongChart with every error."""
    try:
        said = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WrongChart([f"Ce fichier n’est pas un TOML en UTF-8 ({error}). Reprenez le modèle."]) from None
    errors = [
        f"« {name} » est inconnu. Le fichier n’a que [comptes.…] et [regles]."
        for name in said.keys() - {"comptes", "regles"}
    ]
    accounts, rules = said.get("comptes", {}), said.get("regles", {})
    if not isinstance(accounts, dict) or not isinstance(rules, dict):
        raise WrongChart([*errors, "[comptes.…] et [regles] sont des tables. Reprenez le modèle."])
    least, most = _bounds(rules, errors)
    found = {}
    for code, line in accounts.items():
        if code not in PRESENTED:
            errors.append(
                f"Compte {code} : ce code n’est pas au plan. Les codes sont ceux de la page « Plan comptable »."
            )
        elif (numbered := _numbered(code, line, least, most, errors)) is not None:
            found[code] = numbered
    missing = [code for code, line in PRESENTED.items() if line.book is Book.GENERAL and code not in accounts]
    if missing:
        errors.append(f"Il manque {', '.join(missing)}. Donnez un numéro à chaque compte du livre général.")
    errors += _doubles(found)
    if errors:
        raise WrongChart(errors)
    return {**OWN_NUMBERS, **found}


def _bounds(rules: Mapping[str, Any], errors: list[str]) -> tuple[int, int]:
    least, most = rules.get("chiffres_min", DIGITS_MIN), rules.get("chiffres_max", DIGITS_MAX)
    unknown = rules.keys() - {"chiffres_min", "chiffres_max"}
    errors += [f"« {name} » est inconnu dans [regles]." for name in sorted(unknown)]
    if type(least) is not int or type(most) is not int or not DIGITS_MIN <= least <= most <= 20:
        errors.append(
            f"[regles] : chiffres_min et chiffres_max sont des nombres, de {DIGITS_MIN} à 20, dans cet ordre."
        )
        return DIGITS_MIN, 20
    return least, most


def _numbered(code: str, line: Any, least: int, most: int, errors: list[str]) -> Numbered | None:
    if not isinstance(line, dict) or not all(isinstance(value, str) for value in line.values()):
        errors.append(f'Compte {code} : écrivez numero = "…" et nom = "…", entre guillemets.')
        return None
    unknown = line.keys() - {"numero", "nom", "auxiliaire"}
    errors += [
        f"Compte {code} : « {name} » est inconnu. Les mots sont numero, nom, auxiliaire." for name in sorted(unknown)
    ]
    number, name = line.get("numero", ""), line.get("nom", PRESENTED[code].name).strip()
    auxiliary = line.get("auxiliaire", OWN_NUMBERS[code].auxiliary)
    before = len(errors)
    if not number:
        errors.append(f'Compte {code} : son numéro manque. Écrivez numero = "…".')
    elif not (number.isascii() and number.isdigit() and least <= len(number) <= most):
        errors.append(f"Compte {code} : le numéro « {number} » n’a pas de {least} à {most} chiffres.")
    elif number[0] != code[0]:
        errors.append(f"Compte {code} : le numéro {number} n’est pas de la classe {code[0]}.")
    if not name or len(name) > NAME_LENGTH_MAX or any(mark in name for mark in "\t\r\n|"):
        errors.append(f"Compte {code} : le nom va de 1 à {NAME_LENGTH_MAX} signes, sans tabulation, retour ni barre |.")
    if len(auxiliary) > PREFIX_LENGTH_MAX or (auxiliary and not (auxiliary.isascii() and auxiliary.isalnum())):
        errors.append(f"Compte {code} : le préfixe auxiliaire a {PREFIX_LENGTH_MAX} lettres ou chiffres au plus.")
    elif auxiliary and not OWN_NUMBERS[code].auxiliary:
        errors.append(f"Compte {code} : il n’a pas de comptes auxiliaires. Retirez « auxiliaire ».")
    return Numbered(code, number, name, auxiliary) if len(errors) == before else None


def _doubles(found: Numbering) -> list[str]:
    by_number: dict[str, list[str]] = {}
    for one in {**OWN_NUMBERS, **found}.values():
        by_number.setdefault(one.number, []).append(one.code)
    return [
        f"Le numéro {number} est donné à {', '.join(codes)}. Un numéro ne sert qu’une fois."
        for number, codes in by_number.items()
        if len(codes) > 1
    ]
