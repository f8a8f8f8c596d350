"""What a structure owes back: claimed after some weeks, repaid by a bank credit, given up by two people; and who races."""

import csv
import io
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from tests.at_once import at_once, refusals_in
from tests.builders import SOMEONE
from tests.reporting.life import book
from tests.settlement.test_disputes import balance, claw_back, contest, decide, freeze, sent, voucher_states
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, wrong_books
from voucher.demonstration.bank import BookedLine
from voucher.distribution.lapse import lapse
from voucher.distribution.stop import stop_booklet
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.programme.model import Credit
from voucher.redemption.model import Redemption
from voucher.settlement.model.batches import BankLine
from voucher.settlement.model.recoveries import Overpayment
from voucher.settlement.reconciliation.match_other_money import match_with_overpayment
from voucher.settlement.reconciliation.undo_match import undo_match
from voucher.settlement.recoveries.read_overpayments import order_file, overpayment, overpayment_sums
from voucher.settlement.recoveries.repay_or_write_off import ask_write_off, open_claims, repay_from_line, write_off
from voucher.settlement.recoveries.revenue_order import claim_overpayment

DAYS = 60
LATER = NOW + timedelta(days=DAYS)


def overpaid(town: Town, voucher_count: int = 3) -> UUID:
    """Let a structure be paid for vouchers that are then clawed back; return the overpayment."""
    contested = town.redeem(0, voucher_count)
    sent(town)
    claw_back(town, contested)
    with town.database.read() as session:
        return session.scalars(select(Overpayment.id).where(Overpayment.redemption_id == contested)).one()


def claim(town: Town, overpayment_id: UUID, *, days_later: int = DAYS) -> str:
    now = NOW + timedelta(days=days_later)
    return claim_overpayment(town.database, new_id(), overpayment_id, days=DAYS, by=PREPARER, now=now).number


def a_credit(town: Town, cents: int) -> UUID:
    """Let the bank book a credit that nothing explains; return its line."""
    return _a_line(town, cents, is_credit=True)


def a_debit(town: Town, cents: int) -> UUID:
    """Let the bank book a debit that nothing explains; return its line."""
    return _a_line(town, cents, is_credit=False)


def _a_line(town: Town, cents: int, *, is_credit: bool) -> UUID:
    line = BookedLine(
        reference=f"C-{new_id().hex[-6:]}", amount_cents=cents, is_credit=is_credit, counterparty="Association"
    )
    book(town, [line], now=NOW)
    with town.database.read() as session:
        return session.scalars(select(BankLine.id).where(BankLine.bank_reference == line.reference)).one()


def available_cents(database: Database) -> int:
    with database.read() as session:
        return sum(session.scalars(select(Credit.available_cents)))


def test_a_revenue_order_is_asked_for_after_sixty_days_once_and_stops_netting(database: Database) -> None:
    town = a_town(database, structure_count=1)
    overpayment_id = overpaid(town)
    with pytest.raises(Refused, match="à partir du 22\xa0janvier\xa02027"):
        claim(town, overpayment_id, days_later=DAYS - 1)
    sums = overpayment_sums(database, days=DAYS, now=LATER)
    assert (sums.overpayment_count, sums.left_cents, sums.due_count, sums.due_cents) == (1, 3_000, 1, 3_000)
    claim_id = new_id()
    first = claim_overpayment(database, claim_id, overpayment_id, days=DAYS, by=PREPARER, now=LATER)
    again = claim_overpayment(database, claim_id, overpayment_id, days=DAYS, by=PREPARER, now=LATER)
    assert first == again
    assert (first.number, first.amount_cents) == ("DT-2027-0001", 3_000)
    with pytest.raises(Refused, match="déjà demandé"):
        claim(town, overpayment_id)
    town.redeem(0, 2)
    assert freeze(town).total_cents == 2_000, "nothing is netted any more"
    assert wrong_books(database) == []


