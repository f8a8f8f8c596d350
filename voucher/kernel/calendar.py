"""Civil days in Paris, instants in UTC, and how both are said in French."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date

PARIS = ZoneInfo("Europe/Paris")
LAST_DAY = 31
"""As a day of the month: the last one, whatever the month."""


def paris_day(instant: datetime) -> date:
    """Return the civil day in Paris of an aware instant."""
    if instant.tzinfo is None:
        raise ValueError("an instant must carry its time zone")
    return instant.astimezone(PARIS).date()


def not_before(now: datetime, *earlier: datetime | None) -> datetime:
    """Return the instant to write for what happens now after other facts: theirs, where a clock is late.

    Processes on several machines each read their own clock, and a person may act within seconds of another: the database
    refuses an approval dated before its batch. None is a fact that never was.
    """
    return max([now, *(one for one in earlier if one is not None)])


def start_of_day(day: date) -> datetime:
    """Return the UTC instant at which a Paris day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=PARIS).astimezone(UTC)


def end_of_day(day: date) -> datetime:
    """Return the UTC instant at which a Paris day is over (the next one begins)."""
    return start_of_day(day + timedelta(days=1))


def end_of_month(instant: datetime, cut_off_day: int = LAST_DAY) -> datetime:
    """Return the UTC instant at which the month of an instant is over in Paris, counted up to its day `cut_off_day`.

    With 31, or any day that a month has not, it is the month's last: the next month begins at that instant.
    """
    day = paris_day(instant)
    if day > _cut_off(day, cut_off_day):
        day = day.replace(day=1) + timedelta(days=31)
    return start_of_day(_cut_off(day, cut_off_day) + timedelta(days=1))


def _cut_off(day: date, cut_off_day: int) -> date:
    return day.replace(day=min(cut_off_day, monthrange(day.year, day.month)[1]))


def french_date(day: date) -> str:
    """Return « 12 mars 2026 » (« 1er mars 2026 » for a first) with no-break spaces."""
    text = format_date(day, "d MMMM y", locale="fr")
    return (f"1er{text[1:]}" if day.day == 1 else text).replace(" ", "\u00a0")


def french_month(day: date) -> str:
    """Return « mars 2026 » for any day of the month, with a no-break space."""
    return format_date(day, "MMMM y", locale="fr").replace(" ", "\u00a0")


def french_instant(instant: datetime) -> str:
    """Return « 12 mars 2026 à 14 h 05 », in Paris; a line may break before the hour only."""
    return f"{french_date(paris_day(instant))} à\u00a0{french_hour(instant)}"


def french_hour(instant: datetime) -> str:
    """Return « 14 h 05 », in Paris, with no-break spaces."""
    local = instant.astimezone(PARIS)
    return f"{local.hour}\u00a0h\u00a0{local.minute:02d}"


@dataclass(frozen=True, slots=True)
class ThreeDates:
    """The three ends of a voucher (domain.md §2): used by its holder, tolerated at the counter, presented for payment."""

    use_by: date
    grace_until: date
    present_by: date

    def __post_init__(self) -> None:
        if not self.use_by <= self.grace_until <= self.present_by:
            raise ValueError("use_by, grace_until and present_by must follow each other")
