"""What is contested, set aside, rejected, owed back, claimed and given up: each act killed at its steps and run again."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.killing import Killer
from tests.settlement.reports import status_report
from tests.settlement.test_clock import pivot_of
from tests.settlement.test_disputes import FACTS, balance, sent
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.demonstration.bank import BookedLine, statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.programme.model import PayingAccount
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.batches.freeze_urgent import freeze_urgent_batch
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.model.batches import BankLine, PaymentAdvice
from voucher.settlement.model.recoveries import Overpayment
from voucher.settlement.payable.hold_by_hand import NewHold, lift_hold, place_hold
from voucher.settlement.reconciliation.match_by_hand import match_line
from voucher.settlement.reconciliation.match_other_money import match_with_overpayment
from voucher.settlement.reconciliation.undo_match import undo_match
from voucher.settlement.recoveries.dispute import NewDispute, decide_dispute, open_dispute
from voucher.settlement.recoveries.repay_or_write_off import ask_write_off, write_off
from voucher.settlement.recoveries.revenue_order import claim_overpayment
from voucher.settlement.reports.answer_duplicates import NewAnswer, answer_duplicates, withdraw_answer
from voucher.settlement.words.states import DuplicateOutcome

LATER = NOW + timedelta(days=60)
ACT = {"by": PREPARER, "now": NOW}
OTHER = {"by": APPROVER, "now": NOW}
LATE = {"by": PREPARER, "now": LATER}
WHY = "Le planning du lieu le montre."


def advice_of(town: Town, batch_id: UUID, rank: int) -> tuple[UUID, str]:
    """Return the id and reference of what a batch pays to the rank-th structure."""
    with town.database.read() as session:
        row = session.execute(
            select(PaymentAdvice.id, PaymentAdvice.reference).where(
                PaymentAdvice.batch_id == batch_id, PaymentAdvice.structure_id == town.structure_ids[rank]
            )
        ).one()
        return row.id, row.reference


def imported(town: Town, killer: Killer, *lines: BookedLine) -> list[UUID]:
    """Let the bank book lines, the import killed everywhere; return them, the smallest first."""
    with town.database.read() as session:
        iban = session.scalars(select(PayingAccount.iban)).one()
    content = statement("R1", iban, NOW.date(), 1_000_000, lines)
    killer.everywhere(import_statement, "R1.xml", content, **ACT)
    with town.database.read() as session:
        return list(session.scalars(select(BankLine.id).order_by(BankLine.amount_cents)))


@pytest.mark.kill
def test_what_is_contested_and_owed_back_is_so_once_however_often_its_acts_are_killed(
    database: Database, killer: Killer
) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 1)
    contested = town.redeem(0, 2)
    for outcome in ("dismissed", "upheld"):
        dispute = NewDispute(new_id(), contested, "not_rendered", FACTS)
        assert killer.everywhere(open_dispute, dispute, **ACT) == (True, True)
        killer.everywhere(decide_dispute, dispute.id, outcome, WHY, **OTHER)
    assert (balance(town, "4678"), balance(town, "4670")) == (0, 1_000)
    paid = town.redeem(0, 3)
    sent(town)
    dispute = NewDispute(new_id(), paid, "not_rendered", FACTS)
    killer.everywhere(open_dispute, dispute, **ACT)
    killer.everywhere(decide_dispute, dispute.id, "upheld", WHY, **OTHER)
    assert balance(town, "4671") == 3_000
    with database.read() as session:
        overpayment_id = session.scalars(select(Overpayment.id)).one()
    (credit,) = imported(
        town, killer, BookedLine(reference="C1", amount_cents=1_000, is_credit=True, counterparty="Association")
    )
    undone_id = new_id()
    killer.everywhere(match_with_overpayment, undone_id, credit, overpayment_id, **ACT)
    killer.everywhere(undo_match, undone_id, "Autre structure", **ACT)
    taken = killer.everywhere(match_with_overpayment, new_id(), credit, overpayment_id, **ACT)
    assert taken == (1_000, 1_000)
    claim, again = killer.everywhere(claim_overpayment, new_id(), overpayment_id, days=60, **LATE)
    assert (claim.number, claim.amount_cents, again) == ("DT-2027-0001", 2_000, claim)
    killer.everywhere(ask_write_off, overpayment_id, "Structure dissoute", **LATE)
    killer.everywhere(write_off, overpayment_id, by=APPROVER, now=LATER)
    assert balance(town, "4671") == 0
    assert wrong_books(database) == []


@pytest.mark.kill
def test_what_fails_to_be_paid_is_taken_up_once_however_often_its_acts_are_killed(
    database: Database, killer: Killer
) -> None:
    town = a_town(database, structure_count=3)
    for rank in range(3):
        town.redeem(rank, rank + 1)
    hold = NewHold(new_id(), pivot_of(town, 2), town.agreement_id, "Contrôle en cours")
    killer.everywhere(place_hold, hold, **ACT)
    killer.everywhere(lift_hold, hold.id, "Contrôle fini", **ACT)
    batch_id = new_id()
    freeze_batch(database, batch_id, town.agreement_id, by=PREPARER, now=NOW)
    approve_batch(database, batch_id, by=APPROVER, now=NOW)
    killer.everywhere(set_aside, advice_of(town, batch_id, 2)[0], "RIB à vérifier", **ACT)
    killer.everywhere(approve_batch, batch_id, **OTHER)
    export_batch(database, batch_id, by=PREPARER, now=NOW)
    rejected = status_report(batch_id, transfers={advice_of(town, batch_id, 1)[1]: "AC04"})
    done, again = killer.everywhere(import_report, "rapport.xml", rejected, **ACT)
    assert (done.rejected_count, done.is_known, again.is_known) == (1, False, True)
    (line,) = imported(town, killer, BookedLine(reference="T1", amount_cents=1_000, is_credit=False))
    killer.everywhere(match_line, line, advice_of(town, batch_id, 0)[0], match_id=(match_id := new_id()), **ACT)
    killer.everywhere(undo_match, match_id, "Autre virement", **ACT)
    killer.everywhere(match_line, line, advice_of(town, batch_id, 0)[0], match_id=new_id(), **ACT)
    give_rib(database, town.structure_ids[1], 9)
    urgent, again = killer.everywhere(freeze_urgent_batch, new_id(), town.agreement_id, town.structure_ids[1:], **ACT)
    assert (urgent.advice_count, urgent.total_cents, again) == (2, 5_000, urgent)
    assert wrong_books(database) == []


@pytest.mark.kill
def test_a_duplicate_is_answered_and_taken_back_once_however_often_its_acts_are_killed(
    database: Database, killer: Killer
) -> None:
    town = a_town(database)
    town.redeem(0, 3)
    town.redeem(1, 4)
    batch_id = sent(town).batch_id
    content = status_report(batch_id, group="DU01")
    killer.everywhere(import_report, "doublon.xml", content, **ACT)
    first, second = (
        NewAnswer(new_id(), batch_id, None, DuplicateOutcome.NEVER_CAME, WHY, 2) for _ in (PREPARER, APPROVER)
    )
    killer.everywhere(answer_duplicates, first, **ACT)
    killer.everywhere(answer_duplicates, second, **OTHER)
    killer.everywhere(withdraw_answer, second.id, WHY, **ACT)
    with database.read() as session:
        assert set(session.scalars(select(PaymentAdvice.state))) == {"in_file"}
    assert balance(town, "5115") == 7_000
    assert wrong_books(database) == []
