"""One operator hands everything over to another, on either engine: same books, same states; then life goes on."""

import csv
import io
import json
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from uuid import UUID
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import Table, select

from tests.builders import SOMEONE, an_agreement, an_iban, issued_booklets, record_rib
from tests.clients import settings_for
from tests.reporting.life import book
from tests.settlement.town import APPROVER, PREPARER, Town, wrong_books
from tests.takeover.world import LATER, World, sent
from voucher.access.model import StaffAccount
from voucher.demonstration.bank import BookedLine
from voucher.issuing.keys import make_key
from voucher.issuing.make_batch import make_batch
from voucher.issuing.model import IssuerKey
from voucher.issuing.order import order_vouchers
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.model import Entry
from voucher.ledger.read import balances
from voucher.ledger.seal_model import CheckpointRow, Seal, SealHandover
from voucher.network.structures import NewBankDetails
from voucher.programme.programme_key import programme_key
from voucher.proof.export_audit import export_audit
from voucher.proof.sealing import journal_key, seal_now
from voucher.proof.verifier.command import main
from voucher.redemption.answers import Redeemed
from voucher.redemption.redeem import redeem
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.model.batches import PaymentAdvice, PaymentHold
from voucher.settlement.model.recoveries import Dispute
from voucher.settlement.payable.hold_by_hand import lift_hold
from voucher.settlement.recoveries.dispute import decide_dispute
from voucher.settlement.words.states import AdviceState
from voucher.takeover.export import Exported, For, export_takeover, violations_in
from voucher.takeover.importing import import_takeover
from voucher.takeover.sealed_file import Keys
from voucher.takeover.tables import carried_tables, columns_of

OPEN = Callable[[str], AbstractContextManager[Database]]
THEIR_MASTER_KEY = "e7" * 32
THEIR_ORIGIN = "autre.example/pass-numerique/journal"
THEIR_MASTER_SECRET = bytes.fromhex(THEIR_MASTER_KEY)
AFTER = LATER + timedelta(days=8)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, open_database: OPEN) -> Iterator[World]:
    with open_database(request.param) as database:
        built = World(database)
        assert wrong_books(database) == []
        yield built


def handed_over(world: World, folder: Path, whom: For | None = None) -> Exported:
    return export_takeover(
        world.database, folder / "reprise.zip", settings=settings_for(world.database), now=LATER, whom=whom
    )


def taken_over(database: Database, path: Path, keys: Keys | None = None) -> None:
    import_takeover(database, path, origin=THEIR_ORIGIN, master_secret=THEIR_MASTER_SECRET, now=AFTER, keys=keys)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_next_operator_has_the_same_books_and_honours_what_is_outstanding(
    world: World, open_database: OPEN, engine: str, tmp_path: Path
) -> None:
    first = handed_over(world, tmp_path)
    with open_database(engine) as database:
        taken_over(database, first.path)
        assert balances(database) == balances(world.database)
        assert wrong_books(database) == []
        again = export_takeover(
            database, tmp_path / "encore.zip", settings=settings_for(database, master_key=THEIR_MASTER_KEY), now=LATER
        )
        mine, theirs = ({one.table: one.sha256 for one in done.manifest.files if one.table} for done in (first, again))
        changed = {table for table in mine if mine[table] != theirs[table]}
        assert changed == {"issuer_key", "seal_handover"}, "all other tables are the same, byte for byte"
        assert first.manifest.sealed_root == again.manifest.sealed_root != ""
        their_life_goes_on(world, database)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_every_row_crosses_and_the_manifest_counts_them(
    world: World, open_database: OPEN, engine: str, tmp_path: Path
) -> None:
    done = handed_over(world, tmp_path)
    counted = {one.table: one.rows for one in done.manifest.files if one.table}
    with open_database(engine) as database:
        taken_over(database, done.path)
        for table in carried_tables():
            mine, theirs = rows_of(world.database, table), rows_of(database, table)
            assert counted[table.name] == sum(mine.values()), table.name
            if table.name == "seal_handover":
                assert mine <= theirs
            elif table.name != "issuer_key":
                assert mine == theirs, table.name
        with database.read() as session:
            in_force = session.scalars(select(PaymentHold.id).where(PaymentHold.lifted_at.is_(None))).all()
            waiting = session.scalars(select(Dispute.id).where(Dispute.outcome.is_(None))).all()
        assert in_force == [world.hold_id]
        assert set(waiting) == set(world.dispute_ids)


