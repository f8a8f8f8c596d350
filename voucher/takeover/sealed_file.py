"""An archive encrypted as it is written and read, so that it never lies in clear on a disk.

    magic, length of the header (4 bytes), header (JSON: for whom, with which salt), then chunks

Each chunk is 64 KiB encrypted by ChaCha20-Poly1305 (RFC 8439); its nonce is its rank (11 bytes) and whether it is the last
(1 byte), its associated data the SHA-256 of magic and header: a chunk cannot be moved, taken out or cut off unseen. The key comes from a
passphrase by scrypt (RFC 7914), or from an X25519 exchange (RFC 7748) with the public key of the one who takes over, by HKDF (RFC
5869), both ends' public keys in its context.
"""

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MAGIC = b"PASS-TAKEOVER/1\n"
CHUNK_BYTES = 65_536
TAG_BYTES = 16
KEY_BYTES = 32
HEADER_BYTES_MAX = 4_096
SCRYPT_COST = 2**17
SCRYPT_COST_MAX = 2**20
_SCRYPT_BLOCK, _SCRYPT_LANES = 8, 1
_FILE_DOMAIN = b"pass-numerique/takeover-file/1\0"
_SECRET_DOMAIN = b"pass-numerique/takeover-secret/1\0"


class SealBroken(Exception):
    """The file does not open: another passphrase or key, or bytes that changed, or its end is missing."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What opens a sealed file: a passphrase, or the private key of the one it was sealed for."""

    passphrase: str | None = None
    identity: X25519PrivateKey | None = None


def seal_for(recipient: X25519PublicKey, secret: bytes, *, context: bytes) -> bytes:
    """Return a secret encrypted for the holder of a public key: 32 bytes of an ephemeral key, then the ciphertext."""
    ephemeral = X25519PrivateKey.generate()
    key = _agreed(ephemeral.exchange(recipient), ephemeral.public_key(), recipient, _SECRET_DOMAIN)
    # The key is of this secret alone: its nonce may be zero.
    return ephemeral.public_key().public_bytes_raw() + ChaCha20Poly1305(key).encrypt(bytes(12), secret, context)


def open_sealed(identity: X25519PrivateKey, sealed: bytes, *, context: bytes) -> bytes:
    """Open what `seal_for` sealed. Raises SealBroken."""
    try:
        ephemeral = X25519PublicKey.from_public_bytes(sealed[:KEY_BYTES])
        key = _agreed(identity.exchange(ephemeral), ephemeral, identity.public_key(), _SECRET_DOMAIN)
        return ChaCha20Poly1305(key).decrypt(bytes(12), sealed[KEY_BYTES:], context)
    except (InvalidTag, ValueError) as broken:
        raise SealBroken("this secret was sealed for another key, or changed") from broken


def sealing_writer(
    file: IO[bytes], *, passphrase: str | None = None, recipient: X25519PublicKey | None = None
) -> "Writer":
    """Write the header of a sealed file and return what encrypts the rest; close it to end the file."""
    if recipient is not None:
        ephemeral = X25519PrivateKey.generate()
        key = _agreed(ephemeral.exchange(recipient), ephemeral.public_key(), recipient, _FILE_DOMAIN)
        header = {"for": "x25519", "ephemeral": ephemeral.public_key().public_bytes_raw().hex()}
        header["recipient"] = recipient.public_bytes_raw().hex()
    else:
        assert passphrase, "a sealed file needs a passphrase or a recipient"
        salt = os.urandom(16)
        header = {"for": "passphrase", "salt": salt.hex(), "cost": str(SCRYPT_COST)}
        key = _stretched(passphrase, salt, SCRYPT_COST)
    text = json.dumps(header, sort_keys=True).encode()
    head = MAGIC + len(text).to_bytes(4) + text
    file.write(head)
    return Writer(file, key, sha256(head).digest())


def is_sealed(file: IO[bytes]) -> bool:
    """Say whether a file is sealed, and go back to its beginning."""
    start = file.read(len(MAGIC))
    file.seek(0)
    return start == MAGIC


