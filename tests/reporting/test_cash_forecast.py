"""The cash forecast: a method anyone can redo by hand, and facts that are the ledger's."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from tests.builders import an_agreement
from tests.reporting.life import advices, book, export_period
from tests.settlement.reports import status_report
from tests.settlement.town import APPROVER, NOW, PREPARER, a_town, give_rib
from voucher.demonstration.bank import BookedLine
from voucher.funding.call import call_advance, call_funds
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.reporting.cash_forecast import cash
from voucher.reporting.cash_rules import (
    CashFacts,
    FunderFacts,
    Scenario,
    forecast,
    months_until,
    total,
    used_by_funder,
    used_until,
)
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.deadlines.payment_deadlines import dues
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.recoveries.dispute import NewDispute, decide_dispute, open_dispute

TODAY = date(2026, 3, 10)
FACTS = CashFacts(
    outstanding_cents=100_000,
    window_cents=(30_000, 9_000, 21_000),
    known_days=200,
    owed=((date(2026, 3, 2), 4_000), (date(2026, 3, 30), 5_000)),
    blocked_cents=0,
    overpaid_cents=0,
    funders=(FunderFacts(65_000, 5_000, 0), FunderFacts(35_000, 2_000, 0)),
    called=((date(2026, 4, 9), 2_000),),
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
    funders = (FunderFacts(65_000, 5_000, 8_000), FACTS.funders[1])
    found = forecast(replace(FACTS, funders=funders, overpaid_cents=10_000), MONTHS, TODAY, Scenario.EXPECTED)
    plain = forecast(FACTS, MONTHS, TODAY, Scenario.EXPECTED)
    assert found.months[0].paid_cents == 0
    assert found.months[1].paid_cents == plain.months[1].paid_cents - 1_000
    assert found.months[2].received_cents == plain.months[2].received_cents - 8_000
    assert found.months[1].received_cents == 2_000, "what is called already comes whole"


def test_a_funder_s_advance_never_pays_for_another_funder() -> None:
    funders = (FunderFacts(65_000, 5_000, 0), FunderFacts(35_000, 2_000, 1_000_000))
    found = forecast(replace(FACTS, funders=funders), MONTHS, TODAY, Scenario.ALL_USED)
    assert sum(month.received_cents for month in found.months) == 65_000 + 5_000 + 2_000
    assert found.months[2].received_cents == 5_000 + 65_000 * found.months[0].used_cents // 100_000


def test_a_credit_after_claw_backs_comes_off_what_its_funder_is_called_next() -> None:
    funders = (FunderFacts(65_000, -3_000, 0), FunderFacts(35_000, 2_000, 0))
    found = forecast(replace(FACTS, funders=funders), MONTHS, TODAY, Scenario.ALL_USED)
    assert sum(month.received_cents for month in found.months) == 65_000 - 3_000 + 35_000 + 2_000 + 2_000


def test_each_month_is_split_among_funders_to_the_cent() -> None:
    facts = replace(
        FACTS, outstanding_cents=100, funders=(FunderFacts(33, 0, 0), FunderFacts(33, 0, 0), FunderFacts(34, 0, 0))
    )
    parts = used_by_funder(facts, [7, 0, 11, 82])
    assert [sum(month) for month in zip(*parts, strict=True)] == [7, 0, 11, 82]
    assert [sum(part) for part in parts] == [33, 33, 34]


def test_a_call_comes_on_its_day_and_a_late_one_in_no_month() -> None:
    called = ((date(2026, 3, 9), 900), (TODAY, 20), (date(2026, 5, 31), 3), (date(2027, 1, 1), 1))
    found = forecast(replace(FACTS, called=called), MONTHS, TODAY, Scenario.EXPECTED)
    plain = forecast(replace(FACTS, called=()), MONTHS, TODAY, Scenario.EXPECTED)
    more = [one.received_cents - two.received_cents for one, two in zip(found.months, plain.months, strict=True)]
    assert more == [20, 0, 3, 0, 0, 1]
    assert found.late_cents == 900


def test_what_cannot_be_paid_for_now_is_in_no_month() -> None:
    found = forecast(replace(FACTS, blocked_cents=63_000), MONTHS, TODAY, Scenario.EXPECTED)
    plain = forecast(FACTS, MONTHS, TODAY, Scenario.EXPECTED)
    assert (found.months, found.blocked_cents) == (plain.months, 63_000)
    assert total([found, found], Scenario.EXPECTED).blocked_cents == 126_000


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
    book(
        town,
        [BookedLine(reference="T1", amount_cents=cents, is_credit=False, end_to_end_id=reference)],
        now=NOW + timedelta(days=1),
    )
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
    book(
        town,
        [BookedLine(reference="T1", amount_cents=cents, is_credit=False, end_to_end_id=reference)],
        now=NOW + timedelta(days=1),
    )
    book(
        town,
        [BookedLine(reference="T2", amount_cents=cents, is_credit=True, end_to_end_id=reference, return_reason="AC04")],
        now=NOW + timedelta(days=2),
    )
    (agreement,) = cash(database, now=NOW + timedelta(days=2)).agreements
    assert agreement.facts.held_cents == 0
    assert (agreement.facts.owed, agreement.facts.blocked_cents) == ((), cents), "its account is closed"


def test_a_structure_without_bank_details_is_not_forecast_to_be_paid(database: Database) -> None:
    town = a_town(database, structure_count=2, with_rib=1)
    town.redeem(0, 3)
    town.redeem(1, 4)
    export_period(town, now=NOW)
    (agreement,) = cash(database, now=NOW + timedelta(days=1)).agreements
    assert agreement.facts.blocked_cents == 4_000
    assert sum(amount for _, amount in agreement.facts.owed) == 3_000


def test_the_facts_hold_each_funder_apart_and_each_call_with_its_day(database: Database) -> None:
    town = a_town(database, structure_count=1)
    first, second = town.agreed.funder_ids
    town.redeem(0, 4)
    call_advance(database, new_id(), town.agreement_id, second, 50_000, by=PREPARER, now=NOW)
    call_funds(database, new_id(), town.agreement_id, first, by=PREPARER, now=NOW + timedelta(days=5))
    (agreement,) = cash(database, now=NOW + timedelta(days=5)).agreements
    facts = agreement.facts
    assert sorted((one.to_call_cents, one.advance_cents, one.outstanding_cents) for one in facts.funders) == [
        (0, 0, 3_000),
        (2_000, 50_000, 3_000),
    ]
    assert facts.called == ((NOW.date() + timedelta(days=30), 50_000), (NOW.date() + timedelta(days=35), 2_000))
    assert (facts.late_cents(NOW.date() + timedelta(days=31)), facts.advance_cents) == (50_000, 50_000)


def test_a_period_that_is_over_is_forecast_on_its_own_day_before_any_batch(database: Database) -> None:
    october, november = datetime(2026, 10, 12, 9, tzinfo=UTC), datetime(2026, 11, 10, 9, tzinfo=UTC)
    town = a_town(database)
    town.redeem(0, 3, now=october)
    contested = town.redeem(1, 1, now=october)
    town.redeem(1, 2, now=october)
    town.redeem(0, 4, now=november)

    def owed() -> list[tuple[date, int]]:
        (agreement,) = cash(database, now=november).agreements
        months = {one.first: one.paid_cents for one in agreement.forecasts[Scenario.SLOW].months}
        in_november = [cents for day, cents in agreement.facts.owed if day < date(2026, 12, 1)]
        assert months[date(2026, 11, 1)] == sum(in_november)
        by_clock = sorted((one.due_on, one.amount_cents) for one in dues(database, november, within_days=None))
        assert sorted(agreement.facts.owed) == by_clock
        return sorted(agreement.facts.owed)

    october_end, november_end = date(2026, 11, 30), date(2026, 12, 30)
    assert owed() == [(october_end, 6_000), (november_end, 4_000)]
    dispute = NewDispute(new_id(), contested, "not_rendered", "La salle était fermée.")
    open_dispute(database, dispute, by=PREPARER, now=november)
    assert owed() == [(october_end, 5_000), (november_end, 4_000)]
    batch_id = export_period(town, now=november)
    lines = [
        BookedLine(reference=f"T{rank}", amount_cents=cents, is_credit=False, end_to_end_id=ref)
        for rank, (ref, cents) in enumerate(advices(database, batch_id))
    ]
    book(town, lines, now=november)
    decide_dispute(database, dispute.id, "dismissed", "Le planning le montre.", by=APPROVER, now=november)
    assert owed() == [(october_end, 1_000), (november_end, 4_000)], "what it freed began in October"


def test_what_is_blocked_is_what_cannot_be_paid_now_whatever_the_state_of_its_advice(database: Database) -> None:
    town = a_town(database, structure_count=3, with_rib=2)
    for rank, voucher_count in enumerate((3, 4, 2)):
        town.redeem(rank, voucher_count)
    batch_id = export_period(town, now=NOW)
    with database.read() as session:
        reference = session.scalars(
            select(PaymentAdvice.reference).where(PaymentAdvice.structure_id == town.structure_ids[0])
        ).one()
    report = status_report(batch_id, transfers={reference: "AC04"})
    import_report(database, "rapport.xml", report, by=PREPARER, now=NOW)
    now = NOW + timedelta(hours=2)

    def facts() -> CashFacts:
        (agreement,) = cash(database, now=now).agreements
        return agreement.facts

    assert facts().blocked_cents == 5_000, "30 € on a closed account, 20 € without a RIB"
    assert sum(cents for _, cents in facts().owed) == 4_000
    give_rib(database, town.structure_ids[2], 50, now=now)
    assert facts().blocked_cents == 3_000
    give_rib(database, town.structure_ids[0], 51, now=now)
    assert facts().blocked_cents == 0
    assert sum(cents for _, cents in facts().owed) == 9_000
