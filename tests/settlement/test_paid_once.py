"""No structure is paid twice: duplicates, rejections that the bank does not keep, and two people at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.settlement.camt_files import Account, Booked, Transaction, camt
from tests.settlement.reports import status_report
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, Paid, credit, debit
from tests.settlement.town import NOW, PREPARER, a_town, wrong_books
from voucher.accounting.checks import CHECKS
from voucher.accounting.match_up import Lettered, match_up
from voucher.demonstration.bank import statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.reporting.rejects import failures
from voucher.settlement.bank_in.import_report import Reported, import_report
from voucher.settlement.bank_in.import_statement import Imported, import_statement
from voucher.settlement.batches.freeze import Frozen, freeze_batch
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.formats_out.references import message_id
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.payable.payment_history import payment_history
from voucher.settlement.reconciliation import read as read_bank
from voucher.settlement.reconciliation.match_by_hand import match_line, match_with_file
from voucher.settlement.reconciliation.read_ignored_parts import ignored_parts
from voucher.settlement.reconciliation.suggest import suggestions
from voucher.settlement.reconciliation.undo_match import undo_match
from voucher.settlement.words.states import AdviceState
from voucher.settlement.words.transitions import PaymentWhy


@pytest.fixture
def paid(database: Database) -> Paid:
    return Paid(database)


def batch_id(paid: Paid) -> UUID:
    with paid.database.read() as session:
        return session.execute(select(PaymentAdvice.batch_id).where(PaymentAdvice.id == paid.first_id)).scalar_one()


def report(paid: Paid, *, group: str = "", block: str = "", transfers: dict[str, str] | None = None) -> Reported:
    content = status_report(batch_id(paid), group=group, block=block, transfers=transfers)
    return import_report(paid.database, "compte-rendu.xml", content, by=PREPARER, now=NOW)


def freeze(paid: Paid) -> Frozen:
    return freeze_batch(paid.database, new_id(), paid.town.agreement_id, by=PREPARER, now=NOW + timedelta(hours=1))


def test_a_block_that_the_bank_calls_a_duplicate_is_not_rejected(paid: Paid) -> None:
    assert report(paid, block="DUPL").rejected_count == 0
    assert report(paid, group="DUPL", transfers={paid.first: "", paid.second: "AM05"}).rejected_count == 0
    assert report(paid, block="AM05", transfers={paid.first: ""}).rejected_count == 0
    assert paid.states() == ["in_file", "in_file"]
    with pytest.raises(Refused, match="Rien n’est à régler"):
        freeze(paid)


def test_a_block_refused_for_another_reason_is_owed_again(paid: Paid) -> None:
    assert report(paid, block="AC02", transfers={paid.first: ""}).rejected_count == 2
    assert freeze(paid).total_cents == 7_000
    assert wrong_books(paid.database) == []


def test_a_rejected_transfer_that_the_bank_debits_all_the_same_is_paid_and_not_paid_again(paid: Paid) -> None:
    report(paid, transfers={paid.first: "MS03"})
    assert paid.take(debit("T1", 3_000, paid.first), debit("T2", 4_000, paid.second)).paid_count == 2
    assert paid.states() == ["paid", "paid"]
    assert wrong_books(paid.database) == []
    with pytest.raises(Refused, match="Rien n’est à régler"):
        freeze(paid)


def test_a_rejected_transfer_that_is_debited_then_brought_back_is_owed_again_once(paid: Paid) -> None:
    report(paid, transfers={paid.first: "MS03"})
    paid.take(credit("B1", 3_000, paid.first, return_reason="MS03"))
    assert paid.states() == ["rejected", "in_file"]
    paid.take(debit("T1", 3_000, paid.first), name="R2", opening_cents=OPENING_CENTS + 3_000)
    assert paid.states() == ["returned", "in_file"]
    assert wrong_books(paid.database) == []
    assert freeze(paid).total_cents == 3_000
    assert wrong_books(paid.database) == []


def test_a_rejected_transfer_debited_without_its_reference_is_matched_by_hand(paid: Paid) -> None:
    report(paid, transfers={paid.first: "MS03"})
    paid.take(debit("T1", 3_000, counterparty="ASSOCIATION 1"))
    ((line, candidates),) = read_bank.waiting(paid.database, limit=9)
    assert [one.advice_id for one in candidates] == [paid.first_id]
    match_line(paid.database, line.id, paid.first_id, by=PREPARER, now=NOW)
    assert paid.states() == ["paid", "in_file"]
    assert wrong_books(paid.database) == []


@pytest.mark.parametrize("told", ["named", "detailed", "by hand"])
def test_a_rejected_transfer_debited_with_its_whole_file_is_not_paid_again(paid: Paid, told: str) -> None:
    report(paid, transfers={paid.first: "MS03"})
    whole = Booked(-7_000, "G1", message=message_id(batch_id(paid)) if told == "named" else "")
    account = Account(paid.iban, TODAY, [whole])
    import_statement(paid.database, "releve.xml", camt("053", "08", account), by=PREPARER, now=NOW)
    if told == "detailed":
        transfers = (Transaction(-3_000, paid.first), Transaction(-4_000, paid.second))
        account = Account(paid.iban, TODAY, [Booked(-7_000, "G1", transfers)], "N")
        import_statement(paid.database, "avis.xml", camt("054", "08", account), by=PREPARER, now=NOW)
    if told == "by hand":
        with paid.database.read() as session:
            line_id = session.scalars(select(BankLine.id)).one()
        best = suggestions(paid.database, line_id)[0]
        assert (best.target_id, best.reasons) == (
            batch_id(paid), ("total des 2 virements attendus ou rejetés de ce fichier",)
        )  # fmt: skip
        assert match_with_file(paid.database, new_id(), line_id, batch_id(paid), 1, by=PREPARER, now=NOW) == 2
    assert paid.states() == ["paid", "paid"]
    assert wrong_books(paid.database) == []
    with pytest.raises(Refused, match="Rien n’est à régler"):
        freeze(paid)
    back = credit("B1", 3_000, paid.first, return_reason="MS03")
    paid.take(back, name="R2", day=TODAY + timedelta(days=1), opening_cents=OPENING_CENTS - 7_000)
    assert paid.states() == ["returned", "paid"]
    assert freeze(paid).total_cents == 3_000
    assert wrong_books(paid.database) == []


def test_a_file_refused_whole_then_debited_whole_is_not_paid_again(paid: Paid) -> None:
    assert report(paid, block="AC02").rejected_count == 2
    whole = Booked(-7_000, "G1", message=message_id(batch_id(paid)))
    account = Account(paid.iban, TODAY, [whole])
    done = import_statement(paid.database, "releve.xml", camt("053", "08", account), by=PREPARER, now=NOW)
    assert (done.paid_count, paid.states()) == (2, ["paid", "paid"])
    assert wrong_books(paid.database) == []
    with pytest.raises(Refused, match="Rien n’est à régler"):
        freeze(paid)


def test_a_whole_file_debited_after_its_rejected_transfer_was_taken_up_waits_for_a_person(paid: Paid) -> None:
    report(paid, transfers={paid.first: "MS03"})
    freeze(paid)
    whole = Booked(-7_000, "G1", message=message_id(batch_id(paid)))
    account = Account(paid.iban, TODAY, [whole])
    done = import_statement(paid.database, "releve.xml", camt("053", "08", account), by=PREPARER, now=NOW)
    assert (done.paid_count, done.unknown_count) == (0, 1)
    assert wrong_books(paid.database) == []


def test_a_rejected_transfer_debited_after_another_batch_took_it_up_waits_for_a_person(paid: Paid) -> None:
    report(paid, transfers={paid.first: "MS03"})
    freeze(paid)
    assert paid.take(debit("T1", 3_000, paid.first)).unknown_count == 1
    assert "un autre lot l’a repris" in paid.waiting()[-3_000]
    assert wrong_books(paid.database) == []


def test_a_rejection_that_comes_after_the_debit_changes_nothing_and_is_said(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first))
    done = report(paid, transfers={paid.first: "AC04", "PN-UNKNOWN": "AC01", paid.second: "AM05"})
    assert done.rejected_count == 0
    assert paid.states() == ["paid", "in_file"]
    said = sorted(one.reason for one in done.ignored)
    assert ["débité le" in one or "n’est pas dans ce fichier" in one for one in said] == [True, True]
    assert all(one.line > 0 for one in done.ignored)
    assert [row.reason for row in ignored_parts(paid.database, limit=9)] == [one.reason for one in done.ignored]


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_rejected_transfer_matched_by_mistake_is_owed_again_once_that_is_undone(paid: Paid, is_whole: bool) -> None:
    report(paid, block="MS03") if is_whole else report(paid, transfers={paid.first: "MS03"})
    before, cents = paid.states(), 7_000 if is_whole else 3_000
    paid.take(debit("X1", cents))
    with paid.database.read() as session:
        line_id = session.scalars(select(BankLine.id)).one()

    def match() -> UUID:
        match_id = new_id()
        if is_whole:
            match_with_file(paid.database, match_id, line_id, batch_id(paid), 1, by=PREPARER, now=NOW)
        else:
            match_line(paid.database, line_id, paid.first_id, by=PREPARER, now=NOW, match_id=match_id)
        assert wrong_books(paid.database) == []
        match_up(paid.database, now=NOW)
        return match_id

    for _ in range(3):
        undo_match(paid.database, match(), "Ce n’est pas lui.", by=PREPARER, now=NOW)
        assert paid.states() == before
        assert wrong_books(paid.database) == []
        match_up(paid.database, now=NOW)
    again = [PaymentWhy.DEBITED_AFTER_ALL, PaymentWhy.DEBITED, PaymentWhy.PAYMENT_UNDONE, PaymentWhy.REJECTED_AGAIN]
    history = payment_history(paid.database, paid.first_id)
    assert [one.why for one in history] == [PaymentWhy.FROZEN, PaymentWhy.EXPORTED, PaymentWhy.REJECTED, *again * 3]
    assert {one.reason for one in history if one.after is AdviceState.REJECTED} == {"MS03"}
    assert [one.before for one in history[1:]] == [one.after for one in history[:-1]]
    assert report(paid, transfers={paid.first: "AC01"}).rejected_count == 0, "it is rejected already"
    # It was its debit after all.
    match()
    assert paid.states()[0] == "paid"
    assert match_up(paid.database, now=NOW) == Lettered(0, 0)
    with paid.database.read() as session:
        assert [one for check in CHECKS for one in check(session)] == []
    assert wrong_books(paid.database) == []


def test_a_transfer_rejected_then_debited_and_sent_back_failed_once_whichever_batch_takes_it_up(paid: Paid) -> None:
    report(paid, transfers={paid.first: "MS03"})
    assert [one.is_return for one in failures(paid.database)] == [False]
    paid.take(debit("T1", 3_000, paid.first), credit("B1", 3_000, paid.first))
    freeze(paid)
    assert "taken_up" in paid.states()
    assert [one.is_return for one in failures(paid.database)] == [True], "the rejection does not stand"


def test_what_is_owed_again_once_a_match_is_undone_is_paid_by_the_next_batch(paid: Paid) -> None:
    report(paid, transfers={paid.first: "MS03"})
    paid.take(debit("X1", 3_000))
    with paid.database.read() as session:
        line_id = session.scalars(select(BankLine.id)).one()
    match_id = new_id()
    match_line(paid.database, line_id, paid.first_id, by=PREPARER, now=NOW, match_id=match_id)
    undo_match(paid.database, match_id, "Ce n’est pas lui.", by=PREPARER, now=NOW)
    assert freeze(paid).total_cents == 3_000
    assert wrong_books(paid.database) == []


@pytest.mark.race
def test_a_rejected_transfer_is_debited_or_taken_up_never_both(database: Database) -> None:
    paid = Paid(database)
    report(paid, transfers={paid.first: "MS03", paid.second: "MS03"})
    content = statement("R1", paid.iban, TODAY, OPENING_CENTS, [debit("T1", 3_000, paid.first)])
    start = Barrier(2)

    def take() -> Imported:
        start.wait()
        return import_statement(database, "r.xml", content, by=PREPARER, now=NOW)

    def settle() -> int:
        start.wait()
        try:
            return freeze(paid).total_cents
        except Refused:  # an advice has just changed: asked again, it is left out
            return freeze(paid).total_cents

    with ThreadPoolExecutor(2) as people:
        done, total_cents = people.submit(take), people.submit(settle)
    assert (done.result().paid_count, total_cents.result()) in ((1, 4_000), (0, 7_000))
    assert wrong_books(database) == []


@pytest.mark.race
def test_a_payment_that_two_people_set_aside_at_once_leaves_the_batch_once(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    frozen = freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=NOW)
    with database.read() as session:
        advice_ids = session.scalars(select(PaymentAdvice.id).order_by(PaymentAdvice.amount_cents)).all()
    for advice_id in advice_ids:
        start = Barrier(4)

        def act(_: int, advice_id: UUID = advice_id, start: Barrier = start) -> None:
            start.wait()
            set_aside(database, advice_id, "RIB à vérifier", by=PREPARER, now=NOW)

        with ThreadPoolExecutor(4) as people:
            list(people.map(act, range(4)))
    with database.read() as session:
        batch = session.get_one(SettlementBatch, frozen.batch_id)
        assert (batch.state, batch.advice_count, batch.total_cents) == ("closed", 0, 0)
    assert wrong_books(database) == []
