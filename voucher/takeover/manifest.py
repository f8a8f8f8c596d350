"""The manifest of an archive: what it holds, each file with its SHA-256, signed in the programme's name."""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from voucher.takeover.first_checks import CHECKS_OF_FIRST_FORMAT

FORMAT, FIRST_FORMAT = "pass-numerique/takeover/2", "pass-numerique/takeover/1"
"""Format 2 also says which checks were known; the first is still read."""

DOMAIN = b"pass-numerique/takeover/1\0"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
SCHEMA, README, BALANCES, PRIVATE_KEYS = "schema.json", "LISEZMOI.md", "balances.csv", "private_keys.json"
HANDOVER = "handover.txt"
MANIFEST_BYTES_MAX = 4_000_000


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the archive: bytes in clear, and rows below its header where it is a table's."""

    name: str
    sha256: str
    bytes: int
    rows: int | None = None
    table: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an archive says of itself.

    `violations` are those that `voucher verify` found when it was made, and `checks` the names of the checks that it knew: an import must
    find the same by these, and no other. `sealed_size` and `sealed_root` (hexadecimal) are the last checkpoint's, 0 and "" without one.
    """

    made_at: str
    programme: str
    revision: str
    has_private_keys: bool
    sealed_size: int
    sealed_root: str
    unfinished_orders: tuple[str, ...]
    violations: tuple[str, ...]
    checks: tuple[str, ...]
    left_out: dict[str, str]
    files: tuple[FileEntry, ...]

    def to_bytes(self) -> bytes:
        """Return the manifest as the archive holds it."""
        said = {"format": FORMAT, **asdict(self)}
        return json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True).encode()


def read_manifest(data: bytes) -> Manifest:
    """Return a manifest from its bytes. Raises ValueError when it is not one of these formats."""
    said = json.loads(data)
    if not isinstance(said, dict) or (found := said.pop("format", None)) not in (FORMAT, FIRST_FORMAT):
        raise ValueError("not a take-over archive of this format")
    if found == FIRST_FORMAT:
        said["checks"] = CHECKS_OF_FIRST_FORMAT
    files = tuple(FileEntry(**_plain(one)) for one in said.pop("files"))
    try:
        return Manifest(
            **{
                **said,
                "files": files,
                "violations": tuple(said["violations"]),
                "checks": tuple(said["checks"]),
                "unfinished_orders": tuple(said["unfinished_orders"]),
            }
        )
    except (TypeError, KeyError) as wrong:
        raise ValueError("the manifest lacks something, or has too much") from wrong


def _plain(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict) or set(entry) != {"name", "sha256", "bytes", "rows", "table"}:
        raise ValueError("a file of the manifest is not described as it should be")
    return entry


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a manifest: the programme key (raw) of the operator before."""

    public_key: bytes


def sign_manifest(manifest: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return what the archive holds beside its manifest: the public key and the signature, as JSON."""
    said = {
        "public_key": key.public_key().public_bytes_raw().hex(),
        "signature": key.sign(DOMAIN + sha256(manifest).digest()).hex(),
    }
    return json.dumps(said, indent=1, sort_keys=True).encode()


def check_signature(manifest: bytes, said: bytes) -> Signed:
    """Return who signed a manifest. Raises ValueError when the signature is not of these bytes."""
    try:
        fields = json.loads(said)
        public_key, signature = bytes.fromhex(fields["public_key"]), bytes.fromhex(fields["signature"])
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, DOMAIN + sha256(manifest).digest())
    except (TypeError, KeyError, ValueError) as wrong:
        raise ValueError("the signature cannot be read") from wrong
    except InvalidSignature as wrong:
        raise ValueError("the signature is not of this manifest") from wrong
    return Signed(public_key)
