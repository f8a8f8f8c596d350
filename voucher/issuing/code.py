"""The signed code: sixteen bytes that say what a voucher is, then the sixty-four of its signature.

| bytes | field |
|---|---|
| 0 | format version (high 4 bits), algorithm (low 4 bits) |
| 1 | kind (high 3 bits), vouchers in the booklet (low 5 bits) |
| 2–3 | key id |
| 4–7 | serial |
| 8–9 | use_by, days since 2019-01-01 |
| 10–12 | face value of one voucher, in cents |
| 13–15 | secret tag |

Numbers are big-endian. The eighty bytes are written as 128 Base32 characters behind an upper-case address, so that a QR
code holds them in its alphanumeric mode and any phone opens the citizen's page. Reading a code says nothing about who
made it: ask `voucher.issuing.signing.is_authentic` before believing a word of it.
"""

import base64
import re
import struct
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum, StrEnum

from voucher.kernel.addresses import code_prefix

FORMAT_VERSION = 1
PAYLOAD_BYTES = 16
SIGNATURE_BYTES = 64
TEXT_CHARACTERS = 128

BOOKLET_SIZE_MAX = 2**5 - 1
KEY_ID_MAX = 2**16 - 1
SERIAL_MAX = 2**30 - 1  # what a typing code can carry; the payload itself has room for 32 bits
FACE_VALUE_CENTS_MAX = 2**24 - 1
TAG_MAX = 2**24 - 1
FIRST_DAY = date(2019, 1, 1)
LAST_DAY = FIRST_DAY + timedelta(days=2**16 - 1)

_LAYOUT = struct.Struct(">BBHIH3s3s")
_URL = re.compile(r"https?://[^/?#\s]+/v/(?P<text>[^/?#\s]*)", re.IGNORECASE | re.ASCII)
_BASE32 = re.compile(r"[A-Z2-7]*")


class Kind(IntEnum):
    """What a code stands for: one voucher, or a whole booklet by its cover."""

    VOUCHER = 1
    BOOKLET = 2


class Algorithm(IntEnum):
    """How a code is signed: RFC 8032, or ECDSA on P-256 with SHA-256 and a raw signature (r then s)."""

    ED25519 = 1
    ES256 = 2


class Unreadable(StrEnum):
    """Why a code cannot be read. Each reason has a French `sentence` that says what to do next."""

    EMPTY = "empty"
    FOREIGN = "foreign"
    WRONG_ALPHABET = "wrong_alphabet"
    TRUNCATED = "truncated"
    TOO_LONG = "too_long"
    UNKNOWN_VERSION = "unknown_version"
    UNKNOWN_ALGORITHM = "unknown_algorithm"
    UNKNOWN_KIND = "unknown_kind"
    IMPOSSIBLE = "impossible"
    WRONG_CHECK = "wrong_check"

    @property
    def sentence(self) -> str:
        """The French sentence for the person who holds the code."""
        return _SENTENCES[self]


_SENTENCES = {
    Unreadable.EMPTY: "Aucun code n’a été lu. Scannez le code du chèque ou tapez ses douze caractères.",
    Unreadable.FOREIGN: "Ce code n’est pas celui d’un chèque. Scannez le code imprimé à gauche du montant.",
    Unreadable.WRONG_ALPHABET: "Ce code contient un caractère impossible. Vérifiez-le et tapez-le de nouveau.",
    Unreadable.TRUNCATED: "Ce code est incomplet. Scannez-le de nouveau, bien à plat, ou tapez tous ses caractères.",
    Unreadable.TOO_LONG: "Ce code est trop long. Scannez ou tapez un seul code à la fois.",
    Unreadable.UNKNOWN_VERSION: "Ce code est plus récent que cet appareil. Mettez la page à jour, puis scannez de nouveau.",
    Unreadable.UNKNOWN_ALGORITHM: "Ce code est plus récent que cet appareil. Mettez la page à jour, puis scannez de nouveau.",
    Unreadable.UNKNOWN_KIND: "Ce code n’est ni un chèque ni un carnet. Scannez le code imprimé à gauche du montant.",
    Unreadable.IMPOSSIBLE: "Ce code n’est pas celui d’un chèque. N’acceptez pas ce papier et prévenez le programme.",
    Unreadable.WRONG_CHECK: "Un caractère a été mal tapé. Comparez avec le code imprimé et tapez-le de nouveau.",
}


