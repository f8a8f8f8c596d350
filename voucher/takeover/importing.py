"""Take an archive over: into an empty system, in one transaction, proved before it is kept.

The journal comes as it was written, so that old codes are redeemed, old payments matched, old seals proved. Before anything is
kept: each table has its rows, each account its balance, and `voucher verify` finds what it found when the archive was made, no
more and no less.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from sqlalchemy import Table, exists, func, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from voucher.issuing.keys import forget_keys
from voucher.issuing.model import KeyState
from voucher.issuing.signing import seal_private_key
from voucher.kernel.database import Database, take_turn
from voucher.ledger.checkpoint import BadNote, read_checkpoint, verifier_key
from voucher.ledger.handover import Handover, countersign_handover, is_signed_by, read_handover, sign_handover
from voucher.ledger.seal_model import CheckpointRow, SealHandover
from voucher.programme.programme_key import programme_key
from voucher.takeover import manifest as form
from voucher.takeover.archive import Archive, RefusedArchive, opened_archive
from voucher.takeover.export import balance_lines, key_context, violations_in
from voucher.takeover.sealed_file import Keys, SealBroken, open_sealed
from voucher.takeover.tables import SEEDED, carried_tables, said

ROWS_AT_ONCE = 1_000

Told = Callable[[str, int], None]
_WRONG = (IntegrityError, DataError, StatementError)


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What an import did: rows in all, keys that sign again and keys that only verify, what the archive said of itself."""

    row_count: int
    signing_key_count: int
    retired_key_count: int
    manifest: form.Manifest
    signed: form.Signed


def import_takeover(
    database: Database,
    path: Path,
    *,
    origin: str,
    master_secret: bytes,
    now: datetime,
    keys: Keys | None = None,
    expected_key: bytes | None = None,
    told: Told = lambda _table, _rows: None,
) -> TakenOver:
    """Take an archive over into an empty, migrated database: whole or not at all. Raises RefusedArchive.

    `origin` names the journal at our address, `master_secret` gives the key that will seal it. `expected_key` is the programme key of the operator before, from its published list: an archive that another signed is refused.
    Issuers' private keys come only sealed for `keys.identity`; without them their keys verify old codes and sign no new ones.
    """
    keys = keys or Keys()
    with opened_archive(path, keys) as archive:
        if expected_key is not None and archive.signed.public_key != expected_key:
            raise RefusedArchive("L'archive est signée d'une autre clé que celle que vous attendez.", form.SIGNATURE)
        private_keys = _opened_keys(archive, keys, master_secret)
        with database.write() as session:
            take_turn(session, "takeover import")
            _refuse_a_used_system(session)
            count = 0
            for table in carried_tables():
                rows = _fill(session, archive, table, private_keys, now)
                told(table.name, rows)
                count += rows
            _hand_over_the_seal(session, archive, origin, master_secret, now)
            _prove(session, archive)
            signing = len(private_keys)
            known = session.scalar(select(func.count()).select_from(_table("issuer_key"))) or 0
        forget_keys(database)
        return TakenOver(count, signing, known - signing, archive.manifest, archive.signed)


def _refuse_a_used_system(session: Session) -> None:
    for table in carried_tables():
        if table.name in SEEDED:
            continue
        if session.scalar(select(exists().select_from(table))):
            raise RefusedArchive(
                f"Cette base n'est pas vide : elle contient déjà des lignes (« {said(table.name)} »). Faites la reprise dans une base neuve, "
                "après « voucher migrate »."
            )


def _fill(session: Session, archive: Archive, table: Table, private_keys: dict[int, bytes], now: datetime) -> int:
    rows = archive.rows(table)
    count = 0
    while part := list(islice(rows, ROWS_AT_ONCE)):
        values = [row for _, row in part]
        if table.name == "issuer_key":
            values = [_signing_or_not(row, private_keys, now) for row in values]
        try:
            _write(session, table, values)
        except _WRONG as wrong:
            raise RefusedArchive(
                "Une ligne contredit les autres, ou une règle de la base : l'archive a été modifiée.",
                archive.name_of(table),
                _first_wrong(session, table, part, values),
            ) from wrong
        count += len(part)
    return count


def _write(session: Session, table: Table, values: Sequence[dict[str, Any]]) -> None:
    # What the database refuses is taken back to here, so that it can be asked again which row it was.
    with session.begin_nested():
        if table.name in SEEDED:
            session.execute(update(table).values(**values[0]))
        else:
            session.execute(insert(table), values)


