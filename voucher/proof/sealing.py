"""Seal by the programme's own settings: its key from the master secret, its journal's name from its address."""

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from voucher.kernel.database import Database
from voucher.kernel.settings import Settings
from voucher.ledger.checkpoint import origin_of, verifier_key
from voucher.programme.programme_key import programme_key
from voucher.trail.seal import Sealed, seal, seal_is_due


def journal_key(settings: Settings) -> tuple[str, Ed25519PrivateKey]:
    """Return the journal's name and the key that signs its checkpoints."""
    return origin_of(settings.base_url), programme_key(settings.master_secret)


def published_key(settings: Settings) -> str:
    """Return the line by which the programme's public key is given to people (C2SP signed-note)."""
    origin, key = journal_key(settings)
    return verifier_key(origin, key.public_key().public_bytes_raw())


def seal_now(database: Database, settings: Settings, now: datetime) -> Sealed | None:
    """Seal what waits; return None where nothing does."""
    origin, key = journal_key(settings)
    return seal(database, origin=origin, key=key, now=now)


def seal_daily(database: Database, settings: Settings, now: datetime) -> str:
    """Seal once a Paris day, as soon as it has something to seal (job `seal`); return a line that says so."""
    done = seal_now(database, settings, now) if seal_is_due(database, now) else None
    if done is None:
        return ""
    return f"{done.added_count} écritures et {done.line_count} lignes du journal des accès scellées, {done.size} écritures en tout"
