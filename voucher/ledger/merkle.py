"""The Merkle tree of the sealed journal, as RFC 6962 §2.1 draws it: hashes, growth, proofs. No I/O.

A leaf is SHA-256(0x00 ‖ data), a node SHA-256(0x01 ‖ left ‖ right); a tree of n leaves splits at the greatest power of two
below n. Hashes are 32 raw bytes, leaves are numbered from 0.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()
NODE_HEIGHT = 8
"""Levels of the tree between two kept generations of nodes: a kept node stands for 256 below it."""

Subtree = Callable[[int, int], bytes]
"""Gives the root of the leaves from `start` (counted in) to `end` (not counted in)."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two others."""
    return sha256(b"\x01" + left + right).digest()


def split(count: int) -> int:
    """Return the greatest power of two below `count`, which must be two or more: where a tree of that size splits."""
    return 1 << (count - 1).bit_length() - 1


class Frontier:
    """A tree that grows by its right side: it holds one hash for each bit of its size, whatever that size."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Take up a tree of `size` leaves; `peaks` are the roots of its perfect subtrees, the widest first."""
        if len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self._peaks = list(peaks)

    def extend(self, leaves: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Add the hashes of leaves; return the kept nodes they complete: (generation, place in it, hash).

        Generation 1 stands for 256 leaves, generation 2 for 65,536.
        """
        completed: list[tuple[int, int, bytes]] = []
        widest_last = []
        # One level of the tree after the other: `level` holds its new nodes, of which the first has the number `place`.
        level, place, height = list(leaves), self.size, 0
        while level or place:
            if place & 1:
                level.insert(0, self._peaks.pop())
                place -= 1
            if len(level) & 1:
                widest_last.append(level.pop())
            level = list(map(node_hash, level[::2], level[1::2]))
            place >>= 1
            height += 1
            if height % NODE_HEIGHT == 0:
                completed += ((height // NODE_HEIGHT, place + rank, hashed) for rank, hashed in enumerate(level))
        self._peaks = widest_last[::-1]
        self.size += len(leaves)
        return completed

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of its perfect subtrees, the widest first: with the size, all that it takes to go on."""
        return tuple(self._peaks)

    def root(self) -> bytes:
        """Return the root of the tree as it stands."""
        if not self._peaks:
            return EMPTY_ROOT
        hashed = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            hashed = node_hash(peak, hashed)
        return hashed


def peaks_of(size: int, subtree: Subtree) -> list[bytes]:
    """Return the roots of the perfect subtrees of a tree of `size` leaves, the widest first."""
    peaks, start = [], 0
    for height in reversed(range(size.bit_length())):
        if size >> height & 1:
            peaks.append(subtree(start, start + (1 << height)))
            start += 1 << height
    return peaks


def inclusion_path(leaf: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that leaf number `leaf` is in the tree of `size` leaves (§2.1.1), the leaf's neighbour first."""
    if not 0 <= leaf < size:
        raise ValueError(f"no leaf {leaf} in a tree of {size}")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if leaf < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return path[::-1]


def root_of_inclusion(leaf: int, size: int, hashed: bytes, path: Sequence[bytes]) -> bytes | None:
    """Return the root that an inclusion proof leads to, or None where it has not the right length (RFC 9162 §2.1.3.2)."""
    place, last = leaf, size - 1
    if not 0 <= leaf < size:
        return None
    for other in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            hashed = node_hash(other, hashed)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            hashed = node_hash(hashed, other)
        place, last = place >> 1, last >> 1
    return hashed if last == 0 else None
