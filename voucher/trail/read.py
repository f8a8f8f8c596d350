"""What pages and commands ask of the sealed trail: how much is sealed, how much waits, the last note."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.ledger.checkpoint import read_checkpoint
from voucher.ledger.seal_model import CheckpointRow
from voucher.trail.digest import digest_in
from voucher.trail.model import AuditLine, TrailCheckpoint
from voucher.trail.seal import is_unsealed_line


@dataclass(frozen=True, slots=True)
class TrailState:
    """How many lines are sealed, how many wait, and when the oldest of those was written."""

    sealed_count: int
    waiting_count: int
    oldest_at: datetime | None


def trail_state(database: Database) -> TrailState:
    """Return what is sealed of the trail and what waits."""
    with database.read() as session:
        sealed_count = session.scalar(select(func.max(TrailCheckpoint.size))) or 0
        waiting = session.execute(select(func.count(), func.min(AuditLine.at)).where(is_unsealed_line())).one()
    return TrailState(sealed_count, waiting[0], waiting[1])


def last_note(database: Database) -> str | None:
    """Return the note of the last sealing, or None where nothing was ever sealed: who keeps it keeps both digests.

    It is the journal's last checkpoint, or, where only the trail has grown since, the same size under another note.
    """
    with database.read() as session:
        notes = [_last(session, table) for table in (CheckpointRow, TrailCheckpoint)]
    return max((note for note in notes if note is not None), key=note_sizes, default=None)


def note_sizes(note: str) -> tuple[int, int]:
    """Return how many entries and how many lines of the trail a note of ours seals."""
    checkpoint = read_checkpoint(note)
    digest = digest_in(checkpoint)
    return checkpoint.size, digest.size if digest else 0


def _last(session: Session, table: type[CheckpointRow] | type[TrailCheckpoint]) -> str | None:
    return session.scalar(select(table.note).order_by(table.size.desc()).limit(1))