def test_the_demand_is_kept_whole_as_pdf_and_as_a_line_for_the_finance_software(database: Database) -> None:
    town = a_town(database, structure_count=1)
    overpayment_id = overpaid(town)
    number = claim(town, overpayment_id)
    pdf, line = (order_file(database, overpayment_id, kind) for kind in ("pdf", "csv"))
    assert pdf is not None
    assert line is not None
    assert pdf[0] == f"demande-de-titre-{number}.pdf"
    assert pdf[1].startswith(b"%PDF")
    header, row = csv.reader(io.StringIO(line[1].decode("utf-8-sig")), delimiter=";")
    assert dict(zip(header, row, strict=True))["Montant en euros"] == "30,00"
    assert order_file(database, overpayment_id, "pdf", issuer_id=new_id()) is None
    with pytest.raises(Exception, match="only grows"), database.write() as session:
        session.execute(text("UPDATE revenue_order SET amount_cents = 1"))


def test_demands_are_numbered_without_a_gap_by_year(database: Database) -> None:
    town = a_town(database, structure_count=1)
    first, second = overpaid(town, 2), None
    assert claim(town, first) == "DT-2027-0001"
    second = overpaid(town, 1)
    assert claim(town, second) == "DT-2027-0002"
    assert wrong_books(database) == []


def test_a_bank_credit_repays_in_parts_and_a_match_can_be_undone(database: Database) -> None:
    town = a_town(database, structure_count=1)
    overpayment_id = overpaid(town)
    claim(town, overpayment_id)
    line_id, match_id = a_credit(town, 2_000), new_id()
    with database.read() as session:
        found = open_claims(session, amount_cents=2_000)
    assert [(one.overpayment_id, one.open_cents, one.is_claimed) for one in found] == [(overpayment_id, 3_000, True)]
    for _ in range(2):
        assert match_with_overpayment(database, match_id, line_id, overpayment_id, by=PREPARER, now=LATER) == 2_000
    with pytest.raises(Refused, match="same_id_other_content"):
        match_with_overpayment(database, match_id, line_id, new_id(), by=PREPARER, now=LATER)
    assert (balance(town, "4671"), balance(town, "4711")) == (1_000, 0)
    assert wrong_books(database) == []
    undo_match(database, match_id, "Autre structure", by=PREPARER, now=LATER)
    assert (balance(town, "4671"), balance(town, "4711")) == (3_000, 2_000)
    assert wrong_books(database) == []
    match_with_overpayment(database, new_id(), line_id, overpayment_id, by=PREPARER, now=LATER)
    too_much = a_credit(town, 1_500)
    with pytest.raises(Refused, match="il reste 10,00"), database.write() as session:
        repay_from_line(session, too_much, overpayment_id, by=PREPARER, now=LATER)
    with pytest.raises(IntegrityError, match="recovered_is_a_part"), database.write() as session:
        session.execute(text("UPDATE overpayment SET recovered_cents = amount_cents + 1"))
    assert match_with_overpayment(database, new_id(), too_much, overpayment_id, by=PREPARER, now=LATER) == 1_000
    assert (balance(town, "4671"), balance(town, "4711")) == (0, 500)
    assert wrong_books(database) == []


def test_a_line_repays_an_overpayment_by_one_match_at_a_time(database: Database) -> None:
    town = a_town(database, structure_count=1)
    overpayment_id = overpaid(town, 2)
    first, second = a_credit(town, 1_000), a_credit(town, 3_000)
    undone_id = new_id()
    match_with_overpayment(database, undone_id, first, overpayment_id, by=PREPARER, now=LATER)
    assert match_with_overpayment(database, new_id(), second, overpayment_id, by=PREPARER, now=LATER) == 1_000
    undo_match(database, undone_id, "Autre structure", by=PREPARER, now=LATER)
    with pytest.raises(Refused, match="rembourse déjà une part"):
        match_with_overpayment(database, new_id(), second, overpayment_id, by=PREPARER, now=LATER)
    assert (balance(town, "4671"), balance(town, "4711")) == (1_000, 3_000)
    assert wrong_books(database) == []


