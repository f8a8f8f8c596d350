"""Who holds the proof of one entry checks it with the programme's key alone, or against an archive, or against the database."""

import io
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from tests.builders import NOW
from tests.clients import MASTER_KEY, settings_for
from tests.parties import an_envelope
from tests.proof.archives import said_by_verifier, verified
from voucher.cli.main import main as voucher
from voucher.kernel.database import Database
from voucher.ledger.checkpoint import Checkpoint, sign_checkpoint, verifier_key
from voucher.ledger.checks_seals import CHECKS, Witness, hear_witness
from voucher.ledger.merkle import leaf_hash
from voucher.ledger.read_seals import latest_checkpoint, proof_of
from voucher.ledger.seal_model import Seal
from voucher.programme.programme_key import programme_key
from voucher.proof.export_audit import export_audit
from voucher.proof.sealing import journal_key, published_key, seal_now

LEAF = 3
KEY = programme_key(bytes.fromhex(MASTER_KEY))
PUBLIC = KEY.public_key().public_bytes_raw()
ANOTHER_KEY = verifier_key("x", programme_key(b"z" * 32).public_key().public_bytes_raw())


class Held:
    """A sealed journal that went on since, its archive, and what somebody kept: a proof and two checkpoints."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder, settings = database, folder, settings_for(database)
        for _ in range(6):
            an_envelope(database)
        seal_now(database, settings, NOW)
        with database.read() as session:
            self.entry_id: UUID = session.scalars(select(Seal.entry_id).where(Seal.leaf == LEAF)).one()
        proof = proof_of(database, self.entry_id)
        assert proof is not None
        self.proof, self.notes = proof, [self.note()]
        an_envelope(database)
        seal_now(database, settings, NOW + timedelta(days=1))
        self.notes.append(self.note())
        out, (self.origin, key) = io.BytesIO(), journal_key(settings)
        export_audit(database, out, origin=self.origin, key=key)
        self.archive, self.line = out.getvalue(), published_key(settings)

    def note(self) -> str:
        last = latest_checkpoint(self.database)
        assert last is not None
        return last.note

    def kept(self, content: str, name: str = "garde.txt") -> str:
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return str(path)

    def violations(self, proof: str) -> list[str]:
        """Return what `voucher verify` finds, told of a proof."""
        with self.database.read() as session:
            hear_witness(session, Witness(PUBLIC, proofs=(("garde", proof),)))
            return [one.subject for check in CHECKS for one in check(session)]


@pytest.fixture
def held(database: Database, tmp_path: Path) -> Held:
    return Held(database, tmp_path)


def without_entry(proof: str) -> str:
    """Return a proof as others write it, with the path alone."""
    first, _, rest = proof.split("\n", 2)
    return f"{first}\n{rest}"


def test_a_proof_tells_its_entry_with_the_key_alone_with_the_archive_and_to_verify(held: Held) -> None:
    kept = held.kept(held.proof)
    code, alone = said_by_verifier(held.folder, "--key", held.line, "--proof", kept, "--proof", kept)
    assert code == 0
    assert alone.count(f"✓ preuve — {kept} : l’écriture {held.entry_id} (") == 2
    code, said = verified(held.folder, held.archive, "--key", held.line, "--proof", kept)
    assert code == 0
    assert f"l’écriture {held.entry_id} (" in said
    assert held.violations(held.proof) == []
    bare = held.kept(without_entry(held.proof))
    code, said = verified(held.folder, held.archive, "--key", held.line, "--proof", bare)
    assert code == 0
    assert f"l’écriture {held.entry_id} est la feuille {LEAF}" in said
    assert held.violations(without_entry(held.proof)) == []
    code, said = said_by_verifier(held.folder, "--key", held.line, "--proof", bare)
    assert (code, "donnez aussi l’archive" in said) == (2, True)


FALSE: dict[str, Callable[[Held], str]] = {
    "another entry": lambda held: held.proof.replace(_extra(held), b64encode(b"autre\n" * 13).decode()),
    "another leaf": lambda held: held.proof.replace(f"index {LEAF}", f"index {LEAF - 1}"),
    "a leaf beyond the journal": lambda held: held.proof.replace(f"index {LEAF}", f"index {10**30}"),
    "a leaf below zero": lambda held: held.proof.replace(f"index {LEAF}", "index -1"),
    "a shorter path": lambda held: held.proof.replace(f"{_path(held)[0]}\n", "", 1),
    "a longer path": lambda held: held.proof.replace(f"{_path(held)[0]}\n", f"{_path(held)[0]}\n" * 2, 1),
    "another path": lambda held: held.proof.replace(_path(held)[0], b64encode(b"x" * 32).decode(), 1),
    "another root": lambda held: _under(held, len(_path(held)), b"f" * 32),
    "a later checkpoint": lambda held: held.proof.partition("\n\n")[0] + "\n\n" + held.notes[1],
    "no signature": lambda held: held.proof.rpartition("\n\n")[0] + "\n\n",
    "a note alone": lambda held: held.notes[0],
    "nothing": lambda _held: "",
}


def _extra(held: Held) -> str:
    return held.proof.split("\n")[1].removeprefix("extra ")


def _path(held: Held) -> list[str]:
    return held.proof.partition("\n\n")[0].split("\n")[3:]


def _under(held: Held, size: int, root: bytes) -> str:
    """Put a checkpoint that we did sign, of another journal, under the proof."""
    return f"{held.proof.partition(chr(10) * 2)[0]}\n\n{sign_checkpoint(Checkpoint(held.origin, size, root), KEY)}"


def test_a_false_proof_is_named_with_its_file_by_each_of_them(held: Held) -> None:
    missed = []
    for what, made in FALSE.items():
        kept = held.kept(made(held))
        alone, said = said_by_verifier(held.folder, "--key", held.line, "--proof", kept)
        beside, also_said = verified(held.folder, held.archive, "--key", held.line, "--proof", kept)
        is_named = f"✗ preuve — {kept}" in said and f" — {kept}" in also_said
        if (alone, beside, is_named, "garde" in held.violations(made(held))) != (1, 1, True, True):
            missed.append((what, alone, beside, said, also_said))
    assert missed == []


def test_a_proof_of_a_journal_that_was_rewritten_since_is_named(held: Held) -> None:
    forked = held.proof.partition("\n\n")[0].split("\n")
    entry = b"pass-numerique/entry/1\n" + b"x\n" * 13
    alone = Checkpoint(held.origin, 1, leaf_hash(entry))
    proof = f"{forked[0]}\nextra {b64encode(entry).decode()}\nindex 0\n\n{sign_checkpoint(alone, KEY)}"
    kept = held.kept(proof)
    assert said_by_verifier(held.folder, "--key", held.line, "--proof", kept)[0] == 0, "by itself, it is well made"
    code, said = verified(held.folder, held.archive, "--key", held.line, "--proof", kept)
    assert code == 1
    assert "le journal a une autre écriture à la feuille 0" in said
    assert "deux journaux, ou un réécrit" in said
    assert held.violations(proof) == ["garde", "garde"]


def test_two_checkpoints_kept_on_two_days_are_each_continued(held: Held) -> None:
    days = [held.kept(note, f"jour-{rank}.txt") for rank, note in enumerate(held.notes)]
    both = ("--checkpoint", days[0], "--checkpoint", days[1])
    assert verified(held.folder, held.archive, "--key", held.line, *both)[0] == 0
    size = int(held.notes[0].split("\n")[1])
    held.kept(sign_checkpoint(Checkpoint(held.origin, size, b"f" * 32), KEY), "jour-0.txt")
    code, said = verified(held.folder, held.archive, "--key", held.line, *both)
    assert code == 1
    assert f"✗ point de contrôle — {days[0]}" in said
    assert days[1] not in said


def test_verify_takes_proofs_and_a_key_on_its_command_line(held: Held) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(voucher, ["verify", *words], env={"PASS_DATABASE_URL": held.database.url})
        return done.exit_code, done.output

    kept = held.kept(held.proof)
    assert run("--proof", kept, "--checkpoint", held.kept(held.notes[0], "note.txt"), "--key", held.line)[0] == 0
    code, said = run("--quiet", "--proof", kept, "--key", ANOTHER_KEY)
    assert code == 1
    assert f"    {kept} : " in said
    assert run("--key", "clé")[0] == 2


def test_an_archive_whose_entries_wait_too_long_is_not_right(held: Held, tmp_path: Path) -> None:
    an_envelope(held.database)
    with held.database.write() as session:
        if held.database.is_postgresql:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            for name in session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                session.execute(text(f"DROP TRIGGER {name}"))
        late = "UPDATE entry SET posted_at = '2026-01-02 10:00:00.000000' WHERE id NOT IN (SELECT entry_id FROM seal)"
        session.execute(text(late))
    out = io.BytesIO()
    export_audit(held.database, out, origin=held.origin, key=KEY)
    code, said = verified(tmp_path, out.getvalue(), "--key", held.line)
    assert code == 1
    assert "n’a pas reçu de scellé" in said
