"""Where wrong codes are typed at counters: what the programme looks at when there are too many."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from voucher.kernel.database import Database
from voucher.network.model import Place
from voucher.redemption.model import RefusedAttempt
from voucher.redemption.rules import CounterRefusal


@dataclass(frozen=True, slots=True)
class GuessingPlace:
    """A place, and how many wrong codes were typed there in the hour that was asked for."""

    name: str
    city: str
    count: int


def guessing_places(database: Database, began_at: datetime, *, limit: int = 3) -> list[GuessingPlace]:
    """Return the places where most wrong codes were typed in the hour from an instant, the most first."""
    count = func.count()
    query = (
        select(Place.name, Place.city, count)
        .join(RefusedAttempt, RefusedAttempt.place_id == Place.id)
        .where(RefusedAttempt.refusal == CounterRefusal.WRONG_CODE)
        .where(RefusedAttempt.attempted_at >= began_at, RefusedAttempt.attempted_at < began_at + timedelta(hours=1))
        .group_by(Place.id, Place.name, Place.city)
        .order_by(count.desc(), Place.name)
    )
    with database.read() as session:
        return [GuessingPlace(*row) for row in session.execute(query.limit(limit))]
