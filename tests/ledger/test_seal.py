"""Entries are sealed once, in order, without a gap; what is touched afterwards is named; both engines give one root."""

import threading
from base64 import b64decode
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from pymerkle import InmemoryTree
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.builders import MASTER_SECRET
from tests.ledger.test_post import NOW
from voucher.kernel.database import Database
from voucher.ledger import checks_seals, read_seals
from voucher.ledger.canonical import canonical_entries, canonical_query
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.checkpoint import (
    BadNote,
    Checkpoint,
    open_checkpoint,
    read_checkpoint,
    sign_checkpoint,
    verifier_key,
)
from voucher.ledger.checks_seals import Witness, hear_witness
from voucher.ledger.merkle import leaf_hash, root_of_inclusion
from voucher.ledger.model import Entry
from voucher.ledger.post import Event, post_event
from voucher.ledger.seal_model import CheckpointRow, Seal
from voucher.programme.programme_key import programme_key
from voucher.trail.seal import Sealed, seal, seal_is_due

ORIGIN = "pass.example/pass-numerique/journal"
KEY = programme_key(MASTER_SECRET)
PUBLIC = KEY.public_key().public_bytes_raw()
STATE = UUID(int=1)
ENTRIES = select(Entry.__table__)


def post_some(database: Database, count: int, *, at: datetime = NOW, first: int = 0) -> list[UUID]:
    """Open envelopes, each an entry whose ids are told by its number."""
    posted = []
    with database.write() as session:
        for number in range(first, first + count):
            event = Event(EventType.ENVELOPE_OPENED, UUID(int=1000 + number), at, f"Enveloppe {number}, « été »\n2026")
            posted.append(post_event(session, event, {Dimension.FUNDER: STATE}, {STATE: 100 + number}))
    return posted


def sealed(database: Database, at: datetime = NOW) -> Sealed:
    done = seal(database, origin=ORIGIN, key=KEY, now=at)
    assert done is not None
    return done


def entry_at(database: Database, leaf: int) -> UUID:
    with database.read() as session:
        return session.scalars(select(Seal.entry_id).where(Seal.leaf == leaf)).one()


def violations(database: Database, witness: Witness | None = None, *, planted: str = "") -> list[tuple[str, str]]:
    """Return what the checks name as (check, subject), after a corruption that is rolled back."""
    with Session(database.engine) as session:
        if not database.is_postgresql:
            session.execute(text("BEGIN IMMEDIATE"))
        if database.is_postgresql:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            session.execute(text("PRAGMA defer_foreign_keys = ON"))
            for name in session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                session.execute(text(f"DROP TRIGGER {name}"))
        for statement in filter(None, planted.split(";")):
            assert session.execute(text(statement)).rowcount > 0, statement  # type: ignore[attr-defined]
        if witness:
            hear_witness(session, witness)
        found = [(one.check, one.subject) for check in checks_seals.CHECKS for one in check(session)]
        session.rollback()
    return found


def test_the_bytes_of_an_entry_are_those_the_documentation_says(database: Database) -> None:
    event_id = UUID(int=8)
    with database.write() as session:
        event = Event(EventType.ENVELOPE_OPENED, event_id, NOW, "Dotation d'été", by=UUID(int=9))
        given = post_event(session, event, {Dimension.FUNDER: STATE}, {STATE: 1250})
    with database.read() as session:
        (one,) = canonical_entries(session, canonical_query(session.get_bind().dialect.name, ENTRIES))
    assert one.entry_id == str(given)
    assert one.data.decode() == (
        "pass-numerique/entry/1\n"
        f"{given}\nenvelope_opened\n{event_id}\nBU\n2026-03-12T09:00:00.000000Z\n{UUID(int=9)}\n2026-03-12\n\n1\n1250\n"
        f"1\tbudget\t8020 funder={STATE}\t8010 funder={STATE}\t1250\n"
        "\nDotation d'été"
    )


def test_movements_are_said_by_rank_and_the_tenth_comes_after_the_ninth(database: Database) -> None:
    dimensions = {Dimension.AGREEMENT: UUID(int=2), Dimension.STRUCTURE: UUID(int=3)}
    amounts = {UUID(int=100 + number): 1000 + number for number in range(12)}
    with database.write() as session:
        event = Event(EventType.VOUCHERS_REDEEMED, UUID(int=8), NOW, "Douze financeurs")
        post_event(session, event, dimensions, amounts)
    with database.read() as session:
        (one,) = canonical_entries(session, canonical_query(session.get_bind().dialect.name, ENTRIES))
        count = session.scalars(select(Entry.movement_count)).one()
    said = one.data.decode().split("\n")
    assert said[9] == str(count)
    assert [line.split("\t")[0] for line in said[11 : 11 + count]] == [str(rank) for rank in range(1, count + 1)]
    assert said[11 + count :] == ["", "Douze financeurs"]
    assert count > 12


