"""The same command sent twice changes nothing twice: its id is made by the client, and tells.

The same id with the same content gets the answer of the first time; with another content it is refused. A command says its
content in one row (`insert_once`, `is_replay`) or compares what stands under the id itself (`is_same`). At the counter, where a
refusal is recorded and given again, `redemption.replayed_requests` does the same with values (ADR 31).
"""

from collections.abc import Mapping
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.kernel.database import Base, insert_new, take_turn
from voucher.kernel.refusals import Refused

T = TypeVar("T")


def insert_once(
    session: Session, table: type[Base], row: Mapping[str, object], also: Mapping[str, object], taken: Refused
) -> bool:
    """Insert what a command says (`row`, with its `id`) and what the moment adds (`also`); return False on a replay.

    Raises Refused when the id was used with another content, and `taken` when another row already holds a unique value.
    """
    if insert_new(session, table, {**row, **also}):
        return True
    if not is_replay(session, table, row):
        raise taken
    return False


def is_replay(session: Session, table: type[Base], row: Mapping[str, object]) -> bool:
    """Say whether the row of this id stands with the same content. Raises Refused when it stands with another.

    Two sendings of one command at the same moment are answered one after the other, so that the second finds the first's row.
    """
    take_turn(session, f"{table.__tablename__} {row['id']}")
    columns = table.__table__.columns
    stored = session.execute(select(*(columns[name] for name in row)).where(columns["id"] == row["id"])).one_or_none()
    return is_same(None if stored is None else tuple(stored), tuple(row.values()))


def is_same(stored: T | None, asked: T) -> bool:
    """Say whether what stands under an id (None: nothing does) is what is asked. Raises Refused when it is something else.

    The caller holds a turn or a lock under which whoever sent the same id has finished.
    """
    if stored is None:
        return False
    if stored != asked:
        raise Refused(
            "same_id_other_content",
            "Ce formulaire a déjà été envoyé avec d’autres réponses. Rien n’a changé. Ouvrez un nouveau formulaire.",
        )
    return True
