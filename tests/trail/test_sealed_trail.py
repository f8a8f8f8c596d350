"""Lines of the trail are sealed once, in order, with the journal; what is touched afterwards is named; both engines give one note."""

import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import ModuleType
from uuid import UUID
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from tests.faults.world import planted
from tests.ledger.test_post import NOW
from tests.ledger.test_seal import KEY, ORIGIN, PUBLIC, post_some, rewrite_ids
from tests.proof.test_earlier_versions import ARCHIVE
from voucher.access.audit import note_access
from voucher.kernel.database import Database
from voucher.ledger import checks_seals, read_seals
from voucher.ledger.checkpoint import open_checkpoint, read_checkpoint
from voucher.ledger.checks_seals import Witness, hear_witness
from voucher.trail import checks
from voucher.trail.canonical import FORMAT, canonical_lines, line_bytes
from voucher.trail.digest import TrailDigest, digest_in
from voucher.trail.model import AuditLine, TrailCheckpoint, TrailSeal
from voucher.trail.read import last_note, note_sizes, trail_state
from voucher.trail.seal import Sealed, seal, seal_is_due

WHO = UUID(int=9)
HOUR = timedelta(hours=1)


def write_some(database: Database, count: int, *, at: datetime = NOW, first: int = 0) -> None:
    """Write lines whose ids and words are told by their number."""
    rows = [
        {
            "id": UUID(int=2000 + number),
            "at": at,
            "account_id": WHO if number % 3 else None,
            "action": "Lecture d’un RIB",
            "subject": f"structure « été » n° {number}\n2026",
        }
        for number in range(first, first + count)
    ]
    with database.write() as session:
        session.execute(insert(AuditLine), rows)


def sealed(database: Database, at: datetime = NOW) -> Sealed:
    done = seal(database, origin=ORIGIN, key=KEY, now=at)
    assert done is not None
    return done


def found(database: Database, witness: Witness | None = None, statements: str = "SELECT 1") -> set[tuple[str, str]]:
    """Return what is named, as (check, subject), after a corruption that is rolled back."""
    with planted(database, statements) as session:
        hear_witness(session, witness or Witness(PUBLIC))
        named = [one for check in (*checks_seals.CHECKS, *checks.CHECKS) for one in check(session)]
    return {(one.check, one.subject) for one in named}


def test_the_bytes_of_a_line_are_those_the_documentation_says(database: Database) -> None:
    note_access(database, WHO, "Lecture d’un RIB", 'structure "A"\\', NOW)
    note_access(database, None, "Compte fermé", "", NOW + HOUR)
    with database.read() as session:
        one, other = canonical_lines(session, select(AuditLine.subject).order_by(AuditLine.at))
    assert one.data.decode() == (
        f'["pass-numerique/audit-line/1","{one.line_id}","2026-03-12T09:00:00.000000Z","{WHO}",'
        '"Lecture d’un RIB","structure \\"A\\"\\\\"]'
    )
    assert one.others == ('structure "A"\\',)
    assert json.loads(other.data)[3:] == ["", "Compte fermé", ""]


TEXTS = st.tuples(*[st.text()] * 5)


@given(one=TEXTS, other=TEXTS)
def test_two_lines_never_have_the_same_bytes_nor_those_of_an_entry(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    said = line_bytes(*one).decode("utf-8", "surrogatepass")
    assert json.loads(said) == [FORMAT, *one]
    assert (line_bytes(*one) == line_bytes(*other)) is (one == other)
    # An entry has twelve lines or more (docs/proof.md); every verifier refuses another proof.
    assert "\n" not in said


def test_lines_are_numbered_and_the_signed_note_says_the_root_another_implementation_finds(database: Database) -> None:
    post_some(database, 3)
    write_some(database, 300)
    done = sealed(database)
    assert (done.size, done.added_count, done.line_count) == (3, 3, 300)
    tree = InmemoryTree(algorithm="sha256")
    with database.read() as session:
        assert session.scalars(select(TrailSeal.leaf).order_by(TrailSeal.leaf)).all() == list(range(300))
        for line in canonical_lines(session, select(AuditLine.id).order_by(AuditLine.at, AuditLine.id)):
            tree.append_entry(line.data)
        (kept,) = session.scalars(select(TrailCheckpoint.note))
    assert kept == done.note
    checkpoint = open_checkpoint(done.note, PUBLIC)
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, 3)
    assert digest_in(checkpoint) == TrailDigest(300, tree.get_root())
    assert found(database) == set()


