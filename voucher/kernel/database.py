"""One relational database on two engines: SQLite embedded, PostgreSQL in production. Transactions start and end here."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, ClassVar

import psycopg
from sqlalchemy import (
    URL,
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Engine,
    Executable,
    Integer,
    MetaData,
    String,
    Table,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult, Dialect, make_url
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session
from sqlalchemy.types import TypeDecorator

from voucher.kernel.bounded_connection import BoundedConnection
from voucher.kernel.identifiers import derived_number
from voucher.kernel.known_values import OneOf, check_of
from voucher.kernel.time_limits import COMMANDS, TimeLimits, milliseconds, takes_long

POOL_SIZE = 32

_commits_begun: ContextVar[int] = ContextVar("commits_begun", default=0)


def commits_begun() -> int:
    """Return how many transactions this thread has begun to commit: where none was since, nothing was written for sure."""
    return _commits_begun.get()


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant: timestamptz on PostgreSQL, ISO text of fixed width on SQLite; naive ones are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive instant; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive instant was about to be stored")
        return value.astimezone(UTC) if dialect.name == "postgresql" else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Give the instant back with its zone."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite gives a rowid alias only to INTEGER; PostgreSQL needs the 64 bits said.
BigInt = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """The mother of all tables; constraint names follow one convention so that each can be met with its sentence."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Instant}

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the table, and let the database hold the values of its columns that are of an enumeration."""
        super().__init_subclass__(**options)
        assert isinstance(cls.__table__, Table)
        for column in cls.__table__.columns:
            if isinstance(column.type, OneOf):
                cls.__table__.append_constraint(check_of(column, column.type.words))


class Database:
    """An engine, and the only ways to use it: `write()`, `read()` and, for one question that stands alone, `ask()`."""

    def __init__(self, url: str, pool_size: int = POOL_SIZE, limits: TimeLimits = COMMANDS) -> None:
        """Open the database at `url` (`sqlite:///file` or `postgresql://…`); connects on first use.

        What waits beyond `limits` raises OperationalError, or TimeoutError (both SQLAlchemy's) where no connection is free.
        """
        self.url = url
        self.limits = limits
        self.is_postgresql = make_url(url).get_backend_name() == "postgresql"
        # One writer at a time in this process: SQLite's own wait is unfair and starves threads for seconds (ADR 9).
        self._sqlite_writer = threading.Lock()
        # Turns that threads of this process take, by name, where the engine has no locks of its own.
        self.turns: dict[str, threading.Lock] = {}
        self.engine = (_postgresql_engine if self.is_postgresql else _sqlite_engine)(url, pool_size, limits)
        # SQLite's driver is in this mode already.
        self._asking = (
            self.engine.execution_options(isolation_level="AUTOCOMMIT") if self.is_postgresql else self.engine
        )

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session whose work is committed whole at the end, or rolled back whole on any exception."""
        with self._own_turn_to_write(), _told_alike(), Session(self.engine) as session:
            try:
                if not self.is_postgresql:
                    session.execute(text("BEGIN IMMEDIATE"))
                elif self._takes_longer:
                    self._take_longer(session)
                yield session
            except BaseException:
                session.rollback()
                raise
            _commits_begun.set(_commits_begun.get() + 1)
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees one state of the database and writes nothing."""
        with _told_alike(), Session(self.engine) as session:
            if self.is_postgresql:
                session.connection(
                    execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
                )
                if self._takes_longer:
                    self._take_longer(session)
            else:
                session.execute(text("BEGIN"))
            try:
                yield session
                if self.is_postgresql:
                    # Nothing was written; a ROLLBACK would make the driver forget the statements it prepared.
                    driver_of(session.connection()).commit()
            finally:
                session.rollback()

    @contextmanager
    def ask(self) -> Iterator[Connection]:
        """Give a connection for one SELECT: no transaction begins or ends, so one message goes and one comes back."""
        with self._asking.connect() as connection:
            yield connection

    @property
    def _takes_longer(self) -> bool:
        return takes_long() and self.limits.statement < self.limits.long_statement

    def _take_longer(self, session: Session) -> None:
        """Let this transaction's statements, and their locks, take as long as a command's."""
        limits = self.limits.for_commands()
        for name, seconds in (("statement_timeout", limits.statement), ("lock_timeout", limits.lock)):
            session.execute(text(f"SET LOCAL {name} = {milliseconds(seconds)}"))

    @contextmanager
    def _own_turn_to_write(self) -> Iterator[None]:
        if self.is_postgresql:
            yield
            return
        limits = self.limits.for_commands() if takes_long() else self.limits
        if not self._sqlite_writer.acquire(timeout=limits.lock):
            raise OperationalError("BEGIN IMMEDIATE", None, TimeoutError("another thread is writing"))
        try:
            yield
        finally:
            self._sqlite_writer.release()

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def _told_alike() -> Iterator[None]:
    """Raise what the driver itself says of a lost connection as SQLAlchemy would."""
    try:
        yield
    except psycopg.OperationalError as lost:
        raise OperationalError("the driver's own", None, lost) from lost


@contextmanager
def sent_together(session: Session) -> Iterator[Connection]:
    """Send the statements of the block without waiting for the answer of each, which nobody reads (PostgreSQL's pipeline).

    What the database refuses is raised at the end of the block.
    """
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        yield connection
        return
    try:
        with driver_of(connection).pipeline():
            yield connection
    except psycopg.IntegrityError as refused:
        raise IntegrityError("statements sent together", None, refused) from refused
    except psycopg.OperationalError as lost:
        raise OperationalError("statements sent together", None, lost) from lost


def driver_of(connection: Connection) -> psycopg.Connection:
    """Return the driver's own connection to PostgreSQL, for what SQLAlchemy has no words for."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def take_turn(session: Session, *names: str) -> None:
    """Wait until no other transaction holds the turn of this name, and hold it until the end of this one; of several, in order.

    SQLite has one writer at a time: there a transaction of `write` has its turn already.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(*(func.pg_advisory_xact_lock(derived_number(name)) for name in names)))


@contextmanager
def whole_turn(database: Database, name: str) -> Iterator[bool]:
    """Hold the turn of this name for the length of the block, over as many transactions as it makes; give False if another has it.

    Nothing waits. On SQLite one process does the work, and its threads take turns; what another process does beside them is
    not seen here, and each of its transactions has the file to itself.
    """
    if not database.is_postgresql:
        turn = database.turns.setdefault(name, threading.Lock())
        is_ours = turn.acquire(blocking=False)
        try:
            yield is_ours
        finally:
            if is_ours:
                turn.release()
        return
    number = derived_number(f"whole turn {name}")
    with database.ask() as connection:
        # An advisory lock of the session: the server releases it when the connection ends.
        is_ours = bool(connection.scalar(select(func.pg_try_advisory_lock(number))))
        try:
            yield is_ours
        finally:
            if is_ours:
                connection.execute(select(func.pg_advisory_unlock(number)))


def insert_new(session: Session, table: type[Base], values: Mapping[str, object]) -> bool:
    """Insert one row and return True; return False, changing nothing, where a unique constraint already holds another.

    Whoever races waits for the other's end, so a False means that the other row is there to be read.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    key: Any = table.__mapper__.primary_key[0]
    statement = dialect.insert(table.__table__).values(**values).on_conflict_do_nothing().returning(key)
    return session.execute(statement).first() is not None


def analyze_tables(session: Session, *tables: type[Base]) -> None:
    """Run ANALYZE on PostgreSQL: the planner's statistics do not count the rows that this transaction has written.

    Where the role does not own the tables, PostgreSQL warns and goes on.
    """
    if session.get_bind().dialect.name == "postgresql":
        for table in tables:
            session.execute(text(f"ANALYZE {table.__tablename__}"))


def among(session: Session, column: InstrumentedAttribute[Any], texts: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a text column is one of many, sent as one value: thousands of parameters take long to write."""
    if session.get_bind().dialect.name == "postgresql":
        return column == any_(bindparam(None, list(texts), type_=postgresql.ARRAY(String)))
    listed = func.json_each(json.dumps(list(texts))).table_valued("value")
    return column.in_(select(listed.c.value))


def expect_whole_tables(session: Session, *, joined_by_key: bool = False) -> None:
    """Tell the planner that this transaction reads tables whole (checks, exports): sums and joins in memory, by hash.

    A `LIMIT` on what is hoped empty makes PostgreSQL look rows up one by one, which is seven times slower here.
    `joined_by_key`: tables whose keys agree for the most part are compared along their indexes, which takes a quarter of a hash.
    """
    if session.get_bind().dialect.name == "postgresql":
        settings = ["work_mem = '128MB'", "enable_nestloop = off", "jit = off"]
        if joined_by_key:
            settings.append("enable_hashjoin = off")
        for setting in settings:
            session.execute(text(f"SET LOCAL {setting}"))


def changed(session: Session, statement: Executable) -> int:
    """Run an UPDATE, a DELETE or an INSERT from a SELECT and return how many rows it changed: a conditional one that says 0 lost its race."""
    # SQLAlchemy forgets how many rows an INSERT wrote unless it is asked.
    result = session.execute(statement, execution_options={"preserve_rowcount": True})
    assert isinstance(result, CursorResult)
    return result.rowcount


# An error's text goes to the log: it says the statement, never its values (codes' tags, IBANs, password hashes).


def _postgresql_engine(url: str, pool_size: int, limits: TimeLimits) -> Engine:
    return bounded_engine(url, limits, pool_size=pool_size, max_overflow=pool_size, pool_timeout=limits.pool)


def bounded_engine(url: str | URL, limits: TimeLimits, **pool: Any) -> Engine:
    """Return an engine on PostgreSQL whose connections wait for nothing beyond `limits`; `pool` is told to SQLAlchemy."""

    def connect() -> BoundedConnection:
        # Several hosts in the address are tried in turn.
        _, arguments = engine.dialect.create_connect_args(engine.url)
        connection = BoundedConnection.connect(**{**limits.connect_arguments(), **arguments})
        connection.limits = limits
        return connection

    engine = create_engine(url, hide_parameters=True, creator=connect, **pool)
    return engine


def _sqlite_engine(url: str, pool_size: int, limits: TimeLimits) -> Engine:
    # The driver must not begin transactions by itself: `write` says BEGIN IMMEDIATE, `read` says BEGIN.
    connect_args = {"timeout": limits.lock, "check_same_thread": False, "isolation_level": None}
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=limits.pool,
        hide_parameters=True,
        connect_args=connect_args,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-32000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
