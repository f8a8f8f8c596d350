"""How values are said in French: Jinja filters, each a plain function that other rooms may call too.

{{ 123450|euros }}               1 234,50 €        {{ 1000|round_euros }}          10 €
{{ day|date }}                   12 mars 2026      {{ at|instant }}                12 mars 2026 à 14 h 05
{{ day|month }}                  mars 2026
{{ 412|booklet }}                0412              {{ 412|serial }}                0000 0412
{{ 7|percent(20) }}              35 % (7 sur 20)   {{ 3550|basis_points }}         35,5 %
{{ 3|plural("chèque") }}         3 chèques         {{ 2|plural("avis", "avis") }}  2 avis
{{ 1234567|number }}             1 234 567         {{ 3|agreed("chèque") }}         chèques
{{ "Lot 7"|slug }}               lot-7
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from itertools import count

from flask import Flask
from markupsafe import Markup, escape

from voucher.kernel.calendar import french_date, french_instant, french_month
from voucher.kernel.keyset import COUNT_MAX
from voucher.kernel.money import NO_BREAK_SPACE, format_euros, format_round_euros, thousands
from voucher.kernel.number_labels import booklet_label, iban_label, serial_label

_CELL = re.compile(r"<(?P<tag>td|th)(?P<rest>[^>]*)>")
FRENCH_PLURAL_FROM = 2
NOTHING = "–"
MINUS = "\u2212"


def euros(cents: int | None) -> str:
    """Return « 1 234,50 € » for cents, and a dash where there is no amount."""
    return NOTHING if cents is None else _signed(format_euros(cents))


def round_euros(cents: int | None) -> str:
    """Return « 30 € » where there are no cents: for buttons and vouchers."""
    return NOTHING if cents is None else _signed(format_round_euros(cents))


def day(value: date | None) -> str:
    """Return « 12 mars 2026 » for a civil day. An instant is refused: its day depends on the zone."""
    if isinstance(value, datetime):
        raise TypeError("an instant is not a day: use the filter `instant`")
    return NOTHING if value is None else french_date(value)


def instant(value: datetime | None) -> str:
    """Return « 12 mars 2026 à 14 h 05 », in Paris, for an aware instant."""
    if value is not None and value.tzinfo is None:
        raise ValueError("a naive instant was about to be shown")
    return NOTHING if value is None else french_instant(value)


def byte_size(count: int) -> str:
    """Return « 812 octets », « 6,3 ko », « 12,4 Mo »."""
    for unit, size in (("Mo", 1_000_000), ("ko", 1_000)):
        if count >= size:
            return f"{_tenths(round(Fraction(count * 10, size)))}{NO_BREAK_SPACE}{unit}"
    return plural(count, "octet")


def percent(part: int, whole: int) -> str:
    """Return « 35 % (7 sur 20) ». The denominator is always said; without one there is no percentage."""
    counts = f"({thousands(part)} sur {thousands(whole)})"
    if whole == 0:
        return f"{NOTHING} {counts}"
    tenths = round(Fraction(part * 1000, whole))
    return f"{_tenths(tenths)}{NO_BREAK_SPACE}% {counts}"


def basis_points(value: int) -> str:
    """Return « 35,5 % » for 3550 basis points."""
    whole, rest = divmod(abs(value), 100)
    decimals = f",{rest:02d}".rstrip("0").rstrip(",")
    return f"{MINUS if value < 0 else ''}{thousands(whole)}{decimals}{NO_BREAK_SPACE}%"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return « 1 chèque », « 3 chèques »: in French the plural begins at two, and « 0 chèque » has none.

    Each word of `one` takes an s; give `many` for the others (« lots de règlement »).
    """
    return f"{thousands(count)}{NO_BREAK_SPACE}{agreed(count, one, many)}"


def agreed(count: int, one: str, many: str | None = None) -> str:
    """Return the words alone, as `plural` has them: for a figure that stands apart from its words."""
    return one if abs(count) < FRENCH_PLURAL_FROM else many or " ".join(map(_with_s, one.split(" ")))


def counted(count: int) -> str:
    """Return the length of a list as it was counted: « 128 », « plus de 1 000 » beyond what is counted."""
    return f"plus de {thousands(COUNT_MAX)}" if count > COUNT_MAX else thousands(count)


def slug(text: str) -> str:
    """Return a text as an HTML id or a file name holds it: ASCII letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'")).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _signed(text: str) -> str:
    """Return a number with the minus sign of typography: a hyphen is too short to be seen, and breaks a line."""
    return text.replace("-", MINUS, 1)


def _with_s(word: str) -> str:
    return word if word.endswith(("s", "x", "z")) else f"{word}s"


def _tenths(value: int) -> str:
    whole, rest = divmod(abs(value), 10)
    return f"{MINUS if value < 0 else ''}{thousands(whole)}{f',{rest}' if rest else ''}"


def labelled(cells: str, columns: Sequence[str | Mapping[str, object]]) -> Markup:
    """Give each cell of a row the name of its column, which a phone shows beside it, and its role, which a phone's layout hides.

    A cell over several columns has no name: it says its own.
    """
    labels = [column if isinstance(column, str) else str(column["label"]) for column in columns]
    places = count()

    def opened(found: re.Match[str]) -> str:
        at = next(places)
        role = "rowheader" if found["tag"] == "th" else "cell"
        has_label = at and at < len(labels) and "colspan" not in found["rest"]
        label = f' data-label="{escape(labels[at])}"' if has_label else ""
        return f'<{found["tag"]} role="{role}"{label}{found["rest"]}>'

    return Markup(_CELL.sub(opened, cells))  # noqa: S704 - `cells` is what a template wrote, the label is escaped


def install(app: Flask) -> None:
    """Give the filters to every template of `app`."""
    app.jinja_env.filters.update(
        euros=euros,
        round_euros=round_euros,
        date=day,
        instant=instant,
        month=french_month,
        number=thousands,
        byte_size=byte_size,
        serial=serial_label,
        booklet=booklet_label,
        counted=counted,
        iban=iban_label,
        percent=percent,
        basis_points=basis_points,
        plural=plural,
        agreed=agreed,
        slug=slug,
        labelled=labelled,
    )
