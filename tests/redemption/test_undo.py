"""Annuler: what comes back, until when, and for whom."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.builders import NOW, SOMEONE, a_counter, an_agreement, handed_over_booklets, issued_booklets, scanned_codes
from voucher.issuing.model import Booklet, Voucher
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.checks import CHECKS as LEDGER_CHECKS
from voucher.redemption.answers import Counter, Redeemed, Undone
from voucher.redemption.checks import CHECKS
from voucher.redemption.period import close_period
from voucher.redemption.redeem import redeem
from voucher.redemption.rules import CounterRefusal, Refusal
from voucher.redemption.undo import undo

WORKSHOP = "everyday_digital_tools"
ACT = {"by": SOMEONE, "now": NOW}


@pytest.fixture
def counter(database: Database) -> Counter:
    return a_counter(database)


def redeemed(database: Database, codes: list[str], counter: Counter) -> Redeemed:
    answer = redeem(database, new_id(), codes, WORKSHOP, counter, **ACT)
    assert isinstance(answer, Redeemed), answer
    return answer


def assert_clean(database: Database) -> None:
    with database.read() as session:
        assert [found for one in (*LEDGER_CHECKS, *CHECKS) for found in one(session)] == []


def test_what_was_undone_may_be_redeemed_again(database: Database, counter: Counter) -> None:
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    first = redeemed(database, codes[:2], counter)
    answer = undo(database, first.id, counter, undo_minutes=30, **ACT)
    assert answer == Undone(first.id, first.serials, 2000, NOW)
    second = redeemed(database, codes[:1], counter)
    assert second.remaining_count == 9
    again = redeem(database, first.id, codes[:2], WORKSHOP, counter, **ACT)
    assert isinstance(again, Refusal)
    assert again.reason is CounterRefusal.UNDONE_ALREADY
    assert_clean(database)


def test_undoing_twice_answers_the_same(database: Database, counter: Counter) -> None:
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    done = redeemed(database, codes[:1], counter)
    first = undo(database, done.id, counter, undo_minutes=30, **ACT)
    redeemed(database, codes[:1], counter)
    later = undo(database, done.id, counter, undo_minutes=30, by=new_id(), now=NOW + timedelta(days=2))
    assert later == first
    assert_clean(database)


def test_an_undo_comes_in_time_or_is_refused_with_the_hour(database: Database, counter: Counter) -> None:
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    first, second = redeemed(database, codes[:1], counter), redeemed(database, codes[1:2], counter)
    just_in_time = NOW + timedelta(minutes=30) - timedelta(seconds=1)
    assert isinstance(undo(database, first.id, counter, undo_minutes=30, by=SOMEONE, now=just_in_time), Undone)
    late = undo(database, second.id, counter, undo_minutes=30, by=SOMEONE, now=NOW + timedelta(minutes=30))
    assert isinstance(late, Refusal)
    assert late.reason is CounterRefusal.UNDO_TOO_LATE
    assert "10\u00a0h\u00a030" in late.sentence
    assert_clean(database)


def test_another_place_s_redemption_is_not_undone_here(database: Database, counter: Counter) -> None:
    issued = handed_over_booklets(database)
    done = redeemed(database, scanned_codes(database, issued.first_booklet_number)[:1], counter)
    sister = a_counter(database, structure_id=counter.structure_id)
    for elsewhere in (sister, a_counter(database)):
        answer = undo(database, done.id, elsewhere, undo_minutes=30, **ACT)
        assert isinstance(answer, Refusal)
        assert answer.reason is CounterRefusal.UNDO_UNKNOWN
    unknown = undo(database, new_id(), counter, undo_minutes=30, **ACT)
    assert isinstance(unknown, Refusal)
    assert unknown.reason is CounterRefusal.UNDO_UNKNOWN


def test_nothing_is_undone_in_a_closed_period(database: Database, counter: Counter) -> None:
    issued = handed_over_booklets(database)
    done = redeemed(database, scanned_codes(database, issued.first_booklet_number)[:1], counter)
    with database.write() as session:
        close_period(session, issued.agreed.agreement_id, SOMEONE, NOW + timedelta(minutes=1))
    answer = undo(database, done.id, counter, undo_minutes=30, by=SOMEONE, now=NOW + timedelta(minutes=2))
    assert isinstance(answer, Refusal)
    assert answer.reason is CounterRefusal.UNDO_TOO_LATE
    assert_clean(database)


def test_a_booklet_stopped_since_is_not_given_back(database: Database, counter: Counter) -> None:
    issued = handed_over_booklets(database)
    done = redeemed(database, scanned_codes(database, issued.first_booklet_number)[:1], counter)
    with database.write() as session:
        session.execute(Booklet.__table__.update().values(state="stopped"))  # type: ignore[attr-defined]
    answer = undo(database, done.id, counter, undo_minutes=30, **ACT)
    assert isinstance(answer, Refusal)
    assert answer.reason is CounterRefusal.UNDO_STOPPED


def test_stock_goes_back_to_stock(database: Database, counter: Counter) -> None:
    issued = issued_booklets(database, 1, agreed=an_agreement(database, is_handover_required=False))
    done = redeemed(database, scanned_codes(database, issued.first_booklet_number)[:3], counter)
    undo(database, done.id, counter, undo_minutes=30, **ACT)
    with database.read() as session:
        assert set(session.scalars(select(Voucher.state))) == {"issued"}
    assert_clean(database)