def rows_of(database: Database, table: Table) -> Counter[str]:
    """Return the rows of a table, whatever their order."""
    with database.read() as session:
        return Counter(repr(tuple(row)) for row in session.execute(select(*columns_of(table))))


def their_life_goes_on(world: World, database: Database) -> None:
    """Redeem an old code, settle it, pay it; let an old payment come back; seal; the books stay right."""
    town = Town(database, world.town.agreed, world.town.counters)
    answer = redeem(database, new_id(), [world.code], "everyday_digital_tools", town.counters[2], by=SOMEONE, now=AFTER)
    assert isinstance(answer, Redeemed), answer
    back = BookedLine(
        reference="T9", amount_cents=world.paid_cents, is_credit=True, end_to_end_id=world.paid, return_reason="MS03"
    )
    book(town, [back], now=AFTER)
    with database.read() as session:
        state = session.scalar(select(PaymentAdvice.state).where(PaymentAdvice.reference == world.paid))
    assert state == AdviceState.RETURNED, "a transfer of the operator before comes back to the next one"
    lift_hold(database, world.hold_id, "Contrôle fini", by=SOMEONE, now=AFTER)
    for dispute_id in world.dispute_ids:
        decide_dispute(database, dispute_id, "dismissed", "Feuille retrouvée", by=APPROVER, now=AFTER)
    pay(town, world.frozen_batch_id)
    for rank, structure_id in enumerate(town.structure_ids):
        iban = an_iban(8_000 + rank)
        details = NewBankDetails(new_id(), structure_id, f"ASSOCIATION {rank}", iban, iban)
        record_rib(database, details, now=AFTER)
    while (batch_id := frozen(town)) is not None:
        pay(town, batch_id)
    owed = {one.code: one.balance_cents for one in balances(database) if one.code in ("4670", "4675", "5115")}
    assert set(owed.values()) == {0}, "whatever was owed is paid"
    seal_now(database, settings_for(database, master_key=THEIR_MASTER_KEY), AFTER + timedelta(days=1))
    assert wrong_books(database) == []


def frozen(town: Town) -> UUID | None:
    """Freeze what is owed; return the batch, None where nothing is owed any more."""
    batch_id = new_id()
    try:
        freeze_batch(town.database, batch_id, town.agreement_id, by=PREPARER, now=AFTER)
    except Refused as refused:
        if refused.code != "nothing_to_settle":
            raise
        return None
    return batch_id


def pay(town: Town, batch_id: UUID) -> None:
    """Approve a batch, send it, and let the bank book every transfer of it."""
    approve_batch(town.database, batch_id, by=APPROVER, now=AFTER)
    export_batch(town.database, batch_id, by=PREPARER, now=AFTER)
    lines = [
        BookedLine(reference=f"P{reference}"[:35], amount_cents=cents, is_credit=False, end_to_end_id=reference)
        for reference, cents in sent(town.database, batch_id)
    ]
    book(town, lines, now=AFTER + timedelta(days=1))


