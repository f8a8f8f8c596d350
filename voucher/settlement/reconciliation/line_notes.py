"""Write beside a bank line: a note for the next person, and who is on it. Nothing is taken back: the last note counts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, insert, select

from voucher.kernel.clean_input import optional_text
from voucher.kernel.database import Database
from voucher.kernel.idempotency import is_replay
from voucher.settlement.model.refunds import LineNote
from voucher.settlement.reconciliation.apply_match import line_to_use
from voucher.settlement.reconciliation.bank_turn import take_bank_turn

NOTE_LENGTH_MAX = 300


@dataclass(frozen=True, slots=True)
class NoteRow:
    """What a person wrote beside a line (empty: nothing any more), and who is on it."""

    note: str
    assignee_id: UUID | None
    written_at: datetime
    written_by: UUID


def write_note(
    database: Database,
    note_id: UUID,
    line_id: UUID,
    note: str,
    assignee_id: UUID | None,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> None:
    """Write a note and who is on a line; the same again changes nothing. `note_id` is made by the form. Raises Refused."""
    with database.write() as session:
        take_bank_turn(session)
        line_to_use(session, line_id, issuer_id)
        row = {
            "id": note_id,
            "line_id": line_id,
            "note": optional_text(note, "note", NOTE_LENGTH_MAX),
            "assignee_id": assignee_id,
            "written_by": by,
        }
        if not is_replay(session, LineNote, row):
            session.execute(insert(LineNote).values(**row, written_at=now))


def notes_of(database: Database, line_id: UUID, *, issuer_id: UUID | None = None) -> list[NoteRow]:
    """Return all that was written beside a line of the scope, the newest first. Raises Refused out of scope."""
    with database.read() as session:
        line_to_use(session, line_id, issuer_id)
        rows = session.execute(
            select(LineNote.note, LineNote.assignee_id, LineNote.written_at, LineNote.written_by)
            .where(LineNote.line_id == line_id)
            .order_by(LineNote.written_at.desc(), LineNote.id.desc())
        )
        return [NoteRow(*row) for row in rows]


def last_notes() -> Select[*tuple[Any, ...]]:
    """Return the statement (line_id, note, assignee_id) of the last note of each line that has one."""
    rank = func.row_number().over(
        partition_by=LineNote.line_id, order_by=(LineNote.written_at.desc(), LineNote.id.desc())
    )
    ranked = select(LineNote.line_id, LineNote.note, LineNote.assignee_id, rank.label("rank")).subquery()
    return select(ranked.c.line_id, ranked.c.note, ranked.c.assignee_id).where(ranked.c.rank == 1)
