"""Signing codes, keeping private keys sealed, and publishing public ones.

A signature covers a domain string and the payload, so that no other document signed with the same key can pass for a
voucher. Both algorithms are deterministic (RFC 8032, RFC 6979): signing a payload again gives the same code, so codes need
not be stored to be printed twice. A good signature proves that a voucher was ours, never that it is unused.
"""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from voucher.issuing.code import KEY_ID_MAX, SIGNATURE_BYTES, Algorithm, Payload, SignedCode
from voucher.kernel.sealed_secret import open_secret, seal_secret

PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey
PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey

VOUCHER_DOMAIN = b"pass-numerique/voucher/1\0"
PRIVATE_BYTES = 32  # both algorithms

_SEAL_DOMAIN = b"pass-numerique/private-key/1\0"
_CURVE = ec.SECP256R1()
_ES256 = ec.ECDSA(SHA256(), deterministic_signing=True)


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
    return seal_secret(private_bytes, context=context, master_secret=master_secret)


def open_private_key(sealed: bytes, *, key_id: int, algorithm: Algorithm, master_secret: bytes) -> PrivateKey:
    """Open what `seal_private_key` sealed. Raises SealBroken when anything differs from when it was sealed."""
    context = _seal_context(key_id, algorithm)
    private_bytes = open_secret(sealed, context=context, master_secret=master_secret)
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
