"""Secrets that the database keeps, sealed with the master secret, which it does not: AES-256-GCM, each under a key of its own.

A seal is bound to its `context`: what it is and whose. Moved to another row, it does not open.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MASTER_SECRET_BYTES_MIN = 32

_VERSION = b"\x01"
_NONCE_BYTES = 12


class SealBroken(Exception):
    """A sealed secret does not open: another master secret, another context, or changed bytes."""


def seal_secret(secret: bytes, *, context: bytes, master_secret: bytes) -> bytes:
    """Return a secret encrypted for storage. Raises ValueError when the master secret is shorter than 32 bytes."""
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + _cipher(master_secret, context).encrypt(nonce, secret, context)


def open_secret(sealed: bytes, *, context: bytes, master_secret: bytes) -> bytes:
    """Return what `seal_secret` sealed. Raises SealBroken when anything differs from when it was sealed."""
    start = len(_VERSION)
    nonce, encrypted = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
    if not sealed.startswith(_VERSION) or len(nonce) != _NONCE_BYTES:
        raise SealBroken("this is not a sealed secret")
    try:
        return _cipher(master_secret, context).decrypt(nonce, encrypted, context)
    except InvalidTag as broken:
        raise SealBroken("this secret does not open with this master secret") from broken


def _cipher(master_secret: bytes, context: bytes) -> AESGCM:
    """Return the cipher of one secret: each has its own key, derived from the master secret by HKDF (RFC 5869)."""
    if len(master_secret) < MASTER_SECRET_BYTES_MIN:
        raise ValueError(f"the master secret must have at least {MASTER_SECRET_BYTES_MIN} bytes")
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=context).derive(master_secret))
