"""Open an archive and check it whole before anything is written: its seal, its signature, every file's length and SHA-256."""

import csv
import io
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from sqlalchemy import Table

from voucher.kernel.migrations import revisions
from voucher.kernel.refusals import Refused
from voucher.takeover import manifest as form
from voucher.takeover.cells import WrongCell, reader_of
from voucher.takeover.document import described
from voucher.takeover.sealed_file import Keys, SealBroken, is_sealed, opening_reader
from voucher.takeover.tables import CARRIED, carried_tables, columns_of, tables_of_schema

CHUNK_BYTES = 1_048_576
# A bank's file stands in one cell.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))

# What reading raises when an archive is cut, changed, encrypted, packed by an unknown method, or short of a file.
_BROKEN = (BadZipFile, zlib.error, SealBroken, EOFError, OSError, NotImplementedError, KeyError, RuntimeError)


HANDOVER_BYTES_MAX = 1_600  # the table takes 2,000 characters, and our own signature comes after


class RefusedArchive(Refused):
    """An archive that is not taken; `file` and `line` (0: the whole file) say where."""

    def __init__(self, sentence: str, file: str = "", line: int = 0) -> None:
        where = f" Fichier {file}{f', ligne {line}' if line else ''}." if file else ""
        super().__init__("archive_refused", f"{sentence}{where} Rien n’a été repris.")
        self.file, self.line = file, line


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was checked: what it says of itself, who signed it, its tables in the order in which they are loaded."""

    manifest: form.Manifest
    signed: form.Signed
    tables: tuple[Table, ...]
    _zip: ZipFile

    @property
    def is_older(self) -> bool:
        """Say whether it was made by an earlier version: its tables are those of then."""
        return self.manifest.revision != revisions()[-1]

    def rows(self, table: Table) -> Iterator[tuple[int, dict[str, Any]]]:
        """Give a table's rows with their line in the file. Raises RefusedArchive at the first that is wrong."""
        entry = next(file for file in self.manifest.files if file.table == table.name)
        columns = columns_of(table)
        readers = [(column.name, reader_of(column)) for column in columns]
        count = 0
        for line, cells in self._lines(entry.name):
            if len(cells) != len(readers):
                raise RefusedArchive(f"Il y a {len(cells)} colonnes au lieu de {len(readers)}.", entry.name, line)
            try:
                row = {name: read(cell) for (name, read), cell in zip(readers, cells, strict=True)}
            except WrongCell as wrong:
                raise RefusedArchive(f"Une valeur n’est pas lisible : {wrong}.", entry.name, line) from wrong
            count += 1
            yield line, row
        if count != entry.rows:
            raise RefusedArchive(f"Il y a {count} lignes au lieu de {entry.rows}.", entry.name)

    def name_of(self, table: Table) -> str:
        """Return the name of a table's file."""
        return next(file.name for file in self.manifest.files if file.table == table.name)

    def balances(self) -> list[list[str]]:
        """Return the balances of the ledger's accounts, header first."""
        text = self._zip.read(form.BALANCES).decode()
        return list(csv.reader(io.StringIO(text)))

    def handover(self) -> str | None:
        """Return the note by which the operator before names who takes over, None where it did not know."""
        is_there = any(file.name == form.HANDOVER for file in self.manifest.files)
        if not is_there:
            return None
        raw = self._zip.read(form.HANDOVER)
        try:
            if len(raw) > HANDOVER_BYTES_MAX:
                raise RefusedArchive("La note de reprise est trop longue.", form.HANDOVER)
            return raw.decode()
        except UnicodeDecodeError as wrong:
            raise RefusedArchive("La note de reprise n’est pas lisible.", form.HANDOVER) from wrong

    def private_keys(self) -> list[dict[str, Any]]:
        """Return the sealed private keys, an empty list where the archive has none."""
        if not self.manifest.has_private_keys:
            return []
        found = json.loads(self._zip.read(form.PRIVATE_KEYS))
        assert isinstance(found, list)
        return found

    def _lines(self, name: str) -> Iterator[tuple[int, list[str]]]:
        with self._zip.open(name) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
            reader = csv.reader(text, strict=True)
            try:
                next(reader)  # the header, checked against the schema
                for cells in reader:
                    yield reader.line_num, cells
            except (csv.Error, UnicodeDecodeError, StopIteration) as wrong:
                raise RefusedArchive("Ce fichier n’est pas un CSV lisible.", name, reader.line_num) from wrong
            except _BROKEN as broken:
                raise RefusedArchive("Ce fichier est abîmé.", name, reader.line_num) from broken


