"""Seal what was posted: number the entries that no seal holds, grow the tree over them, sign its root.

Entries are found by their absence from the seals, never by the last id or hour sealed: who took an earlier one may commit
later. One posted after now, by a clock that is ahead, waits for the next sealing. One transaction seals all of them; at each
moment one sealer works. A redemption never waits for it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import exists, func, insert, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database, copy_rows, expect_whole_tables, take_turn
from voucher.ledger.canonical import canonical_entries, canonical_query
from voucher.ledger.checkpoint import Checkpoint, sign_checkpoint
from voucher.ledger.merkle import NODE_HEIGHT, Frontier, Subtree, leaf_hash, node_hash, peaks_of, split
from voucher.ledger.model import Entry
from voucher.ledger.seal_model import CheckpointRow, Seal, SealNode

SEALS_AT_ONCE = 20_000
_BELOW_A_NODE = 1 << NODE_HEIGHT


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a sealing did: the size of the sealed journal, how many entries it added, its signed note."""

    size: int
    added_count: int
    note: str


def seal(database: Database, *, origin: str, key: Ed25519PrivateKey, now: datetime) -> Sealed | None:
    """Seal every entry posted until now that waits, and sign the new root; return None where none waits: the last one stands.

    `key` is the programme's, `origin` the journal's name (`checkpoint.origin_of`).
    """
    with database.write() as session:
        take_turn(session, "ledger seal")
        expect_whole_tables(session)
        size = sealed_size(session)
        frontier = Frontier(size, peaks_of(size, stored_subtrees(session)))
        total = session.scalar(select(func.count()).select_from(Entry)) or 0
        query = canonical_query(session, is_whole=total - size > total // 4)
        unsealed = query.where(is_unsealed(), Entry.posted_at <= now).order_by(Entry.posted_at, Entry.id)
        # COPY takes an id as text.
        id_of: Callable[[str], object] = str if database.is_postgresql else UUID
        hashed = ((id_of(one.entry_id), leaf_hash(one.data)) for one in canonical_entries(session, unsealed))
        while part := list(islice(hashed, SEALS_AT_ONCE)):
            _write(session, frontier, part)
        if frontier.size == size:
            return None
        checkpoint = Checkpoint(origin, frontier.size, frontier.root())
        note = sign_checkpoint(checkpoint, key)
        session.execute(
            insert(CheckpointRow).values(
                size=frontier.size,
                root=checkpoint.root,
                sealed_at=now,
                sealed_on=paris_day(now),
                note=note,
                public_key=key.public_key().public_bytes_raw(),
            )
        )
    return Sealed(frontier.size, frontier.size - size, note)


def seal_is_due(database: Database, now: datetime) -> bool:
    """Say whether no checkpoint was signed on this day, in Paris."""
    with database.read() as session:
        last = session.scalar(select(func.max(CheckpointRow.sealed_on)))
    return last is None or last < paris_day(now)


def is_unsealed() -> Any:
    """Return the condition of an entry that no seal holds."""
    return ~exists().where(Seal.entry_id == Entry.id)


def sealed_size(session: Session) -> int:
    """Return how many entries are sealed."""
    last = session.scalar(select(func.max(Seal.leaf)))
    return 0 if last is None else last + 1


def _write(session: Session, frontier: Frontier, part: Iterable[tuple[object, bytes]]) -> None:
    seals, nodes = [], []
    for entry_id, hashed in part:
        seals.append((frontier.size, entry_id, hashed))
        nodes += frontier.append(hashed)
    copy_rows(session, Seal, seals)
    if nodes:
        copy_rows(session, SealNode, nodes)


def stored_subtrees(session: Session) -> Subtree:
    """Return how to find the root of a range of sealed leaves: from kept nodes, and from leaves where none is kept."""
    generations: dict[tuple[int, int], dict[int, bytes]] = {}

    def hashes(generation: int, first: int) -> dict[int, bytes]:
        """Read the 256 hashes below one place of a generation (0: leaves), once."""
        group = (generation, first // _BELOW_A_NODE)
        if group not in generations:
            start = group[1] * _BELOW_A_NODE
            if generation == 0:
                found = select(Seal.leaf, Seal.leaf_hash).where(Seal.leaf.between(start, start + _BELOW_A_NODE - 1))
            else:
                found = select(SealNode.place, SealNode.hash).where(
                    SealNode.generation == generation, SealNode.place.between(start, start + _BELOW_A_NODE - 1)
                )
            generations[group] = {row[0]: row[1] for row in session.execute(found)}
        return generations[group]

    def subtree(start: int, end: int) -> bytes:
        count = end - start
        if count & (count - 1) == 0 and start % count == 0 and (count.bit_length() - 1) % NODE_HEIGHT == 0:
            generation = (count.bit_length() - 1) // NODE_HEIGHT
            return hashes(generation, start // count)[start // count]
        middle = start + split(count)
        return node_hash(subtree(start, middle), subtree(middle, end))

    return subtree
