"""Seal the journal and the trail together: number what waits of both, grow both trees, sign one note that says both roots.

Lines are found by their absence from the seals, as entries are. A day without an entry is sealed too, if somebody did something:
its note says the journal's size and root as they stood. Before the journal has an entry of this operator's own, lines wait:
until then no checkpoint bears its key.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import exists, func, insert, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import paris_day
from voucher.kernel.chunks import chunks
from voucher.kernel.database import Database, expect_whole_tables, take_turn
from voucher.ledger.checkpoint import Checkpoint, sign_checkpoint
from voucher.ledger.merkle import HASH_BYTES, Frontier, leaf_hash
from voucher.ledger.seal import SEAL_TURN, number_leaves, seal_entries
from voucher.ledger.seal_model import CheckpointRow, SealHandover
from voucher.trail.canonical import canonical_lines
from voucher.trail.digest import TrailDigest
from voucher.trail.model import AuditLine, TrailCheckpoint, TrailSeal


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a sealing did: the size of the sealed journal, how many entries and how many lines it added, its signed note."""

    size: int
    added_count: int
    line_count: int
    note: str


def seal(database: Database, *, origin: str, key: Ed25519PrivateKey, now: datetime) -> Sealed | None:
    """Seal every entry and every line written until now that waits, and sign; return None where none waits: the last note stands.

    `key` is the programme's, `origin` the journal's name (`checkpoint.origin_of`).
    """
    with database.write() as session:
        take_turn(session, SEAL_TURN)
        expect_whole_tables(session, joined_by_key=True)
        journal = seal_entries(session, now)
        if journal.size <= (session.scalar(select(func.max(SealHandover.size))) or 0):
            return None
        trail, added_count = _seal_lines(session, now)
        if not journal.added_count and not added_count:
            return None
        digest = TrailDigest(trail.size, trail.root())
        extensions = (digest.line,) if digest.size else ()
        note = sign_checkpoint(Checkpoint(origin, journal.size, journal.root, extensions), key)
        signed = {"sealed_at": now, "sealed_on": paris_day(now), "note": note}
        if journal.added_count:
            row = {"size": journal.size, "root": journal.root, "public_key": key.public_key().public_bytes_raw()}
            session.execute(insert(CheckpointRow).values(**row, **signed))
        if added_count:
            row = {"size": digest.size, "root": digest.root, "peaks": b"".join(trail.peaks)}
            session.execute(insert(TrailCheckpoint).values(**row, **signed))
    return Sealed(journal.size, journal.added_count, added_count, note)


def seal_is_due(database: Database, now: datetime) -> bool:
    """Say whether nothing was sealed on this day, in Paris."""
    with database.read() as session:
        days = [session.scalar(select(func.max(table.sealed_on))) for table in (CheckpointRow, TrailCheckpoint)]
    return all(day is None or day < paris_day(now) for day in days)


def is_unsealed_line() -> Any:
    """Return the condition of a line that no seal holds."""
    return ~exists().where(TrailSeal.line_id == AuditLine.id)


def stored_peaks(stored: bytes) -> list[bytes]:
    """Return the peaks that a checkpoint keeps one after the other."""
    return [bytes(peak) for peak in chunks(stored, HASH_BYTES)]


def _seal_lines(session: Session, now: datetime) -> tuple[Frontier, int]:
    """Number the lines that wait; return the tree, and how many were added."""
    last = session.execute(
        select(TrailCheckpoint.size, TrailCheckpoint.peaks).order_by(TrailCheckpoint.size.desc()).limit(1)
    ).first()
    size, peaks = (last.size, last.peaks) if last else (0, b"")
    trail = Frontier(size, stored_peaks(peaks))
    waiting = select(AuditLine.id).where(is_unsealed_line(), AuditLine.at <= now).order_by(AuditLine.at, AuditLine.id)
    leaves = ((line.line_id, leaf_hash(line.data)) for line in canonical_lines(session, waiting))
    number_leaves(session, TrailSeal, leaves, trail)
    return trail, trail.size - size
