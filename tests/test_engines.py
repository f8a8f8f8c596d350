"""The harness itself: what other tests take for granted."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import psycopg
import pytest
from sqlalchemy import literal, select, text
from sqlalchemy.engine.interfaces import CacheStats

from tests.engines import SQLITE_ONLY_VARIABLE, EngineMissing, Run, Server
from voucher.kernel.database import Database


def test_every_test_gets_a_database_of_its_own(database: Database, engine_name: str) -> None:
    assert database.engine.dialect.name == engine_name
    with database.write() as session:
        session.execute(text("CREATE TABLE left_behind (id integer PRIMARY KEY)"))


def test_and_never_sees_what_another_left(database: Database) -> None:
    with database.write() as session:
        session.execute(text("CREATE TABLE left_behind (id integer PRIMARY KEY)"))


def test_what_one_database_compiled_serves_the_next(
    open_database: Callable[[str], AbstractContextManager[Database]], engine_name: str
) -> None:
    statement, hits = select(literal(41) + literal(1)), []
    for _ in range(3):
        with open_database(engine_name) as opened, opened.ask() as connection:
            found = connection.execute(statement)
            assert found.scalar_one() == 42
            hits.append(found.context.cache_hit)
    assert hits[-1] is CacheStats.CACHE_HIT


def test_a_run_on_sqlite_alone_starts_no_server(databases: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SQLITE_ONLY_VARIABLE, "1")
    with pytest.raises(EngineMissing, match="starts no PostgreSQL"):
        databases.server_url()


def test_a_durable_server_killed_at_once_keeps_what_was_committed(durable_server: Server) -> None:
    with psycopg.connect(durable_server.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    unfinished = psycopg.connect(durable_server.url())
    unfinished.execute("INSERT INTO kept VALUES (2)")
    durable_server.crash()
    with pytest.raises(psycopg.OperationalError):
        unfinished.commit()
    unfinished.close()
    durable_server.start()
    with psycopg.connect(durable_server.url()) as connection:
        assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]
