"""What every chapter of the demonstration shares: the database, the hour, the dice, and how invented identifiers are made."""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from uuid import UUID

from voucher.kernel.calendar import PARIS, paris_day
from voucher.kernel.database import Database

SEED = 2019


@dataclass
class Story:
    """The demonstration being told. `today` is its last day; `by` gives the account of each demonstration role."""

    database: Database
    now: datetime
    master_secret: bytes
    base_url: str
    dice: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311 - a story needs no secret
    by: dict[str, UUID] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The day of the story's end."""
        return paris_day(self.now)

    def some_id(self) -> UUID:
        """Return the next id of the story: the same at each telling."""
        return UUID(int=self.dice.getrandbits(128), version=4)

    def hour_of(self, day: date) -> datetime:
        """Return some opening hour of a day, in Paris, never after the story's end."""
        local = datetime.combine(day, time(9), PARIS) + timedelta(seconds=self.dice.randrange(8 * 3600))
        return min(local, self.now)

    def evening_of(self, day: date) -> datetime:
        """Return 23 h of a day, in Paris, never after the story's end."""
        return min(datetime.combine(day, time(23), PARIS), self.now)

    def days_ago(self, days: int) -> date:
        """Return the day so many days before the end."""
        return self.today - timedelta(days=days)


def next_month(month: date) -> date:
    """Return the first day of the month after a day's."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def luhn_completed(digits: str) -> str:
    """Return digits followed by their Luhn key: an invented SIREN or SIRET that forms accept."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


def invented_siren(rank: int) -> str:
    """Return the rank-th invented SIREN, of a range that is not given out (99…)."""
    return luhn_completed(f"99{rank:06d}")


def invented_siret(rank: int) -> str:
    """Return the first establishment of the rank-th invented SIREN."""
    return luhn_completed(f"{invented_siren(rank)}0001")


def invented_iban(rank: int) -> str:
    """Return the rank-th invented IBAN with a right clé RIB, at a bank whose code exists (verification by schwifty)."""
    bank, branch, account = "30001", "00064", f"{rank:011d}"
    key = 97 - (89 * int(bank) + 15 * int(branch) + 3 * int(account)) % 97
    bban = f"{bank}{branch}{account}{key:02d}"
    return f"FR{98 - int(f'{bban}152700') % 97:02d}{bban}"
