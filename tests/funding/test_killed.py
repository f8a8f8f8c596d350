"""Money of funders, each act of it killed at its steps and run again: called, received, undone, balanced, given back."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.funding.money import PERSON, balance, settled
from tests.killing import Killer
from tests.settlement.town import APPROVER, NOW, Town, a_town, wrong_books
from voucher.demonstration.bank import BookedLine, statement
from voucher.funding.call import call_advance, call_funds
from voucher.funding.cancel import cancel_call
from voucher.funding.close import close_funding
from voucher.funding.documents import keep_balance_document, keep_call_documents
from voucher.funding.model import FundsCall
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart import Code
from voucher.programme.model import PayingAccount
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.model.batches import BankLine
from voucher.settlement.reconciliation.match_other_money import match_with_call, match_with_refund
from voucher.settlement.reconciliation.match_with_account import ChartAccount
from voucher.settlement.reconciliation.proposals import confirm_proposal, propose_account
from voucher.settlement.reconciliation.undo_match import undo_match

OVER = datetime(2027, 3, 10, 9, 0, tzinfo=UTC)
ACT = {"by": PERSON, "now": NOW}
LATE = {"by": PERSON, "now": OVER}


def booked(town: Town, killer: Killer, day: date, *lines: BookedLine) -> None:
    """Let the agreement's bank book lines, the import killed everywhere."""
    with town.database.read() as session:
        iban = session.scalars(select(PayingAccount.iban)).one()
    content = statement(f"R{day}", iban, day, 5_000_000, lines)
    killer.everywhere(import_statement, "releve.xml", content, by=PERSON, now=OVER if day > NOW.date() else NOW)


def line_of(town: Town, reference: str) -> UUID:
    with town.database.read() as session:
        return session.scalars(select(BankLine.id).where(BankLine.bank_reference == reference)).one()


@pytest.mark.kill
def test_the_money_of_funders_killed_at_every_step_is_called_received_and_given_back_once(
    database: Database, killer: Killer
) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(voucher_count=6)
    agreement_id, (state_id, department_id) = town.agreement_id, town.agreed.funder_ids
    advance, again = killer.everywhere(call_advance, new_id(), agreement_id, state_id, 10_000, **ACT)
    assert again == advance
    dropped, _ = killer.everywhere(call_advance, new_id(), agreement_id, department_id, 700, **ACT)
    killer.everywhere(cancel_call, dropped.call_id, **ACT)
    booked(
        town,
        killer,
        NOW.date(),
        BookedLine(reference="C1", amount_cents=10_000, is_credit=True),
        BookedLine(reference="F1", amount_cents=250, is_credit=False),
    )
    charges_id, charges = new_id(), ChartAccount(Code.CHARGES)
    propose_account(database, charges_id, line_of(town, "F1"), charges, 250, "Frais de tenue", **ACT)
    killer.everywhere(confirm_proposal, charges_id, by=APPROVER, now=NOW)
    first_id, second_id = new_id(), new_id()
    taken = killer.everywhere(match_with_call, first_id, line_of(town, "C1"), advance.call_id, **ACT)
    assert taken == (10_000, 10_000)
    killer.everywhere(undo_match, first_id, "Autre financeur", **ACT)
    killer.everywhere(match_with_call, second_id, line_of(town, "C1"), advance.call_id, **ACT)
    call, again = killer.everywhere(call_funds, new_id(), agreement_id, state_id, **ACT)
    assert (call.used_cents, call.advance_used_cents, call.called_cents, again) == (3_000, 3_000, 0, call)
    documents, again = killer.everywhere(keep_call_documents, call.call_id, now=NOW)
    assert again == documents
    assert balance(town, "4432") == -7_000
    settled(town, OVER)
    close_id = new_id()
    close, again = killer.everywhere(close_funding, close_id, agreement_id, state_id, **LATE)
    assert (close.refund_cents, again) == (7_000, close)
    document, again = killer.everywhere(keep_balance_document, close_id, now=OVER)
    assert again == document
    rest, _ = killer.everywhere(close_funding, new_id(), agreement_id, department_id, **LATE)
    with database.read() as session:
        words = session.get_one(FundsCall, rest.last_call_id).reference
    booked(
        town,
        killer,
        OVER.date(),
        BookedLine(reference="D1", amount_cents=7_000, is_credit=False),
        BookedLine(reference="C2", amount_cents=3_000, is_credit=True, remittance=f"VIR {words}"),
    )
    assert balance(town, "4431", 1) == 0, "its reference in the bank's words paid the last call"
    refund_id = new_id()
    killer.everywhere(match_with_refund, refund_id, line_of(town, "D1"), close_id, **LATE)
    killer.everywhere(undo_match, refund_id, "Autre convention", **LATE)
    killer.everywhere(match_with_refund, new_id(), line_of(town, "D1"), close_id, **LATE)
    assert balance(town, "4432") == 0
    assert wrong_books(database) == []
