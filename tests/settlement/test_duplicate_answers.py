"""Answers to duplicates that a bank announces: withdrawn, at the same moment, and what `voucher verify` says of wrong ones."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update

from tests.settlement.doubt import LATER, THIRD, Doubt
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, debit
from tests.settlement.town import APPROVER, NOW, PREPARER, wrong_books
from voucher.demonstration.bank import statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.settlement.bank_in.import_statement import Imported, import_statement
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.bank_reports import DuplicateAnswer
from voucher.settlement.model.batches import SettlementBatch
from voucher.settlement.reconciliation.undo_match import undo_match
from voucher.settlement.words.states import DuplicateOutcome

CASES = Path(__file__).parent / "files"
STANDS, NEVER = DuplicateOutcome.STANDS, DuplicateOutcome.NEVER_CAME
OPEN, DONE = ["in_file", "in_file"], ["rejected", "rejected"]
TOMORROW = LATER + timedelta(days=1)


@pytest.fixture
def doubt(database: Database) -> Doubt:
    return Doubt(database)


def test_an_answer_withdrawn_puts_the_transfer_back_in_transit_and_asks_again(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    sent_id = doubt.answer(NEVER, PREPARER)
    doubt.answer(NEVER, PREPARER, answer_id=sent_id)
    for other in ({"outcome": STANDS}, {"by": THIRD}, {"of": doubt.first}, {"why": "Autre chose."}):
        with pytest.raises(Refused, match="same_id_other_content"):
            doubt.answer(**{"outcome": NEVER, "by": PREPARER, "answer_id": sent_id} | other)
    last = doubt.answer(NEVER, APPROVER)
    with doubt.database.read() as session:
        assert session.execute(select(SettlementBatch.state)).scalar_one() == "closed"
    doubt.withdraw(last)
    assert (doubt.states(), doubt.page().open_count) == (OPEN, 2)
    with doubt.database.read() as session:
        assert session.execute(select(SettlementBatch.state)).scalar_one() == "exported"
    doubt.withdraw(last)
    doubt.is_right()
    doubt.answer(NEVER, THIRD)
    assert doubt.states() == DONE
    doubt.is_right()
    doubt.withdraw(doubt.page().answers[-1].id)
    assert doubt.states() == OPEN
    doubt.is_right()
    doubt.withdraw(doubt.answer(NEVER, APPROVER))
    doubt.is_right()
    doubt.answer(STANDS, APPROVER)
    doubt.withdraw(doubt.page().answers[0].id)
    doubt.answer(STANDS, PREPARER)
    assert doubt.page().open_count == 0
    assert doubt.report(first="AC04").rejected_count == 1, "of the first sending, which stands"
    assert doubt.states() == ["rejected", "in_file"]
    doubt.is_right()


def test_a_rejection_of_the_bank_stands_again_after_a_withdrawn_answer(doubt: Doubt) -> None:
    doubt.report(first="DU03")
    doubt.answer(NEVER, PREPARER, seen=1)
    doubt.withdraw(doubt.answer(NEVER, APPROVER, seen=1))
    doubt.withdraw(doubt.page().answers[0].id)
    for person in (PREPARER, APPROVER):
        doubt.answer(STANDS, person, seen=1)
    assert doubt.report(first="MS03").rejected_count == 1
    assert doubt.states() == ["rejected", "in_file"]
    doubt.is_right()


def test_a_debit_undone_asks_again_what_people_had_taken_back(doubt: Doubt) -> None:
    doubt.report(first="DU03")
    doubt.answer(NEVER, PREPARER, seen=1)
    doubt.withdraw(doubt.answer(NEVER, APPROVER, seen=1))
    doubt.paid.take(debit("T1", 3_000, doubt.first), day=TOMORROW.date())
    with doubt.database.read() as session:
        match_id = session.scalars(select(BankMatch.id)).one()
    undo_match(doubt.database, match_id, "Ce n’est pas lui.", by=PREPARER, now=TOMORROW)
    assert (doubt.states(), doubt.page().open_count) == (OPEN, 1), "one person says that the first never came, not two"
    with pytest.raises(Refused, match="Rien n’est à régler"):
        doubt.freeze()
    doubt.is_right()


def test_a_transfer_offered_again_days_after_an_answer_was_withdrawn_is_right_in_the_books(doubt: Doubt) -> None:
    doubt.report(first="DU03")
    doubt.answer(NEVER, PREPARER, seen=1)
    doubt.withdraw(doubt.answer(NEVER, APPROVER, seen=1))
    doubt.answer(NEVER, APPROVER, seen=1, now=TOMORROW)
    assert doubt.states() == ["rejected", "in_file"]
    doubt.is_right()


def test_a_debit_of_the_day_before_withdraws_a_second_rejection_on_the_day_of_that_one(doubt: Doubt) -> None:
    doubt.report(first="DU03")
    doubt.answer(NEVER, PREPARER, seen=1)
    doubt.withdraw(doubt.answer(NEVER, APPROVER, seen=1))
    doubt.answer(NEVER, APPROVER, seen=1, now=TOMORROW)
    doubt.paid.take(debit("T1", 3_000, doubt.first))
    with doubt.database.read() as session:
        days = session.scalars(
            select(Entry.effective_on)
            .where(Entry.event_type == EventType.REJECTION_WITHDRAWN)
            .order_by(Entry.effective_on)
        ).all()
    assert days == [LATER.date(), TOMORROW.date()], "the structure owes nothing on the days between"
    assert doubt.states() == ["paid", "in_file"]
    doubt.is_right()


def test_an_answer_cannot_be_withdrawn_once_money_rests_on_it(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    doubt.answer(NEVER, PREPARER)
    last = doubt.answer(NEVER, APPROVER)
    doubt.paid.take(debit("T1", 3_000, doubt.first))
    assert "a débité le virement" in doubt.refusal(lambda: doubt.withdraw(last))
    with pytest.raises(Refused, match="n’existe pas"):
        doubt.withdraw(new_id())


def test_an_answer_cannot_be_withdrawn_once_another_batch_took_the_money_up(doubt: Doubt) -> None:
    doubt.report(first="DU03")
    doubt.answer(NEVER, PREPARER, seen=1)
    last = doubt.answer(NEVER, APPROVER, seen=1)
    assert doubt.freeze().total_cents == 3_000
    assert "Un autre lot a repris" in doubt.refusal(lambda: doubt.withdraw(last))
    doubt.is_right()


def test_verify_finds_a_transfer_offered_again_by_less_than_two_people(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    for person in (PREPARER, APPROVER):
        doubt.answer(NEVER, person)
    with doubt.database.write() as session:
        session.execute(
            update(DuplicateAnswer)
            .where(DuplicateAnswer.advice_id == doubt.paid.first_id, DuplicateAnswer.answered_by == APPROVER)
            .values(withdrawn_at=LATER, withdrawn_by=APPROVER, withdrawn_reason="Essai")
        )
    (found,) = wrong_books(doubt.database)
    assert doubt.first in found
    assert "réponses « la première n’existe pas » 1" in found


def test_verify_finds_an_answer_to_a_question_that_no_bank_asked(doubt: Doubt) -> None:
    with doubt.database.write() as session:
        session.execute(
            insert(DuplicateAnswer).values(
                id=new_id(),
                advice_id=doubt.paid.first_id,
                outcome=STANDS,
                reason="Essai",
                answered_at=LATER,
                answered_by=PREPARER,
            )
        )
    (found,) = wrong_books(doubt.database)
    assert "sans doublon annoncé" in found


@pytest.mark.race
def test_two_people_who_answer_at_once_are_both_heard(database: Database) -> None:
    doubt = Doubt(database)
    doubt.report(group="DU01")
    start = Barrier(2)

    def say(one: tuple[UUID, str]) -> None:
        start.wait()
        doubt.answer(one[1], one[0])

    with ThreadPoolExecutor(2) as people:
        list(people.map(say, [(PREPARER, NEVER), (APPROVER, STANDS)]))
    assert doubt.states() == OPEN
    assert {len(row.answers) for row in doubt.page().rows} == {2}
    doubt.is_right()


@pytest.mark.race
def test_one_person_in_two_windows_answers_once(database: Database) -> None:
    doubt = Doubt(database)
    doubt.report(group="DU01")
    start = Barrier(2)

    def say(outcome: str) -> bool:
        start.wait()
        try:
            doubt.answer(outcome, PREPARER)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(2) as people:
        assert sorted(people.map(say, [NEVER, NEVER])) == [False, True]
    assert doubt.states() == OPEN
    doubt.is_right()


@pytest.mark.race
def test_the_second_answer_and_the_debit_at_once_never_pay_twice(database: Database) -> None:
    doubt = Doubt(database)
    doubt.report(first="DU03")
    doubt.answer(NEVER, PREPARER, seen=1)
    content = statement("R1", doubt.paid.iban, TODAY, OPENING_CENTS, [debit("T1", 3_000, doubt.first)])
    start = Barrier(2)

    def take() -> Imported:
        start.wait()
        return import_statement(database, "r.xml", content, by=PREPARER, now=NOW)

    def say() -> None:
        start.wait()
        with suppress(Refused):  # the debit came first: there is nothing to answer any more
            doubt.answer(NEVER, APPROVER, seen=1)

    with ThreadPoolExecutor(2) as people:
        done, said = people.submit(take), people.submit(say)
    said.result()
    assert (done.result().paid_count, doubt.states()) == (1, ["paid", "in_file"])
    doubt.is_right()


@pytest.mark.race
def test_an_answer_withdrawn_while_a_batch_is_frozen_goes_one_way_or_the_other(database: Database) -> None:
    doubt = Doubt(database)
    doubt.report(first="DU03")
    doubt.answer(NEVER, PREPARER, seen=1)
    last = doubt.answer(NEVER, APPROVER, seen=1)
    start = Barrier(2)

    def withdraw() -> bool:
        start.wait()
        try:
            doubt.withdraw(last)
        except Refused:
            return False
        return True

    def settle() -> bool:
        start.wait()
        try:
            return doubt.freeze().total_cents == 3_000
        except Refused:
            return False

    with ThreadPoolExecutor(2) as people:
        withdrawn, settled = people.submit(withdraw), people.submit(settle)
    assert withdrawn.result() is not settled.result()
    doubt.is_right()