def test_a_day_without_an_entry_is_sealed_under_the_journal_as_it_stood(database: Database) -> None:
    write_some(database, 2)
    assert seal(database, origin=ORIGIN, key=KEY, now=NOW) is None, "no journal yet to seal it with"
    post_some(database, 4)
    first = sealed(database)
    assert (first.size, first.line_count) == (4, 2)
    assert seal(database, origin=ORIGIN, key=KEY, now=NOW) is None
    assert not seal_is_due(database, NOW + HOUR)
    # A line may come late, with an earlier hour than what is sealed: it takes the next number.
    write_some(database, 1, at=NOW - HOUR, first=2)
    write_some(database, 1, at=NOW + 48 * HOUR, first=3)
    assert seal_is_due(database, NOW + 24 * HOUR)
    second = sealed(database, NOW + 24 * HOUR)
    assert (second.size, second.added_count, second.line_count) == (4, 0, 1), "the one of a day to come waits"
    assert not seal_is_due(database, NOW + 25 * HOUR)
    assert [note_sizes(one.note) for one in (first, second)] == [(4, 2), (4, 3)]
    assert last_note(database) == second.note
    assert read_seals.checkpoint_note(database, 4) == first.note, "an address gives one note for ever"
    assert (trail_state(database).sealed_count, trail_state(database).waiting_count) == (3, 1)
    post_some(database, 1, first=4)
    third = sealed(database, NOW + 26 * HOUR)
    assert note_sizes(third.note) == (5, 3)
    assert last_note(database) == third.note
    kept = tuple((f"note {rank}", one.note) for rank, one in enumerate((first, second, third)))
    assert found(database, Witness(PUBLIC, kept)) == set()


@pytest.mark.postgresql
def test_both_engines_give_one_root_day_after_day_or_at_once(
    open_database: Callable[[str], AbstractContextManager[Database]],
) -> None:
    digests = []
    for engine, parts in (("sqlite", [300]), ("postgresql", [300]), ("postgresql", [1, 254, 45])):
        with open_database(engine) as database:
            rewrite_ids(database, post_some(database, 1), 0)
            for rank, part in enumerate(parts):
                write_some(database, part, first=sum(parts[:rank]))
                done = sealed(database)
            digests.append(digest_in(read_checkpoint(done.note)))
            assert found(database) == set()
    assert digests[0] == digests[1] == digests[2] != None  # noqa: E711 - one digest, and there is one


def test_a_trail_thinned_and_sealed_anew_is_told_by_a_checkpoint_kept_outside(database: Database) -> None:
    post_some(database, 20)
    write_some(database, 20)
    kept = sealed(database).note
    thin = (
        "DELETE FROM audit_line WHERE action = 'Lecture d’un RIB';DELETE FROM trail_seal;DELETE FROM trail_checkpoint"
    )
    outside = Witness(PUBLIC, (("celui du 12 mars", kept),))
    assert found(database, outside, thin) == {
        ("sealed_lines_stand", "celui du 12 mars"),
        ("sealed_lines_stand", "point de contrôle 20"),
    }
    gone_everywhere = f"{thin};DELETE FROM checkpoint;DELETE FROM seal"
    assert ("sealed_lines_stand", "celui du 12 mars") in found(database, outside, gone_everywhere)
    assert found(database, outside) == set()


@pytest.mark.parametrize("table", ["trail_seal", "trail_checkpoint", "audit_line"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_trail_and_its_seals_only_grow(database: Database, table: str, statement: str) -> None:
    post_some(database, 1)
    write_some(database, 1)
    sealed(database)
    column = {"trail_seal": "leaf", "trail_checkpoint": "size", "audit_line": "subject"}[table]
    with pytest.raises(DBAPIError, match="only grows"), database.write() as session:
        session.execute(text(statement.format(table, column, column)))


@pytest.mark.race
def test_two_sealers_at_once_and_people_who_act_beside_them_leave_each_line_one_number(database: Database) -> None:
    post_some(database, 1)
    troubles: list[BaseException] = []

    def work(rank: int) -> None:
        try:
            for number in range(10):
                if rank < 2:
                    note_access(database, WHO, "Lecture d’un RIB", f"{rank} {number}", NOW)
                else:
                    seal(database, origin=ORIGIN, key=KEY, now=NOW)
        except BaseException as trouble:  # noqa: BLE001 - the test tells it
            troubles.append(trouble)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    seal(database, origin=ORIGIN, key=KEY, now=NOW)
    with database.read() as session:
        assert session.scalars(select(TrailSeal.leaf).order_by(TrailSeal.leaf)).all() == list(range(20))
    assert found(database) == set()


def test_a_verifier_of_the_first_archives_reads_a_note_that_says_the_trail_too(sqlite_database: Database) -> None:
    post_some(sqlite_database, 2)
    write_some(sqlite_database, 1)
    note = sealed(sqlite_database).note
    earlier = ModuleType("verify")
    with ZipFile(ARCHIVE) as archive:
        exec(archive.read("audit/verify.py").decode(), earlier.__dict__)
    checkpoint = read_checkpoint(note)
    assert earlier.open_checkpoint(note, lambda _size: PUBLIC) == (2, checkpoint.root)
    assert len(checkpoint.extensions) == 1
