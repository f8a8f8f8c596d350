"""A passkey without a device: answers a browser's options as an authenticator does (WebAuthn level 3), or lies about what a test says.

key = SoftKey()
answer = key.make(step.options)                       # navigator.credentials.create()
answer = key.sign(step.options, origin="http://ailleurs.example")
"""

import hashlib
import json
import secrets
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

from voucher.access.factors import passkey_proof, passkeys
from voucher.access.sessions import NOWHERE, Viewer
from voucher.kernel.database import Database
from voucher.kernel.relying_party import RelyingParty

ORIGIN, PARTY = "http://localhost:8000", "localhost"
OURS = RelyingParty(PARTY, ORIGIN)
PRESENT, VERIFIED, MAY_COPY, COPIED, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


class SoftKey:
    """One private key of one account. `counts`: it tells how often it signed, as security keys do and synced passkeys do not."""

    def __init__(self, *, counts: bool = True, is_synced: bool = False) -> None:
        self.credential_id = secrets.token_bytes(32)
        self.count = 0
        self._counts = counts
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._flags = PRESENT | VERIFIED | (MAY_COPY | COPIED if is_synced else 0)
        self._user_handle = b""

    def make(self, options: dict[str, Any], **lies: Any) -> str:
        """Answer the options of a registration."""
        self._user_handle = base64url_to_bytes(options["user"]["id"])
        numbers = self._private.public_key().public_numbers()
        public_key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = (
            bytes(16)
            + len(self.credential_id).to_bytes(2, "big")
            + self.credential_id
            + encode_cbor(lies.get("public_key", public_key))
        )
        flags = lies.get("flags", self._flags) | ATTESTED
        data = self._data(options["rp"]["id"], flags, lies) + attested
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"], lies)
        return self._answer({"clientDataJSON": client, "attestationObject": attestation}, {})

    def sign(self, options: dict[str, Any], **lies: Any) -> str:
        """Answer the options of a sign-in, a second factor or a confirmation."""
        self.count += self._counts
        data = self._data(options["rpId"], lies.get("flags", self._flags), lies)
        client = self._client("webauthn.get", options["challenge"], lies)
        signer = lies.get("signer", self._private)
        signature = signer.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"clientDataJSON": client, "authenticatorData": data, "signature": signature}
        handle = lies.get("user_handle", self._user_handle)
        return self._answer(response, {"userHandle": bytes_to_base64url(handle) if handle else None})

    def _data(self, party: str, flags: int, lies: dict[str, Any]) -> bytes:
        count = lies.get("count", self.count)
        return hashlib.sha256(lies.get("party", party).encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str, lies: dict[str, Any]) -> bytes:
        said = {
            "type": lies.get("kind", kind),
            "challenge": lies.get("challenge", challenge),
            "origin": lies.get("origin", ORIGIN),
            "crossOrigin": lies.get("cross_origin", False),
        }
        return json.dumps(said).encode()

    def _answer(self, response: dict[str, bytes], more: dict[str, str | None]) -> str:
        key_id = bytes_to_base64url(self.credential_id)
        texts = {name: bytes_to_base64url(value) for name, value in response.items()}
        return json.dumps({"id": key_id, "rawId": key_id, "type": "public-key", "response": texts | more})


def add_passkey(database: Database, who: Viewer, now: datetime, key: SoftKey | None = None) -> SoftKey:
    """Add a passkey to the account of who is signed in; their sessions end, but one that nobody holds."""
    key = key or SoftKey()
    step = passkeys.begin_passkey(database, OURS, who, "téléphone", programme_name="Pass", now=now)
    passkeys.add_passkey(database, OURS, who, step.token, key.make(step.options), now=now, visit=NOWHERE)
    return key


def enter_by_passkey(database: Database, key: SoftKey, now: datetime) -> str:
    """Sign in by passkey; return the session's token. Raises Refused."""
    step = passkey_proof.begin_sign_in(database, OURS, now=now)
    return passkey_proof.sign_in(database, OURS, step.token, key.sign(step.options), now=now, visit=NOWHERE)
