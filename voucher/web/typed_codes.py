"""Codes typed on a page: at most ten wrong ones in ten minutes by whoever types, and twenty in an hour for one voucher.

The counter has limits of its own (redemption.typing_lock). A text that cannot be read as a code is no guess and is not counted.
"""

from datetime import datetime, timedelta
from enum import Enum

from voucher.issuing.code import UnreadableCode
from voucher.issuing.doors import Door
from voucher.issuing.keyboard import meant
from voucher.issuing.recognise_code import is_typed
from voucher.issuing.typing_code import read_typing_code
from voucher.issuing.wrong_code_alarm import note_wrong_code
from voucher.web.limits import Limiter
from voucher.web.services import services

BY_PERSON_MAX, BY_PERSON_WINDOW = 10, timedelta(minutes=10)
BY_VOUCHER_MAX, BY_VOUCHER_WINDOW = 20, timedelta(hours=1)


class TooMany(Enum):
    """What was tried too often: whoever types typed too many wrong codes, or this voucher's was mistyped too often."""

    BY_PERSON = "by_person"
    BY_VOUCHER = "by_voucher"


class TypedCodes:
    """The typed codes of one door. Call `begin` before a code is looked at, `end` once it is known whether it was wrong."""

    def __init__(self, door: Door, by_person_max: int = BY_PERSON_MAX) -> None:
        self._door = door
        self._by_person = Limiter(f"typed/{door}", by_person_max, BY_PERSON_WINDOW)
        self._by_voucher = Limiter(f"typed for/{door}", BY_VOUCHER_MAX, BY_VOUCHER_WINDOW)

    def begin(self, person: str, text: str, now: datetime) -> TooMany | None:
        """Count a guess and return None, or return why it may not be looked at. `person` is an account or an address."""
        if (voucher := _voucher_of(text)) is None:
            return None
        if not self._by_person.allows(person, now):
            return TooMany.BY_PERSON
        if not self._by_voucher.allows(voucher, now):
            self._by_person.uncount(person, now)
            return TooMany.BY_VOUCHER
        return None

    def end(self, person: str, text: str, now: datetime, *, is_wrong: bool) -> None:
        """Keep a wrong guess, which the programme counts too; forget a right one."""
        if (voucher := _voucher_of(text)) is None:
            return
        if is_wrong:
            note_wrong_code(services().database, self._door, now)
        else:
            self._by_person.uncount(person, now)
            self._by_voucher.uncount(voucher, now)


def _voucher_of(text: str) -> str | None:
    """Return what a typed code says it is, whatever its secret tag; None for what is no typed code."""
    if not is_typed(text):
        return None
    try:
        typed = read_typing_code(meant(text))
    except UnreadableCode:
        return None
    return f"{typed.kind.name} {typed.serial}"
