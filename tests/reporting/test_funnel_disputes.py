"""The funnel stays the ledger's own while redemptions are contested, clawed back, netted and written off."""

from datetime import timedelta

from tests.settlement.test_disputes import claw_back, contest, decide, sent
from tests.settlement.test_overpayments import claim, overpaid
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, wrong_books
from voucher.distribution.lapse import lapse
from voucher.kernel.database import Database
from voucher.reporting.funnel import Step, funnel
from voucher.reporting.stages import money
from voucher.settlement.recoveries.repay_or_write_off import ask_write_off, write_off

END = NOW + timedelta(days=120)


def agree(town: Town) -> dict[Step, tuple[int, int]]:
    """Assert that funnel and ledger say the same; return the funnel's steps (vouchers, cents)."""
    found, books = funnel(town.database, now=END), money(town.database)
    assert found.owed.amount_cents == books.owed_cents
    assert found.outstanding.amount_cents == books.outstanding_cents
    assert found[Step.USED].amount_cents == books.used_cents
    return {step: (part.voucher_count, part.amount_cents) for step, part in found.parts.items()}


def test_the_funnel_is_the_ledgers_at_each_step_of_a_dispute(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 4)
    suspended = town.redeem(0, 2)
    dispute_id = contest(town, suspended)
    assert agree(town)[Step.USED] == (6, 6_000), "what is contested is used until it is decided"
    decide(town, dispute_id, "upheld")
    assert agree(town)[Step.USED] == (4, 4_000)
    clawed_back = town.redeem(0, 3)
    sent(town)
    claw_back(town, clawed_back)
    agree(town)
    town.redeem(0, 5)
    sent(town)
    agree(town)
    claimed = overpaid(town, 1)
    claim(town, claimed)
    agree(town)
    ask_write_off(database, claimed, "Structure dissoute", by=PREPARER, now=END)
    write_off(database, claimed, by=APPROVER, now=END)
    agree(town)
    late = contest(town, town.redeem(0, 2))
    lapse(database, by=None, now=END)
    decide(town, late, "upheld")
    steps = agree(town)
    assert steps[Step.LAPSED][0] == steps[Step.MADE][0] - steps[Step.USED][0]
    assert wrong_books(database) == []
