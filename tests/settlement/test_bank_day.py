"""What a bank line causes takes effect on the day the bank booked it, whenever it is matched, by whom, undone or not (ADR 23)."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.accounting.year import closed
from tests.faults.world import planted
from tests.settlement.camt_files import Account, camt
from tests.settlement.reports import status_report
from tests.settlement.test_bank_matches import WRONG, one
from tests.settlement.test_disputes import claw_back
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, Paid, credit, debit
from tests.settlement.town import APPROVER, NOW, PREPARER, wrong_books
from voucher.funding.call import call_funds
from voucher.funding.statement import receipt_steps, statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart import Code, EventType
from voucher.ledger.model import Entry, RuleStart
from voucher.redemption.model import Redemption
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.checks.bank_entry_days import CHECKS
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, SettlementBatch
from voucher.settlement.model.proposals import LineProposal
from voucher.settlement.model.recoveries import Overpayment
from voucher.settlement.reconciliation import read as read_bank
from voucher.settlement.reconciliation.match_by_hand import match_line, match_with_file
from voucher.settlement.reconciliation.match_other_money import (
    match_with_call,
    match_with_overpayment,
)
from voucher.settlement.reconciliation.match_with_account import ChartAccount
from voucher.settlement.reconciliation.proposals import confirm_proposal, propose_account, propose_undo
from voucher.settlement.reconciliation.undo_match import undo_match

LATER = NOW + timedelta(days=4)
LATEST = NOW + timedelta(days=6)
ACT = {"by": PREPARER, "now": LATER}


@pytest.fixture
def paid(database: Database) -> Paid:
    return Paid(database)


def line_of(paid: Paid, cents: int) -> UUID:
    with paid.database.read() as session:
        return session.scalars(select(BankLine.id).where(BankLine.amount_cents == cents)).one()


def batch_id(paid: Paid) -> UUID:
    with paid.database.read() as session:
        return session.scalars(select(SettlementBatch.id)).one()


def entries(paid: Paid, posted_at: datetime) -> dict[str, set[date]]:
    """Return the days on which what was posted at an instant took effect, by type of event."""
    found: dict[str, set[date]] = {}
    with paid.database.read() as session:
        rows = session.execute(select(Entry.event_type, Entry.effective_on).where(Entry.posted_at == posted_at))
        for event_type, day in rows:
            found.setdefault(event_type, set()).add(day)
    return found


def wrong_days(session: Session) -> list[str]:
    return [f"{one.subject} {one.detail}" for check in CHECKS for one in check(session)]


def undo_all(paid: Paid) -> None:
    with paid.database.read() as session:
        made = session.scalars(
            select(BankMatch.id).where(BankMatch.undone_at.is_(None)).order_by(BankMatch.made_at.desc(), BankMatch.id)
        ).all()
        by_two = set(session.scalars(select(LineProposal.id)))
    for match_id in dict.fromkeys(made):
        if match_id in by_two:
            asked = new_id()
            propose_undo(paid.database, asked, match_id, WRONG, by=PREPARER, now=LATEST)
            confirm_proposal(paid.database, asked, by=APPROVER, now=LATEST)
        else:
            undo_match(paid.database, match_id, WRONG, by=PREPARER, now=LATEST)


def test_each_match_by_hand_counts_on_the_banks_day_and_so_does_its_undo(paid: Paid) -> None:
    """The walk of all kinds of matches, made four days after the bank's day and undone two days later."""
    database, town = paid.database, paid.town
    call = call_funds(database, new_id(), town.agreement_id, town.agreed.funder_ids[0], by=PREPARER, now=NOW)
    paid.take(debit("T1", 3_000), debit("F1", 250), credit("F2", 40), credit("C1", call.called_cents))
    match_line(database, line_of(paid, 3_000), paid.first_id, **ACT)
    for cents in (250, 40):
        proposal_id = new_id()
        propose_account(database, proposal_id, line_of(paid, cents), ChartAccount(Code.CHARGES), cents, "Frais", **ACT)
        confirm_proposal(database, proposal_id, **ACT | {"by": APPROVER})
    match_with_call(database, new_id(), line_of(paid, call.called_cents), call.call_id, **ACT)
    assert entries(paid, LATER) == {
        EventType.DEBIT_IDENTIFIED: {TODAY},
        EventType.CHARGE_IDENTIFIED: {TODAY},
        EventType.CHARGE_REFUND_IDENTIFIED: {TODAY},
        EventType.FUNDS_IDENTIFIED: {TODAY},
    }
    undo_all(paid)
    assert entries(paid, LATEST) == {EventType.MATCH_UNDONE: {TODAY}}
    assert wrong_books(database) == []


