"""One dialect and one cache of compiled statements per engine, for all databases of a process.

Each test has a database of its own, hence an engine of its own; SQLAlchemy would compile each statement anew for it, which took half
of the CPU of the suite. What is compiled depends on the dialect alone, never on the address.
"""

from functools import partial
from typing import Any

from sqlalchemy import Engine, create_engine

from voucher.kernel import database

STATEMENTS = 5000


def share_dialects() -> None:
    """Let every `Database` opened from now on in this process use the dialect and the compiled statements of the first.

    A dialect's own events (`handle_error`, `do_connect`) would be shared too: listen on the pool or on the engine.
    """
    first: dict[str, Engine] = {}
    database.create_engine = partial(_engine, first)  # type: ignore[attr-defined]


def _engine(first: dict[str, Engine], url: str, **words: Any) -> Engine:
    engine = create_engine(url, query_cache_size=STATEMENTS, **words)
    shared = first.get(engine.dialect.name)
    # A dialect learns what its server can do when it first connects.
    if shared is None or getattr(shared.dialect, "default_isolation_level", None) is None:
        first[engine.dialect.name] = engine
        return engine
    engine.dialect = engine.pool._dialect = shared.dialect
    engine._compiled_cache = shared._compiled_cache
    return engine
