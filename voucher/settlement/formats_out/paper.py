"""How settlement writes its values on paper; what every room's documents share stands in `kernel.paper`."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from voucher.kernel import paper
from voucher.kernel.calendar import french_date
from voucher.kernel.money import NARROW_NO_BREAK_SPACE, NO_BREAK_SPACE

_TEMPLATES = Path(__file__).parent / "print"


def pdf(template: str, values: Mapping[str, Any], dated_on: date) -> bytes:
    """Draw one of settlement's templates."""
    return paper.pdf(_TEMPLATES / template, values, dated_on)


def count_words(number: int) -> str:
    """Return « 1 234 », with a no-break space."""
    return f"{number:,}".replace(",", NARROW_NO_BREAK_SPACE)


def period_words(period: tuple[date, date]) -> str:
    """Return « du 1er juin 2026 au 30 juin 2026 »."""
    return f"du {french_date(period[0])} au {french_date(period[1])}"


def grouped_siret(siret: str) -> str:
    """Return « 123 456 789 00012 »; an RNA number stays as it is."""
    if len(siret) != 14:
        return siret
    return NO_BREAK_SPACE.join((siret[:3], siret[3:6], siret[6:9], siret[9:]))


def grouped_iban(iban: str) -> str:
    """Return an IBAN in groups of four."""
    return NO_BREAK_SPACE.join(iban[start : start + 4] for start in range(0, len(iban), 4))