def test_sealing_numbers_every_entry_and_signs_the_root_another_implementation_finds(database: Database) -> None:
    post_some(database, 300)
    done = sealed(database)
    assert (done.size, done.added_count) == (300, 300)
    with database.read() as session:
        order = select(Entry.id).order_by(Entry.posted_at, Entry.id)
        assert session.scalars(select(Seal.entry_id).order_by(Seal.leaf)).all() == session.scalars(order).all()
        assert session.scalars(select(Seal.leaf).order_by(Seal.leaf)).all() == list(range(300))
        tree = InmemoryTree(algorithm="sha256")
        for one in canonical_entries(
            session, canonical_query(session.get_bind().dialect.name, ENTRIES, Entry.posted_at, Entry.id)
        ):
            tree.append_entry(one.data)
    checkpoint = open_checkpoint(done.note, PUBLIC)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 300, tree.get_root())
    assert violations(database) == []


def test_what_is_posted_after_the_hour_that_is_sealed_waits_for_the_next_sealing(database: Database) -> None:
    post_some(database, 2)
    (later,) = post_some(database, 1, at=NOW + timedelta(hours=1), first=2)
    assert sealed(database).added_count == 2
    assert sealed(database, NOW + timedelta(hours=1)).added_count == 1
    assert read_seals.leaf_of(database, later) == 2


def test_sealing_again_changes_nothing_until_something_is_posted(database: Database) -> None:
    assert seal(database, origin=ORIGIN, key=KEY, now=NOW) is None
    post_some(database, 3)
    sealed(database)
    assert seal(database, origin=ORIGIN, key=KEY, now=NOW) is None
    # An entry may come late, with an earlier hour than what is sealed: it takes the next number.
    (late,) = post_some(database, 1, at=NOW - timedelta(hours=5), first=3)
    assert sealed(database).added_count == 1
    assert read_seals.leaf_of(database, late) == 3
    assert read_seals.waiting(database).entry_count == 0
    assert violations(database) == []


@pytest.mark.postgresql
def test_a_journal_sealed_day_after_day_has_the_root_of_one_sealed_at_once(
    open_database: Callable[[str], AbstractContextManager[Database]],
) -> None:
    roots = []
    for engine, parts in (
        ("sqlite", [270, 1, 260, 9]),
        ("sqlite", [540]),
        ("postgresql", [540]),
        ("postgresql", [255, 285]),
    ):
        with open_database(engine) as database:
            first = 0
            for part in parts:
                at = NOW + timedelta(days=first)
                rewrite_ids(database, post_some(database, part, first=first, at=at), first)
                first += part
                sealed(database, at)
            assert violations(database) == []
            note = read_seals.latest_checkpoint(database)
            assert note is not None
            roots.append(note.root)
    # Days differ with the parts, so only what was posted at the same hours compares.
    assert roots[1] == roots[2]


def rewrite_ids(database: Database, entry_ids: list[UUID], first: int) -> None:
    """Give entries ids that are the same in every run, as only a test may."""
    with database.write() as session:
        if database.is_postgresql:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            session.execute(text("PRAGMA defer_foreign_keys = ON"))
            kept = session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
            for name, _ in kept:
                session.execute(text(f"DROP TRIGGER {name}"))
        for number, entry_id in enumerate(entry_ids, first):
            values = {"old": str(entry_id), "new": str(UUID(int=5000 + number))}
            if not database.is_postgresql:
                values = {name: value.replace("-", "") for name, value in values.items()}
            session.execute(text("UPDATE movement SET entry_id = :new WHERE entry_id = :old"), values)
            session.execute(text("UPDATE entry SET id = :new WHERE id = :old"), values)
        if not database.is_postgresql:
            for _, statement in kept:
                session.execute(text(statement))


def test_a_proof_leads_from_one_entry_to_the_signed_root_without_the_journal(database: Database) -> None:
    posted = post_some(database, 700)
    assert read_seals.proof_of(database, posted[5]) is None
    sealed(database)
    for number in (0, 255, 256, 511, 699):
        entry_id = entry_at(database, number)
        proof = read_seals.proof_of(database, entry_id)
        assert proof is not None
        head, _, note = proof.partition("\n\n")
        name, extra, index, *path = head.split("\n")
        assert (name, index) == ("c2sp.org/tlog-proof@v1", f"index {number}")
        checkpoint = open_checkpoint(note, PUBLIC)
        with database.read() as session:
            (one,) = canonical_entries(
                session, canonical_query(session.get_bind().dialect.name, ENTRIES.where(Entry.id == entry_id))
            )
        assert b64decode(extra.removeprefix("extra ")) == one.data
        hashes = [read_checkpoint(f"x\n1\n{line}\n\n").root for line in path]
        assert root_of_inclusion(number, checkpoint.size, leaf_hash(one.data), hashes) == checkpoint.root
        assert root_of_inclusion(number, checkpoint.size, leaf_hash(one.data + b" "), hashes) != checkpoint.root


