"""Write the archive: one state of the database, streamed table by table, encrypted as it is written where it is asked."""

import base64
import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from alembic.runtime.migration import MigrationContext
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import FromClause, Table, func, select
from sqlalchemy.orm import Session

from voucher.issuing.code import Algorithm
from voucher.issuing.model import IssueBatch, IssuerKey
from voucher.issuing.signing import open_private_key
from voucher.kernel.checks import Check
from voucher.kernel.database import Database
from voucher.kernel.money import sum_cents
from voucher.kernel.refusals import Refused
from voucher.kernel.settings import Settings
from voucher.ledger.checkpoint import origin_of, verifier_key
from voucher.ledger.model import Account, Movement
from voucher.ledger.operator_change import Handover, sign_handover
from voucher.ledger.seal_model import CheckpointRow
from voucher.programme.programme_key import programme_key
from voucher.reporting.verify import ROOMS
from voucher.takeover import manifest as form
from voucher.takeover.cells import writer_of
from voucher.takeover.document import document, schema_document
from voucher.takeover.sealed_file import seal_for, sealing_writer
from voucher.takeover.tables import LEFT_OUT, ROOMS_LEFT_OUT, carried_tables, columns_of, order_of

ROWS_AT_ONCE = 2_000
OWNER_ALONE = 0o600
# Archives of the same state are the same bytes inside: no file has an hour of its own.
_FILE_TIME = (1980, 1, 1, 0, 0, 0)

ProgressCallback = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote: rows in all, its manifest, whether it is encrypted."""

    path: Path
    row_count: int
    manifest: form.Manifest
    is_sealed: bool


@dataclass(frozen=True, slots=True)
class For:
    """For whom an archive is written: a public key, a passphrase, or nobody (in clear). Private keys need a public key.

    `next_key` is the verifier key of who takes over: the journal is handed over to it by name.
    """

    recipient: X25519PublicKey | None = None
    passphrase: str | None = None
    with_private_keys: bool = False
    next_key: str | None = None


def export_takeover(
    database: Database,
    path: Path,
    *,
    settings: Settings,
    now: datetime,
    whom: For | None = None,
    on_progress: ProgressCallback = lambda _table, _rows: None,
) -> Exported:
    """Write the archive at `path`, which must be free; its owner alone may read it. Raises Refused.

    It appears whole or not at all. `on_progress` hears each table's name and how many rows it has.
    """
    whom = whom or For()
    if whom.with_private_keys and whom.recipient is None:
        raise Refused(
            "no_recipient", "Les clés privées ne partent que chiffrées pour une clé publique. Donnez-la avec --for."
        )
    if path.exists():
        raise Refused("file_exists", f"Le fichier {path} existe déjà. Choisissez un autre nom.")
    part = path.with_name(f"{path.name}.part")
    with suppress(FileNotFoundError):
        part.unlink()  # left by an export that was killed
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ALONE)
    try:
        with os.fdopen(descriptor, "wb") as file, database.read() as session:
            is_sealed = whom.recipient is not None or bool(whom.passphrase)
            if is_sealed:
                with sealing_writer(file, passphrase=whom.passphrase, recipient=whom.recipient) as sealing:
                    manifest = _write(sealing, session, settings, now, whom, on_progress)
            else:
                manifest = _write(file, session, settings, now, whom, on_progress)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return Exported(path, sum(one.rows or 0 for one in manifest.files), manifest, is_sealed)


def _write(
    file: Any, session: Session, settings: Settings, now: datetime, whom: For, on_progress: ProgressCallback
) -> form.Manifest:
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        entries = []
        for rank, table in enumerate(carried_tables(), 1):
            entry = _write_table(archive, session, table, f"tables/{rank:02d}_{table.name}.csv")
            entries.append(entry)
            on_progress(table.name, entry.rows or 0)
        entries.append(_write_balances(archive, session))
        extras = {form.SCHEMA: schema_document(), form.README: document().encode()}
        if whom.recipient is not None and whom.with_private_keys:
            extras[form.PRIVATE_KEYS] = _private_keys(session, settings.master_secret, whom.recipient)
        if whom.next_key is not None and (last := _last_checkpoint(session)):
            extras[form.HANDOVER] = _handover(last.size, last.root, whom.next_key, settings)
        for name, content in extras.items():
            with _member(archive, name) as (out, done):
                out.write(content)
            entries.append(done())
        manifest = _manifest(session, settings, now, tuple(entries), has_private_keys=whom.with_private_keys)
        said = manifest.to_bytes()
        archive.writestr(_info(form.MANIFEST), said)
        archive.writestr(_info(form.SIGNATURE), form.sign_manifest(said, programme_key(settings.master_secret)))
    return manifest


def _manifest(
    session: Session, settings: Settings, now: datetime, entries: tuple[form.FileEntry, ...], *, has_private_keys: bool
) -> form.Manifest:
    last = _last_checkpoint(session)
    unfinished = session.scalars(
        select(IssueBatch.id)
        .where(IssueBatch.made_booklet_count < IssueBatch.booklet_count)
        .order_by(IssueBatch.ordered_at, IssueBatch.id)
    )
    return form.Manifest(
        made_at=now.isoformat(),
        programme=settings.programme_name,
        revision=revision_of(session),
        has_private_keys=has_private_keys,
        sealed_size=last.size if last else 0,
        sealed_root=last.root.hex() if last else "",
        unfinished_orders=tuple(str(one) for one in unfinished),
        violations=violations_in(session),
        checks=known_checks(),
        left_out=dict(LEFT_OUT),
        files=entries,
    )


def _last_checkpoint(session: Session) -> Any:
    query = select(CheckpointRow.size, CheckpointRow.root).order_by(CheckpointRow.size.desc()).limit(1)
    return session.execute(query).one_or_none()


def _handover(size: int, root: bytes, next_key: str, settings: Settings) -> bytes:
    """Return our signature under the journal's end and the name of who goes on with it."""
    ours = programme_key(settings.master_secret)
    previous = verifier_key(origin_of(settings.base_url), ours.public_key().public_bytes_raw())
    return sign_handover(Handover(previous, next_key, size, root), ours).encode()