def test_a_return_and_a_repaid_overpayment_count_on_the_banks_day(paid: Paid) -> None:
    database, town = paid.database, paid.town
    paid.take(debit("T1", 3_000, paid.first), debit("T2", 4_000, paid.second))
    with database.read() as session:
        redemption_id = session.scalars(select(Redemption.id).where(Redemption.amount_cents == 4_000)).one()
    claw_back(town, redemption_id)
    with database.read() as session:
        overpayment_id = session.scalars(select(Overpayment.id)).one()
    paid.take(credit("B1", 3_000), credit("O1", 3_500), name="R2", opening_cents=OPENING_CENTS - 7_000)
    with database.read() as session:
        back = session.scalars(select(BankLine.id).where(BankLine.is_credit, BankLine.amount_cents == 3_000)).one()
    match_line(database, back, paid.first_id, **ACT)
    match_with_overpayment(database, new_id(), line_of(paid, 3_500), overpayment_id, **ACT)
    assert entries(paid, LATER) == {EventType.CREDIT_IDENTIFIED: {TODAY}, EventType.OVERPAYMENT_REPAID: {TODAY}}
    undo_all(paid)
    assert entries(paid, LATEST)[EventType.MATCH_UNDONE] == {TODAY}
    assert wrong_books(database) == []


def test_a_line_matched_as_it_came_in_waits_on_the_banks_day_once_undone(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first))
    undo_all(paid)
    assert entries(paid, LATEST) == {EventType.MATCH_UNDONE: {TODAY}, EventType.UNKNOWN_DEBIT_BOOKED: {TODAY}}
    assert wrong_books(paid.database) == []


def test_a_whole_file_matched_by_hand_counts_on_the_banks_day(paid: Paid) -> None:
    paid.take(debit("W1", 7_000))
    assert match_with_file(paid.database, new_id(), line_of(paid, 7_000), batch_id(paid), 1, **ACT) == 2
    assert entries(paid, LATER) == {EventType.DEBIT_IDENTIFIED: {TODAY}}
    assert wrong_books(paid.database) == []


def test_what_the_bank_details_or_brings_late_counts_on_the_lines_own_day(paid: Paid) -> None:
    """A return before its debit, and a debit told as a whole: each is explained by a file that comes four days later."""
    paid.take(credit("B1", 3_000, paid.first), debit("W1", 4_000))
    later = TODAY + timedelta(days=4)
    paid.take(debit("T1", 3_000, paid.first), name="R2", day=later, opening_cents=OPENING_CENTS - 1_000)
    assert entries(paid, LATER) == {EventType.TRANSFER_BOOKED: {later}, EventType.CREDIT_IDENTIFIED: {TODAY}}
    assert wrong_books(paid.database) == []


@pytest.mark.parametrize("days", [1, 4])
def test_a_rejection_is_withdrawn_on_the_day_of_the_debit_and_never_before_it_was_told(paid: Paid, days: int) -> None:
    """The bank refuses on the 25th; it had booked the debit on the 24th, or books it on the 27th."""
    told = NOW + timedelta(days=2)
    report = status_report(batch_id(paid), transfers={paid.first: "AC04"})
    import_report(paid.database, "rapport.xml", report, by=PREPARER, now=told)
    booked_on = TODAY + timedelta(days=days)
    content = camt("053", "08", Account(paid.iban, booked_on, [one(-3_000, "T1", paid.first)], "R1", OPENING_CENTS))
    import_statement(paid.database, "R1.xml", content, by=PREPARER, now=LATER)
    found = entries(paid, LATER)
    assert found[EventType.TRANSFER_BOOKED] == {booked_on}
    assert found[EventType.REJECTION_WITHDRAWN] == {max(booked_on, told.date())}
    wrong = f"UPDATE entry SET effective_on = '{LATEST.date()}' WHERE event_type = 'rejection_withdrawn'"
    with planted(paid.database, wrong) as session:
        assert len(wrong_days(session)) == 1
    undo_all(paid)
    assert entries(paid, LATEST)[EventType.MATCH_UNDONE] == {booked_on, max(booked_on, told.date())}
    assert wrong_books(paid.database) == []