def test_a_note_is_laid_out_as_c2sp_says_and_no_other_text_passes() -> None:
    checkpoint = Checkpoint(ORIGIN, 12, bytes(range(32)))
    note = sign_checkpoint(checkpoint, KEY)
    lines = note.split("\n")
    assert lines[:2] == [ORIGIN, "12"]
    assert lines[3] == ""
    assert lines[4].startswith(f"— {ORIGIN} ")
    name, hexadecimal, _ = verifier_key(ORIGIN, PUBLIC).split("+", 2)
    assert name == ORIGIN
    assert hexadecimal == sha256(ORIGIN.encode() + b"\n\x01" + PUBLIC).hexdigest()[:8]
    assert open_checkpoint(note, PUBLIC) == checkpoint
    # Others may sign beside us: witnesses of the journal.
    assert open_checkpoint(note + "— witness.example AAAAAAAA\n", PUBLIC) == checkpoint
    another = programme_key(b"y" * 32)
    for bad in (
        note.replace("\n12\n", "\n13\n"),
        note.replace("\n12\n", "\n012\n"),
        note.split("— ")[0],
        sign_checkpoint(checkpoint, another),
        note.replace("AAECAwQF", "AAECAwQG"),
        "",
        "x\n\n",
    ):
        with pytest.raises(BadNote):
            open_checkpoint(bad, PUBLIC)


def test_an_entry_that_is_gone_is_named_by_its_seal(database: Database) -> None:
    post_some(database, 20)
    sealed(database)
    gone = "DELETE FROM entry WHERE id = (SELECT entry_id FROM seal WHERE leaf = 4)"
    assert violations(database, planted=gone) == [("sealed_entries_stand", f"écriture {entry_at(database, 4)}")]


def test_a_whole_rewritten_end_is_told_by_a_checkpoint_kept_outside(database: Database) -> None:
    post_some(database, 20)
    kept = sealed(database).note
    cut = (
        "DELETE FROM movement WHERE entry_id IN (SELECT entry_id FROM seal WHERE leaf >= 10);"
        "DELETE FROM entry WHERE id IN (SELECT entry_id FROM seal WHERE leaf >= 10);DELETE FROM seal WHERE leaf >= 10;"
        "DELETE FROM checkpoint"
    )
    assert "sealed_entries_stand" not in {check for check, _ in violations(database, planted=cut)}
    outside = Witness(PUBLIC, (("celui du 12 mars", kept),))
    assert ("sealed_entries_stand", "celui du 12 mars") in violations(database, outside, planted=cut)
    assert violations(database, outside) == []
    # Signed by us too, but of another journal: the mark of two sets of books.
    forked = sign_checkpoint(Checkpoint(ORIGIN, 12, b"f" * 32), KEY)
    assert violations(database, Witness(PUBLIC, (("fourche", forked),))) == [("sealed_entries_stand", "fourche")]
    another = Witness(programme_key(b"z" * 32).public_key().public_bytes_raw())
    assert violations(database, another) == [("checkpoints_are_signed", "point de contrôle 20")]


@pytest.mark.parametrize("table", ["seal", "seal_node", "checkpoint"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_seals_only_grow(database: Database, table: str, statement: str) -> None:
    post_some(database, 256)
    sealed(database)
    column = {"seal": "leaf", "seal_node": "place", "checkpoint": "size"}[table]
    with pytest.raises(DBAPIError, match="only grows"), database.write() as session:
        session.execute(text(statement.format(table, column, column)))


@pytest.mark.race
def test_two_sealers_at_once_and_posts_beside_them_leave_each_entry_one_number(database: Database) -> None:
    post_some(database, 200)
    troubles: list[BaseException] = []

    def work(rank: int) -> None:
        try:
            if rank == 0:
                for number in range(10):
                    post_some(database, 5, first=1000 + number * 5)
            else:
                for _ in range(5):
                    seal(database, origin=ORIGIN, key=KEY, now=NOW)
        except BaseException as trouble:  # noqa: BLE001 - the test tells it
            troubles.append(trouble)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    seal(database, origin=ORIGIN, key=KEY, now=NOW)
    with database.read() as session:
        assert session.scalars(select(Seal.leaf).order_by(Seal.leaf)).all() == list(range(250))
    assert violations(database) == []


def test_a_seal_is_due_once_a_paris_day(database: Database) -> None:
    assert seal_is_due(database, NOW)
    post_some(database, 1)
    sealed(database)
    assert not seal_is_due(database, NOW + timedelta(hours=13))
    assert seal_is_due(database, NOW + timedelta(hours=15))
    with database.read() as session:
        assert session.scalar(select(CheckpointRow.sealed_on)) == NOW.date()
