"""How often something may be tried, counted where every process sees it: one row for each key, changed by one statement.

    SIGN_INS = Limit("sign_ins", count_max=30, window=timedelta(minutes=10))

    if not SIGN_INS.take(database, address, now): …      counts the try before its answer is known, so that tries sent together count
    SIGN_INS.uncount(database, address, now)           it was no wrong guess: it does not count

A window begins with the first try and ends `window` later. The library `limits` decides; this file is its storage.

    SLOWER = GrowingDelay("passwords", waits=(timedelta(), timedelta(seconds=1), …), forget=timedelta(days=1))

    too_early = SLOWER.take(session, key, now)      None, and the try is counted; or when the next may be made, and nothing is counted

A delay is never a lock: a try that comes too early changes nothing, and the longest wait is the last of `waits`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from limits import RateLimitItemPerSecond
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import ColumnElement, Select, String, case, delete, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from voucher.kernel.database import Base, Database, Instant, changed

KEY_CHARACTERS_MAX = 200


class TryCount(Base):
    """How often one key was tried since its window began; the row means nothing once `ends_at` is past."""

    __tablename__ = "try_count"

    key: Mapped[str] = mapped_column(String(KEY_CHARACTERS_MAX), primary_key=True)
    count: Mapped[int]
    ends_at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count_max` tries in a `window` for each key. `name` keeps the keys of two limits apart."""

    name: str
    count_max: int
    window: timedelta

    def take(self, database: Database, key: str, now: datetime) -> bool:
        """Say whether this key may try once more, and count the try when it may. Of many at once, no more pass than may."""
        item, storage = self._item(), TableStorage(database, now)
        is_allowed = FixedWindowRateLimiter(storage).hit(item, key)
        if not is_allowed:
            # A try that was not made is not counted, so that giving others back opens the way again.
            storage.incr(item.key_for(key), item.get_expiry(), -1)
        return is_allowed

    def uncount(self, database: Database, key: str, now: datetime) -> None:
        """Forget one try of this key: it was not a wrong guess."""
        item = self._item()
        TableStorage(database, now).incr(item.key_for(key), item.get_expiry(), -1)

    def _item(self) -> RateLimitItemPerSecond:
        return RateLimitItemPerSecond(self.count_max, int(self.window.total_seconds()), namespace=self.name)


@dataclass(frozen=True, slots=True)
class GrowingDelay:
    """How long the next try of a key must wait: after `n` tries, the n-th of `waits`, the last one from then on.

    A key is forgotten `forget` after its last try, so its row says by its end when that was. `name` keeps the keys of two apart.
    """

    name: str
    waits: tuple[timedelta, ...]
    forget: timedelta

    def take(self, session: Session, key: str, now: datetime) -> datetime | None:
        """Count a try and return None; or, where it comes too early, count nothing and return when one may be made.

        One conditional statement: of many sent together, no more pass than may. The caller commits before it looks at the answer.
        """
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        new: Any = dialect.insert(TryCount.__table__).values(key=self._key(key), count=1, ends_at=now + self.forget)
        is_over = TryCount.ends_at <= now
        taken = new.on_conflict_do_update(
            index_elements=["key"],
            set_={"count": case((is_over, 1), else_=TryCount.count + 1), "ends_at": new.excluded.ends_at},
            where=is_over | (TryCount.ends_at <= self._last_end_that_may(now)),
        ).returning(TryCount.__table__.c.count)
        if session.execute(taken).scalar() is not None:
            return None
        row = session.execute(
            select(TryCount.count.label("tried"), TryCount.ends_at).where(TryCount.key == self._key(key))
        ).one()
        until: datetime = row.ends_at - self.forget + self.waits[min(row.tried, len(self.waits)) - 1]
        return until

    def uncount(self, session: Session, key: str) -> None:
        """Forget one try of this key: it was not a wrong guess."""
        less = case((TryCount.count > 1, TryCount.count - 1), else_=0)
        session.execute(update(TryCount).where(TryCount.key == self._key(key)).values(count=less))

    def clear(self, session: Session, key: str) -> None:
        """Forget every try of this key."""
        session.execute(delete(TryCount).where(TryCount.key == self._key(key)))

    def _last_end_that_may(self, now: datetime) -> ColumnElement[datetime]:
        """Return, for a row's count, the latest end with which the wait since its last try is over."""
        ends = [
            (TryCount.count == count, now + self.forget - wait) for count, wait in enumerate((timedelta(), *self.waits))
        ]
        return case(*((is_count, literal(end, Instant)) for is_count, end in ends), else_=literal(ends[-1][1], Instant))

    def _key(self, key: str) -> str:
        return f"{self.name}/{key}"


def forget_ended(database: Database, now: datetime) -> int:
    """Delete the counts whose window is over (job `tries`), but those that somebody begins anew just then; return how many there were."""
    over = select(TryCount.key).where(TryCount.ends_at <= now).with_for_update(skip_locked=True)
    with database.write() as session:
        return changed(session, delete(TryCount).where(TryCount.key.in_(over)))


class TableStorage(Storage):
    """The table, as `limits` asks for it, at one moment: no clock but the caller's."""

    STORAGE_SCHEME = None

    def __init__(self, database: Database, now: datetime) -> None:
        """Count in this database, now."""
        super().__init__()
        self._database, self._now = database, now

    @property
    def base_exceptions(self) -> type[Exception]:
        """What goes wrong here is what goes wrong with a database."""
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a key's count, from nothing where its window is over, and return it; what is taken away never goes below 0."""
        table = TryCount.__table__
        is_over = TryCount.ends_at <= self._now
        if amount < 0:
            less = case((TryCount.count + amount > 0, TryCount.count + amount), else_=0)
            statement: Any = update(TryCount).where(TryCount.key == key, ~is_over).values(count=less)
        else:
            dialect = postgresql if self._database.is_postgresql else sqlite
            ends_at = self._now + timedelta(seconds=expiry)
            new: Any = dialect.insert(table).values(key=key, count=amount, ends_at=ends_at)
            statement = new.on_conflict_do_update(
                index_elements=["key"],
                set_={
                    "count": case((is_over, new.excluded.count), else_=TryCount.count + new.excluded.count),
                    "ends_at": case((is_over, new.excluded.ends_at), else_=TryCount.ends_at),
                },
            )
        with self._database.write() as session:
            found = session.execute(
                statement.returning(table.c.count).execution_options(synchronize_session=False)
            ).scalar()
        return int(found or 0)

    def get(self, key: str) -> int:
        """Return a key's count in its window."""
        return int(self._ask(select(TryCount.count).where(TryCount.key == key)) or 0)

    def get_expiry(self, key: str) -> float:
        """Return when a key's window ends, in seconds since 1970; now, where it has none."""
        ends_at = self._ask(select(TryCount.ends_at).where(TryCount.key == key))
        return (ends_at or self._now).timestamp()

    def check(self) -> bool:
        """Say that the table answers: what does not is raised."""
        self._ask(select(func.count()).select_from(TryCount))
        return True

    def reset(self) -> int:
        """Forget every count; return how many there were."""
        with self._database.write() as session:
            return changed(session, delete(TryCount))

    def clear(self, key: str) -> None:
        """Forget the count of a key."""
        with self._database.write() as session:
            session.execute(delete(TryCount).where(TryCount.key == key))

    def _ask(self, query: Select[Any]) -> Any:
        with self._database.read() as session:
            return session.scalar(query.where(TryCount.ends_at > self._now))
