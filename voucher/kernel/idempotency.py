"""The same command sent twice changes nothing twice: its id is made by the client, and tells."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.kernel.database import Base, insert_new, take_turn
from voucher.kernel.refusals import Refused


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
    if stored is None:
        return False
    if tuple(stored) != tuple(row.values()):
        raise changed_replay()
    return True


def changed_replay() -> Refused:
    """Return the refusal of a command whose id was used with another content."""
    return Refused(
        "same_id_other_content",
        "Ce formulaire a déjà été envoyé avec d’autres réponses. Rien n’a changé. Ouvrez un nouveau formulaire.",
    )