def revision_of(session: Session) -> str:
    """Return the migration that the database stands at."""
    return MigrationContext.configure(session.connection()).get_current_revision() or ""


def violations_in(session: Session) -> tuple[str, ...]:
    """Return what `voucher verify` finds of what a take-over carries, in this state of the database, sorted."""
    return tuple(sorted(str(violation) for check in _checks() for violation in check(session)))


def known_checks() -> tuple[str, ...]:
    """Return the names of the checks of `voucher verify`, sorted; a violation bears that of its check."""
    return tuple(sorted(check.__name__.removeprefix("check_") for check in _checks()))


def _checks() -> Iterator[Check]:
    yield from (check for room, checks in ROOMS if room not in ROOMS_LEFT_OUT for check in checks)


def _write_table(archive: ZipFile, session: Session, table: Table, name: str) -> form.FileEntry:
    columns = columns_of(table)
    writers = [writer_of(column) for column in columns]
    query = select(*columns).order_by(*order_of(table)).execution_options(yield_per=ROWS_AT_ONCE)
    count = 0
    with _member(archive, name) as (out, done):
        text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=False)  # type: ignore[type-var]  # a raw writer
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow([column.name for column in columns])
        for part in session.execute(query).partitions():
            lines.writerows([write(value) for write, value in zip(writers, row, strict=True)] for row in part)
            count += len(part)
        text.flush()
        text.detach()
    return done(count, table.name)


def balance_lines(
    session: Session, account: FromClause = Account.__table__, movement: FromClause = Movement.__table__
) -> Iterator[list[str]]:
    """Give every account of the ledger with what it was debited and credited, in cents, by key.

    `account` and `movement` are the ledger's tables of an earlier version, where these are read.
    """
    yield ["key", "debit_cents", "credit_cents"]
    debits, credits = (
        select(side.label("id"), func.sum(movement.c.amount_cents).label("cents")).group_by(side).subquery()
        for side in (movement.c.debit_account_id, movement.c.credit_account_id)
    )
    names = [account.c[name] for name in ("code", "funder_id", "agreement_id", "structure_id", "bank_account_id")]
    rows = session.execute(
        select(*names, debits.c.cents, credits.c.cents)
        .outerjoin(debits, debits.c.id == account.c.id)
        .outerjoin(credits, credits.c.id == account.c.id)
    )
    yield from sorted(
        [" ".join(str(part) for part in row[:-2] if part is not None), *(str(sum_cents(side)) for side in row[-2:])]
        for row in rows
    )


def _write_balances(archive: ZipFile, session: Session) -> form.FileEntry:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(balance_lines(session))
    with _member(archive, form.BALANCES) as (out, done):
        out.write(text.getvalue().encode())
    return done()


def key_context(key_id: int, algorithm: int) -> bytes:
    """Return what a private key is bound to when it is sealed for the one who takes over."""
    return b"issuer key\0" + key_id.to_bytes(2) + algorithm.to_bytes(1)


def _private_keys(session: Session, master_secret: bytes, recipient: X25519PublicKey) -> bytes:
    sealed = []
    for key in session.execute(select(*IssuerKey.__table__.columns).order_by(IssuerKey.id)):
        if not key.sealed_private_key:
            continue  # the operator before us kept it
        opened = open_private_key(
            key.sealed_private_key, key_id=key.id, algorithm=Algorithm(key.algorithm), master_secret=master_secret
        )
        plain = opened.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        secret = seal_for(recipient, plain, context=key_context(key.id, key.algorithm))
        sealed.append({"key_id": key.id, "sealed": base64.b64encode(secret).decode()})
    return json.dumps(sealed, indent=1).encode()


class _Hashing(io.RawIOBase):
    """Counts and hashes what goes through to a file of the archive."""

    def __init__(self, below: IO[bytes]) -> None:
        self.below, self.hash, self.count = below, sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.hash.update(data)
        self.count += len(data)
        return self.below.write(data)


@contextmanager
def _member(archive: ZipFile, name: str) -> Iterator[tuple[_Hashing, Callable[..., form.FileEntry]]]:
    """Open a file of the archive; the second value describes it, once it is written."""
    with archive.open(_info(name), "w", force_zip64=True) as below:
        out = _Hashing(below)

        def done(rows: int | None = None, table: str | None = None) -> form.FileEntry:
            return form.FileEntry(name, out.hash.hexdigest(), out.count, rows, table)

        yield out, done


def _info(name: str) -> ZipInfo:
    info = ZipInfo(name, _FILE_TIME)
    info.compress_type = ZIP_DEFLATED
    info.external_attr = OWNER_ALONE << 16
    return info