@contextmanager
def opened_archive(path: Path, keys: Keys) -> Iterator[Archive]:
    """Open and check an archive. Raises RefusedArchive."""
    with ExitStack() as opened:
        try:
            file = opened.enter_context(path.open("rb"))
            clear = opening_reader(file, keys) if is_sealed(file) else file
            archive = _checked(opened.enter_context(ZipFile(clear)))
        except SealBroken as broken:
            raise RefusedArchive(
                "L’archive ne s’ouvre pas : le mot de passe ou la clé ne va pas, ou le fichier est coupé ou changé."
            ) from broken
        except FileNotFoundError:
            raise RefusedArchive("Ce fichier n’existe pas. Vérifiez son nom.") from None
        except _BROKEN as broken:
            raise RefusedArchive(
                "Ce fichier n’est pas une archive de reprise entière. Copiez-le de nouveau."
            ) from broken
        yield archive


def _checked(found: ZipFile) -> Archive:
    names = [info.filename for info in found.infolist()]
    if form.MANIFEST not in names or form.SIGNATURE not in names:
        raise RefusedArchive("Ce n’est pas une archive de reprise : son manifeste manque.")
    if max(found.getinfo(name).file_size for name in (form.MANIFEST, form.SIGNATURE)) > form.MANIFEST_BYTES_MAX:
        raise RefusedArchive("Son manifeste est trop long.", form.MANIFEST)
    # Other methods cannot be bounded as they unpack: a few bytes of bzip2 give gigabytes at once.
    if any(info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for info in found.infolist()):
        raise RefusedArchive("Elle est compressée d’une façon qui n’est pas celle d’une archive de reprise.")
    said = found.read(form.MANIFEST)
    try:
        manifest = form.read_manifest(said)
        signed = form.check_signature(said, found.read(form.SIGNATURE))
    except ValueError as wrong:
        raise RefusedArchive("Son manifeste n’est pas de ce format, ou n’est pas signé.", form.MANIFEST) from wrong
    told = [form.MANIFEST, form.SIGNATURE, *(file.name for file in manifest.files)]
    if sorted(names) != sorted(told):
        odd = sorted(set(names).symmetric_difference(told))
        raise RefusedArchive(f"Ses fichiers ne sont pas ceux du manifeste : {', '.join(odd[:3])}.")
    for one in manifest.files:
        _check_file(found, one)
    return Archive(manifest, signed, _tables(found, manifest), found)


def _check_file(found: ZipFile, entry: form.FileEntry) -> None:
    hashed, count = sha256(), 0
    try:
        with found.open(entry.name) as file:
            while chunk := file.read(CHUNK_BYTES):
                hashed.update(chunk)
                count += len(chunk)
                if count > entry.bytes:
                    break  # a bomb, or another file
    except _BROKEN as broken:
        raise RefusedArchive("Ce fichier est abîmé.", entry.name) from broken
    if count != entry.bytes or hashed.hexdigest() != entry.sha256:
        raise RefusedArchive("Ce fichier n’est pas celui que le manifeste décrit : il a changé.", entry.name)


def _tables(found: ZipFile, manifest: form.Manifest) -> tuple[Table, ...]:
    if manifest.revision not in revisions():
        raise RefusedArchive(
            f"L’archive est d’une version que celle-ci ne connaît pas ({manifest.revision}). Installez une version plus récente du "
            "logiciel, puis recommencez.",
            form.MANIFEST,
        )
    theirs = json.loads(found.read(form.SCHEMA))["tables"]
    # Whatever its version: an archive may not bring tables that a take-over leaves out, people's accounts first.
    if odd := sorted(set(theirs) - set(CARRIED)):
        raise RefusedArchive(f"La table {odd[0]} n’est pas de celles qu’une reprise porte.", form.SCHEMA)
    if manifest.revision == revisions()[-1]:
        _check_schema(theirs)
        names = [table.name for table in carried_tables()]
    else:
        names = [str(file.table) for file in manifest.files if file.table]
    if sorted(str(file.table) for file in manifest.files if file.table) != sorted(theirs) or set(names) != set(theirs):
        raise RefusedArchive("Il manque le fichier d’une table.", form.MANIFEST)
    if manifest.revision == revisions()[-1]:
        return carried_tables()
    try:
        return tables_of_schema(theirs, names)
    except (KeyError, TypeError, ValueError) as wrong:
        raise RefusedArchive("Le schéma de l’archive n’est pas lisible.", form.SCHEMA) from wrong


def _check_schema(theirs: dict[str, Any]) -> None:
    """Refuse an archive of this version whose tables are not those of this version, column for column."""
    for table in carried_tables():
        if table.name not in theirs:
            raise RefusedArchive(f"La table {table.name} manque.", form.SCHEMA)
        if theirs[table.name]["columns"] != described(table)["columns"]:
            raise RefusedArchive(f"La table {table.name} n’a pas les colonnes de sa version.", form.SCHEMA)