def _first_wrong(
    session: Session, table: Table, part: Sequence[tuple[int, dict[str, Any]]], values: Sequence[dict[str, Any]]
) -> int:
    """Return the line of the first row that the database refuses by itself."""
    for (line, _), row in zip(part, values, strict=True):
        try:
            _write(session, table, [row])
        except _WRONG:
            return line
    return part[0][0]


def _signing_or_not(row: dict[str, Any], private_keys: dict[int, bytes], now: datetime) -> dict[str, Any]:
    """Return an issuer's key with its private part sealed by our master secret; without one, it signs no more."""
    if (sealed := private_keys.get(row["id"])) is not None:
        return {**row, "sealed_private_key": sealed}
    retired = {"state": KeyState.RETIRED, "retired_at": now} if row["state"] == KeyState.ACTIVE else {}
    return {**row, **retired, "sealed_private_key": b""}


def _opened_keys(archive: Archive, keys: Keys, master_secret: bytes) -> dict[int, bytes]:
    """Open the private keys sealed for us and seal them by our master secret: id to sealed bytes."""
    sealed = archive.private_keys()
    if not sealed:
        return {}
    if keys.identity is None:
        raise RefusedArchive(
            "Les clés privées sont chiffrées pour vous. Donnez votre clé avec --identity.", form.PRIVATE_KEYS
        )
    algorithms = {row["id"]: row["algorithm"] for _, row in archive.rows(_table("issuer_key"))}
    found = {}
    for one in sealed:
        try:
            key_id = int(one["key_id"])
            context = key_context(key_id, algorithms[key_id])
            plain = open_sealed(keys.identity, base64.b64decode(one["sealed"]), context=context)
        except (SealBroken, KeyError, TypeError, ValueError) as broken:
            raise RefusedArchive("Une clé privée ne s'ouvre pas avec la vôtre.", form.PRIVATE_KEYS) from broken
        opened = load_der_private_key(plain, None)
        assert isinstance(opened, Ed25519PrivateKey | EllipticCurvePrivateKey)
        found[key_id] = seal_private_key(opened, key_id=key_id, master_secret=master_secret)
    return found


def _hand_over_the_seal(session: Session, archive: Archive, origin: str, master_secret: bytes, now: datetime) -> None:
    """Write that from now on the journal is sealed by our key, in a note that we sign, and the operator before if it knew us."""
    key = programme_key(master_secret)
    ours = key.public_key().public_bytes_raw()
    if not archive.manifest.sealed_size or archive.signed.public_key == ours:
        return
    given = archive.handover()
    if given is None:
        last = session.scalars(select(CheckpointRow.note).order_by(CheckpointRow.size.desc()).limit(1)).one()
        previous = verifier_key(read_checkpoint(last).origin, archive.signed.public_key)
        root = bytes.fromhex(archive.manifest.sealed_root)
        said = Handover(previous, verifier_key(origin, ours), archive.manifest.sealed_size, root)
        note = sign_handover(said, key)
    else:
        said = _checked_handover(given, archive, ours)
        note = countersign_handover(given, key)
    session.execute(
        insert(SealHandover).values(
            size=said.size, previous_public_key=said.previous_key, public_key=ours, note=note, handed_over_at=now
        )
    )


def _checked_handover(note: str, archive: Archive, ours: bytes) -> Handover:
    try:
        said = read_handover(note)
    except BadNote as bad:
        raise RefusedArchive("La note de reprise ne se lit pas.", form.HANDOVER) from bad
    if said.next_key != ours:
        raise RefusedArchive(
            "L'archive est remise à une autre clé que la vôtre. Demandez à l'opérateur d'avant de la refaire, avec la ligne "
            "que donne « voucher key ».",
            form.HANDOVER,
        )
    is_of_archive = (said.size, said.root.hex(), said.previous_key) == (
        archive.manifest.sealed_size,
        archive.manifest.sealed_root,
        archive.signed.public_key,
    )
    if not is_of_archive or not is_signed_by(note, said.previous):
        raise RefusedArchive("La note de reprise n'est pas celle de cette archive.", form.HANDOVER)
    return said


def _prove(session: Session, archive: Archive) -> None:
    for found, told in zip_longest(balance_lines(session), archive.balances()):
        if found != told:
            raise RefusedArchive(f"Le compte {(told or found)[0]} n'a pas le solde annoncé.", form.BALANCES)
    violations = set(violations_in(session))
    if odd := sorted(violations.symmetric_difference(archive.manifest.violations)):
        raise RefusedArchive(f"La vérification trouve un écart que l'archive ne dit pas, ou l'inverse : {odd[0]}.")


def _table(name: str) -> Table:
    return next(table for table in carried_tables() if table.name == name)
