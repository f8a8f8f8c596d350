"""Issuers' signing keys: made, retired, revoked; the ring of public keys that codes are checked with; their publication."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Update, func, insert, select, update

from voucher.issuing import key_document, signing
from voucher.issuing.code import KEY_ID_MAX, Algorithm
from voucher.issuing.model import IssuerKey, KeyState
from voucher.kernel.database import Database, changed
from voucher.kernel.refusals import Refused
from voucher.programme.model import Issuer
from voucher.programme.programme_key import programme_key

REFRESH_SECONDS = 5.0  # how long another process may still accept a key that was just revoked
UNKNOWN_REFRESH_SECONDS = 0.5  # invented key ids cost one query at most this often


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What is needed to check a code: nothing secret."""

    key_id: int
    issuer_id: UUID
    algorithm: Algorithm
    public_key: bytes
    is_revoked: bool


@dataclass(slots=True)
class _Ring:
    keys: Mapping[int, PublicKey]
    read_at_seconds: float


_rings: WeakKeyDictionary[Database, _Ring] = WeakKeyDictionary()
_rings_lock = Lock()


def make_key(
    database: Database,
    issuer_id: UUID,
    *,
    master_secret: bytes,
    by: UUID,  # noqa: ARG001 - every use case says who acts
    now: datetime,
    algorithm: Algorithm = Algorithm.ED25519,
) -> int:
    """Give an issuer a new signing key; the one before is retired, and its codes stay good. Return the key's id (1 to 65,535).

    Raises Refused when the issuer is unknown or every id was given.
    """
    private_key = signing.new_private_key(algorithm)
    with database.write() as session:
        if session.get(Issuer, issuer_id, with_for_update=True) is None:
            raise Refused(
                "issuer_unknown", "Cette collectivité n’existe pas. Choisissez-la dans la liste.", "issuer_id"
            )
        session.execute(_retirement(IssuerKey.issuer_id == issuer_id, now))
        key_id = (session.scalar(select(func.max(IssuerKey.id))) or 0) + 1
        if key_id > KEY_ID_MAX:
            raise Refused("key_ids_spent", "Il n’y a plus de numéro de clé libre. Prévenez l’équipe technique.")
        session.execute(
            insert(IssuerKey).values(
                id=key_id,
                issuer_id=issuer_id,
                algorithm=algorithm,
                public_key=signing.public_key_of(private_key),
                sealed_private_key=signing.seal_private_key(private_key, key_id=key_id, master_secret=master_secret),
                state=KeyState.ACTIVE,
                created_at=now,
            )
        )
    forget_keys(database)
    return key_id


def retire_key(database: Database, key_id: int, *, by: UUID, now: datetime) -> None:  # noqa: ARG001 - who acts
    """Let a key sign no more; its codes stay good. Raises Refused when it is not active."""
    with database.write() as session:
        if changed(session, _retirement(IssuerKey.id == key_id, now)) == 0:
            raise Refused("key_not_active", "Cette clé ne signe plus. Il n’y a rien à faire.")
    forget_keys(database)


def revoke_key(database: Database, key_id: int, *, by: UUID, now: datetime) -> None:  # noqa: ARG001 - who acts
    """Refuse every code of a key from now on, because someone else may sign with it. It cannot be undone.

    Raises Refused when it is unknown or revoked already.
    """
    with database.write() as session:
        revocation = (
            update(IssuerKey)
            .where(IssuerKey.id == key_id, IssuerKey.state != KeyState.REVOKED)
            .values(state=KeyState.REVOKED, revoked_at=now)
        )
        if changed(session, revocation) == 0:
            raise Refused("key_not_revocable", "Cette clé n’existe pas ou est déjà révoquée. Il n’y a rien à faire.")
    forget_keys(database)


def find_key(database: Database, key_id: int) -> PublicKey | None:
    """Return a public key by the id that codes carry; None when no key has it. Mostly answered without the database."""
    ring = _rings.get(database)
    age_seconds = time.monotonic() - ring.read_at_seconds if ring else REFRESH_SECONDS
    is_unknown = ring is not None and key_id not in ring.keys
    if ring is None or age_seconds >= (UNKNOWN_REFRESH_SECONDS if is_unknown else REFRESH_SECONDS):
        ring = _read_ring(database)
    return ring.keys.get(key_id)


def forget_keys(database: Database) -> None:
    """Make the next look-up read the keys again."""
    with _rings_lock:
        _rings.pop(database, None)


def keys_document(database: Database, *, master_secret: bytes, now: datetime) -> bytes:
    """Return the signed list of all issuers' public keys, for `/.well-known/pass-numerique/keys.json`."""
    with database.read() as session:
        rows = session.execute(select(IssuerKey, Issuer.siren, Issuer.name).join(Issuer)).all()
        published = [
            key_document.PublishedKey(
                key_id=key.id,
                issuer_siren=siren,
                issuer_name=name,
                algorithm=Algorithm(key.algorithm),
                public_key=key.public_key,
                state=key_document.KeyState(key.state),
                active_from_at=key.created_at,
                retired_at=key.retired_at,
                revoked_at=key.revoked_at,
            )
            for key, siren, name in rows
        ]
    return key_document.key_document(published, programme_key=programme_key(master_secret), published_at=now)


def _retirement(condition: ColumnElement[bool], now: datetime) -> Update:
    return (
        update(IssuerKey)
        .where(condition, IssuerKey.state == KeyState.ACTIVE)
        .values(state=KeyState.RETIRED, retired_at=now)
    )


def _read_ring(database: Database) -> _Ring:
    with database.read() as session:
        keys = {
            row.id: PublicKey(
                row.id, row.issuer_id, Algorithm(row.algorithm), row.public_key, row.state == KeyState.REVOKED
            )
            for row in session.execute(
                select(IssuerKey.id, IssuerKey.issuer_id, IssuerKey.algorithm, IssuerKey.public_key, IssuerKey.state)
            )
        }
    ring = _Ring(keys, time.monotonic())
    with _rings_lock:
        _rings[database] = ring
    return ring
