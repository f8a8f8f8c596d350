"""Checkpoints are public at addresses that stay; the auditor sees seals, proofs and the archive, and leaves a line."""

import io
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

from tests.builders import NOW, an_agreement
from tests.clients import app_for, csrf_token, signed_in_client
from tests.listed import listed
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked
from voucher.ledger import read, read_seals
from voucher.ledger.checkpoint import open_checkpoint
from voucher.proof.sealing import journal_key, published_key, seal_daily, seal_now
from voucher.proof.verifier import command

JOURNAL = "/.well-known/pass-numerique/journal"


def test_checkpoints_are_published_at_addresses_that_stay(database: Database) -> None:
    app = app_for(database, NOW)
    anyone = app.test_client()
    assert anyone.get(f"{JOURNAL}/checkpoint").status_code == 404
    an_agreement(database)
    first = seal_now(database, app.extensions["services"].settings, NOW)
    an_agreement(database)
    second = seal_now(database, app.extensions["services"].settings, NOW + timedelta(days=1))
    assert first is not None
    assert second is not None
    assert anyone.get(f"{JOURNAL}/checkpoint").text == second.note
    assert anyone.get(f"{JOURNAL}/checkpoints/{first.size}").text == first.note
    assert anyone.get(f"{JOURNAL}/checkpoints/{first.size + 1}").status_code == 404
    listed = [line.split("\t") for line in anyone.get(f"{JOURNAL}/checkpoints").text.splitlines()]
    assert [(line[0], line[1]) for line in listed] == [
        ("2026-03-03", str(second.size)),
        ("2026-03-02", str(first.size)),
    ]
    assert anyone.get(listed[1][3].removeprefix("http://127.0.0.1:8000")).text == first.note
    key = anyone.get(f"{JOURNAL}/key").text.strip()
    assert key == published_key(app.extensions["services"].settings)
    assert anyone.get(f"{JOURNAL}/checkpoint").headers.get("Set-Cookie") is None


def test_the_auditor_sees_what_waits_and_is_told_when_it_is_late(database: Database) -> None:
    an_agreement(database)
    app = app_for(database, NOW + timedelta(days=3))
    page = signed_in_client(app, database, Role.AUDITOR).get("/registre/preuves").text
    assert "Le scellement a du retard" in page
    assert "Rien n’est scellé" in page
    seal_now(database, app.extensions["services"].settings, NOW)
    page = signed_in_client(app, database, Role.AUDITOR).get("/registre/preuves").text
    assert "Le scellement a du retard" not in page
    assert "Tout est scellé." in page


def test_an_entry_shows_its_leaf_and_gives_its_proof(database: Database) -> None:
    an_agreement(database)
    app = app_for(database, NOW)
    auditor = signed_in_client(app, database, Role.AUDITOR)
    rows, _ = listed(read.entries(database, Asked(sort="posted_at", limit=1)))
    address = f"/registre/ecritures/{rows[0].id}"
    assert "pas encore" in auditor.get(address).text
    assert auditor.get(f"{address}/preuve.tlog-proof").status_code == 404
    seal_now(database, app.extensions["services"].settings, NOW)
    assert "feuille" in auditor.get(address).text
    proof = auditor.get(f"{address}/preuve.tlog-proof").text
    assert proof.startswith("c2sp.org/tlog-proof@v1\nextra ")
    public_key = read_seals.latest_checkpoint(database)
    assert public_key is not None
    assert proof.endswith(public_key.note)


def test_the_archive_is_the_auditors_alone_and_leaves_a_line(database: Database, tmp_path: Path) -> None:
    an_agreement(database)
    app = app_for(database, NOW, data_folder=str(tmp_path))
    auditor = signed_in_client(app, database, Role.AUDITOR)
    token = csrf_token(auditor.get("/registre/preuves").text)
    answer = auditor.post("/registre/preuves/archive-audit.zip", data={"csrf_token": token})
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    data = answer.data
    answer.close()
    (tmp_path / "a.zip").write_bytes(data)
    assert command.main([str(tmp_path / "a.zip"), "--key", published_key(app.extensions["services"].settings)]) == 0
    with ZipFile(io.BytesIO(data)) as archive:
        assert "audit/verify.py" in archive.namelist()
    assert "Télécharger l’archive d’audit" in auditor.get("/personnes/journal").text
    programme = signed_in_client(app, database, Role.PROGRAMME)
    assert programme.post("/registre/preuves/archive-audit.zip", data={"csrf_token": token}).status_code in (400, 403)


def test_the_worker_seals_once_a_day(database: Database) -> None:
    settings = app_for(database, NOW).extensions["services"].settings
    assert seal_daily(database, settings, NOW) == ""
    an_agreement(database)
    assert seal_daily(database, settings, NOW).endswith("en tout")
    an_agreement(database)
    assert seal_daily(database, settings, NOW + timedelta(hours=2)) == ""
    assert seal_daily(database, settings, NOW + timedelta(days=1)) != ""
    last = read_seals.latest_checkpoint(database)
    assert last is not None
    _, key = journal_key(settings)
    assert open_checkpoint(last.note, key.public_key().public_bytes_raw()).size == last.size
