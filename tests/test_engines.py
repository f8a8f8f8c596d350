"""The harness itself: what other tests take for granted."""

import psycopg
import pytest
from sqlalchemy import text

from tests.engines import Server
from voucher.kernel.database import Database


def test_every_test_gets_a_database_of_its_own(database: Database, engine_name: str) -> None:
    assert database.engine.dialect.name == engine_name
    with database.write() as session:
        session.execute(text("CREATE TABLE left_behind (id integer PRIMARY KEY)"))


def test_and_never_sees_what_another_left(database: Database) -> None:
    with database.write() as session:
        session.execute(text("CREATE TABLE left_behind (id integer PRIMARY KEY)"))


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
