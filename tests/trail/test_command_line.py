"""`voucher seal` writes what others keep, a note for each day even where the journal stood still, and `voucher verify` holds the trail to them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from tests.builders import an_agreement
from tests.clients import MASTER_KEY
from tests.faults.world import unguarded
from voucher.access.audit import note_access
from voucher.cli.main import main
from voucher.kernel.database import Database
from voucher.proof.verifier.command import main as prove


def test_what_is_kept_of_each_day_tells_of_a_line_taken_away(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PASS_DATABASE_URL", sqlite_database.url)
    monkeypatch.setenv("PASS_SECRET_KEY", "a secret for tests alone, thirty-two bytes")
    monkeypatch.setenv("PASS_MASTER_KEY", MASTER_KEY)

    def voucher(*words: str) -> Result:
        return CliRunner().invoke(main, list(words))

    def act(subject: str) -> None:
        note_access(sqlite_database, None, "Lecture d’un RIB", subject, datetime.now(UTC))

    folder, archive = tmp_path / "ailleurs", tmp_path / "audit.zip"
    act("avant toute écriture")
    assert "rien à sceller" in voucher("seal", "--to", str(folder)).output
    an_agreement(sqlite_database)
    act("premier jour")
    assert "2 lignes du journal des accès scellées, 2 en tout." in voucher("seal", "--to", str(folder)).output
    act("un jour sans écriture")
    said = voucher("seal", "--to", str(folder)).output
    assert said.startswith("0 écritures scellées")
    assert "1 lignes du journal des accès scellées, 3 en tout." in said
    kept = sorted(folder.glob("point-de-controle-*.txt"))
    assert [one.stem.rpartition("-")[2] for one in kept] == ["2", "3"], "the second takes nobody's place"
    notes = [word for one in kept for word in ("--checkpoint", str(one))]
    assert voucher("verify", "--quiet", *notes).exit_code == 0
    assert voucher("export", "audit", "--to", str(archive)).exit_code == 0
    key = (folder / "cle-du-programme.txt").read_text(encoding="utf-8").strip()
    assert prove([str(archive), "--key", key, *notes]) == 0
    assert "3 lignes du journal des accès scellées." in capsys.readouterr().out
    with unguarded(sqlite_database) as session:
        session.execute(text("DELETE FROM audit_line"))
        for table in ("trail_seal", "trail_checkpoint"):
            session.execute(text(f"DELETE FROM {table}"))
        session.commit()
    thinned = voucher("verify", "--quiet", *notes)
    assert thinned.exit_code == 1
    for one in kept:
        assert str(one) in thinned.output
