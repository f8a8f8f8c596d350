"""An archive brings no table that is left out, whatever its version: nobody comes in with it."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.takeover.test_earlier_versions import CLEAR, KEY, tables_in, take
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.takeover import manifest as form
from voucher.takeover.archive import RefusedArchive


def with_an_account(path: Path) -> Path:
    """Copy the archive with a staff account more: its table in the schema, its row in a file, all signed again by somebody."""
    forms = {"id": "uuid", "email": "text", "name": "text", "password_hash": "text", "failed_count": "integer",
             "locked_until": "instant", "created_at": "instant", "closed_at": "instant"}  # fmt: skip
    columns = [
        {"name": name, "form": of, "nullable": name in ("locked_until", "closed_at"), "refers_to": []}
        for name, of in forms.items()
    ]
    row = f"{new_id()},pat@avant.example,Pat,un-hachage,0,\\N,2026-03-02T09:00:00.000000Z,\\N"
    table = f"{','.join(forms)}\n{row}\n".encode()
    with ZipFile(CLEAR) as before, ZipFile(path, "w") as after:
        manifest = form.read_manifest(before.read(form.MANIFEST))
        schema = json.loads(before.read(form.SCHEMA))
        schema["tables"]["staff_account"] = {"what": "", "key": ["id"], "columns": columns}
        contents = {one.name: before.read(one.name) for one in manifest.files}
        contents |= {form.SCHEMA: json.dumps(schema).encode(), "tables/99_staff_account.csv": table}
        entries = {one.name: one for one in manifest.files}
        entries["tables/99_staff_account.csv"] = form.FileEntry("", "", 0, 1, "staff_account")
        files = []
        for name, content in contents.items():
            after.writestr(name, content)
            digest = sha256(content).hexdigest()
            files.append(replace(entries[name], name=name, sha256=digest, bytes=len(content)))
        said = replace(manifest, files=tuple(files)).to_bytes()
        after.writestr(form.MANIFEST, said)
        after.writestr(form.SIGNATURE, form.sign_manifest(said, KEY))
    return path


def test_an_archive_of_an_earlier_version_brings_nobody_in(empty_database: Database, tmp_path: Path) -> None:
    with pytest.raises(RefusedArchive, match="staff_account n’est pas de celles"):
        take(empty_database, with_an_account(tmp_path / "compte.zip"))
    assert tables_in(empty_database.url) == []
