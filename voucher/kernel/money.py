"""Money is a whole number of cents. No float ever holds an amount."""

from decimal import Decimal

BASIS_POINTS = 10_000
NO_BREAK_SPACE = "\u00a0"
NARROW_NO_BREAK_SPACE = "\u202f"


def sum_cents(found: int | Decimal | None) -> int:
    """Return a sum of cents that a database gave: over no rows it says nothing, and PostgreSQL's type is not Python's."""
    return 0 if found is None else int(found)


def thousands(number: int) -> str:
    """Return « 1 234 567 »: thousands apart by narrow no-break spaces."""
    return f"{number:,}".replace(",", NARROW_NO_BREAK_SPACE)


def format_euros(cents: int) -> str:
    """Return « 1 234,50 € » for 123450 cents, with the no-break spaces French typography asks for."""
    euros, rest = divmod(abs(cents), 100)
    sign = "-" if cents < 0 else ""
    return f"{sign}{thousands(euros)},{rest:02d}{NO_BREAK_SPACE}€"


def format_round_euros(cents: int) -> str:
    """Return « 30 € » where there are no cents, else the same as `format_euros`: for buttons and vouchers."""
    return format_euros(cents).replace(",00", "") if cents % 100 == 0 else format_euros(cents)
