"""What pages ask of the sealed journal: its checkpoints, how much waits, the proof of one entry."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.ledger.canonical import canonical_entries, canonical_query
from voucher.ledger.entry_proof import proof_text
from voucher.ledger.merkle import inclusion_path
from voucher.ledger.model import Entry
from voucher.ledger.seal import is_unsealed, stored_subtrees
from voucher.ledger.seal_model import CheckpointRow, Seal


@dataclass(frozen=True, slots=True)
class CheckpointLine:
    """A checkpoint in a list: how many entries it seals, its root in hexadecimal, when (and its Paris day), its note."""

    size: int
    root: str
    sealed_at: datetime
    sealed_on: date
    note: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What no seal holds yet: how many entries, and when the oldest was posted."""

    entry_count: int
    oldest_at: datetime | None


_COLUMNS = (
    CheckpointRow.size,
    CheckpointRow.root,
    CheckpointRow.sealed_at,
    CheckpointRow.sealed_on,
    CheckpointRow.note,
)


def latest_checkpoint(database: Database) -> CheckpointLine | None:
    """Return the last checkpoint, or None where nothing was ever sealed."""
    return next(iter(checkpoints(database, Asked(limit=1, descending=True, is_counted=False)).rows), None)


def checkpoints(database: Database, asked: Asked) -> Page[CheckpointLine]:
    """Return a page of checkpoints. Sort: size."""
    with database.read() as session:
        page = page_of(session, select(*_COLUMNS), {"size": CheckpointRow.size}, [], asked)
    return page.of(
        CheckpointLine(row.size, row.root.hex(), row.sealed_at, row.sealed_on, row.note) for row in page.rows
    )


def checkpoint_note(database: Database, size: int) -> str | None:
    """Return the signed note of the checkpoint of exactly this size, or None."""
    with database.read() as session:
        return session.scalar(select(CheckpointRow.note).where(CheckpointRow.size == size))


def waiting(database: Database) -> Waiting:
    """Return what waits to be sealed."""
    with database.read() as session:
        row = session.execute(select(func.count(), func.min(Entry.posted_at)).where(is_unsealed())).one()
    return Waiting(row[0], row[1])


def leaf_of(database: Database, entry_id: UUID) -> int | None:
    """Return the leaf number of a sealed entry, or None."""
    with database.read() as session:
        return session.scalar(select(Seal.leaf).where(Seal.entry_id == entry_id))


def proof_of(database: Database, entry_id: UUID) -> str | None:
    """Return the text (C2SP tlog-proof) that proves an entry under the last checkpoint, or None while it is not sealed."""
    with database.read() as session:
        return _proof(session, entry_id)


def _proof(session: Session, entry_id: UUID) -> str | None:
    leaf = session.scalar(select(Seal.leaf).where(Seal.entry_id == entry_id))
    last = session.execute(
        select(CheckpointRow.size, CheckpointRow.note).order_by(CheckpointRow.size.desc()).limit(1)
    ).first()
    if leaf is None or last is None or leaf >= last.size:
        return None
    picked = select(Entry.__table__).where(Entry.id == entry_id)
    entry = next(canonical_entries(session, canonical_query(session.get_bind().dialect.name, picked)), None)
    if entry is None:
        return None  # it was taken away after its seal: `voucher verify` names it
    return proof_text(leaf, entry.data, inclusion_path(leaf, last.size, stored_subtrees(session)), last.note)
