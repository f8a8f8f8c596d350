"""A checkpoint: the size and root of the sealed journal, signed, as the C2SP texts tlog-checkpoint and signed-note lay it out.

    <origin>
    <size>
    <root in base64>
    <extension>                    (a line each: what else is signed, the audit trail's digest; who does not know it reads past it)
    (an empty line)
    — <origin> <base64 of key id (4 bytes) ‖ Ed25519 signature of the lines above, each with its line feed>

The key id is SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[:4]; the key's name is the origin. Whoever holds one checkpoint can see
that a later journal continues it. `entry_proof` and `handover` are texts made of the same parts.
"""

import base64
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from voucher.ledger.merkle import HASH_BYTES

NOTE_BYTES_MAX = 100_000
NUMBER_DIGITS_MAX = 18
_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_KEY_BYTES = 32
_SIGNATURE_START = "— "


class BadNote(ValueError):
    """A text that is no signed checkpoint; its message is French and says what is wrong."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: whose journal, how many entries are sealed, the root of their tree (32 bytes), what else is signed."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The lines that are signed."""
        lines = (self.origin, str(self.size), base64_of(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def origin_of(base_url: str) -> str:
    """Return the name of the journal of an installation, from its public address."""
    return f"{urlsplit(base_url).netloc.lower()}/pass-numerique/journal"


def sign_checkpoint(checkpoint: Checkpoint, private_key: Ed25519PrivateKey) -> str:
    """Return the signed note of a checkpoint."""
    return f"{checkpoint.text}\n{signature_line(checkpoint.text, checkpoint.origin, private_key)}"


def read_checkpoint(note: str) -> Checkpoint:
    """Return what a note says, without looking at who signed it. Raises BadNote."""
    text, blank, _ = note.rpartition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) < 3 or len(note.encode()) > NOTE_BYTES_MAX:
        raise BadNote("ce n’est pas un point de contrôle : il lui manque des lignes")
    origin, size, root, *extensions = lines
    if not is_number(size):
        raise BadNote("la taille du point de contrôle n’est pas un nombre")
    hashed = bytes_of(root)
    if not origin or len(hashed) != HASH_BYTES:
        raise BadNote("l’origine ou la racine du point de contrôle ne se lit pas")
    return Checkpoint(origin, int(size), hashed, tuple(extensions))


def open_checkpoint(note: str, public_key: bytes) -> Checkpoint:
    """Return what a note says once its signature by this key (32 raw bytes) is verified. Raises BadNote."""
    checkpoint = read_checkpoint(note)
    check_signature(note, checkpoint.origin, public_key)
    return checkpoint


def signature_line(text: str, name: str, private_key: Ed25519PrivateKey) -> str:
    """Return the line by which a key of this name signs a note's text."""
    signed = key_id(name, private_key.public_key().public_bytes_raw()) + private_key.sign(text.encode())
    return f"{_SIGNATURE_START}{name} {base64_of(signed)}\n"


def check_signature(note: str, name: str, public_key: bytes) -> None:
    """Verify that the key of this name signed a note. Raises BadNote."""
    text, _, signatures = note.rpartition("\n\n")
    expected = key_id(name, public_key)
    for line in signatures.splitlines():
        signer, _, encoded = line.removeprefix(_SIGNATURE_START).rpartition(" ")
        signed = bytes_of(encoded)
        if not line.startswith(_SIGNATURE_START) or signer != name or not signed.startswith(expected):
            continue
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signed[_KEY_ID_BYTES:], f"{text}\n".encode())
        except InvalidSignature:
            raise BadNote("la signature du point de contrôle est fausse") from None
        return
    raise BadNote("le point de contrôle n’est pas signé par la clé du programme")


def key_id(name: str, public_key: bytes) -> bytes:
    """Return the four bytes that tell a key in a signature line."""
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]


def verifier_key(name: str, public_key: bytes) -> str:
    """Return the line by which a public key is given to people: `<name>+<key id>+<base64 of 0x01 ‖ key>`."""
    return f"{name}+{key_id(name, public_key).hex()}+{base64_of(_ED25519 + public_key)}"


def read_verifier_key(line: str) -> tuple[str, bytes]:
    """Return the name and the key (32 raw bytes) that such a line gives. Raises BadNote."""
    name, _, rest = line.strip().partition("+")
    key = bytes_of(rest.partition("+")[2])[1:]
    if len(key) != _KEY_BYTES or verifier_key(name, key) != line.strip():
        raise BadNote("la clé ne se lit pas : elle est de la forme « nom+identifiant+clé ». Recopiez-la en entier")
    return name, key


def is_number(text: str) -> bool:
    """Say whether a text is a number as these formats write it: decimal, without a sign or a leading zero."""
    return text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX and (text == "0" or text[0] != "0")


def base64_of(data: bytes) -> str:
    """Return bytes as these texts write them."""
    return base64.b64encode(data).decode()


def bytes_of(text: str) -> bytes:
    """Return what a base64 text says, nothing where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
