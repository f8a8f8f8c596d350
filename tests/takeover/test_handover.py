"""Who trusts one operator's key knows the others by the notes of hand-overs; both verifiers name one that was forged."""

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, text, update
from sqlalchemy.orm import Session

from tests.builders import NOW, an_agreement
from tests.clients import a_person, settings_for
from voucher.access.audit import note_access
from voucher.access.checks import check_closed_accounts_open_nothing
from voucher.access.model import AccountLink, StaffAccount
from voucher.access.rules import LinkPurpose, Origin
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.checkpoint import Checkpoint, sign_checkpoint, verifier_key
from voucher.ledger.checks_seals import CHECKS, Witness, hear_witness
from voucher.ledger.operator_change import Handover, sign_handover
from voucher.programme.programme_key import programme_key
from voucher.proof.export_audit import write_archive
from voucher.proof.verifier.command import main
from voucher.takeover import manifest as form
from voucher.takeover.archive import RefusedArchive
from voucher.takeover.export import For, export_takeover
from voucher.takeover.importing import import_takeover
from voucher.trail import checks as trail_checks
from voucher.trail.seal import seal

OPEN = Callable[[str], AbstractContextManager[Database]]
FIRST_SECRET, SECOND_SECRET = b"a" * 32, b"b" * 32
FIRST, SECOND, FORGER = programme_key(FIRST_SECRET), programme_key(SECOND_SECRET), programme_key(b"f" * 32)
FIRST_ORIGIN, SECOND_ORIGIN = "127.0.0.1:8000/pass-numerique/journal", "autre.example/pass-numerique/journal"
LATER = NOW + timedelta(days=1)


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


FIRST_LINE, SECOND_LINE, FORGER_LINE = (
    verifier_key(name, public(key))
    for name, key in ((FIRST_ORIGIN, FIRST), (SECOND_ORIGIN, SECOND), (SECOND_ORIGIN, FORGER))
)


def given(database: Database, folder: Path, next_key: str | None = SECOND_LINE) -> Path:
    """Let the first operator seal a journal, and hand it over."""
    an_agreement(database)
    # What is wrong among those who worked there stays there, as they do.
    closed = a_person(database, None, now=NOW)
    with database.write() as session:
        session.execute(update(StaffAccount).where(StaffAccount.id == closed).values(closed_at=NOW))
        link = {"purpose": LinkPurpose.RESET, "asked_from": Origin.HOST, "asked_at": NOW}
        session.execute(insert(AccountLink).values(id=new_id(), account_id=closed, **link))
        assert [one.check for one in check_closed_accounts_open_nothing(session)] == ["closed_accounts_open_nothing"]
    note_access(database, None, "Lecture d’un RIB", "chez le premier", NOW)
    done = seal(database, origin=FIRST_ORIGIN, key=FIRST, now=NOW)
    assert done is not None
    assert done.line_count == 1
    settings = settings_for(database, master_key=FIRST_SECRET.hex())
    return export_takeover(
        database, folder / "reprise.zip", settings=settings, now=NOW, whom=For(next_key=next_key)
    ).path


def taken(database: Database, path: Path) -> None:
    """Let the second operator take the journal over, and go on with it."""
    import_takeover(database, path, origin=SECOND_ORIGIN, master_secret=SECOND_SECRET, now=LATER)
    for subject in ("chez le second", "encore"):
        note_access(database, None, "Lecture d’un RIB", subject, LATER)
        # Until the journal has an entry of its own, none of its notes could be told from those of the operator before.
        assert seal(database, origin=SECOND_ORIGIN, key=SECOND, now=LATER) is None
    an_agreement(database)
    done = seal(database, origin=SECOND_ORIGIN, key=SECOND, now=LATER)
    assert done is not None
    assert done.line_count == 2, "its own trail, from its first line"


