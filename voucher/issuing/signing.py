"""Signing codes, keeping private keys sealed, and publishing public ones.

A signature covers a domain string and the payload, so that no other document signed with the same key can pass for a
voucher. Both algorithms are deterministic (RFC 8032, RFC 6979): signing a payload again gives the same code, so codes need
not be stored to be printed twice. A good signature proves that a voucher was ours, never that it is unused.
"""

import os
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from voucher.issuing.code import KEY_ID_MAX, SIGNATURE_BYTES, Algorithm, Payload, SignedCode

PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey
PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey

VOUCHER_DOMAIN = b"pass-numerique/voucher/1\0"
MASTER_SECRET_BYTES_MIN = 32
PRIVATE_BYTES = 32  # both algorithms

_SEAL_DOMAIN = b"pass-numerique/private-key/1\0"
_SEAL_VERSION = b"\x01"
_NONCE_BYTES = 12
_CURVE = ec.SECP256R1()
_ES256 = ec.ECDSA(SHA256(), deterministic_signing=True)


class SealBroken(Exception):
    """A sealed private key does not open: wrong master secret, wrong key id or algorithm, or changed bytes."""


def new_private_key(algorithm: Algorithm = Algorithm.ED25519) -> PrivateKey:
    """Return a fresh private key from the system's randomness."""
    if algorithm is Algorithm.ED25519:
        return Ed25519PrivateKey.generate()
    return ec.generate_private_key(_CURVE)


def algorithm_of(private_key: PrivateKey) -> Algorithm:
    """Return the algorithm a private key signs with."""
    return Algorithm.ED25519 if isinstance(private_key, Ed25519PrivateKey) else Algorithm.ES256


def public_key_of(private_key: PrivateKey) -> bytes:
    """Return the raw public key: 32 bytes for Ed25519, 65 (uncompressed point) for ES256, as WebCrypto imports them."""
    if isinstance(private_key, Ed25519PrivateKey):
        return private_key.public_key().public_bytes_raw()
    return private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def sign(private_key: PrivateKey, payload: Payload) -> SignedCode:
    """Sign a payload. Raises ValueError when the payload names another algorithm than the key's."""
    if payload.algorithm is not algorithm_of(private_key):
        raise ValueError(f"a {algorithm_of(private_key).name} key cannot sign a {payload.algorithm.name} payload")
    return SignedCode(payload, signature_of(private_key, payload.encode()))


def signature_of(private_key: PrivateKey, payload: bytes) -> bytes:
    """Return the signature of sixteen bytes that `Payload.encode` wrote for this key's algorithm."""
    message = VOUCHER_DOMAIN + payload
    if isinstance(private_key, Ed25519PrivateKey):
        return private_key.sign(message)
    r, s = decode_dss_signature(private_key.sign(message, _ES256))
    half = SIGNATURE_BYTES // 2
    return r.to_bytes(half) + s.to_bytes(half)


def is_authentic(public_key: bytes, code: SignedCode) -> bool:
    """Say whether `code` was signed by the holder of `public_key`, by the algorithm that its payload names.

    A public key of the wrong shape for that algorithm answers False. Nothing is asked of any database.
    """
    try:
        key = _public_key(public_key, code.payload.algorithm)
    except ValueError:
        return False
    message = VOUCHER_DOMAIN + code.payload.encode()
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(code.signature, message)
        else:
            half = SIGNATURE_BYTES // 2
            r, s = int.from_bytes(code.signature[:half]), int.from_bytes(code.signature[half:])
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def seal_private_key(private_key: PrivateKey, *, key_id: int, master_secret: bytes) -> bytes:
    """Return a private key encrypted for storage (AES-256-GCM), bound to its id and algorithm.

    Raises ValueError when the master secret is shorter than 32 bytes.
    """
    if isinstance(private_key, Ed25519PrivateKey):
        private_bytes = private_key.private_bytes_raw()
    else:
        private_bytes = private_key.private_numbers().private_value.to_bytes(PRIVATE_BYTES)
    context = _seal_context(key_id, algorithm_of(private_key))
    nonce = os.urandom(_NONCE_BYTES)
    return _SEAL_VERSION + nonce + _seal_cipher(master_secret, context).encrypt(nonce, private_bytes, context)


def open_private_key(sealed: bytes, *, key_id: int, algorithm: Algorithm, master_secret: bytes) -> PrivateKey:
    """Open what `seal_private_key` sealed. Raises SealBroken when anything differs from when it was sealed."""
    context = _seal_context(key_id, algorithm)
    start = len(_SEAL_VERSION)
    nonce, encrypted = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
    if not sealed.startswith(_SEAL_VERSION) or len(nonce) != _NONCE_BYTES:
        raise SealBroken("this is not a sealed private key")
    try:
        private_bytes = _seal_cipher(master_secret, context).decrypt(nonce, encrypted, context)
    except InvalidTag as broken:
        raise SealBroken(f"the private key {key_id} does not open with this master secret") from broken
    if algorithm is Algorithm.ED25519:
        return Ed25519PrivateKey.from_private_bytes(private_bytes)
    return ec.derive_private_key(int.from_bytes(private_bytes), _CURVE)


@lru_cache(maxsize=1024)
def _public_key(public_key: bytes, algorithm: Algorithm) -> PublicKey:
    if algorithm is Algorithm.ED25519:
        return Ed25519PublicKey.from_public_bytes(public_key)
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, public_key)


def _seal_context(key_id: int, algorithm: Algorithm) -> bytes:
    if not 0 <= key_id <= KEY_ID_MAX:
        raise ValueError(f"key id {key_id} is outside 0 to {KEY_ID_MAX}")
    return _SEAL_DOMAIN + key_id.to_bytes(2) + algorithm.to_bytes(1)


def _seal_cipher(master_secret: bytes, context: bytes) -> AESGCM:
    """Return the cipher of one key: each has its own, derived from the master secret by HKDF (RFC 5869)."""
    if len(master_secret) < MASTER_SECRET_BYTES_MIN:
        raise ValueError(f"the master secret must have at least {MASTER_SECRET_BYTES_MIN} bytes")
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=context).derive(master_secret))
