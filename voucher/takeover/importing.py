"""Take an archive over: into an empty system, in one transaction, proved before it is kept.

The journal comes as it was written, so that old codes are redeemed, old payments matched, old seals proved. Before anything is
kept: each table has its rows, each account its balance, and `voucher verify` finds what it found when the archive was made, no
more and no less.

An archive of an earlier version is loaded into tables of that version, which are then migrated, in the same transaction. What the
checks known then find is compared; what newer checks find is reported.
"""

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from sqlalchemy import Table, exists, func, insert, inspect, select
from sqlalchemy.orm import Session

from voucher.issuing.keys import forget_keys
from voucher.issuing.signing import seal_private_key
from voucher.kernel.database import Database, take_turn
from voucher.kernel.migrations import broken_references, schema_transaction, upgrade_within
from voucher.kernel.refusals import Refused
from voucher.ledger.checkpoint import BadNote, read_checkpoint, verifier_key
from voucher.ledger.operator_change import Handover, countersign_handover, is_signed_by, read_handover, sign_handover
from voucher.ledger.seal_model import CheckpointRow, SealHandover
from voucher.programme.programme_key import programme_key
from voucher.takeover import manifest as form
from voucher.takeover.archive import Archive, RefusedArchive, opened_archive
from voucher.takeover.export import balance_lines, key_context, known_checks, violations_in
from voucher.takeover.loading import load_table
from voucher.takeover.sealed_file import Keys, SealBroken, open_sealed
from voucher.takeover.tables import SEEDED, carried_tables, said

