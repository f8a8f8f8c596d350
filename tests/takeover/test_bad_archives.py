"""An archive that is cut, changed, foreign or contradictory is refused with its file and line, and nothing of it is kept."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_BZIP2, ZipFile

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import func, select

from tests.builders import issued_booklets
from tests.clients import MASTER_KEY, settings_for
from tests.killing import Killer
from tests.settlement.town import wrong_books
from tests.takeover.world import LATER, World
from voucher.cli.main import main as voucher
from voucher.kernel.database import Database
from voucher.programme.programme_key import programme_key
from voucher.takeover import manifest as form
from voucher.takeover import sealed_file
from voucher.takeover.archive import RefusedArchive
from voucher.takeover.export import For, export_takeover
from voucher.takeover.importing import import_takeover
from voucher.takeover.sealed_file import Keys
from voucher.takeover.tables import SEEDED, carried_tables
from voucher.trail.model import AuditLine

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "quatre mots bien longs"
ORIGIN = "autre.example/pass-numerique/journal"
KEY = Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def archive(
    open_database: Callable[[str], AbstractContextManager[Database]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("archive") / "reprise.zip"
    with open_database("sqlite") as database:
        World(database)
        export_takeover(database, path, settings=settings_for(database), now=LATER)
    return path


def take(database: Database, path: Path, keys: Keys | None = None, expected_key: bytes | None = None) -> None:
    import_takeover(
        database, path, origin=ORIGIN, master_secret=bytes(32), now=LATER, keys=keys, expected_key=expected_key
    )


def refused(database: Database, path: Path, keys: Keys | None = None) -> RefusedArchive:
    with pytest.raises(RefusedArchive) as caught:
        take(database, path, keys)
    assert caught.value.sentence.endswith("Rien n’a été repris.")
    assert rows_in(database) == 0
    return caught.value


def rows_in(database: Database) -> int:
    with database.read() as session:
        return sum(
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in carried_tables()
            if table.name not in SEEDED
        )


def rewritten(
    path: Path, folder: Path, table: str, change: Callable[[list[str]], list[str]], *, is_signed_again: bool = True
) -> Path:
    """Copy an archive with the lines of one table changed; its manifest follows, signed by somebody else."""
    copy = folder / "changed.zip"
    with ZipFile(path) as before, ZipFile(copy, "w") as after:
        manifest = form.read_manifest(before.read(form.MANIFEST))
        files = []
        for one in manifest.files:
            content = before.read(one.name)
            if one.table == table:
                lines = change(content.decode().splitlines(keepends=True))
                content = "".join(lines).encode()
                if is_signed_again:
                    files.append(
                        replace(one, sha256=sha256(content).hexdigest(), bytes=len(content), rows=len(lines) - 1)
                    )
            if len(files) < len(after.namelist()) + 1:
                files.append(one)
            after.writestr(one.name, content)
        said = replace(manifest, files=tuple(files)).to_bytes()
        after.writestr(form.MANIFEST, said)
        after.writestr(form.SIGNATURE, form.sign_manifest(said, KEY))
    return copy


def test_a_file_that_is_not_one_of_ours_is_refused(sqlite_database: Database, tmp_path: Path, archive: Path) -> None:
    text = tmp_path / "lettre.zip"
    text.write_text("bonjour")
    assert "pas une archive de reprise" in refused(sqlite_database, text).sentence
    empty = tmp_path / "vide.zip"
    with ZipFile(empty, "w") as other:
        other.writestr("lisez.txt", "bonjour")
    assert "son manifeste manque" in refused(sqlite_database, empty).sentence
    assert "n’existe pas" in refused(sqlite_database, tmp_path / "rien.zip").sentence
    foreign = tmp_path / "autre.zip"
    with ZipFile(foreign, "w") as other:
        other.writestr(form.MANIFEST, '{"format": "autre/1"}')
        other.writestr(form.SIGNATURE, "{}")
    assert refused(sqlite_database, foreign).file == form.MANIFEST


def test_a_way_of_packing_that_cannot_be_bounded_is_refused(
    sqlite_database: Database, tmp_path: Path, archive: Path
) -> None:
    bomb = tmp_path / "bombe.zip"
    with ZipFile(archive) as before, ZipFile(bomb, "w", ZIP_BZIP2) as after:
        for name in before.namelist():
            after.writestr(name, before.read(name))
    assert "compressée" in refused(sqlite_database, bomb).sentence


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_an_archive_that_is_cut_is_refused(
    sqlite_database: Database, tmp_path: Path, archive: Path, part: float
) -> None:
    whole = archive.read_bytes()
    cut = tmp_path / "coupe.zip"
    cut.write_bytes(whole[: int(len(whole) * part)])
    refused(sqlite_database, cut)


def test_a_changed_file_is_named(sqlite_database: Database, tmp_path: Path, archive: Path) -> None:
    changed = rewritten(archive, tmp_path, "voucher", lambda lines: [*lines[:-1]], is_signed_again=False)
    wrong = refused(sqlite_database, changed)
    assert wrong.file.endswith("_voucher.csv")
    assert "a changé" in wrong.sentence


def test_a_changed_byte_is_found(sqlite_database: Database, tmp_path: Path, archive: Path) -> None:
    whole = bytearray(archive.read_bytes())
    whole[len(whole) // 2] ^= 1
    changed = tmp_path / "change.zip"
    changed.write_bytes(whole)
    refused(sqlite_database, changed)


def test_an_archive_that_somebody_else_signed_is_refused_where_the_key_is_known(
    sqlite_database: Database, tmp_path: Path, archive: Path
) -> None:
    known = programme_key(bytes.fromhex(MASTER_KEY)).public_key().public_bytes_raw()
    forged = rewritten(archive, tmp_path, "voucher", lambda lines: lines)
    with pytest.raises(RefusedArchive, match="autre clé"):
        take(sqlite_database, forged, expected_key=known)
    take(sqlite_database, archive, expected_key=known)


def test_a_cell_that_cannot_be_read_is_named_by_file_and_line(
    database: Database, tmp_path: Path, archive: Path
) -> None:
    def break_one(lines: list[str]) -> list[str]:
        return [*lines[:3], "pas-un-nombre," + lines[3].split(",", 1)[1], *lines[4:]]

    wrong = refused(database, rewritten(archive, tmp_path, "voucher", break_one))
    assert wrong.file.endswith("_voucher.csv")
    assert wrong.line == 4
    assert "« serial »" in wrong.sentence


def test_a_row_that_the_database_refuses_is_named_by_file_and_line(
    database: Database, tmp_path: Path, archive: Path
) -> None:
    wrong = refused(database, rewritten(archive, tmp_path, "voucher", lambda lines: [*lines[:5], lines[2], *lines[5:]]))
    assert wrong.file.endswith("_voucher.csv")
    assert wrong.line == 6


@pytest.mark.parametrize("table", ["redeemed_voucher", "movement", "entry", "booklet", "payment_hold", "dispute"])
def test_rows_taken_away_are_found_whoever_signs(
    sqlite_database: Database, tmp_path: Path, archive: Path, table: str
) -> None:
    refused(sqlite_database, rewritten(archive, tmp_path, table, lambda lines: lines[:-1]))


@pytest.mark.parametrize("more", [1, -1])
def test_a_count_changed_in_the_manifest_is_refused_whoever_signs(
    sqlite_database: Database, tmp_path: Path, archive: Path, more: int
) -> None:
    for table in ("payment_hold", "dispute", "redemption", "seal"):
        copy = tmp_path / f"{table}.zip"
        with ZipFile(archive) as before, ZipFile(copy, "w") as after:
            manifest = form.read_manifest(before.read(form.MANIFEST))
            for one in manifest.files:
                after.writestr(one.name, before.read(one.name))
            files = (replace(one, rows=(one.rows or 0) + more) if one.table == table else one for one in manifest.files)
            said = replace(manifest, files=tuple(files)).to_bytes()
            after.writestr(form.MANIFEST, said)
            after.writestr(form.SIGNATURE, form.sign_manifest(said, KEY))
        wrong = refused(sqlite_database, copy)
        assert wrong.file.endswith(f"_{table}.csv")
        assert "lignes au lieu de" in wrong.sentence


def test_a_system_that_is_in_use_is_not_written_over(database: Database, archive: Path) -> None:
    issued_booklets(database, 1)
    before = rows_in(database)
    with pytest.raises(RefusedArchive, match="n’est pas vide"):
        take(database, archive)
    assert rows_in(database) == before


def test_a_sealed_archive_opens_with_its_passphrase_alone(
    sqlite_database: Database, tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_file, "SCRYPT_COST", 2**10)
    path = tmp_path / "chiffree.zip"
    with_everything = Keys(passphrase=PASSPHRASE)
    take(sqlite_database, archive)
    export_takeover(
        sqlite_database, path, settings=settings_for(sqlite_database), now=LATER, whom=For(passphrase=PASSPHRASE)
    )
    assert b"voucher" not in path.read_bytes()
    whole = path.read_bytes()
    for keys in (Keys(), Keys(passphrase="un autre mot de passe"), Keys(identity=X25519PrivateKey.generate())):
        with pytest.raises(RefusedArchive, match="ne s’ouvre pas"):
            take(sqlite_database, path, keys)
    for wrong in (whole[:-1], whole[:-70_000], whole + b"\0", whole[:-65_552], whole[:40]):
        path.write_bytes(wrong)
        with pytest.raises(RefusedArchive):
            take(sqlite_database, path, with_everything)
    path.write_bytes(whole)
    with pytest.raises(RefusedArchive, match="n’est pas vide"):
        take(sqlite_database, path, with_everything)


@pytest.mark.kill
def test_a_take_over_killed_anywhere_leaves_nothing_and_run_again_is_whole(
    database: Database, killer: Killer, archive: Path
) -> None:
    _, again = killer.everywhere(import_takeover, archive, origin=ORIGIN, master_secret=bytes(32), now=LATER)
    assert again == "archive_refused", "it was taken over: the database is not empty any more"
    assert wrong_books(database) == []


def test_an_export_that_fails_leaves_no_file(sqlite_database: Database, tmp_path: Path) -> None:
    def fail(table: str, _rows: int) -> None:
        if table == "entry":
            raise RuntimeError

    with pytest.raises(RuntimeError):
        export_takeover(
            sqlite_database,
            tmp_path / "reprise.zip",
            settings=settings_for(sqlite_database),
            now=LATER,
            on_progress=fail,
        )
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_writes_and_takes_over(
    sqlite_database_url: str, postgresql_database: Database, archive: Path, tmp_path: Path
) -> None:
    identity = X25519PrivateKey.generate()
    public, private = tmp_path / "publique.pem", tmp_path / "privee.pem"
    public.write_bytes(identity.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    private.write_bytes(identity.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    common = {"PASS_SECRET_KEY": "s" * 32, "PASS_MASTER_KEY": MASTER_KEY}
    here, there = (common | {"PASS_DATABASE_URL": url} for url in (sqlite_database_url, postgresql_database.url))
    path = tmp_path / "reprise.zip"

    def run(env: dict[str, str], *words: str) -> str:
        done = CliRunner().invoke(voucher, [*words], env=env)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.output

    taken_over = run(here, "import", "takeover", str(archive))
    assert "lignes reprises" in taken_over
    assert "Les financeurs : " in taken_over
    assert "payment_advice" not in taken_over
    assert "Choisissez --for" in run(here, "export", "takeover", "--to", str(path))
    assert not path.exists()
    assert "n’est pas chiffré" in run(here, "export", "takeover", "--to", str(tmp_path / "clair.zip"), "--in-clear")
    assert "lignes dans" in run(here, "export", "takeover", "--to", str(path), "--for", str(public))
    assert "ne s’ouvre pas" in run(there, "import", "takeover", str(path))
    assert "lignes reprises" in run(there, "import", "takeover", str(path), "--identity", str(private))
    assert wrong_books(postgresql_database) == []
    with postgresql_database.read() as session:
        assert session.scalars(select(AuditLine.action)).all() == ["reprise : archive importée"]
