"""A checkpoint: the size and root of the sealed journal, signed, as the C2SP texts tlog-checkpoint and signed-note lay it out.

    <origin>
    <size>
    <root in base64>
    (an empty line)
    — <origin> <base64 of key id (4 bytes) ‖ Ed25519 signature of the three lines, each with its line feed>

The key id is SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[:4]; the key's name is the origin. Whoever holds one checkpoint can see
that a later journal continues it. An inclusion proof is a text too (C2SP tlog-proof), which ends with a checkpoint.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from voucher.ledger.merkle import HASH_BYTES

NOTE_BYTES_MAX = 100_000
PROOF_FORMAT = "c2sp.org/tlog-proof@v1"
_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_SIGNATURE_START = "— "


class BadNote(ValueError):
    """A text that is no signed checkpoint; its message is French and says what is wrong."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: whose journal, how many entries are sealed, the root of their tree (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


def origin_of(base_url: str) -> str:
    """Return the name of the journal of an installation, from its public address."""
    return f"{urlsplit(base_url).netloc.lower()}/pass-numerique/journal"


def sign_checkpoint(checkpoint: Checkpoint, private_key: Ed25519PrivateKey) -> str:
    """Return the signed note of a checkpoint."""
    public_key = private_key.public_key().public_bytes_raw()
    signed = key_id(checkpoint.origin, public_key) + private_key.sign(checkpoint.text.encode())
    return f"{checkpoint.text}\n{_SIGNATURE_START}{checkpoint.origin} {_base64(signed)}\n"


def read_checkpoint(note: str) -> Checkpoint:
    """Return what a note says, without looking at who signed it. Raises BadNote."""
    text, blank, _ = note.rpartition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) < 3 or len(note.encode()) > NOTE_BYTES_MAX:
        raise BadNote("ce n'est pas un point de contrôle : il lui manque des lignes")
    origin, size, root, *_ = lines
    if not size.isascii() or not size.isdigit() or str(int(size)) != size:
        raise BadNote("la taille du point de contrôle n'est pas un nombre")
    try:
        hashed = base64.b64decode(root, validate=True)
    except binascii.Error:
        hashed = b""
    if not origin or len(hashed) != HASH_BYTES:
        raise BadNote("l'origine ou la racine du point de contrôle ne se lit pas")
    return Checkpoint(origin, int(size), hashed)


def open_checkpoint(note: str, public_key: bytes) -> Checkpoint:
    """Return what a note says once its signature by this key (32 raw bytes) is verified. Raises BadNote."""
    checkpoint = read_checkpoint(note)
    text, _, signatures = note.rpartition("\n\n")
    expected = key_id(checkpoint.origin, public_key)
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix(_SIGNATURE_START).rpartition(" ")
        try:
            signed = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            continue
        if not line.startswith(_SIGNATURE_START) or name != checkpoint.origin or not signed.startswith(expected):
            continue
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signed[_KEY_ID_BYTES:], f"{text}\n".encode())
        except InvalidSignature:
            raise BadNote("la signature du point de contrôle est fausse") from None
        return checkpoint
    raise BadNote("le point de contrôle n'est pas signé par la clé du programme")


def key_id(name: str, public_key: bytes) -> bytes:
    """Return the four bytes that tell a key in a signature line."""
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]


def verifier_key(name: str, public_key: bytes) -> str:
    """Return the line by which a public key is given to people: `<name>+<key id>+<base64 of 0x01 ‖ key>`."""
    return f"{name}+{key_id(name, public_key).hex()}+{_base64(_ED25519 + public_key)}"


def proof_text(leaf: int, path: Sequence[bytes], note: str) -> str:
    """Return the text that proves, without the journal, that leaf number `leaf` is under a checkpoint."""
    return "".join(f"{line}\n" for line in (PROOF_FORMAT, f"index {leaf}", *map(_base64, path), "")) + note


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
