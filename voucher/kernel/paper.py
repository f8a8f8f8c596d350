"""What our documents share: how values are written in a PDF by typst, and in a cell of a spreadsheet.

The same values give the same bytes, on any machine: typst with its own fonts, dates passed in. PDFs are tagged (PDF/UA-1).
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import typst

from voucher.kernel.money import NARROW_NO_BREAK_SPACE, NO_BREAK_SPACE

# Templates of every room may import "/kernel/print/common.typ".
_ROOT = Path(__file__).resolve().parents[1]
# What makes a spreadsheet run a cell as a formula (OWASP, CSV injection), full-width twins included.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# What the font of typst can draw (tried character by character): Latin, Greek and Cyrillic letters, French typography, money.
# PDF/UA refuses a page with a letter that cannot be drawn, and one name must never stop the payment of all the others.
_UNDRAWABLE = re.compile(
    "[^\u0020-\u007e\u00a0-\u024f\u0370-\u03ff\u0400-\u045f\u1e00-\u1eff\u2010-\u2027\u202f-\u2040\u20a0-\u20bf\u2116\u2122]"
)


def pdf(template: Path, values: Mapping[str, Any], dated_on: date) -> bytes:
    """Compile a template of ours with values passed as JSON: no text of a person ever becomes typst source."""
    return typst.compile(
        template,
        root=_ROOT,
        sys_inputs={"data": json.dumps(_drawable(values), ensure_ascii=False)},
        ignore_system_fonts=True,
        format="pdf",
        pdf_standards=["ua-1"],
        timestamp=datetime(dated_on.year, dated_on.month, dated_on.day, tzinfo=UTC),
    )


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula: it gets a leading apostrophe when it looks like one."""
    return f"'{text}" if text.lstrip(f" {NO_BREAK_SPACE}{NARROW_NO_BREAK_SPACE}").startswith(FORMULA_STARTS) else text


def euros_cell(cents: int) -> str:
    """Return « -12,50 » for -1250 cents: the way a French spreadsheet reads euros."""
    euros, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{euros},{rest:02d}"


def _drawable(value: Any) -> Any:
    """Return the values with their texts made of characters that can be printed; the others become « ? »."""
    match value:
        case str():
            return _UNDRAWABLE.sub(_nearest, unicodedata.normalize("NFC", value))
        case list():
            return [_drawable(item) for item in value]
        case dict():
            return {name: _drawable(item) for name, item in value.items()}
        case _:
            return value


def _nearest(undrawable: re.Match[str]) -> str:
    plain = unicodedata.normalize("NFKC", undrawable[0])
    return " " if plain.isspace() else "?" if _UNDRAWABLE.search(plain) else plain