class UnreadableCode(ValueError):
    """The text is no code of ours; `reason` says why."""

    def __init__(self, reason: Unreadable) -> None:
        super().__init__(reason.sentence)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What a code says. Raises ValueError when a value has no place in sixteen bytes.

    `serial` is the voucher's, or that of the booklet's first voucher; `booklet_size` counts the booklet's vouchers;
    `face_value_cents` is that of one voucher; `tag` is random and secret: it makes a serial unguessable.
    """

    kind: Kind
    booklet_size: int
    key_id: int
    serial: int
    use_by: date
    face_value_cents: int
    tag: int
    algorithm: Algorithm = Algorithm.ED25519
    version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.version != FORMAT_VERSION:
            raise ValueError(f"format version {self.version} is not known")
        _within("booklet_size", self.booklet_size, 1, BOOKLET_SIZE_MAX)
        _within("key_id", self.key_id, 0, KEY_ID_MAX)
        _within("serial", self.serial, 0, SERIAL_MAX)
        _within("face_value_cents", self.face_value_cents, 1, FACE_VALUE_CENTS_MAX)
        _within("tag", self.tag, 0, TAG_MAX)
        if not FIRST_DAY <= self.use_by <= LAST_DAY:
            raise ValueError(f"use_by {self.use_by} is outside {FIRST_DAY} to {LAST_DAY}")

    def encode(self) -> bytes:
        """Return the sixteen bytes that are signed."""
        return _LAYOUT.pack(
            self.version << 4 | self.algorithm,
            self.kind << 5 | self.booklet_size,
            self.key_id,
            self.serial,
            (self.use_by - FIRST_DAY).days,
            self.face_value_cents.to_bytes(3),
            self.tag.to_bytes(3),
        )

    @classmethod
    def decode(cls, data: bytes) -> "Payload":
        """Read sixteen bytes back. Raises UnreadableCode when they are not what `encode` writes."""
        if len(data) != PAYLOAD_BYTES:
            raise UnreadableCode(Unreadable.TRUNCATED if len(data) < PAYLOAD_BYTES else Unreadable.TOO_LONG)
        first, second, key_id, serial, days, face_value, tag = _LAYOUT.unpack(data)
        if first >> 4 != FORMAT_VERSION:
            raise UnreadableCode(Unreadable.UNKNOWN_VERSION)
        if first & 0xF not in (Algorithm.ED25519, Algorithm.ES256):
            raise UnreadableCode(Unreadable.UNKNOWN_ALGORITHM)
        if second >> 5 not in (Kind.VOUCHER, Kind.BOOKLET):
            raise UnreadableCode(Unreadable.UNKNOWN_KIND)
        try:
            return cls(
                kind=Kind(second >> 5),
                booklet_size=second & 0x1F,
                key_id=key_id,
                serial=serial,
                use_by=FIRST_DAY + timedelta(days=days),
                face_value_cents=int.from_bytes(face_value),
                tag=int.from_bytes(tag),
                algorithm=Algorithm(first & 0xF),
            )
        except ValueError as impossible:
            raise UnreadableCode(Unreadable.IMPOSSIBLE) from impossible


@dataclass(frozen=True, slots=True)
class SignedCode:
    """A payload and the sixty-four bytes of its signature, not yet believed."""

    payload: Payload
    signature: bytes

    def __post_init__(self) -> None:
        if len(self.signature) != SIGNATURE_BYTES:
            raise ValueError(f"a signature has {SIGNATURE_BYTES} bytes, not {len(self.signature)}")

    def to_text(self) -> str:
        """Return the 128 Base32 characters, without padding. They are a bearer secret: never log them."""
        return base64.b32encode(self.payload.encode() + self.signature).decode("ascii")

    def to_url(self, base_url: str) -> str:
        """Return what a QR code holds: `HTTPS://HOST/V/` and the 128 characters, at most 154 in all.

        `base_url` is scheme, host and optional port. Raises ValueError when it would not fit the QR codes we draw.
        """
        return code_prefix(base_url) + self.to_text()


def read_code(text: str) -> SignedCode:
    """Read what a camera, a scanner or a browser gives: the whole address or its 128 characters, in any case.

    Any host is taken, since an address may change while vouchers are out: the signature says whose the code is.
    Raises UnreadableCode with the reason.
    """
    stripped = text.strip()
    if not stripped:
        raise UnreadableCode(Unreadable.EMPTY)
    address = _URL.fullmatch(stripped)
    if address:
        stripped = address["text"]
    elif not stripped.isalnum():
        raise UnreadableCode(Unreadable.FOREIGN)
    # Some letters outside ASCII have an ASCII capital (ı, ſ): they are not ours.
    characters = stripped.upper() if stripped.isascii() else stripped
    if not _BASE32.fullmatch(characters):
        raise UnreadableCode(Unreadable.WRONG_ALPHABET)
    if len(characters) != TEXT_CHARACTERS:
        raise UnreadableCode(Unreadable.TRUNCATED if len(characters) < TEXT_CHARACTERS else Unreadable.TOO_LONG)
    data = base64.b32decode(characters)
    return SignedCode(Payload.decode(data[:PAYLOAD_BYTES]), data[PAYLOAD_BYTES:])


def _within(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} {value} is outside {lowest} to {highest}")
