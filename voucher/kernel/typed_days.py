"""Days as people and their spreadsheets write them: one reading for forms, files, filters and addresses.

    31/12/2026    31-12-2026    31.12.2026    31 12 2026    2026-12-31        and each with its hour after it, which is left out

Spreadsheets rewrite 2026-12-31 as 31/12/2026 when they save a file, and add « 00:00 »: it is the same day. A year has four digits. The
number that a spreadsheet keeps for a day (46387) is refused: two calendars of spreadsheets, of 1900 and of 1904, read it four years apart.
"""

import re
from datetime import date

from voucher.kernel.characters import plain

YEAR_MIN, YEAR_MAX = 1900, 2199

_HOUR = r"(?:[T ][0-9]{1,2}[:h][0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?)?"
_FRENCH = re.compile(
    rf"(?P<day>[0-9]{{1,2}})(?P<sign>[/. -])(?P<month>[0-9]{{1,2}})(?P=sign)(?P<year>[0-9]{{4}}){_HOUR}"
)
_ISO = re.compile(rf"(?P<year>[0-9]{{4}})-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}}){_HOUR}")
_SPREADSHEET_DAY = re.compile(r"[0-9]{5}(?:[.,][0-9]+)?")
_SHORT_YEAR = re.compile(r"[0-9]{1,2}[/. -][0-9]{1,2}[/. -][0-9]{2}")
_SHOWN_MAX = 40
_EXAMPLE = "Écrivez le jour, le mois et l’année, par exemple 31/12/2026."


class WrongDay(ValueError):
    """A text is not a day; its own text is a French sentence for the person who typed it."""


def parse_day(text: str) -> date:
    """Return the day. Raises WrongDay."""
    read = plain(text)
    shown = f"« {' '.join(text.split())[:_SHOWN_MAX]} »"
    found = _FRENCH.fullmatch(read) or _ISO.fullmatch(read)
    if found is None:
        if _SPREADSHEET_DAY.fullmatch(read):
            raise WrongDay(f"{shown} est le numéro d’un jour dans un tableur. Mettez la colonne au format Date.")
        if _SHORT_YEAR.fullmatch(read):
            raise WrongDay(f"L’année de {shown} n’a que deux chiffres. {_EXAMPLE}")
        raise WrongDay(f"{shown} n’est pas une date. {_EXAMPLE}" if read else _EXAMPLE)
    try:
        day = date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        raise WrongDay(f"La date {shown} n’existe pas. Vérifiez le jour et le mois.") from None
    if not YEAR_MIN <= day.year <= YEAR_MAX:
        raise WrongDay(f"L’année {found['year']} n’est pas possible ici. Vérifiez-la.")
    return day


def wrong_days(since: str | None, until: str | None) -> str:
    """Return the sentence that says what is wrong with the days that a search goes from and to; empty where nothing is, or none is given."""
    try:
        days = [parse_day(text) for text in (since, until) if text]
    except WrongDay as wrong:
        return str(wrong)
    return "" if days == sorted(days) else "Le premier jour vient après le dernier."


def asked_day(text: str | None) -> date | None:
    """Return the day that a person asked for in an address or a filter; None for anything else, or outside 2000 to 2199."""
    try:
        day = parse_day(text or "")
    except WrongDay:
        return None
    return day if day.year >= 2000 else None
