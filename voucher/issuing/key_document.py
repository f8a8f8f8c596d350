"""The published list of issuers' public keys, signed by the programme: `/.well-known/pass-numerique/keys.json`.

A counter that works offline trusts this document and nothing else to know whose codes are good. The signature covers a
domain string and the canonical bytes of the document without its `signature`: JSON in UTF-8, members sorted, no spaces
(RFC 8785, which is that simple here: only strings, whole numbers and null).
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from voucher.issuing.code import Algorithm

DOMAIN = b"pass-numerique/keys/1\0"
FORMAT = "pass-numerique/keys/1"
DOCUMENT_BYTES_MAX = 4_000_000  # ten thousand keys

_ALGORITHM_NAMES = {Algorithm.ED25519: "Ed25519", Algorithm.ES256: "ES256"}
_ALGORITHMS = {name: algorithm for algorithm, name in _ALGORITHM_NAMES.items()}


class KeyState(StrEnum):
    """Active: signs. Retired: signs no more, its codes stay good. Revoked: its codes are refused."""

    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


class UntrustedKeyDocument(ValueError):
    """The document is not one the programme signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedKey:
    """An issuer's public key, raw bytes, and since when it is active, retired or revoked (aware UTC instants)."""

    key_id: int
    issuer_siren: str
    issuer_name: str
    algorithm: Algorithm
    public_key: bytes
    state: KeyState
    active_from_at: datetime
    retired_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyDocument:
    """What a verified document says. A reader keeps the latest `published_at` it saw and refuses an older one."""

    published_at: datetime
    keys: tuple[PublishedKey, ...]


def key_document(keys: Iterable[PublishedKey], *, programme_key: Ed25519PrivateKey, published_at: datetime) -> bytes:
    """Return the document's bytes, keys in the order of their ids. The same keys and instant give the same bytes."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "published_at": _instant(published_at),
        "keys": [_written(key) for key in sorted(keys, key=lambda key: key.key_id)],
    }
    signature = programme_key.sign(DOMAIN + _canonical(content))
    return _canonical({**content, "signature": _base64url(signature)})


def verify_key_document(document: bytes, programme_public_key: bytes) -> KeyDocument:
    """Return what the document says. Raises UntrustedKeyDocument unless the programme signed exactly this."""
    if len(document) > DOCUMENT_BYTES_MAX:
        raise UntrustedKeyDocument("the document is too big")
    try:
        content = json.loads(document)
        signature = _bytes(content.pop("signature"))
        Ed25519PublicKey.from_public_bytes(programme_public_key).verify(signature, DOMAIN + _canonical(content))
    except (InvalidSignature, RecursionError, ValueError, TypeError, AttributeError, KeyError) as untrusted:
        raise UntrustedKeyDocument("the document does not carry the programme's signature") from untrusted
    if content.get("format") != FORMAT:
        raise UntrustedKeyDocument("the document has another format")
    return KeyDocument(
        published_at=datetime.fromisoformat(content["published_at"]),
        keys=tuple(_read(key) for key in content["keys"]),
    )


def _written(key: PublishedKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "issuer_siren": key.issuer_siren,
        "issuer_name": key.issuer_name,
        "algorithm": _ALGORITHM_NAMES[key.algorithm],
        "public_key": _base64url(key.public_key),
        "state": key.state.value,
        "active_from_at": _instant(key.active_from_at),
        "retired_at": _instant(key.retired_at) if key.retired_at else None,
        "revoked_at": _instant(key.revoked_at) if key.revoked_at else None,
    }


def _read(key: dict[str, Any]) -> PublishedKey:
    return PublishedKey(
        key_id=key["key_id"],
        issuer_siren=key["issuer_siren"],
        issuer_name=key["issuer_name"],
        algorithm=_ALGORITHMS[key["algorithm"]],
        public_key=_bytes(key["public_key"]),
        state=KeyState(key["state"]),
        active_from_at=datetime.fromisoformat(key["active_from_at"]),
        retired_at=datetime.fromisoformat(key["retired_at"]) if key["retired_at"] else None,
        revoked_at=datetime.fromisoformat(key["revoked_at"]) if key["revoked_at"] else None,
    )


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _instant(instant: datetime) -> str:
    if instant.tzinfo is None:
        raise ValueError("an instant must carry its time zone")
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as broken:
        raise ValueError("this is not base64url") from broken
