"""The cash forecast: a method anyone can redo by hand, and facts that are the ledger's."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.builders import an_agreement
from tests.reporting.life import advices, book, export_period
from tests.settlement.town import NOW, PREPARER, a_town
from voucher.demonstration.bank import BookedLine
from voucher.funding.call import call_advance
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.reporting.cash_forecast import cash
from voucher.reporting.cash_rules import CashFacts, Scenario, forecast, months_until, total, used_until

TODAY = date(2026, 3, 10)
FACTS = CashFacts(
    outstanding_cents=100_000,
    window_cents=(30_000, 9_000, 21_000),
    known_days=200,
    owed=((date(2026, 1, 31), 4_000), (date(2026, 2, 28), 5_000)),
    overpaid_cents=0,
    to_call_cents=7_000,
    called_cents=2_000,
    advance_cents=0,
    held_cents=50_000,
    payment_days=30,
    grace_until=date(2026, 6, 30),
    present_by=date(2026, 7, 31),
)
MONTHS = months_until(TODAY, FACTS.present_by)


def test_the_months_go_from_today_to_the_last_presentation() -> None:
    assert [month.month for month in MONTHS] == [3, 4, 5, 6, 7]
    assert months_until(date(2026, 12, 31), date(2026, 1, 1)) == [date(2026, 12, 1)]
    assert months_until(date(2026, 12, 31), date(2027, 1, 1)) == [date(2026, 12, 1), date(2027, 1, 1)]


def test_the_expected_pace_is_the_mean_of_ninety_days_and_the_slow_one_the_worst_of_three() -> None:
    tomorrow = TODAY + timedelta(days=1)
    assert used_until(FACTS, TODAY, tomorrow, Scenario.EXPECTED) == 60_000 // 90
    assert used_until(FACTS, TODAY, tomorrow, Scenario.SLOW) == 9_000 // 30
    assert used_until(FACTS, TODAY, FACTS.grace_until, Scenario.ALL_USED) == 100_000


def test_an_agreement_that_has_just_begun_is_judged_on_the_days_it_has() -> None:
    young = replace(FACTS, window_cents=(12_000, 0, 0), known_days=12)
    assert used_until(young, TODAY, TODAY + timedelta(days=10), Scenario.EXPECTED) == 10_000
    assert used_until(young, TODAY, TODAY + timedelta(days=10), Scenario.SLOW) == 10_000


@pytest.mark.parametrize("scenario", Scenario)
def test_whatever_is_used_is_paid_and_received_to_the_cent(scenario: Scenario) -> None:
    found = forecast(FACTS, MONTHS, TODAY, scenario)
    used = sum(month.used_cents for month in found.months)
    assert used + found.lapsed_cents == FACTS.outstanding_cents
    assert sum(month.paid_cents for month in found.months) == used + 9_000
    assert sum(month.received_cents for month in found.months) == used + 9_000
    assert found.months[-1].cash_cents == FACTS.held_cents
    assert found.months[-1].first is None


def test_payments_come_after_the_delay_and_funders_after_their_call() -> None:
    found = forecast(FACTS, MONTHS, TODAY, Scenario.EXPECTED)
    march, april, may = found.months[:3]
    assert march.used_cents == 60_000 * 21 // 90
    assert march.paid_cents == 9_000, "both are due: on 2 March, which is past, and on 30 March"
    assert april.paid_cents == march.used_cents, "used in March, due on 30 April"
    assert april.received_cents == 2_000
    assert may.received_cents == march.used_cents + 7_000
    assert march.cash_cents == 50_000 - 9_000


def test_advances_serve_first_and_overpayments_are_kept_back() -> None:
    found = forecast(replace(FACTS, advance_cents=8_000, overpaid_cents=10_000), MONTHS, TODAY, Scenario.EXPECTED)
    plain = forecast(FACTS, MONTHS, TODAY, Scenario.EXPECTED)
    assert found.months[0].paid_cents == 0
    assert found.months[1].paid_cents == plain.months[1].paid_cents - 1_000
    assert found.months[2].received_cents == plain.months[2].received_cents - 8_000
    assert found.months[1].received_cents == 2_000, "what is called already comes whole"


def test_nothing_is_used_after_the_last_day_of_tolerance() -> None:
    found = forecast(replace(FACTS, grace_until=TODAY), MONTHS, TODAY, Scenario.ALL_USED)
    assert sum(month.used_cents for month in found.months) == 0
    assert found.lapsed_cents == FACTS.outstanding_cents


def test_agreements_add_up_month_by_month() -> None:
    one = forecast(FACTS, MONTHS, TODAY, Scenario.SLOW)
    both = total([one, one], Scenario.SLOW)
    assert [month.cash_cents for month in both.months] == [2 * month.cash_cents for month in one.months]
    assert total([], Scenario.SLOW).lowest is None


def test_an_advance_that_was_called_is_awaited_before_anything_is_issued(database: Database) -> None:
    agreed = an_agreement(database)
    assert cash(database, now=NOW, issuer_id=agreed.issuer_id).agreements == ()
    call_advance(database, new_id(), agreed.agreement_id, agreed.funder_ids[1], 50_000, by=PREPARER, now=NOW)
    (agreement,) = cash(database, now=NOW, issuer_id=agreed.issuer_id).agreements
    assert agreement.facts.called_cents == 50_000
    months = months_until(NOW.date(), agreement.facts.present_by)
    expected = forecast(agreement.facts, months, NOW.date(), Scenario.EXPECTED)
    assert sum(month.received_cents for month in expected.months) == 50_000


def test_the_facts_are_the_ledgers(database: Database) -> None:
    town = a_town(database, structure_count=2)
    town.redeem(0, 3, now=NOW - timedelta(days=20))
    town.redeem(1, 4, now=NOW - timedelta(days=20))
    batch_id = export_period(town, now=NOW)
    reference, cents = advices(database, batch_id)[0]
    book(town, [BookedLine("T1", cents, False, reference)], now=NOW + timedelta(days=1))
    town.redeem(0, 2, now=NOW + timedelta(days=2))
    (agreement,) = cash(database, now=NOW + timedelta(days=2), issuer_id=town.agreed.issuer_id).agreements
    facts = agreement.facts
    assert facts.outstanding_cents == 21_000, "three booklets of 10, nine vouchers used"
    assert facts.window_cents == (9_000, 0, 0)
    assert facts.known_days == 22
    assert facts.held_cents == -cents
    assert sum(amount for _, amount in facts.owed) == 9_000 - cents
    assert facts.to_call_cents == 9_000
    assert cash(database, now=NOW, issuer_id=town.agreement_id).agreements == ()


def test_what_a_bank_sends_back_is_held_again(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3)
    batch_id = export_period(town, now=NOW)
    ((reference, cents),) = advices(database, batch_id)
    book(town, [BookedLine("T1", cents, False, reference)], now=NOW + timedelta(days=1))
    book(town, [BookedLine("T2", cents, True, reference, return_reason="AC04")], now=NOW + timedelta(days=2))
    (agreement,) = cash(database, now=NOW + timedelta(days=2)).agreements
    assert agreement.facts.held_cents == 0
    assert sum(amount for _, amount in agreement.facts.owed) == cents
