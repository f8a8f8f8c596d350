"""What stands behind vouchers in circulation, at any instant, and when it stops new orders."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.builders import SOMEONE
from tests.funding.money import PERSON, a_funded_town, booked, received, settled, wrong_funds
from tests.settlement.town import NOW, Town
from voucher.funding.backing import Backing, backings, sum_of, whole
from voucher.funding.call import call_advance, call_funds
from voucher.funding.cancel import cancel_call
from voucher.funding.issuing_stop import agreement_backings, reason_of, stop_reason
from voucher.issuing.order import order_vouchers
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement

DUE = timedelta(days=31)
TODAY = NOW.date()


def backing(town: Town, *, before=None, on=TODAY) -> Backing:
    with town.database.read() as session:
        found = backings(session, before=before, on=on, agreement_ids=[town.agreement_id])[town.agreement_id]
        everything = backings(session, before=before, on=on)
        assert everything[town.agreement_id] == found
        assert whole(session, everything.values(), before).is_the_banks
    # What lets most orders pass without summing the ledger: only a late funder or a loss makes it fall short.
    assert found.covered_cents <= found.due_cents
    assert found.covered_cents == found.due_cents or found.overdue_cents
    assert found.free_cents == sum(one.free_cents for one in found.by_funder.values())
    return found


def order(town: Town, *, now=NOW, booklets: int = 1) -> int:
    return order_vouchers(town.database, new_id(), town.agreement_id, booklets, by=SOMEONE, now=now).value_cents


def call(town: Town, *, now=NOW):
    return call_funds(town.database, new_id(), town.agreement_id, town.agreed.funder_ids[0], by=PERSON, now=now)


def test_the_figures_follow_the_money(database: Database) -> None:
    town = a_funded_town(database, committed_cents=100_000)
    fresh = backing(town)
    assert (fresh.held_cents, fresh.undrawn_cents, fresh.due_cents) == (0, 0, 0)
    assert (fresh.coverage_basis_points, fresh.cash_basis_points, fresh.free_cents) == (None, None, 100_000)
    town.redeem(voucher_count=6)
    used = backing(town)
    assert (used.outstanding_cents, used.payable_cents, used.undrawn_cents) == (4_000, 6_000, 10_000)
    assert (used.coverage_basis_points, used.cash_basis_points, used.free_cents) == (10_000, 0, 90_000)
    done = call(town)
    received(town, done.call_id, 3_000, now=NOW)
    paid_in = backing(town)
    assert (paid_in.held_cents, paid_in.undrawn_cents) == (3_000, 7_000)
    assert paid_in.cash_basis_points == 3_000
    assert wrong_funds(database) == []


def test_credit_that_no_voucher_was_made_of_covers_nothing(database: Database) -> None:
    town = a_funded_town(database, committed_cents=1_000_000)
    town.redeem()
    call(town)
    late = backing(town, on=(NOW + DUE).date())
    assert (late.coverage_basis_points, late.free_cents) == (5_000, 990_000)
    assert (late.undrawn_cents, late.overdue_cents, late.lacking_cents) == (5_000, 5_000, 5_000)


def test_an_agreement_that_is_over_has_nothing_to_pay_whatever_lapsed(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem(voucher_count=6)
    settled(town, NOW.replace(year=2027, month=3))
    over = backing(town)
    assert (over.due_cents, over.coverage_basis_points, over.cash_basis_points) == (0, None, None)
    assert (over.held_cents, over.undrawn_cents) == (-6_000, 6_000)
    assert over.free_cents == 10_000_000 - 6_000


def test_an_advance_beyond_the_vouchers_of_an_agreement_covers_no_other_one(database: Database) -> None:
    rich, poor = a_funded_town(database), a_funded_town(database)
    rich.redeem()
    poor.redeem()
    advance = call_advance(database, new_id(), rich.agreement_id, rich.agreed.funder_ids[0], 50_000, by=PERSON, now=NOW)
    received(rich, advance.call_id, 50_000, now=NOW)
    assert (backing(rich).cash_basis_points, backing(poor).cash_basis_points) == (10_000, 0)
    with database.read() as session:
        total = sum_of(backings(session, on=TODAY).values())
    assert (total.held_cents, total.due_cents, total.banked_cents) == (50_000, 20_000, 10_000)
    assert total.cash_basis_points == 5_000


def test_a_funder_s_late_advance_takes_from_its_own_promise_only(database: Database) -> None:
    town = a_funded_town(database)
    call_advance(database, new_id(), town.agreement_id, town.agreed.funder_ids[0], 50_000, by=PERSON, now=NOW)
    town.redeem()
    found = backing(town, on=(NOW + DUE).date())
    assert (found.overdue_cents, found.undrawn_cents) == (50_000, 5_000), "the other funder's part"


def test_money_that_left_the_bank_unexplained_backs_nothing(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem()
    received(town, call(town).call_id, 5_000, now=NOW)
    booked(town, 2_000, is_credit=False)
    with database.read() as session:
        found = whole(session, backings(session, on=TODAY).values())
    assert (found.backing.held_cents, found.bank_cents, found.missing_cents) == (5_000, 3_000, 2_000)
    assert (found.backing.cash_basis_points, found.backing.coverage_basis_points) == (3_000, 8_000)


def test_a_past_instant_shows_what_stood_then(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem(voucher_count=6)
    done = call(town)
    then = backing(town)
    later = NOW + timedelta(days=35)
    received(town, done.call_id, 2_900, now=later)
    town.redeem(voucher_count=2, now=later)
    assert backing(town, before=NOW + timedelta(days=1)) == then
    late = backing(town, before=NOW + timedelta(days=32), on=paris_day(NOW + timedelta(days=32)))
    assert late.overdue_cents == 3_000
    paid = backing(town, on=paris_day(later))
    assert (paid.overdue_cents, paid.held_cents) == (100, 2_900)


def test_money_nobody_identified_backs_no_agreement(database: Database) -> None:
    town = a_funded_town(database)
    booked(town, 5_000)
    assert backing(town).held_cents == 0


def test_a_late_funder_stops_new_orders_however_much_credit_is_free(database: Database) -> None:
    town = a_funded_town(database, committed_cents=10_000_000)
    town.redeem()
    done = call(town)
    late = NOW + DUE
    assert order(town) == 10_000
    for booklets in (1, 500):  # what an order promises does not dilute what lacks
        with pytest.raises(Refused, match="backing_short") as refused:
            order(town, now=late, booklets=booklets)
    assert "il manque 50,00" in refused.value.sentence
    assert "50,00\u00a0€ de retard : relancez-les" in refused.value.sentence
    [shown] = agreement_backings(database, on=late.date(), alert_percent=100)
    assert shown.stop_reason
    received(town, done.call_id, 4_000, now=late)
    [shown] = agreement_backings(database, on=late.date(), alert_percent=100)
    assert (shown.stop_reason, shown.is_near) == ("", True), "5 % lack: the threshold"
    assert order(town, now=late) == 10_000
    received(town, done.call_id, 1_000, now=late)
    [shown] = agreement_backings(database, on=late.date(), alert_percent=100)
    assert (shown.stop_reason, shown.is_near) == ("", False)
    assert wrong_funds(database) == []


def test_the_threshold_is_the_installations(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem()
    call(town)
    late = NOW + DUE
    [shown] = agreement_backings(database, on=late.date(), alert_percent=100, stop_percent=50)
    assert shown.stop_reason == ""
    act = {"by": SOMEONE, "now": late}
    with pytest.raises(Refused, match="backing_short"):
        order_vouchers(database, new_id(), town.agreement_id, 1, **act, stop_percent=51)
    assert order_vouchers(database, new_id(), town.agreement_id, 1, **act, stop_percent=50).value_cents == 10_000


def test_a_late_call_that_is_cancelled_stops_nothing(database: Database) -> None:
    town = a_funded_town(database, committed_cents=20_000)
    town.redeem()
    done = call(town)
    with pytest.raises(Refused, match="backing_short"):
        order(town, now=NOW + DUE)
    cancel_call(database, done.call_id, by=PERSON, now=NOW + DUE)
    assert order(town, now=NOW + DUE) == 10_000


def test_an_agreement_that_asks_for_cash_first_issues_when_it_is_there(database: Database) -> None:
    town = a_funded_town(database, committed_cents=30_000)
    with database.write() as session:
        session.execute(
            update(Agreement).where(Agreement.id == town.agreement_id).values(cash_floor_basis_points=2_000)
        )
    with pytest.raises(Refused, match="backing_short") as refused:
        order(town)
    assert "demande 20,00\u00a0€ en banque" in refused.value.sentence
    advance = call_advance(database, new_id(), town.agreement_id, town.agreed.funder_ids[0], 2_000, by=PERSON, now=NOW)
    received(town, advance.call_id, 2_000, now=NOW)
    assert order(town) == 10_000
    with pytest.raises(Refused, match="backing_short"):
        order(town)


def test_an_agreement_near_its_stop_is_shown_and_one_with_nothing_left_is_not(database: Database) -> None:
    near, empty, easy = (a_funded_town(database, committed_cents=cents) for cents in (220_000, 210_000, 1_000_000))
    for town in (near, empty, easy):
        order(town, booklets=20)
    for town in (near, empty):
        town.redeem(voucher_count=2)
        call(town)
    late = (NOW + DUE).date()
    shown = {one.agreement_id: one for one in agreement_backings(database, on=late, alert_percent=100)}
    assert [shown[one.agreement_id].is_near for one in (near, empty, easy)] == [True, False, False]
    assert all(not one.stop_reason for one in shown.values())
    [only] = agreement_backings(database, on=late, alert_percent=100, issuer_id=near.agreed.issuer_id)
    assert only.agreement_id == near.agreement_id


def test_the_quick_answer_is_the_long_one(database: Database) -> None:
    town = a_funded_town(database, committed_cents=30_000)
    town.redeem()
    call(town)
    with database.read() as session:
        for on in (NOW.date(), (NOW + DUE).date()):
            for cents in (1_000, 15_000, 20_000):  # no more than the credit, which an order takes first
                found = backings(session, on=on, agreement_ids=[town.agreement_id])[town.agreement_id]
                long = reason_of(found, 0, cents) if cents <= found.free_cents else None
                assert stop_reason(session, town.agreement_id, cents, on=on) == long
