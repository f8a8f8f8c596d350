"""Seal what was posted: number the entries that no seal holds, grow the tree over them. `trail.seal` signs its root.

Entries are found by their absence from the seals, never by the last id or hour sealed: who took an earlier one may commit
later. One posted after now, by a clock that is ahead, waits for the next sealing. One transaction seals all of them; at each
moment one sealer works. A redemption never waits for it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from voucher.kernel.bulk import copy_rows
from voucher.kernel.database import Base
from voucher.ledger.canonical import canonical_entries, canonical_query
from voucher.ledger.merkle import HASH_BYTES, NODE_HEIGHT, Frontier, Subtree, leaf_hash, node_hash, peaks_of, split
from voucher.ledger.model import Entry
from voucher.ledger.seal_model import Seal, SealNode

SEAL_TURN = "ledger seal"
SEALS_AT_ONCE = 4096
BYTES_IN_MEMORY = 64 * 1024**2  # a million entries
_ID_BYTES = 36  # as text
_WAITING_BYTES = _ID_BYTES + HASH_BYTES
_BELOW_A_NODE = 1 << NODE_HEIGHT


@dataclass(frozen=True, slots=True)
class Grown:
    """The tree of the sealed journal, once what waited is in it: its size, how many entries were added, its root."""

    size: int
    added_count: int
    root: bytes


def seal_entries(session: Session, now: datetime) -> Grown:
    """Number every entry posted until now that waits and grow the tree over them. The caller holds the turn `SEAL_TURN`, and signs."""
    size = sealed_size(session)
    frontier = Frontier(size, peaks_of(size, stored_subtrees(session)))
    unsealed = canonical_query(
        session.get_bind().dialect.name,
        select(Entry.__table__).where(is_unsealed(), Entry.posted_at <= now),
        Entry.posted_at,
        Entry.id,
    )
    leaves = ((entry.entry_id, leaf_hash(entry.data)) for entry in canonical_entries(session, unsealed))
    copy_rows(session, SealNode, number_leaves(session, Seal, leaves, frontier))
    return Grown(frontier.size, frontier.size - size, frontier.root())


def number_leaves(
    session: Session, table: type[Base], leaves: Iterable[tuple[str, bytes]], frontier: Frontier
) -> list[tuple[int, int, bytes]]:
    """Give each leaf (an id as text, its hash) the next number in a table of number, id and hash; the tree grows on the way.

    Return the kept nodes that are completed, as `Frontier.extend` gives them.
    """
    nodes: list[tuple[int, int, bytes]] = []
    # COPY takes an id as text.
    id_of: Callable[[str], object] = str if session.get_bind().dialect.name == "postgresql" else UUID
    # Nothing is written while a statement is read: the hashes wait in a file, in memory while they are few.
    with SpooledTemporaryFile(BYTES_IN_MEMORY) as waiting:
        for text, hashed in leaves:
            waiting.write(text.encode() + hashed)
        copy_rows(
            session, table, ((leaf, id_of(text), hashed) for leaf, text, hashed in _numbered(waiting, frontier, nodes))
        )
    return nodes


def is_unsealed() -> Any:
    """Return the condition of an entry that no seal holds."""
    return ~exists().where(Seal.entry_id == Entry.id)


def sealed_size(session: Session) -> int:
    """Return how many entries are sealed."""
    last = session.scalar(select(func.max(Seal.leaf)))
    return 0 if last is None else last + 1


def _numbered(
    waiting: IO[bytes], frontier: Frontier, nodes: list[tuple[int, int, bytes]]
) -> Iterator[tuple[int, str, bytes]]:
    """Give number, id and hash of each entry that waits in the file; the tree grows on the way, and the list of its nodes."""
    waiting.seek(0)
    while part := waiting.read(SEALS_AT_ONCE * _WAITING_BYTES):
        starts = range(0, len(part), _WAITING_BYTES)
        leaves = [part[start + _ID_BYTES : start + _WAITING_BYTES] for start in starts]
        for leaf, start, hashed in zip(count(frontier.size), starts, leaves, strict=False):
            yield leaf, part[start : start + _ID_BYTES].decode(), hashed
        nodes += frontier.extend(leaves)


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
