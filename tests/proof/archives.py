"""Audit archives as files: changed, signed again or not, and run through the verifier as it leaves."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from voucher.proof.export_audit import DOMAIN
from voucher.proof.verifier import single_file

Files = dict[str, bytes]


def said_by_verifier(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the verifier as it leaves, away from our code; return its exit code and what it said, all of it on one channel."""
    verifier = folder / "verify.py"
    verifier.write_text(single_file(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(verifier), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def verified(folder: Path, archive: bytes, *arguments: str) -> tuple[int, str]:
    """Run the verifier on an archive."""
    path = folder / "archive.zip"
    path.write_bytes(archive)
    return said_by_verifier(folder, str(path), *arguments)


def repacked(archive: bytes, change: Callable[[Files], object], method: int = ZIP_STORED) -> bytes:
    """Return the archive with its files changed, signed or not as `change` leaves them."""
    with ZipFile(io.BytesIO(archive)) as opened:
        files = {name.removeprefix("audit/"): opened.read(name) for name in opened.namelist()}
    change(files)
    out = io.BytesIO()
    with ZipFile(out, "w", method) as written:
        for name, data in files.items():
            written.writestr(f"audit/{name}", data)
    return out.getvalue()


def signed_again(files: Files, key: Ed25519PrivateKey) -> None:
    """Make the manifest tell these files, in the programme's name: the archive lies, and its hashes do not."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = [
        {**one, "sha256": sha256(files[one["name"]]).hexdigest(), "bytes": len(files[one["name"]])}
        for one in manifest["files"]
        if one["name"] in files
    ]
    sign(files, manifest, key)


def sign(files: Files, manifest: object, key: Ed25519PrivateKey) -> None:
    """Write a manifest and its signature."""
    files["manifest.json"] = json.dumps(manifest).encode()
    files["manifest.sig"] = base64.b64encode(key.sign(DOMAIN + files["manifest.json"]))
