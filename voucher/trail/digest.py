"""The digest of the trail in a checkpoint of the journal: one extension line, signed with the rest.

    pass-numerique/trail/1 <size> <root in base64>

So who keeps the journal's checkpoints keeps the trail's digest too.
"""

from dataclasses import dataclass

from voucher.ledger.checkpoint import Checkpoint, base64_of, bytes_of, is_number
from voucher.ledger.merkle import HASH_BYTES

FORMAT = "pass-numerique/trail/1"


@dataclass(frozen=True, slots=True)
class TrailDigest:
    """How many lines are sealed, the root of their tree (32 bytes)."""

    size: int
    root: bytes

    @property
    def line(self) -> str:
        """The extension line that says it."""
        return f"{FORMAT} {self.size} {base64_of(self.root)}"


def digest_in(checkpoint: Checkpoint) -> TrailDigest | None:
    """Return what a checkpoint says of the trail, or None where it says nothing that reads."""
    for line in checkpoint.extensions:
        name, _, rest = line.partition(" ")
        size, _, root = rest.partition(" ")
        if name == FORMAT and is_number(size) and len(bytes_of(root)) == HASH_BYTES:
            return TrailDigest(int(size), bytes_of(root))
    return None
