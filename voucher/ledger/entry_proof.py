"""The proof of one entry, as the C2SP text tlog-proof lays it out: who holds it and the programme's key needs nothing else.

    c2sp.org/tlog-proof@v1
    extra <base64 of the entry's canonical bytes>
    index <leaf number>
    <each hash of the inclusion path in base64, the leaf's neighbour first>
    (an empty line)
    <the signed checkpoint>

The format does not authenticate its extra line; here the tree does: these bytes are what the leaf hashes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from voucher.ledger.checkpoint import BadNote, base64_of, bytes_of, is_number
from voucher.ledger.merkle import HASH_BYTES

PROOF_FORMAT = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class EntryProof:
    """What a proof says: the leaf's number, its entry's canonical bytes (None where it lacks them), the path, the note."""

    leaf: int
    entry: bytes | None
    path: tuple[bytes, ...]
    note: str


def proof_text(leaf: int, entry: bytes, path: Sequence[bytes], note: str) -> str:
    """Return the text that proves, without the journal, that an entry is leaf number `leaf` under a checkpoint."""
    head = (PROOF_FORMAT, f"extra {base64_of(entry)}", f"index {leaf}", *map(base64_of, path), "")
    return "".join(f"{line}\n" for line in head) + note


def read_proof(text: str) -> EntryProof:
    """Return what a proof says; nothing of it is verified. Raises BadNote."""
    head, _, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    entry = bytes_of(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
    leaf = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
    path = tuple(map(bytes_of, lines))
    if first != PROOF_FORMAT or not is_number(leaf) or any(len(one) != HASH_BYTES for one in path):
        raise BadNote("ce n’est pas la preuve d’une écriture (C2SP tlog-proof), ou elle est abîmée")
    return EntryProof(int(leaf), entry, path, note)