def test_what_is_left_is_given_up_by_two_people_once_it_was_claimed(database: Database) -> None:
    town = a_town(database, structure_count=1)
    overpayment_id = overpaid(town)
    with pytest.raises(Refused, match="Demandez d’abord l’émission"):
        ask_write_off(database, overpayment_id, "Structure liquidée", by=PREPARER, now=NOW)
    claim(town, overpayment_id)
    for _ in range(2):
        ask_write_off(database, overpayment_id, "Structure liquidée", by=PREPARER, now=LATER)
    with pytest.raises(Refused, match="Une autre personne doit l’accepter"):
        write_off(database, overpayment_id, by=PREPARER, now=LATER)
    with pytest.raises(Refused, match="vient de changer"):
        write_off(database, overpayment_id, by=APPROVER, now=LATER, seen_cents=2_999)
    for _ in range(2):
        write_off(database, overpayment_id, by=APPROVER, now=LATER, seen_cents=3_000)
    assert (balance(town, "4671"), balance(town, "6540")) == (0, 3_000)
    page = overpayment(database, overpayment_id, days=DAYS, now=LATER)
    assert page is not None
    assert page.line.state == "written_off"
    assert wrong_books(database) == []


def test_vouchers_of_a_lapsed_order_stay_lapsed_and_their_credit_is_given_back(database: Database) -> None:
    town = a_town(database, structure_count=1)
    contested = town.redeem(0, 3)
    sent(town)
    end = NOW + timedelta(days=120)
    lapse(database, by=None, now=end)
    before = available_cents(database)
    claw_back(town, contested)
    assert voucher_states(town, contested) == {"lapsed"}
    assert available_cents(database) == before + 3_000
    assert wrong_books(database) == []


def test_vouchers_of_a_stopped_booklet_stay_stopped(database: Database) -> None:
    town = a_town(database, structure_count=1)
    contested = town.redeem(0, 3)
    with database.read() as session:
        number = session.scalars(select(Redemption.booklet_number).where(Redemption.id == contested)).one()
    stop_booklet(database, new_id(), number, "stolen", by=SOMEONE, now=NOW)
    decide(town, contest(town, contested), "upheld")
    assert voucher_states(town, contested) == {"stopped"}
    assert wrong_books(database) == []


def test_two_people_who_decide_at_once_make_one_overpayment(database: Database) -> None:
    town = a_town(database, structure_count=1)
    contested = town.redeem(0, 3)
    sent(town)
    dispute_id = contest(town, contested)
    answers = at_once(
        lambda: decide(town, dispute_id, "upheld", by=APPROVER),
        lambda: decide(town, dispute_id, "upheld", by=SOMEONE),
        lambda: decide(town, dispute_id, "dismissed", by=new_id()),
    )
    assert refusals_in(answers) == ["already_decided"] * 2
    assert balance(town, "4671") in (0, 3_000)
    assert wrong_books(database) == []


def test_a_freeze_and_a_dispute_at_once_pay_or_suspend_never_both(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 1)
    contested = town.redeem(0, 2)
    at_once(lambda: freeze(town), lambda: contest(town, contested), lambda: contest(town, contested))
    assert wrong_books(database) == []
    assert (balance(town, "4675"), balance(town, "4678")) in ((3_000, 0), (1_000, 2_000))


def test_netting_and_repaying_at_once_never_recover_more_than_was_overpaid(database: Database) -> None:
    town = a_town(database, structure_count=1)
    overpayment_id = overpaid(town)
    line_id = a_credit(town, 3_000)
    town.redeem(0, 5)

    at_once(
        lambda: freeze(town),
        lambda: match_with_overpayment(database, new_id(), line_id, overpayment_id, by=PREPARER, now=NOW),
    )
    assert balance(town, "4671") == 0
    assert wrong_books(database) == []
