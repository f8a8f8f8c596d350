"""The programme's own key, which signs what the programme publishes: lists of keys, figures of backing, seals.

It is derived from the master secret: there is nothing to store and nothing to lose beside it. Whoever signs another kind
of document puts another domain string before it, so that no signature is good for two kinds.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_DOMAIN = b"pass-numerique/programme-key/1"


def programme_key(master_secret: bytes) -> Ed25519PrivateKey:
    """Return the programme's own key. The same secret gives the same key."""
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=_DOMAIN).derive(master_secret)
    return Ed25519PrivateKey.from_private_bytes(seed)
