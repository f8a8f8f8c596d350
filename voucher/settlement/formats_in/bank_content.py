"""How the bytes of a bank file are kept: as they came, or packed (gzip) when they are long; never held whole to be read."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import IO

NAME_LENGTH_MAX = 200
_CHUNK_BYTES = 64 * 1024
_PLAIN_BYTES_MAX = 64 * 1024
_GZIP = b"\x1f\x8b"


def shown_name(name: str) -> str:
    """Return a file's name as it may be shown and kept: on one line, without a sign that hides or turns others; of a long one, its end."""
    plain = "".join(sign if sign.isprintable() else " " for sign in name)
    return " ".join(plain.split())[-NAME_LENGTH_MAX:] or "sans nom"


def packed(file: IO[bytes]) -> bytes:
    """Return what is kept of a file, read from its beginning and left there: its bytes, packed when they are long."""
    plain = file.read(_PLAIN_BYTES_MAX + 1)
    file.seek(0)
    if len(plain) <= _PLAIN_BYTES_MAX:
        return plain
    packer, parts = zlib.compressobj(6, wbits=31), []
    while chunk := file.read(_CHUNK_BYTES):
        parts.append(packer.compress(chunk))
    parts.append(packer.flush())
    file.seek(0)
    return b"".join(parts)


def pieces(content: bytes) -> Iterator[bytes]:
    """Yield the bytes of the file that were kept, piece by piece. Raises OSError, EOFError or zlib.error where they are damaged."""
    if not content.startswith(_GZIP):
        yield content
        return
    with gzip.open(BytesIO(content)) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def sha256_of(content: bytes) -> str:
    """Return the fingerprint of the file that was kept, or an empty text where it cannot be read any more."""
    digest = hashlib.sha256()
    try:
        for piece in pieces(content):
            digest.update(piece)
    except (OSError, EOFError, zlib.error):
        return ""
    return digest.hexdigest()
