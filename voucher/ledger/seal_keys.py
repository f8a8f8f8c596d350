"""Whose key signs the journal at each size: the programme's, and before a take-over that of the operator before.

A take-over is consented to by the operator before: its key signed the manifest of the archive that was taken over. Someone who
rewrites everything can invent an operator before; the checkpoints kept outside then tell another story.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.ledger.seal_model import SealHandover

HANDOVER_DOMAIN = b"pass-numerique/takeover/1\0"


@dataclass(frozen=True, slots=True)
class JournalKeys:
    """The keys in force: `before` are those of operators before, each up to a size; `current` is today's, None if unknown."""

    before: tuple[tuple[int, bytes], ...]
    current: bytes | None
    unsigned_sizes: tuple[int, ...]  # take-overs to which the operator before did not consent

    def of(self, size: int) -> bytes | None:
        """Return the key that signs a checkpoint of that size."""
        return next((key for until, key in self.before if size <= until), self.current)

    @property
    def every(self) -> tuple[bytes, ...]:
        """Return all of them, today's first."""
        return (*([self.current] if self.current else []), *(key for _, key in self.before))


def journal_keys(session: Session, current: bytes | None) -> JournalKeys:
    """Return the journal's keys; `current` where it is known from outside, else what the last take-over says."""
    rows = session.execute(select(SealHandover.__table__).order_by(SealHandover.size)).all()
    unsigned = tuple(
        row.size for row in rows if not is_consented(row.previous_public_key, row.manifest_sha256, row.signature)
    )
    before = tuple((row.size, row.previous_public_key) for row in rows)
    return JournalKeys(before, current or (rows[-1].public_key if rows else None), unsigned)


def is_consented(public_key: bytes, manifest_sha256: bytes, signature: bytes) -> bool:
    """Say whether the holder of a key signed a manifest, given by its SHA-256."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, HANDOVER_DOMAIN + manifest_sha256)
    except (InvalidSignature, ValueError):
        return False
    return True