def opening_reader(file: IO[bytes], keys: Keys) -> io.BufferedReader:
    """Return what reads a sealed file in clear, anywhere in it. Raises SealBroken, also where its end was cut off."""
    head = file.read(len(MAGIC) + 4)
    length = int.from_bytes(head[len(MAGIC) :])
    text = file.read(min(length, HEADER_BYTES_MAX))
    try:
        header = json.loads(text)
        opener: dict[str, Callable[[dict[str, Any], Keys], bytes]] = {
            "x25519": _by_identity,
            "passphrase": _by_passphrase,
        }
        key = opener[header["for"]](header, keys)
    except (ValueError, KeyError, TypeError) as wrong:
        raise SealBroken("the header is not one of ours") from wrong
    return io.BufferedReader(Reader(file, len(head) + len(text), key, sha256(head + text).digest()), CHUNK_BYTES)


def _by_identity(header: dict[str, Any], keys: Keys) -> bytes:
    if keys.identity is None:
        raise SealBroken("sealed for a key, and none was given")
    ephemeral = X25519PublicKey.from_public_bytes(bytes.fromhex(header["ephemeral"]))
    return _agreed(keys.identity.exchange(ephemeral), ephemeral, keys.identity.public_key(), _FILE_DOMAIN)


def _by_passphrase(header: dict[str, Any], keys: Keys) -> bytes:
    if keys.passphrase is None:
        raise SealBroken("sealed by a passphrase, and none was given")
    cost = int(header["cost"])
    if not 2 <= cost <= SCRYPT_COST_MAX:
        raise SealBroken("the cost of the passphrase is not one of ours")
    return _stretched(keys.passphrase, bytes.fromhex(header["salt"]), cost)


def _stretched(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, n=cost, r=_SCRYPT_BLOCK, p=_SCRYPT_LANES).derive(passphrase.encode())


def _agreed(shared: bytes, ephemeral: X25519PublicKey, recipient: X25519PublicKey, domain: bytes) -> bytes:
    context = domain + ephemeral.public_bytes_raw() + recipient.public_bytes_raw()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=context).derive(shared)


def _nonce(rank: int, *, is_last: bool) -> bytes:
    return rank.to_bytes(11) + bytes([is_last])


class Writer(io.RawIOBase):
    """Encrypts what is written, chunk by chunk; it cannot go back, so that nothing is ever kept in clear."""

    def __init__(self, file: IO[bytes], key: bytes, context: bytes) -> None:
        self._file, self._cipher, self._context = file, ChaCha20Poly1305(key), context
        self._waiting = bytearray()
        self._rank = 0

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes in."""
        self._waiting += data
        # A full chunk waits until more comes: the last one is told apart.
        while len(self._waiting) > CHUNK_BYTES:
            self._give(bytes(self._waiting[:CHUNK_BYTES]), is_last=False)
            del self._waiting[:CHUNK_BYTES]
        return len(data)

    def close(self) -> None:
        """Write the last chunk; the file below stays open."""
        if not self.closed:
            self._give(bytes(self._waiting), is_last=True)
        super().close()

    def _give(self, chunk: bytes, *, is_last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._rank, is_last=is_last), chunk, self._context))
        self._rank += 1


class Reader(io.RawIOBase):
    """Decrypts what is read, wherever in the file."""

    def __init__(self, file: IO[bytes], start: int, key: bytes, context: bytes) -> None:
        self._file, self._start, self._cipher, self._context = file, start, ChaCha20Poly1305(key), context
        sealed_bytes = file.seek(0, io.SEEK_END) - start
        self._chunk_count = max(-(-sealed_bytes // (CHUNK_BYTES + TAG_BYTES)), 1)
        self._length = sealed_bytes - self._chunk_count * TAG_BYTES
        self._at = 0
        self._rank, self._chunk = -1, b""
        self._load(self._chunk_count - 1)  # proves the key and the end at once

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        """Say where."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read up to the end of the chunk."""
        if self._at >= self._length:
            return 0
        rank, offset = divmod(self._at, CHUNK_BYTES)
        self._load(rank)
        part = self._chunk[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _load(self, rank: int) -> None:
        if rank == self._rank:
            return
        self._file.seek(self._start + rank * (CHUNK_BYTES + TAG_BYTES))
        sealed = self._file.read(CHUNK_BYTES + TAG_BYTES)
        try:
            is_last = rank == self._chunk_count - 1
            self._chunk = self._cipher.decrypt(_nonce(rank, is_last=is_last), sealed, self._context)
        except (InvalidTag, ValueError) as broken:
            raise SealBroken(f"chunk {rank} does not open") from broken
        self._rank = rank
