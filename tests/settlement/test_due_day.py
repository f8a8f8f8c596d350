"""The day by which money must be paid is one rule: every list, page and forecast that says it says the same."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.settlement.test_disputes import contest
from tests.settlement.town import APPROVER, PREPARER, a_town, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.programme.change_payment_terms import PaymentTerms, change_payment_terms
from voucher.reporting.cash_forecast import cash
from voucher.reporting.timeline import timeline
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.deadlines.payment_deadlines import dues
from voucher.settlement.deadlines.read_payments import redemption_payments
from voucher.settlement.payable.due_day import (
    advice_due_on,
    days_left,
    due_on,
    is_below_minimum,
    is_late,
    minimum_now,
)
from voucher.settlement.recoveries.dispute import decide_dispute

NOVEMBER_3 = datetime(2026, 11, 3, 9, tzinfo=UTC)
DECEMBER_2 = datetime(2026, 12, 2, 9, tzinfo=UTC)
JANUARY_4 = datetime(2027, 1, 4, 9, tzinfo=UTC)
NOVEMBERS = date(2026, 12, 30)

days = st.dates(date(2026, 1, 1), date(2028, 12, 31))


@given(days, st.integers(1, 60), days)
def test_money_is_late_from_the_day_after_its_day(ended_on: date, payment_days: int, today: date) -> None:
    day = due_on(ended_on, payment_days)
    assert is_late(day, today) == (days_left(day, today) < 0) == (today > ended_on + timedelta(days=payment_days))
    assert not is_late(day, today, paid_on=day)


@given(days | st.none(), st.lists(days, min_size=1))
def test_a_payment_is_due_with_its_period_and_else_with_the_first_it_carries(
    period: date | None, others: list[date]
) -> None:
    assert advice_due_on(period, others) == (min(others) if period is None else period)


@given(st.integers(0, 5_000), st.integers(0, 5_000), days, days)
def test_the_least_payment_holds_what_is_small_until_nothing_can_be_added(
    left_cents: int, minimum_cents: int, present_by: date, today: date
) -> None:
    is_held = is_below_minimum(left_cents, minimum_now(minimum_cents, present_by, today))
    assert is_held == (0 < left_cents < minimum_cents and today <= present_by)


def test_only_one_place_counts_the_days() -> None:
    top = Path(__file__).parents[2]
    counted = re.compile(r"timedelta\(days=(?:[\w.]*payment_days|row\[\d\])")
    elsewhere = {
        str(path.relative_to(top))
        for room in ("voucher/settlement", "voucher/reporting")
        for path in (top / room).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if counted.search(line)
    }
    assert elsewhere == {"voucher/settlement/payable/due_day.py"}


def test_each_reader_says_the_day_that_the_batch_wrote_whatever_the_agreement_says_since(database: Database) -> None:
    town = a_town(database, structure_count=1, ribs_since=NOVEMBER_3)
    town.redeem(0, 3, now=NOVEMBER_3)
    freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=DECEMBER_2)
    change_payment_terms(database, town.agreement_id, PaymentTerms("monthly", 0, 45), by=PREPARER, now=DECEMBER_2)
    asked = Asked(descending=True, limit=1)
    (use,) = redemption_payments(database, town.structure_ids[0], asked, now=DECEMBER_2).rows
    (batch,) = timeline(database, now=DECEMBER_2).batches
    (clock,) = dues(database, DECEMBER_2, within_days=None)
    ((forecast, cents),) = cash(database, now=DECEMBER_2).agreements[0].facts.owed
    assert {use.due_on, batch.due_on, clock.due_on, forecast} == {NOVEMBERS}
    assert cents == 3_000


def test_what_a_dispute_freed_keeps_its_day_in_the_batch_that_pays_it(database: Database) -> None:
    town = a_town(database, structure_count=1, ribs_since=NOVEMBER_3)
    contested = town.redeem(0, 1, now=NOVEMBER_3)
    town.redeem(0, 2, now=NOVEMBER_3)
    dispute_id = contest(town, contested)
    freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=DECEMBER_2)
    decide_dispute(database, dispute_id, "dismissed", "Le planning le montre.", by=APPROVER, now=DECEMBER_2)

    def freed() -> list[date]:
        found = dues(database, JANUARY_4, within_days=None)
        return [one.due_on for one in found if one.amount_cents == 1_000]

    assert freed() == [NOVEMBERS]
    town.redeem(0, 5, now=datetime(2026, 12, 20, 9, tzinfo=UTC))
    freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=JANUARY_4)
    assert freed() == [NOVEMBERS], "its own day, and not the one of December's vouchers"
    assert wrong_books(database) == []
