"""The first part of the archive's verifier: what it says, and the archive as files, which may lie in every way."""

import base64
import csv
import io
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SHOWN_MAX = 50  # of each kind: what is wrong a thousand times is said fifty times, then counted
FORMATS = {f"pass-numerique/audit/{number}": number for number in (1, 2, 3, 4)}
SINCE = {
    "transfer_report": 2,
    "duplicate_answer": 2,
    "close_check": 2,
    "rule_start": 2,
    "approver_deputy": 3,
    "advance_return": 3,
    "line_proposal": 3,
    "line_refund": 3,
    "payment_event": 3,
    "trail_seal": 4,
    "trail_checkpoint": 4,
}
SCOPES = ("whole", "journal")
UNLISTED = {"manifest.json", "manifest.sig"}  # the manifest lists all other files
PART_BYTES = 1 << 20
SMALL_FILE_BYTES_MAX = 50_000_000  # of files that are read whole


class Unreadable(Exception):
    """The archive, or a file given beside it, cannot be read; the message is French."""


class Report:
    """The violations found, by kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def wrong(self, kind: str, table: str, detail: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN_MAX:
            say(f"✗ {kind} — {table}.csv : {detail}" if table.isidentifier() else f"✗ {kind} — {table} : {detail}")

    def conclude(self) -> int:
        for kind, count in self.counts.items():
            if count > SHOWN_MAX:
                say(f"✗ {kind} — et {count - SHOWN_MAX} autres")
        say("Tout est juste." if not self.counts else f"{self.counts.total()} écarts.")
        return 1 if self.counts else 0


def say(line: str) -> None:
    """Write one line. Texts of the archive cannot make it two, nor move what the screen shows."""
    sys.stdout.write("".join(one if one.isprintable() else repr(one)[1:-1] for one in line) + "\n")


class Archive:
    """The files of the archive, in a zip file or in the folder it was unpacked into."""

    def __init__(self, path: Path) -> None:
        self.folder = path / "audit" if (path / "audit").is_dir() else path
        try:
            self.zip = None if path.is_dir() else zipfile.ZipFile(path)
        except zipfile.BadZipFile:
            raise Unreadable("ce n’est pas un fichier zip entier") from None
        self.format = max(FORMATS.values())  # until its manifest says which
        self.names: dict[str, str] = {}  # as the manifest says them, and as the zip file does
        for name in self.zip.namelist() if self.zip else [one.name for one in self.folder.iterdir()]:
            short = name.removeprefix("audit/")
            if short in self.names:
                raise Unreadable(f"le fichier {short} est là deux fois")
            if short:  # zipped again from a folder, it names the folder too
                self.names[short] = name
        # Other methods cannot be bounded as they unpack.
        if self.zip and any(one.compress_type not in (0, zipfile.ZIP_DEFLATED) for one in self.zip.infolist()):
            raise Unreadable("elle est compressée d’une façon qui n’est pas la nôtre")

    @property
    def is_first_format(self) -> bool:
        return self.format == 1

    def open(self, name: str) -> IO[bytes]:
        """Open a file that the archive names; its name is looked up, never followed as a path."""
        if name not in self.names:
            raise Unreadable(f"le fichier {name} manque")
        return self.zip.open(self.names[name]) if self.zip else (self.folder / name).open("rb")

    def bytes(self, name: str) -> bytes:
        with self.open(name) as file:
            data = file.read(SMALL_FILE_BYTES_MAX + 1)
        if len(data) > SMALL_FILE_BYTES_MAX:
            raise Unreadable(f"le fichier {name} est trop long pour être lu d’un coup")
        return data

    def rows(self, table: str, columns: str) -> Iterator[tuple[str, ...]]:
        """Give these columns, two or more, of each row of a table; none of one that is younger than the archive's format."""
        if self.format < SINCE.get(table, 1):
            return
        with self.open(f"{table}.csv") as file:
            lines = csv.reader(io.TextIOWrapper(file, "utf-8", newline=""), strict=True)
            header = next(lines, [])
            missing = [one for one in columns.split() if header.count(one) != 1]
            if missing:
                raise Unreadable(f"{table}.csv n’a pas une fois chacune les colonnes {', '.join(missing)}")
            wanted, width = itemgetter(*map(header.index, columns.split())), len(header)
            for cells in lines:
                if len(cells) != width:
                    raise Unreadable(f"{table}.csv, ligne {lines.line_num} : {len(cells)} cellules au lieu de {width}")
                yield wanted(cells)


class Manifest:
    """What the archive says of itself, once the programme's signature and every file's hash are checked."""

    def __init__(self, archive: Archive, report: Report, key: bytes) -> None:
        raw = archive.bytes("manifest.json")
        said: Any = json.loads(raw)
        if not isinstance(said, dict) or said.get("format") not in FORMATS or said.get("scope") not in SCOPES:
            raise Unreadable("ce n’est pas une archive d’audit du Pass numérique, ou d’une version plus récente")
        archive.format = FORMATS[said["format"]]
        self.scope: str = said["scope"]
        self.claims = {name: said[name] for name in ("size", "root", "entries")}
        try:
            signature = base64.b64decode(archive.bytes("manifest.sig"))
            Ed25519PublicKey.from_public_bytes(key).verify(signature, said["format"].encode() + b"\0" + raw)
        except (InvalidSignature, ValueError):
            report.wrong("signature", "manifest.sig", "le manifeste n’est pas signé par la clé du programme")
        listed = {one["name"]: one for one in said["files"]}
        if len(listed) != len(said["files"]):
            report.wrong("manifeste", "manifest.json", "il donne deux fois le même fichier")
        for extra in sorted(set(archive.names) - set(listed) - UNLISTED):
            report.wrong("manifeste", extra, "ce fichier n’est pas au manifeste")
            del archive.names[extra]  # named, and never read
        for file, told in listed.items():
            if hash_of(archive, file, told["bytes"]) != told["sha256"]:
                report.wrong("manifeste", file, "ses octets ne sont pas ceux du manifeste : il a été changé ou échangé")
        check_schema(archive, report, listed)


def hash_of(archive: Archive, name: str, length: int) -> str:
    """Return the SHA-256 of a file, read no further than a little beyond the length it should have."""
    hashed, count = sha256(), 0
    with archive.open(name) as opened:
        while (part := opened.read(PART_BYTES)) and count <= length:
            # The tables are read a line at a time: a line without an end would fill the memory.
            if name.endswith(".csv") and len(part) == PART_BYTES and b"\n" not in part:
                raise Unreadable(f"{name} a une ligne de plus d’un mégaoctet")
            hashed.update(part)
            count += len(part)
    return hashed.hexdigest() if count == length else "autre longueur"


def check_schema(archive: Archive, report: Report, listed: dict[str, Any]) -> None:
    """See that schema.json describes each table, column for column. It is for people: nothing here is read from it."""
    told = {
        load["file"]: [column["name"] for column in load["columns"]]
        for load in json.loads(archive.bytes("schema.json"))
    }
    for file in sorted(set(told) | {name for name in listed if name.endswith(".csv")}):
        header = []
        if file in listed:
            with archive.open(file) as opened, io.TextIOWrapper(opened, "utf-8", newline="") as text:
                header = next(csv.reader(text), [])
        if told.get(file) != header:
            report.wrong("schéma", file, "ses colonnes ne sont pas celles que décrit schema.json")