def sealed_by(session: Session, folder: Path, line: str, key: Ed25519PrivateKey = SECOND) -> tuple[int, list[str]]:
    """Return what the archive's verifier says when this key is trusted, and what `voucher verify` finds then."""
    out = io.BytesIO()
    write_archive(session, out, origin=SECOND_ORIGIN, key=key)
    (folder / "audit.zip").write_bytes(out.getvalue())
    code = main([str(folder / "audit.zip"), "--key", line])
    trusted = {FIRST_LINE: FIRST, SECOND_LINE: SECOND, FORGER_LINE: FORGER}[line]
    hear_witness(session, Witness(public(trusted)))
    return code, [str(one) for check in (*CHECKS, *trail_checks.CHECKS) for one in check(session)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def taken_over(
    request: pytest.FixtureRequest, open_database: OPEN, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    with open_database("sqlite") as source:
        path = given(source, tmp_path_factory.mktemp("reprise"))
    with open_database(request.param) as database:
        taken(database, path)
        yield database


def test_either_operators_key_proves_the_journal_before_and_after(
    taken_over: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in (FIRST_LINE, SECOND_LINE):
        with taken_over.read() as session:
            assert sealed_by(session, tmp_path, line) == (0, [])
    assert public(FIRST).hex() in capsys.readouterr().out, "whose key it was is said, for people to compare"


def test_a_third_operator_is_known_from_the_first_ones_key(
    taken_over: Database, open_database: OPEN, tmp_path: Path
) -> None:
    third = verifier_key(SECOND_ORIGIN, public(FORGER))
    settings = settings_for(taken_over, master_key=SECOND_SECRET.hex())
    done = export_takeover(taken_over, tmp_path / "2.zip", settings=settings, now=LATER, whom=For(next_key=third))
    with open_database("sqlite") as database:
        import_takeover(database, done.path, origin=SECOND_ORIGIN, master_secret=b"f" * 32, now=LATER)
        with database.read() as session:
            for line in (FIRST_LINE, SECOND_LINE, third):
                assert sealed_by(session, tmp_path, line, FORGER) == (0, [])


def planted(session: Session, *statements: str, **values: object) -> None:
    """Do what only who owns the database can: take its triggers away, write what one wants."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL session_replication_role = replica"))
    else:
        session.execute(text("BEGIN IMMEDIATE"))
        for name in session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            session.execute(text(f"DROP TRIGGER {name}"))
    for statement in statements:
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        assert session.execute(text(statement), used).rowcount > 0, statement  # type: ignore[attr-defined]


def ended(session: Session) -> tuple[int, bytes]:
    """Return the size and root that the hand-over should tell."""
    row = session.execute(text("SELECT size, root FROM checkpoint ORDER BY size LIMIT 1")).one()
    return row.size, bytes(row.root)


ITS_KEYS = "UPDATE seal_handover SET previous_public_key = :previous, public_key = :next, note = :note"
ALL_SIGNED_AGAIN = "UPDATE checkpoint SET note = :signed, public_key = :previous WHERE size = :size"


def forged(session: Session, kind: str) -> None:
    """Forge the hand-over, with every key but the two operators'."""
    size, root = ended(session)
    invented = Handover(FORGER_LINE, SECOND_LINE, size, root)
    if kind == "an operator before who never was":
        signed = sign_checkpoint(Checkpoint(SECOND_ORIGIN, size, root), FORGER)
        values = {"previous": public(FORGER), "next": public(SECOND), "signed": signed, "size": size}
        planted(session, ITS_KEYS, ALL_SIGNED_AGAIN, note=sign_handover(invented, FORGER), **values)
    elif kind == "another who takes over":
        note = sign_handover(Handover(FIRST_LINE, FORGER_LINE, size, root), FORGER)
        planted(session, ITS_KEYS, previous=public(FIRST), next=public(FORGER), note=note)
    elif kind == "another root":
        rewritten = Handover(FIRST_LINE, SECOND_LINE, size, b"x" * 32)
        planted(session, "UPDATE seal_handover SET note = :note", note=f"{rewritten.text}\n")
    elif kind == "no note":
        planted(session, "UPDATE seal_handover SET note = 'x'")
    elif kind == "a hand-over after the last":
        note = sign_handover(Handover(SECOND_LINE, FORGER_LINE, size + 1, root), FORGER)
        added = (
            "INSERT INTO seal_handover (size, previous_public_key, public_key, note, handed_over_at) SELECT size + 1, "
            "public_key, :next, :note, handed_over_at FROM seal_handover"
        )
        planted(session, added, next=public(FORGER), note=note)
    else:
        planted(session, "DELETE FROM seal_handover")


FORGED = (
    "an operator before who never was",
    "another who takes over",
    "another root",
    "no note",
    "a hand-over after the last",
    "none at all",
)


def test_a_forged_hand_over_is_named_whichever_key_is_trusted_without_a_checkpoint_from_outside(
    taken_over: Database, tmp_path: Path
) -> None:
    missed = []
    for kind in FORGED:
        for line in (FIRST_LINE, SECOND_LINE):
            with Session(taken_over.engine) as session:
                forged(session, kind)
                code, found = sealed_by(session, tmp_path, line)
                session.rollback()
            if code != 1 or not any("reprise" in one or "point de contrôle" in one for one in found):
                missed.append((kind, line, code, found))
    assert missed == []


def test_a_journal_rewritten_below_a_hand_over_is_named_without_its_checkpoints(
    taken_over: Database, tmp_path: Path
) -> None:
    with Session(taken_over.engine) as session:
        size, root = ended(session)
        planted(
            session,
            "DELETE FROM checkpoint WHERE size = :size",
            "UPDATE seal SET leaf_hash = :root WHERE leaf = 0",
            size=size,
            root=root,
        )
        code, found = sealed_by(session, tmp_path, FIRST_LINE)
        session.rollback()
    assert code == 1
    assert any(f"reprise à {size} écritures" in one for one in found)


def test_where_the_next_operator_was_not_named_its_own_key_alone_proves(
    open_database: OPEN, database: Database, tmp_path: Path
) -> None:
    with open_database("sqlite") as source:
        path = given(source, tmp_path, next_key=None)
    taken(database, path)
    with database.read() as session:
        assert sealed_by(session, tmp_path, SECOND_LINE) == (0, [])
        code, found = sealed_by(session, tmp_path, FIRST_LINE)
    assert code == 1
    assert len(found) == 1
    assert "l’opérateur d’avant ne l’a pas signée" in found[0]


def test_an_archive_for_another_key_or_with_another_note_is_not_taken(
    sqlite_database: Database, open_database: OPEN, tmp_path: Path
) -> None:
    with open_database("sqlite") as source:
        path = given(source, tmp_path, next_key=FORGER_LINE)
        with pytest.raises(RefusedArchive, match="une autre clé que la vôtre"):
            taken(sqlite_database, path)
        another_root = Handover(FIRST_LINE, SECOND_LINE, 1, b"x" * 32)
        unsigned = f"{another_root.text}\n"
        for note in (unsigned, sign_handover(another_root, FIRST), "x"):
            with pytest.raises(RefusedArchive, match="La note de reprise"):
                taken(sqlite_database, with_note(path, tmp_path / "autre.zip", note.encode()))


def with_note(path: Path, copy: Path, note: bytes) -> Path:
    """Copy an archive with another note, its manifest signed again by the first operator."""
    with ZipFile(path) as before, ZipFile(copy, "w") as after:
        manifest = form.read_manifest(before.read(form.MANIFEST))
        files = []
        for one in manifest.files:
            is_note = one.name == form.HANDOVER
            files.append(replace(one, sha256=sha256(note).hexdigest(), bytes=len(note)) if is_note else one)
            after.writestr(one.name, note if is_note else before.read(one.name))
        said = replace(manifest, files=tuple(files)).to_bytes()
        after.writestr(form.MANIFEST, said)
        after.writestr(form.SIGNATURE, form.sign_manifest(said, FIRST))
    return copy
