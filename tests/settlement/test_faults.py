"""Two people at the same moment, counters that go on, and a power cut at each step."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import func, select

from tests.builders import SOMEONE, handed_over_booklets, scanned_codes
from tests.killing import Killer
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, Paid, debit
from tests.settlement.town import APPROVER, NOW, PREPARER, a_town, wrong_books
from voucher.demonstration.bank import statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.redemption.answers import Redeemed
from voucher.redemption.model import Period
from voucher.redemption.redeem import redeem
from voucher.settlement.bank_in.import_statement import Imported, import_statement
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import Frozen, freeze_batch


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


@pytest.mark.kill
def test_a_batch_killed_at_every_step_is_frozen_approved_and_leaves_as_if_nothing_happened(
    database: Database, killer: Killer
) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    batch_id = new_id()
    frozen, again = killer.everywhere(freeze_batch, batch_id, town.agreement_id, by=PREPARER, now=NOW)
    assert (frozen.total_cents, again) == (7_000, frozen)
    killer.everywhere(approve_batch, batch_id, by=APPROVER, now=NOW)
    files, files_again = killer.everywhere(export_batch, batch_id, by=PREPARER, now=NOW)
    assert files_again == files
    assert export_batch(database, batch_id, by=APPROVER, now=NOW) == files
    assert wrong_books(database) == []


@pytest.mark.kill
def test_an_import_killed_at_every_step_pays_once(database: Database, killer: Killer) -> None:
    paid = Paid(database)
    lines = [debit("T1", 3_000, paid.first), debit("T2", 4_000, paid.second)]
    content = statement("R1", paid.iban, TODAY, OPENING_CENTS, lines)
    done, again = killer.everywhere(import_statement, "releve.xml", content, by=PREPARER, now=NOW)
    assert (done.paid_count, again) == (
        2,
        Imported(
            is_known=True, statement_count=0, line_count=0, new_count=0, paid_count=0, returned_count=0, unknown_count=0
        ),
    )
    assert paid.states() == ["paid", "paid"]
    assert wrong_books(database) == []
