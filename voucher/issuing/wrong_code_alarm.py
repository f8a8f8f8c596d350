"""Wrong codes typed anywhere in the programme, counted by hour and by door: many at once are somebody guessing.

Each door limits whoever types (redemption.typing_lock at the counter, web.limits elsewhere). This is what the programme sees of all of
them together, by however many people, addresses or places they come.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from voucher.issuing.doors import Door
from voucher.issuing.model import WrongCodes
from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database
from voucher.kernel.settings import Settings
from voucher.kernel.tries import forget_ended

KEPT = timedelta(days=90)
SHOWN = timedelta(days=7)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An hour in which too many wrong codes were typed: when it began, how many, and by which doors, the most used first."""

    began_at: datetime
    count: int
    doors: tuple[tuple[Door, int], ...]

    @property
    def sentence(self) -> str:
        """What happened, in French."""
        doors = ", ".join(f"{count} {door.words}" for door, count in self.doors)
        return f"{self.count} codes faux tapés en une heure, depuis le {french_instant(self.began_at)} ({doors})"


def count_wrong_code(session: Session, door: Door, now: datetime) -> None:
    """Count a wrong code in the transaction that refuses it."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    began_at = now.replace(minute=0, second=0, microsecond=0)
    new = dialect.insert(WrongCodes).values(began_at=began_at, door=door, count=1)
    session.execute(
        new.on_conflict_do_update(index_elements=["began_at", "door"], set_={"count": WrongCodes.count + 1})
    )


def note_wrong_code(database: Database, door: Door, now: datetime) -> None:
    """Count a wrong code that a page refused."""
    with database.write() as session:
        count_wrong_code(session, door, now)


def alarms(database: Database, *, count_min: int, now: datetime) -> list[Alarm]:
    """Return the hours of the last week in which `count_min` wrong codes or more were typed, the last first."""
    with database.read() as session:
        return _alarms(session, count_min, now)


def watch_wrong_codes(database: Database, settings: Settings, now: datetime) -> str:
    """Say each new alarm once, in the log and in the line returned; forget old counts (job `tries`)."""
    forget_ended(database, now)
    with database.write() as session:
        session.execute(delete(WrongCodes).where(WrongCodes.began_at < now - KEPT))
        told = set(session.scalars(select(WrongCodes.began_at).where(WrongCodes.told_at.is_not(None))))
        new = [one for one in _alarms(session, settings.wrong_codes_alarm, now) if one.began_at not in told]
        hours = [one.began_at for one in new]
        session.execute(update(WrongCodes).where(WrongCodes.began_at.in_(hours)).values(told_at=now))
    for alarm in new:
        log.warning("%d wrong codes were typed in the hour from %s", alarm.count, alarm.began_at.isoformat())
    return " ; ".join(alarm.sentence for alarm in new)


def _alarms(session: Session, count_min: int, now: datetime) -> list[Alarm]:
    rows = session.execute(
        select(WrongCodes.began_at, WrongCodes.door, WrongCodes.count)
        .where(WrongCodes.began_at > now - SHOWN)
        .order_by(WrongCodes.began_at.desc(), WrongCodes.count.desc())
    ).all()
    hours: dict[datetime, list[tuple[Door, int]]] = {}
    for began_at, door, count in rows:
        hours.setdefault(began_at, []).append((door, count))
    found = [Alarm(began_at, sum(count for _, count in doors), tuple(doors)) for began_at, doors in hours.items()]
    return [one for one in found if one.count >= count_min]