def test_a_match_in_a_closed_year_counts_on_the_first_open_day_with_the_banks_day_kept(paid: Paid) -> None:
    database = paid.database
    december = date(2026, 12, 30)
    paid.take(debit("T1", 3_000), debit("T2", 4_000, paid.second), day=december)
    closed(database, 2026, now=datetime(2027, 2, 10, 9, tzinfo=UTC))
    late = datetime(2027, 2, 12, 9, tzinfo=UTC)
    match_id = new_id()
    match_line(database, line_of(paid, 3_000), paid.first_id, by=PREPARER, now=late, match_id=match_id)
    undo_match(database, match_id, WRONG, by=PREPARER, now=late)
    undo_match(database, line_of(paid, 4_000), WRONG, by=PREPARER, now=late)
    with database.read() as session:
        rows = session.execute(select(Entry.effective_on, Entry.narration).where(Entry.posted_at == late)).all()
    assert {row.effective_on for row in rows} == {date(2027, 1, 1)}
    assert sum("(fait du 30/12/2026)" in row.narration for row in rows) == 3, (
        "the undo of the late match is no late fact"
    )
    assert wrong_books(database) == []


def test_a_statement_says_what_came_late_and_what_was_corrected(paid: Paid) -> None:
    database, town = paid.database, paid.town
    funder_id = town.agreed.funder_ids[0]
    call = call_funds(database, new_id(), town.agreement_id, funder_id, by=PREPARER, now=NOW)
    paid.take(credit("C1", 2_000))
    match_id = new_id()

    def steps() -> list[tuple[date, date, int]]:
        found = statement(database, town.agreement_id, funder_id, today=LATEST.date())
        assert found is not None
        assert sum(step.signed_cents for step in receipt_steps(found.receipts)) == found.received_cents
        return [(step.booked_on, step.said_on, step.signed_cents) for step in receipt_steps(found.receipts)]

    assert steps() == []
    match_with_call(database, match_id, line_of(paid, 2_000), call.call_id, **ACT)
    assert steps() == [(TODAY, LATER.date(), 2_000)]
    undo_match(database, match_id, WRONG, by=PREPARER, now=LATEST)
    assert steps() == [(TODAY, LATER.date(), 2_000), (TODAY, LATEST.date(), -2_000)]


def test_an_entry_on_another_day_is_found_unless_it_was_written_before_the_rule(paid: Paid) -> None:
    database, town = paid.database, paid.town
    call = call_funds(database, new_id(), town.agreement_id, town.agreed.funder_ids[0], by=PREPARER, now=NOW)
    paid.take(debit("T1", 3_000), credit("C1", call.called_cents), debit("T2", 4_000, paid.second))
    match_line(database, line_of(paid, 3_000), paid.first_id, **ACT)
    match_with_call(database, new_id(), line_of(paid, call.called_cents), call.call_id, **ACT)
    undo_match(database, line_of(paid, 4_000), WRONG, **ACT)
    assert wrong_books(database) == []
    day = LATER.date()
    statements = [
        f"UPDATE entry SET effective_on = '{day}' WHERE event_type = '{event_type}' AND posted_at >= '{LATER:%Y-%m-%d}'"
        for event_type in (
            EventType.DEBIT_IDENTIFIED,
            EventType.FUNDS_IDENTIFIED,
            EventType.MATCH_UNDONE,
            EventType.UNKNOWN_DEBIT_BOOKED,
        )
    ]
    statements.append(f"UPDATE funds_receipt SET booked_on = '{day}'")
    with planted(database, ";".join(statements)) as session:
        found = wrong_days(session)
        assert len(found) == 5
        assert all("27\xa0novembre\xa02026, alors que la banque dit le 23\xa0novembre\xa02026" in one for one in found)
        session.add(RuleStart(rule="bank_day", written_until=LATER))
        session.flush()
        assert [one for one in wrong_days(session) if "écriture" in one] == []


def test_the_value_date_is_shown_and_never_posted(paid: Paid) -> None:
    def file(entry: str) -> bytes:
        account = Account(paid.iban, TODAY, [one(-3_000, "T1", paid.first)])
        day = f"<BookgDt><Dt>{TODAY}</Dt></BookgDt><ValDt><Dt>{TODAY}</Dt></ValDt>"
        content = camt("053", "08", account).decode()
        assert day in content
        return content.replace(day, entry).encode()

    value = f"<ValDt><Dt>{TODAY - timedelta(days=40)}</Dt></ValDt>"
    with pytest.raises(RefusedBankFile, match="Sa date de valeur ne la remplace pas"):
        import_statement(paid.database, "valeur.xml", file(value), **ACT)
    content = file(f"<BookgDt><Dt>{TODAY}</Dt></BookgDt>{value}")
    import_statement(paid.database, "releve.xml", content, **ACT)
    assert entries(paid, LATER) == {EventType.TRANSFER_BOOKED: {TODAY}}
    found = read_bank.line(paid.database, line_of(paid, 3_000))
    assert found is not None
    assert (found[0].booked_on, found[0].valued_on) == (TODAY, TODAY - timedelta(days=40))
    assert wrong_books(paid.database) == []
