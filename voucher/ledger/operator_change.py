"""The hand-over of the journal from one operator to the next: a signed note (C2SP) that names both keys, and that both sign.

    pass-numerique/handover/1
    <verifier key of the operator before>
    <verifier key of the one who takes over>
    <size>
    <root in base64>
    (an empty line)
    — <name of the first key> <signature>
    — <name of the second key> <signature>

Neither signature can be made by who owns the database alone. So whoever trusts either key has the other from this note, and the
journal up to this size with it. The operator before signs as it writes the archive, if it was told who takes over; where it was
not, the second key signs alone, and the first proves nothing of what follows.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from voucher.ledger.checkpoint import (
    BadNote,
    base64_of,
    bytes_of,
    check_signature,
    is_number,
    read_verifier_key,
    signature_line,
)
from voucher.ledger.merkle import HASH_BYTES

FORMAT = "pass-numerique/handover/1"


@dataclass(frozen=True, slots=True)
class Handover:
    """What a hand-over says: both operators' verifier keys, how many entries are sealed, the root of their tree."""

    previous: str
    next: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The five lines that are signed."""
        return f"{FORMAT}\n{self.previous}\n{self.next}\n{self.size}\n{base64_of(self.root)}\n"

    @property
    def previous_key(self) -> bytes:
        """The key of the operator before, raw."""
        return read_verifier_key(self.previous)[1]

    @property
    def next_key(self) -> bytes:
        """The key of the one who takes over, raw."""
        return read_verifier_key(self.next)[1]


def sign_handover(handover: Handover, key: Ed25519PrivateKey) -> str:
    """Return the note of a hand-over, signed by the operator who holds this key, one of the two."""
    return f"{handover.text}\n{_signature_line(handover, key)}"


def countersign_handover(note: str, key: Ed25519PrivateKey) -> str:
    """Return the note with the signature of the other operator too."""
    return note + _signature_line(read_handover(note), key)


def read_handover(note: str) -> Handover:
    """Return what a note says, without looking at who signed it. Raises BadNote."""
    lines = note.rpartition("\n\n")[0].split("\n")
    if len(lines) != 5 or lines[0] != FORMAT or not is_number(lines[3]) or len(bytes_of(lines[4])) != HASH_BYTES:
        raise BadNote("ce n’est pas la note d’une reprise")
    for line in lines[1:3]:
        read_verifier_key(line)
    return Handover(lines[1], lines[2], int(lines[3]), bytes_of(lines[4]))


def is_signed_by(note: str, line: str) -> bool:
    """Say whether the holder of a verifier key signed a note."""
    try:
        check_signature(note, *read_verifier_key(line))
    except BadNote:
        return False
    return True


def _signature_line(handover: Handover, key: Ed25519PrivateKey) -> str:
    names = {public: name for name, public in map(read_verifier_key, (handover.previous, handover.next))}
    return signature_line(handover.text, names[key.public_key().public_bytes_raw()], key)
