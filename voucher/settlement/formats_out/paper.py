"""How settlement writes its values on paper; what every room's documents share stands in `kernel.paper`."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from voucher.kernel import paper
from voucher.kernel.calendar import french_date

_TEMPLATES = Path(__file__).parent / "print"


def pdf(template: str, values: Mapping[str, Any], dated_on: date) -> bytes:
    """Draw one of settlement's templates."""
    return paper.pdf(_TEMPLATES / template, values, dated_on)


def period_words(period: tuple[date, date]) -> str:
    """Return « du 1er juin 2026 au 30 juin 2026 »."""
    return f"du {french_date(period[0])} au {french_date(period[1])}"
