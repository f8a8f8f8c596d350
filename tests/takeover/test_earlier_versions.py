"""An archive that an earlier version made is taken over: loaded as it was, migrated, proved; whole or not at all."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import create_engine, func, inspect, select

from tests.settlement.town import wrong_books
from tests.takeover.world import LATER
from voucher.issuing.model import IssuerKey, KeyState
from voucher.kernel.database import Database
from voucher.ledger.model import Entry
from voucher.takeover import importing
from voucher.takeover import manifest as form
from voucher.takeover.archive import RefusedArchive
from voucher.takeover.importing import TakenOver, import_takeover
from voucher.takeover.sealed_file import Keys

EARLIER = Path(__file__).with_name("earlier")
CLEAR, SEALED = EARLIER / "takeover_0017.zip", EARLIER / "takeover_0017.sealed"
ORIGIN = "autre.example/pass-numerique/journal"
KEY = Ed25519PrivateKey.generate()


def take(database: Database, path: Path, **options: object) -> TakenOver:
    return import_takeover(database, path, origin=ORIGIN, master_secret=bytes(32), now=LATER, **options)  # type: ignore[arg-type]


def tables_in(url: str) -> list[str]:
    engine = create_engine(url)
    try:
        return inspect(engine).get_table_names()
    finally:
        engine.dispose()


def changed(path: Path, table: str, change: Callable[[list[str]], list[str]], **manifest_fields: object) -> Path:
    """Copy the archive with one table's lines changed and its manifest signed again by somebody."""
    with ZipFile(CLEAR) as before, ZipFile(path, "w") as after:
        manifest = form.read_manifest(before.read(form.MANIFEST))
        files = []
        for one in manifest.files:
            content = before.read(one.name)
            if one.table == table:
                content = "".join(change(content.decode().splitlines(keepends=True))).encode()
                one = replace(
                    one, sha256=sha256(content).hexdigest(), bytes=len(content), rows=len(content.splitlines()) - 1
                )
            files.append(one)
            after.writestr(one.name, content)
        said = replace(manifest, files=tuple(files), **manifest_fields).to_bytes()  # type: ignore[arg-type]
        after.writestr(form.MANIFEST, said)
        after.writestr(form.SIGNATURE, form.sign_manifest(said, KEY))
    return path


def test_an_archive_of_an_earlier_version_is_taken_over_with_its_books_and_its_keys(empty_database: Database) -> None:
    identity = load_pem_private_key((EARLIER / "identity_0017.pem").read_bytes(), None)
    assert isinstance(identity, X25519PrivateKey)
    seen: list[str] = []

    def nobody_sees_it_yet(_table: str, _rows: int) -> None:
        seen.extend(tables_in(empty_database.url))

    done = take(empty_database, SEALED, keys=Keys(identity=identity), on_progress=nobody_sees_it_yet)

    assert seen == [], "nothing is served before the last step"
    assert done.manifest.revision == "0017"
    assert done.signing_key_count == 1
    assert done.new_violations == ()
    assert wrong_books(empty_database) == []
    with empty_database.read() as session:
        assert session.scalar(select(func.count()).select_from(Entry)) == 40
        assert session.scalars(select(IssuerKey.state)).all() == [KeyState.ACTIVE]


def test_a_base_that_has_tables_takes_no_archive_of_an_earlier_version(database: Database, tmp_path: Path) -> None:
    earlier = changed(tmp_path / "tot.zip", "", lambda lines: lines, revision="0016")
    with pytest.raises(RefusedArchive, match="sans aucune table"):
        take(database, earlier)


@pytest.mark.parametrize(
    ("table", "lines", "why"),
    [
        ("redemption", lambda lines: lines[:-1], "écart|contredit|désigne"),
        ("movement", lambda lines: [*lines[:-1], lines[-1].replace(",1000", ",2000")], "solde|contredit|trouve"),
        ("funder", lambda lines: [one.replace(",state,", ",payd,") for one in lines], "« funder ».*« kind ».*« payd »"),
        (
            "settlement_batch",
            lambda lines: [lines[0], *(one.replace(",9000,", ",9100,") for one in lines[1:])],
            "trouve|écart",
        ),
    ],
)
def test_an_archive_that_was_changed_leaves_no_table(
    empty_database: Database, tmp_path: Path, table: str, lines: Callable[[list[str]], list[str]], why: str
) -> None:
    with pytest.raises(RefusedArchive, match=why):
        take(empty_database, changed(tmp_path / "changee.zip", table, lines))
    assert tables_in(empty_database.url) == []


def test_a_migration_that_fails_leaves_no_table(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    run = importing.upgrade_within

    def fails_at_the_head(connection: object, revision: str = "head") -> None:
        if revision == "head":
            raise RuntimeError("cut")
        run(connection, revision)  # type: ignore[arg-type]

    monkeypatch.setattr(importing, "upgrade_within", fails_at_the_head)
    with pytest.raises(RuntimeError, match="cut"):
        take(empty_database, CLEAR)
    assert tables_in(empty_database.url) == []


def test_what_only_newer_checks_find_is_reported_and_what_known_checks_find_is_compared(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = "Violation(check='{}', subject='le chèque 12', detail='10 € au lieu de 20 €')"
    newer, known = found.format("a_check_of_today"), found.format("numbers_are_dense")
    monkeypatch.setattr(importing, "violations_in", lambda _session: (known, newer))
    with pytest.raises(RefusedArchive, match="numbers_are_dense"):
        take(empty_database, CLEAR)
    assert tables_in(empty_database.url) == []
    told = changed(tmp_path / "dit.zip", "", lambda lines: lines, violations=(known,))
    assert take(empty_database, told).new_violations == (newer,)


def test_an_archive_of_a_later_version_asks_for_that_version(empty_database: Database, tmp_path: Path) -> None:
    later = changed(tmp_path / "tard.zip", "", lambda lines: lines, revision="9999")
    with pytest.raises(RefusedArchive, match="version plus récente"):
        take(empty_database, later)
