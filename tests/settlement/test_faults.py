"""Two people at the same moment, counters that go on, and a power cut in the middle of each act."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests.builders import SOMEONE, handed_over_booklets, scanned_codes
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, Paid, counts, debit
from tests.settlement.town import APPROVER, NOW, PREPARER, a_town, wrong_books
from voucher.demonstration.bank import statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.redemption.answers import Redeemed
from voucher.redemption.model import Period
from voucher.redemption.redeem import redeem
from voucher.settlement import export
from voucher.settlement.approve import approve_batch
from voucher.settlement.export import export_batch
from voucher.settlement.find import batch_row
from voucher.settlement.freeze import Frozen, freeze_batch
from voucher.settlement.import_statement import import_statement
from voucher.settlement.model import PaymentAdvice, SettlementBatch
from voucher.settlement.outgoing import ExportedFile, files_of

ROOT = Path(__file__).resolve().parents[2]
MOMENTS = ("3", "9", "commit")


@pytest.mark.race
def test_two_preparers_at_once_make_one_batch_and_the_other_is_told(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    start = Barrier(2)

    def freeze(_: int) -> Frozen | Refused:
        start.wait()
        try:
            return freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW)
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(2) as people:
        answers = list(people.map(freeze, range(2)))
    (won,) = [answer for answer in answers if isinstance(answer, Frozen)]
    (lost,) = [answer for answer in answers if isinstance(answer, Refused)]
    assert won.total_cents == 7_000
    assert f"le lot {won.number} a été arrêté" in lost.sentence
    assert wrong_books(database) == []


@pytest.mark.race
def test_nothing_falls_between_two_batches_while_counters_redeem(database: Database) -> None:
    town = a_town(database)
    issued = handed_over_booklets(database, 12, agreed=town.agreed, now=NOW)
    codes = [
        code
        for number in range(issued.first_booklet_number, issued.first_booklet_number + 12)
        for code in scanned_codes(database, number)[:4]
    ]
    town.redeem(0, 1)

    def use(rank: int) -> int:
        answer = redeem(
            database, new_id(), [codes[rank]], "everyday_digital_tools", town.counters[rank % 2], by=SOMEONE, now=NOW
        )
        assert isinstance(answer, Redeemed), answer
        return answer.amount_cents

    def freeze(_: int) -> int:
        try:
            return freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW).total_cents
        except Refused:
            return 0

    with ThreadPoolExecutor(4) as people:
        frozen = [people.submit(freeze, rank) for rank in range(4)]
        used = [people.submit(use, rank) for rank in range(len(codes))]
        frozen += [people.submit(freeze, rank) for rank in range(4)]
        redeemed_cents = sum(one.result() for one in used) + 1_000
        frozen_cents = sum(one.result() for one in frozen)
    assert frozen_cents + freeze(0) == redeemed_cents
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Period).where(Period.closed_at.is_(None))) == 0
    assert wrong_books(database) == []


@pytest.mark.race
def test_one_batch_exported_by_two_people_at_once_leaves_once(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem()
    frozen = freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW)
    with ThreadPoolExecutor(2) as people:
        files = list(people.map(lambda _: export_batch(database, frozen.batch_id, by=PREPARER, now=NOW), range(2)))
    assert files[0] == files[1]
    assert wrong_books(database) == []


@pytest.mark.race
def test_one_statement_imported_by_two_people_at_once_counts_once(database: Database) -> None:
    paid = Paid(database)
    content = statement("R1", paid.iban, TODAY, OPENING_CENTS, [debit("T1", 3_000, paid.first)])
    with ThreadPoolExecutor(2) as people:
        done = list(people.map(lambda _: import_statement(database, "r.xml", content, by=PREPARER, now=NOW), range(2)))
    assert sorted(one.paid_count for one in done) == [0, 1]
    assert wrong_books(database) == []


def die(url: str, verb: str, moment: str, *arguments: object) -> None:
    """Run an act in a process of its own that is killed at that moment."""
    child = [sys.executable, "-m", "tests.settlement.settle_child", url, verb, moment, *map(str, arguments)]
    ended = subprocess.run(
        child, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=False
    )
    assert ended.returncode == -9, ended.stderr.decode()


@pytest.mark.kill
def test_a_freeze_killed_anywhere_leaves_nothing_and_run_again_is_whole(database: Database, database_url: str) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    batch_id = new_id()
    for moment in MOMENTS:
        die(database_url, "freeze", moment, batch_id, town.agreement_id)
        with database.read() as session:
            assert session.get(SettlementBatch, batch_id) is None
            assert session.scalar(select(func.count()).select_from(Period).where(Period.closed_at.is_(None))) == 1
    frozen = freeze_batch(database, batch_id, town.agreement_id, by=PREPARER, now=NOW)
    assert frozen.total_cents == 7_000
    assert wrong_books(database) == []


@pytest.mark.kill
def test_an_export_killed_anywhere_gives_the_same_bytes_when_run_again(database: Database, database_url: str) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    batch_id = new_id()
    freeze_batch(database, batch_id, town.agreement_id, by=PREPARER, now=NOW)
    approve_batch(database, batch_id, by=APPROVER, now=NOW)
    expected = files_to_come(database, batch_id)
    for moment in MOMENTS:
        die(database_url, "export", moment, batch_id)
        with database.read() as session:
            assert set(session.scalars(select(PaymentAdvice.state))) == {"due"}
    assert export_batch(database, batch_id, by=PREPARER, now=NOW) == expected
    assert wrong_books(database) == []


@pytest.mark.kill
def test_an_import_killed_anywhere_leaves_nothing_and_run_again_is_whole(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    paid = Paid(database)
    file = tmp_path / "releve.xml"
    file.write_bytes(
        statement(
            "R1", paid.iban, TODAY, OPENING_CENTS, [debit("T1", 3_000, paid.first), debit("T2", 4_000, paid.second)]
        )
    )
    before = counts(database)
    for moment in (*MOMENTS, "17", "25"):
        die(database_url, "import", moment, file)
        assert counts(database) == before
        assert paid.states() == ["in_file", "in_file"]
    done = import_statement(database, "releve.xml", file.read_bytes(), by=PREPARER, now=NOW)
    assert done.paid_count == 2
    assert wrong_books(database) == []


def files_to_come(database: Database, batch_id: UUID) -> tuple[ExportedFile, ...]:
    """Return what an export of this approved batch will write, without writing it."""
    with database.read() as session:
        batch = batch_row(session, batch_id, None)
        assert batch is not None
        return files_of(session, batch, export._due_advices(session, batch_id), TODAY)
