"""Opening hours of the standard (OpenStreetMap's `opening_hours`) said in French.

Own small reader: of the packages that do it, opening-hours-py says whether a place is open but has no French, and
osm-opening-hours-humanized is AGPL, an alpha whose development is paused. We read what places write: days or ranges of days,
public and school holidays, hours or "off", a comment between quotes, and 24/7. What goes further (months, weeks, sunset…) is shown as it was written:
a wrong hour would cost somebody a journey.
"""

import re

TEXT_CHARACTERS_MAX = 500  # longer than any week of real hours; bounds the work done on what somebody uploads

_DAYS = {
    "Mo": "lundi",
    "Tu": "mardi",
    "We": "mercredi",
    "Th": "jeudi",
    "Fr": "vendredi",
    "Sa": "samedi",
    "Su": "dimanche",
}
_WEEK = list(_DAYS)
_HOLIDAYS = {"PH": "les jours fériés", "SH": "pendant les vacances scolaires"}

_RULE = re.compile(
    r"(?:(?P<days>(?:Mo|Tu|We|Th|Fr|Sa|Su|PH|SH)[A-Za-z,\- ]*?)\s*)??"
    r"(?P<hours>off|closed|24/7|\d{1,2}:\d\d[\d:,\-+ ]*)?"
    r'\s*(?:"(?P<comment>[^"]*)")?'
)
_DAY_RANGE = re.compile(r"(?P<first>Mo|Tu|We|Th|Fr|Sa|Su|PH|SH)(?:\s*-\s*(?P<last>Mo|Tu|We|Th|Fr|Sa|Su))?")
_HOUR_RANGE = re.compile(r"(\d{1,2}):(\d\d)\s*(?:-\s*(\d{1,2}):(\d\d)|(\+))")
_SPACE = "\u00a0"  # French keeps the hour and its « h », and the semicolon, on the line of the word before


def opening_hours_in_french(osm_text: str) -> str:
    """« du lundi au vendredi de 9 h à 12 h ; samedi de 8 h 30 à 12 h » for `Mo-Fr 09:00-12:00; Sa 08:30-12:00`.

    Anything not wholly understood returns the text itself, never half of it.
    """
    if len(osm_text) > TEXT_CHARACTERS_MAX:
        return osm_text
    rules = [rule.strip() for rule in osm_text.split(";")]
    sentences = [_rule_in_french(rule) for rule in rules if rule]
    if not sentences or None in sentences:
        return osm_text
    return f"{_SPACE}; ".join(sentence for sentence in sentences if sentence)


def _rule_in_french(rule: str) -> str | None:
    parts = _RULE.fullmatch(rule)
    if parts is None:
        return None
    is_closed = parts["hours"] in ("off", "closed")
    days = _days_in_french(parts["days"], with_article=is_closed) if parts["days"] else ""
    hours = _hours_in_french(parts["hours"]) if parts["hours"] else ""
    comment = (parts["comment"] or "").strip()
    if days is None or hours is None or not (hours or comment) or (days and parts["hours"] == "24/7"):
        return None
    if is_closed:
        sentence = f"{hours} {days}"
    elif hours and not days and parts["hours"] != "24/7":
        sentence = f"tous les jours {hours}"
    else:
        sentence = f"{days} {hours}"
    sentence = sentence.strip()
    return f"{sentence} ({comment})" if sentence and comment else sentence or comment


def _days_in_french(text: str, *, with_article: bool) -> str | None:
    """« lundi et mercredi » before hours; « le lundi et le mercredi » after « fermé »."""
    article = "le " if with_article else ""
    named: list[str] = []
    for part in text.split(","):
        found = _DAY_RANGE.fullmatch(part.strip())
        if found is None or (found["last"] and found["first"] in _HOLIDAYS):
            return None
        first, last = found["first"], found["last"]
        if last is None or last == first:
            named.append(_HOLIDAYS[first] if first in _HOLIDAYS else article + _DAYS[first])
        elif (first, last) == ("Mo", "Su"):
            named.append("tous les jours")
        elif (_WEEK.index(last) - _WEEK.index(first)) % 7 == 1:
            named += [article + _DAYS[first], article + _DAYS[last]]
        else:
            named.append(f"du {_DAYS[first]} au {_DAYS[last]}")
    return _enumerated(named)


def _hours_in_french(text: str) -> str | None:
    if text in ("off", "closed"):
        return "fermé"
    if text == "24/7":
        return "ouvert 24 heures sur 24, 7 jours sur 7"
    spans: list[str] = []
    for part in text.split(","):
        found = _HOUR_RANGE.fullmatch(part.strip())
        if found is None:
            return None
        start_hour, start_minute, end_hour, end_minute, is_open_ended = found.groups()
        start = _hour_in_french(int(start_hour), int(start_minute))
        end = None if is_open_ended else _hour_in_french(int(end_hour), int(end_minute))
        if start is None or (end is None and not is_open_ended) or start == end:
            return None
        spans.append(f"à partir de {start}" if is_open_ended else f"de {start} à {end}")
    return _enumerated(spans)


def _hour_in_french(hour: int, minute: int) -> str | None:
    if hour > 24 or minute > 59 or (hour == 24 and minute):
        return None
    if hour in (0, 24) and not minute:
        return "minuit"
    return f"{hour}{_SPACE}h" + (f"{_SPACE}{minute:02}" if minute else "")


def _enumerated(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} et {words[-1]}"
