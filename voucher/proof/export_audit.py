"""Write the audit archive: the journal with its seals, the facts it tells, the programme's signature, and a verifier.

One state of the database is read, a part at a time, so that memory does not grow with it. The same state gives the same
bytes: rows in a fixed order, no hour of making.
"""

import base64
import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from itertools import chain
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Select, Text, cast, func, null, select
from sqlalchemy.orm import Session

from voucher.kernel.bulk import ROWS_AT_ONCE, streamed_rows
from voucher.kernel.chunks import chunks
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.kernel.texts import as_text
from voucher.ledger.checkpoint import verifier_key
from voucher.ledger.model import Entry, Movement
from voucher.ledger.seal import is_unsealed
from voucher.ledger.seal_model import CheckpointRow, Seal
from voucher.proof.readme import README
from voucher.proof.schema import chart, schema_of, transfers_schema
from voucher.proof.tables import LEDGER, SEPARATE, STATE, given_columns, table_of
from voucher.proof.transfers import TRANSFERS, transfers_in
from voucher.proof.verifier import single_file
from voucher.trail.model import TrailCheckpoint, TrailSeal

FORMAT = "pass-numerique/audit/4"
DOMAIN = f"{FORMAT}\0".encode()
COMPRESSION = 3  # a third of the time of the default for a tenth more bytes
_BY_NUMBER = {
    "seal": (Seal.leaf, False),
    "checkpoint": (CheckpointRow.size, True),
    "trail_seal": (TrailSeal.leaf, False),
    "trail_checkpoint": (TrailCheckpoint.size, True),
}
"""Tables in the order of a number that grows: a leaf's, or how many leaves there are."""
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Written:
    """A file of the archive: its name, the SHA-256 of its bytes, how many bytes and (a table) rows it has."""

    name: str
    sha256: str
    bytes: int
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Archived:
    """What the archive proves: how many entries it holds, how many of them are sealed, under which root (hexadecimal)."""

    entry_count: int
    sealed_count: int
    root: str | None
    files: tuple[Written, ...]


def export_audit(
    database: Database, out: IO[bytes], *, origin: str, key: Ed25519PrivateKey, until: date | None = None
) -> Archived:
    """Write the archive into a file open for writing bytes. `key` is the programme's, `origin` the journal's name.

    With a day: the journal alone, up to the last checkpoint of that day or before; facts are known only as they stand now.
    Raises Refused where no checkpoint is that old.
    """
    with database.read() as session:
        return write_archive(session, out, origin=origin, key=key, until=until)


def write_archive(
    session: Session, out: IO[bytes], *, origin: str, key: Ed25519PrivateKey, until: date | None = None
) -> Archived:
    """Write the archive of what a session that is open sees."""
    with ZipFile(out, "w", ZIP_DEFLATED, compresslevel=COMPRESSION) as archive:
        last = _last_checkpoint(session, until)
        size = last.size if last else 0
        tables = LEDGER if until else {**LEDGER, **STATE}
        files = [_write_table(archive, f"{name}.csv", *_rows_of(session, name, size, until)) for name in tables]
        if until is None:
            files.append(_write_table(archive, f"{TRANSFERS}.csv", *transfers_in(session)))
        entry_count = next(file.rows or 0 for file in files if file.name == "entry.csv")
        schema = [schema_of(name) for name in tables] + ([] if until else [transfers_schema()])
        public_key = key.public_key().public_bytes_raw()
        files += [
            _write(archive, "schema.json", _json(schema)),
            _write(archive, "chart.json", _json(chart())),
            _write(archive, "programme-key.txt", f"{verifier_key(origin, public_key)}\n".encode()),
            _write(archive, "LISEZMOI.txt", README.encode()),
            _write(archive, "verify.py", single_file().encode()),
        ]
        manifest = _json(
            {
                "format": FORMAT,
                "origin": origin,
                "scope": "journal" if until else "whole",
                "until": until.isoformat() if until else None,
                "size": size,
                "root": last.root.hex() if last else None,
                "entries": entry_count,
                "files": [{name: value for name, value in asdict(file).items() if value is not None} for file in files],
            }
        )
        _write(archive, "manifest.json", manifest)
        _write(archive, "manifest.sig", base64.b64encode(key.sign(DOMAIN + manifest)) + b"\n")
    return Archived(entry_count, size, last.root.hex() if last else None, tuple(files))