def test_the_journal_is_sealed_by_another_key_from_the_take_over_on(
    world: World, sqlite_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken_over(sqlite_database, handed_over(world, tmp_path).path)
    ours = programme_key(settings_for(world.database).master_secret).public_key().public_bytes_raw()
    theirs = programme_key(THEIR_MASTER_SECRET).public_key().public_bytes_raw()
    with sqlite_database.read() as session, world.database.read() as before:
        (handover,) = session.scalars(select(SealHandover)).all()
        assert (handover.previous_public_key, handover.public_key) == (ours, theirs)
        leaves = select(Seal.leaf, Seal.entry_id, Seal.leaf_hash).order_by(Seal.leaf)
        assert session.execute(leaves).all() == before.execute(leaves).all()
        roots = select(CheckpointRow.size, CheckpointRow.root, CheckpointRow.note)
        assert session.execute(roots).all() == before.execute(roots).all()
    make_key(sqlite_database, world.town.agreed.issuer_id, master_secret=THEIR_MASTER_SECRET, by=SOMEONE, now=AFTER)
    issued_after(sqlite_database, world)
    seal_now(sqlite_database, settings_for(sqlite_database, master_key=THEIR_MASTER_KEY), AFTER)
    assert wrong_books(sqlite_database) == []
    with sqlite_database.read() as session:
        assert set(session.scalars(select(CheckpointRow.public_key))) == {ours, theirs}
    origin, key = journal_key(settings_for(sqlite_database, master_key=THEIR_MASTER_KEY))
    with (tmp_path / "audit.zip").open("wb") as out:
        export_audit(sqlite_database, out, origin=origin, key=key)
    assert main([str(tmp_path / "audit.zip")]) == 0
    assert f"de la clé {ours.hex()}" in capsys.readouterr().out, "whose key it was is said, for the auditor to compare"


def issued_after(database: Database, world: World) -> None:
    """Order booklets with the key that the next operator made."""
    order = order_vouchers(database, new_id(), world.town.agreement_id, 2, by=SOMEONE, now=AFTER)
    make_batch(database, order.batch_id, master_secret=THEIR_MASTER_SECRET, now=AFTER)


def test_without_private_keys_the_old_keys_only_verify(world: World, sqlite_database: Database, tmp_path: Path) -> None:
    taken_over(sqlite_database, handed_over(world, tmp_path).path)
    with sqlite_database.read() as session:
        (key,) = session.execute(select(IssuerKey.state, IssuerKey.sealed_private_key)).all()
    assert tuple(key) == ("retired", b"")


def test_private_keys_go_sealed_for_the_next_operator_and_sign_again(
    world: World, sqlite_database: Database, tmp_path: Path
) -> None:
    identity = X25519PrivateKey.generate()
    done = handed_over(world, tmp_path, For(recipient=identity.public_key(), with_private_keys=True))
    with pytest.raises(Refused, match="ne s’ouvre pas"):
        taken_over(sqlite_database, done.path, Keys(identity=X25519PrivateKey.generate()))
    with pytest.raises(Refused, match="ne s’ouvre pas"):
        taken_over(sqlite_database, done.path)
    taken_over(sqlite_database, done.path, Keys(identity=identity))
    issued_after(sqlite_database, world)
    assert wrong_books(sqlite_database) == []


def test_private_keys_never_go_without_a_recipient(world: World, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="clé publique"):
        handed_over(world, tmp_path, For(passphrase="quatre mots bien longs", with_private_keys=True))
    assert list(tmp_path.iterdir()) == []


def test_the_archive_is_its_owners_alone_and_writes_over_nothing(world: World, tmp_path: Path) -> None:
    done = handed_over(world, tmp_path)
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    with pytest.raises(Refused, match="existe déjà"):
        handed_over(world, tmp_path)


def test_the_archive_tells_what_it_holds_and_holds_no_person(world: World, tmp_path: Path) -> None:
    with world.database.write() as session:
        session.add(
            StaffAccount(
                id=new_id(),
                email=f"{new_id().hex}@lieu.example",
                name="Camille Secret",
                password_hash="x",
                created_at=LATER,
            )
        )
    done = handed_over(world, tmp_path)
    with ZipFile(done.path) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
        assert b"Camille Secret" not in everything
        schema = json.loads(archive.read("schema.json"))
        entry = next(one for one in done.manifest.files if one.table == "entry")
        rows = list(csv.reader(io.StringIO(archive.read(entry.name).decode())))
        assert rows[0] == [column["name"] for column in schema["tables"]["entry"]["columns"]]
        assert len(rows) - 1 == entry.rows
        assert archive.read("LISEZMOI.md").decode().startswith("# La reprise")
    with world.database.read() as session:
        assert len(session.scalars(select(Entry.id)).all()) == entry.rows


def test_an_unfinished_order_is_named(world: World, tmp_path: Path, open_database: OPEN) -> None:
    with open_database("sqlite") as database:
        agreed = an_agreement(database)
        order = order_vouchers(database, new_id(), agreed.agreement_id, 2, by=SOMEONE, now=LATER)
        done = export_takeover(database, tmp_path / "reprise.zip", settings=settings_for(database), now=LATER)
    assert done.manifest.unfinished_orders == (str(order.batch_id),)


def test_what_was_wrong_is_taken_over_as_it_was_and_said(tmp_path: Path, open_database: OPEN) -> None:
    with open_database("sqlite") as source, open_database("sqlite") as target:
        issued_booklets(source, 1)
        with source.write() as session:
            session.connection().exec_driver_sql("UPDATE credit SET available_cents = available_cents + 1000")
        done = export_takeover(source, tmp_path / "reprise.zip", settings=settings_for(source), now=LATER)
        assert done.manifest.violations != ()
        taken_over(target, done.path)
        with target.read() as session:
            assert violations_in(session) == done.manifest.violations
        # A person reads the same in words.
        assert len(wrong_books(target)) == len(done.manifest.violations)
