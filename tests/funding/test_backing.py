"""What stands behind vouchers in circulation, at any instant, and when it stops new orders."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.builders import SOMEONE
from tests.funding.money import PERSON, a_funded_town, booked, received, wrong_funds
from tests.settlement.town import NOW, Town
from voucher.funding.backing import Backing, backings, whole
from voucher.funding.call import call_advance, call_funds
from voucher.funding.cancel import cancel_call
from voucher.funding.stop import agreement_backings, reason_of, stop_reason
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
    # The identity that lets most orders pass without summing the ledger.
    assert found.covered_cents == found.free_cents + found.due_cents - found.overdue_cents
    return found


def order(town: Town, *, now=NOW, booklets: int = 1) -> int:
    return order_vouchers(town.database, new_id(), town.agreement_id, booklets, by=SOMEONE, now=now).value_cents


def call(town: Town, *, now=NOW):
    return call_funds(town.database, new_id(), town.agreement_id, town.agreed.funder_ids[0], by=PERSON, now=now)


def test_the_figures_follow_the_money(database: Database) -> None:
    town = a_funded_town(database, committed_cents=100_000)
    fresh = backing(town)
    assert (fresh.held_cents, fresh.undrawn_cents, fresh.due_cents, fresh.coverage_basis_points) == (
        0,
        100_000,
        0,
        None,
    )
    town.redeem(voucher_count=6)
    used = backing(town)
    assert (used.outstanding_cents, used.payable_cents, used.undrawn_cents) == (4_000, 6_000, 100_000)
    assert used.coverage_basis_points == 100_000
    done = call(town)
    received(town, done.call_id, 3_000, now=NOW)
    paid_in = backing(town)
    assert (paid_in.held_cents, paid_in.undrawn_cents) == (3_000, 97_000)
    assert paid_in.cash_basis_points == 3_000
    assert wrong_funds(database) == []


def test_a_past_instant_shows_what_stood_then(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem(voucher_count=6)
    done = call(town)
    then = backing(town)
    later = NOW + timedelta(days=35)
    received(town, done.call_id, 1_000, now=later)
    town.redeem(voucher_count=2, now=later)
    assert backing(town, before=NOW + timedelta(days=1)) == then
    late = backing(town, before=NOW + timedelta(days=32), on=paris_day(NOW + timedelta(days=32)))
    assert late.overdue_cents == 3_000
    paid = backing(town, on=paris_day(later))
    assert (paid.overdue_cents, paid.held_cents) == (2_000, 1_000)


def test_money_nobody_identified_backs_no_agreement(database: Database) -> None:
    town = a_funded_town(database)
    booked(town, 5_000)
    assert backing(town).held_cents == 0


def test_a_late_funder_stops_the_orders_that_its_money_would_pay(database: Database) -> None:
    town = a_funded_town(database, committed_cents=30_000)
    town.redeem()
    done = call(town)
    late = NOW + DUE
    assert order(town) == 10_000
    with pytest.raises(Refused, match="backing_short") as refused:
        order(town, now=late)
    assert "il manque 50,00" in refused.value.sentence
    assert "50,00\u00a0€ de retard : relancez-les" in refused.value.sentence
    [shown] = agreement_backings(database, on=late.date(), alert_percent=110)
    assert shown.stop_reason
    received(town, done.call_id, 5_000, now=late)
    assert order(town, now=late) == 10_000
    assert wrong_funds(database) == []


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
    near, empty, easy = (a_funded_town(database, committed_cents=cents) for cents in (210_000, 200_000, 1_000_000))
    for town in (near, empty, easy):
        order(town, booklets=20)
    shown = {one.agreement_id: one for one in agreement_backings(database, on=NOW.date(), alert_percent=110)}
    assert [shown[one.agreement_id].is_near for one in (near, empty, easy)] == [True, False, False]
    assert all(not one.stop_reason for one in shown.values())
    [only] = agreement_backings(database, on=NOW.date(), alert_percent=110, issuer_id=near.agreed.issuer_id)
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