def _last_checkpoint(session: Session, until: date | None) -> Any:
    query = select(CheckpointRow.size, CheckpointRow.root).order_by(CheckpointRow.size.desc()).limit(1)
    last = session.execute(query if until is None else query.where(CheckpointRow.sealed_on <= until)).first()
    if until is not None and last is None:
        raise Refused("no_checkpoint", "Rien n’était scellé ce jour-là. Choisissez un jour plus récent.", "until")
    return last


def _rows_of(
    session: Session, name: str, size: int, until: date | None
) -> tuple[Sequence[str], Iterator[Sequence[Sequence[Any]]]]:
    """Return the header of a table and its rows, by parts."""
    dialect = session.get_bind().dialect.name
    columns = list(given_columns(name))
    texts = [as_text(column, dialect) for column in columns]
    header = [column.name for column in columns]
    if name not in SEPARATE:
        query = select(*texts).order_by(*table_of(name).primary_key.columns)
        return header, _parts(session, [query])
    if name in _BY_NUMBER:
        row, is_size = _BY_NUMBER[name]
        query = select(*texts).order_by(row)
        if until is not None:
            end = _trail_size(session, until) if name.startswith("trail_") else size
            query = query.where(row < end + is_size)
        return header, _parts(session, [query])
    if name == "entry":
        sealed = select(*texts, cast(Seal.leaf, Text)).join(Seal, Seal.entry_id == Entry.id).order_by(Seal.leaf)
        rest = select(*texts, null()).where(is_unsealed()).order_by(Entry.posted_at, Entry.id)
        header.append("leaf")
    else:
        sealed = select(*texts).join(Seal, Seal.entry_id == Movement.entry_id).order_by(Seal.leaf, Movement.rank)
        rest = (
            select(*texts)
            .outerjoin(Seal, Seal.entry_id == Movement.entry_id)
            .outerjoin(Entry, Entry.id == Movement.entry_id)
            .where(Seal.leaf.is_(None))
            # Movements whose entry is gone come last, and are named.
            .order_by(Entry.id.is_(None), Entry.posted_at, Movement.entry_id, Movement.rank)
        )
    return header, _parts(session, [sealed, rest] if until is None else [sealed.where(Seal.leaf < size)])


def _trail_size(session: Session, until: date) -> int:
    """Return how many lines of the trail were sealed by the end of a day."""
    return session.scalar(select(func.max(TrailCheckpoint.size)).where(TrailCheckpoint.sealed_on <= until)) or 0


def _parts(session: Session, queries: Iterable[Select[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    rows = chain.from_iterable(streamed_rows(session, query) for query in queries)
    return chunks(rows, ROWS_AT_ONCE)


class _Hashed(io.RawIOBase):
    """Passes bytes on, and remembers their SHA-256 and number."""

    def __init__(self, into: IO[bytes]) -> None:
        self._into = into
        self._hash = sha256()
        self.count = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._hash.update(data)
        self.count += len(data)
        return self._into.write(data)

    def told(self, name: str, rows: int | None = None) -> Written:
        return Written(name, self._hash.hexdigest(), self.count, rows)


def _write_table(
    archive: ZipFile, name: str, header: Sequence[str], parts: Iterable[Sequence[Sequence[Any]]]
) -> Written:
    rows = 0
    with archive.open(_member(name), "w", force_zip64=True) as member:
        hashed = _Hashed(member)
        with io.TextIOWrapper(io.BufferedWriter(hashed, 1 << 20), "utf-8", newline="", write_through=False) as text:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(header)
            for part in parts:
                writer.writerows(part)
                rows += len(part)
            text.flush()
            told = hashed.told(name, rows)
    return told


def _write(archive: ZipFile, name: str, data: bytes) -> Written:
    archive.writestr(_member(name), data, compresslevel=COMPRESSION)
    return Written(name, sha256(data).hexdigest(), len(data))


def _member(name: str) -> ZipInfo:
    member = ZipInfo(f"audit/{name}", _LONG_AGO)
    member.compress_type = ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    return member


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