ProgressCallback = Callable[[str, int], None]
_CHECK = re.compile(r"^Violation\(check='([a-z_]+)'")


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What an import did: rows in all, keys that sign again and keys that only verify, what the archive said of itself.

    `new_violations`: what checks that the archive's version did not know find.
    """

    row_count: int
    signing_key_count: int
    retired_key_count: int
    manifest: form.Manifest
    signed: form.Signed
    new_violations: tuple[str, ...]


def import_takeover(
    database: Database,
    path: Path,
    *,
    origin: str,
    master_secret: bytes,
    now: datetime,
    keys: Keys | None = None,
    expected_key: bytes | None = None,
    on_progress: ProgressCallback = lambda _table, _rows: None,
) -> TakenOver:
    """Take an archive over into an empty database: whole or not at all. Raises RefusedArchive.

    The database is migrated, or has no table yet: an archive of an earlier version wants the second. `origin` names the journal at our address, `master_secret`
    gives the key that will seal it. `expected_key` is the programme key of the operator before, from its published list: an archive that another
    signed is refused. Issuers' private keys come only sealed for `keys.identity`; without them their keys verify old codes and sign no new ones.
    """
    keys = keys or Keys()
    with opened_archive(path, keys) as archive:
        if expected_key is not None and archive.signed.public_key != expected_key:
            raise RefusedArchive("L’archive est signée d’une autre clé que celle que vous attendez.", form.SIGNATURE)
        private_keys = _opened_keys(archive, keys, master_secret)

        def load(session: Session) -> int:
            count = 0
            for table in archive.tables:
                rows = load_table(session, archive, table, private_keys, now)
                on_progress(table.name, rows)
                count += rows
            return count

        with _tables_of_archive(database, archive, load) as (session, count):
            _hand_over_the_seal(session, archive, origin, master_secret, now)
            new_violations = _prove(session, archive)
            signing = len(private_keys)
            known = session.scalar(select(func.count()).select_from(_table("issuer_key"))) or 0
        forget_keys(database)
        return TakenOver(count, signing, known - signing, archive.manifest, archive.signed, new_violations)


@contextmanager
def _tables_of_archive(
    database: Database, archive: Archive, load: Callable[[Session], int]
) -> Iterator[tuple[Session, int]]:
    """Give the session of one transaction in which the archive's rows stand in today's tables, and how many they are."""
    with database.engine.connect() as connection:
        has_tables = bool(inspect(connection).get_table_names())
    if has_tables and archive.is_older:
        raise RefusedArchive(
            f"L’archive est d’une version antérieure ({archive.manifest.revision}) : elle se reprend dans une base sans aucune table. "
            "Donnez une base neuve, sans lancer « voucher migrate »."
        )
    if has_tables:
        with database.write() as session:
            take_turn(session, "takeover import")
            _refuse_a_used_system(session)
            yield session, load(session)
        return
    with schema_transaction(database) as connection:
        upgrade_within(connection, archive.manifest.revision)
        # The session may roll back, not commit: the connection's transaction is ended by `schema_transaction`.
        with Session(bind=connection, join_transaction_mode="rollback_only") as session:
            count = load(session)
            if broken := broken_references(connection):
                raise RefusedArchive(f"Une ligne de la table {broken[0]} désigne ce qui n’existe pas.")
            _compare_balances(session, archive)
            try:
                upgrade_within(connection)
            except Refused as refused:
                raise RefusedArchive(refused.sentence) from refused
            yield session, count


def _refuse_a_used_system(session: Session) -> None:
    for table in carried_tables():
        if table.name in SEEDED:
            continue
        if session.scalar(select(exists().select_from(table))):
            raise RefusedArchive(
                f"Cette base n’est pas vide : elle contient déjà des lignes (« {said(table.name)} »). Faites la reprise dans une base neuve, "
                "après « voucher migrate »."
            )


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
            raise RefusedArchive("Une clé privée ne s’ouvre pas avec la vôtre.", form.PRIVATE_KEYS) from broken
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
            "L’archive est remise à une autre clé que la vôtre. Demandez à l’opérateur d’avant de la refaire, avec la ligne "
            "que donne « voucher key ».",
            form.HANDOVER,
        )
    is_of_archive = (said.size, said.root.hex(), said.previous_key) == (
        archive.manifest.sealed_size,
        archive.manifest.sealed_root,
        archive.signed.public_key,
    )
    if not is_of_archive or not is_signed_by(note, said.previous):
        raise RefusedArchive("La note de reprise n’est pas celle de cette archive.", form.HANDOVER)
    return said


def _prove(session: Session, archive: Archive) -> tuple[str, ...]:
    """Raise RefusedArchive unless balances and known violations are those of the archive; return what newer checks find."""
    _compare_balances(session, archive, is_now=True)
    found, on_progress = set(violations_in(session)), set(archive.manifest.violations)
    if not archive.is_older:
        if odd := sorted(found.symmetric_difference(on_progress)):
            raise RefusedArchive(f"La vérification trouve un écart que l’archive ne dit pas, ou l’inverse : {odd[0]}.")
        return ()
    # The words of a violation may have changed since: those of one check are counted.
    counts, counts_then = Counter(map(_check_of, found)), Counter(map(_check_of, on_progress))
    for check in sorted(set(archive.manifest.checks).intersection(known_checks())):
        if counts[check] != counts_then[check]:
            raise RefusedArchive(
                f"La vérification « {check} » trouve {counts[check]} écart(s) ; l’archive en disait {counts_then[check]}."
            )
    return tuple(sorted(one for one in found if _check_of(one) not in archive.manifest.checks))


def _compare_balances(session: Session, archive: Archive, *, is_now: bool = False) -> None:
    tables = {"account": _table("account"), "movement": _table("movement")}
    if not is_now:
        tables |= {table.name: table for table in archive.tables if table.name in tables}
    for found, on_progress in zip_longest(
        balance_lines(session, tables["account"], tables["movement"]), archive.balances()
    ):
        if found != on_progress:
            raise RefusedArchive(f"Le compte {(on_progress or found)[0]} n’a pas le solde annoncé.", form.BALANCES)


def _check_of(violation: str) -> str:
    """Return the name of the check that found a violation, from its text in a manifest."""
    named = _CHECK.match(violation)
    return named.group(1) if named else violation


def _table(name: str) -> Table:
    return next(table for table in carried_tables() if table.name == name)
