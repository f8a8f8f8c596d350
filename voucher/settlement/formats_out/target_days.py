"""The days on which the euro's settlement system (T2, formerly TARGET2) is open: a transfer is executed on no other day.

Source: ECB long-term calendar, in force since 2002: closed on Saturdays, Sundays, 1 January, Good Friday, Easter Monday,
1 May, 25 and 26 December. French public holidays that are not on this list (14 July, 15 August…) are TARGET days.
"""

from datetime import date, timedelta
from functools import lru_cache

_FIXED_CLOSING_DAYS = frozenset({(1, 1), (5, 1), (12, 25), (12, 26)})
_SATURDAY = 5


@lru_cache(maxsize=64)
def easter_sunday(year: int) -> date:
    """Return Easter Sunday of a Gregorian year (anonymous Gregorian algorithm, Meeus 1991)."""
    golden = year % 19
    century, year_of_century = divmod(year, 100)
    leap_centuries, rest = divmod(century, 4)
    lunar_correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - lunar_correction + 15) % 30
    leaps, rest_of_leaps = divmod(year_of_century, 4)
    weekday = (32 + 2 * rest + 2 * leaps - epact - rest_of_leaps) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)


def is_target_day(day: date) -> bool:
    """Whether euro transfers are settled on that day."""
    if day.weekday() >= _SATURDAY or (day.month, day.day) in _FIXED_CLOSING_DAYS:
        return False
    return day - easter_sunday(day.year) not in (timedelta(days=-2), timedelta(days=1))


def next_target_day(day: date) -> date:
    """Return that day if it is a TARGET day, else the first one after it."""
    while not is_target_day(day):
        day += timedelta(days=1)
    return day
