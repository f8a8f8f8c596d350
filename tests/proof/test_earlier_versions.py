"""An audit archive that an earlier version made still proves itself: by the verifier it carries, and by today's."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from tests.proof.archives import verified

ARCHIVE = Path(__file__).with_name("earlier") / "audit_0017.zip"


def test_the_verifier_that_an_earlier_archive_carries_proves_it(tmp_path: Path) -> None:
    with ZipFile(ARCHIVE) as archive:
        (tmp_path / "verify.py").write_bytes(archive.read("audit/verify.py"))
    done = subprocess.run(
        [sys.executable, "-I", "verify.py", str(ARCHIVE)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_todays_verifier_proves_it_too(tmp_path: Path) -> None:
    code, said = verified(tmp_path, ARCHIVE.read_bytes())
    assert code == 0, said
