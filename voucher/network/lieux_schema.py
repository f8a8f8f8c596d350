"""The « lieux de médiation numérique » schema v1.0.2, read from the official JSON beside this file: its columns and constraints.

How the schema says "several values": no `enum`, but a pattern of the form `(?:(?:^|\\|)(A|B|C))+$`, values joined by `|`.
Taken as an expression it is loose: it lets through « |Payant » and, where an engine searches rather than matches, « n'importe
quoi|Payant ». So we read the list of words out of it and check each value.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

SCHEMA_PATH = Path(__file__).parent / "lieux" / "schema.json"
SEPARATOR = "|"

# Columns whose description asks for several values joined by `|` and which have no list of words.
_FREE_MULTIPLE = frozenset({"typologie", "courriels", "site_web", "autres_formations_labels"})

_VOCABULARY = re.compile(r"\(\?:\(\?:\^\|\\\|\)\((?P<words>.+)\)\)\+\$")

# Words that the schema's descriptions give and its patterns do not; the pattern's spelling is the one we keep.
_ALIASES = {
    "Dans un atelier collectif : j'apprends collectivement à utiliser le numérique": "Dans un atelier collectif",
    "À distance (par téléphone ou en visioconférence)": "À distance",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the standard. `vocabulary` maps a word's spelling key to the standard's own spelling."""

    name: str
    kind: str
    is_required: bool
    is_unique: bool
    is_multiple: bool
    length_max: int | None
    pattern: re.Pattern[str] | None
    vocabulary: dict[str, str]

    def word(self, text: str) -> str | None:
        """The standard's spelling of a value, whatever its capitals, accents, spaces and apostrophes; None if it is not in the list."""
        return self.vocabulary.get(spelling_key(text))


@lru_cache(maxsize=512)  # a file says the same few words thousands of times
def spelling_key(text: str) -> str:
    """Letters and digits only, without accents or capitals: « Étapes numériques (La Poste) » is « Étapes numériques(La Poste) »."""
    return "".join(char for char in unicodedata.normalize("NFKD", text).casefold() if char.isalnum())


@cache
def standard_columns() -> dict[str, Column]:
    """The 32 columns, in the standard's order."""
    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return {field["name"]: _column(field) for field in schema["fields"]}


def _column(field: dict[str, Any]) -> Column:
    constraints: dict[str, Any] = field.get("constraints", {})
    pattern: str | None = constraints.get("pattern")
    words = _words(pattern, constraints.get("enum"))
    vocabulary = {spelling_key(word): word for word in words}
    vocabulary |= {spelling_key(alias): word for alias, word in _ALIASES.items() if word in words}
    return Column(
        name=field["name"],
        kind=field["type"],
        is_required=constraints.get("required", False),
        is_unique=constraints.get("unique", False),
        is_multiple=bool(words) or field["name"] in _FREE_MULTIPLE,
        length_max=constraints.get("maxLength"),
        pattern=re.compile(pattern) if pattern and not words else None,
        vocabulary=vocabulary,
    )


def _words(pattern: str | None, enum: list[str] | None) -> list[str]:
    if enum:
        return enum
    found = _VOCABULARY.fullmatch(pattern or "")
    return [re.sub(r"\\(.)", r"\1", word) for word in found["words"].split(SEPARATOR)] if found else []
