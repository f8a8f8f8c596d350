"""Ordering vouchers: numbers, credit, money, and everything at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.builders import NOW, SOMEONE, an_agreement, issued_booklets
from voucher.distribution.stop import stop_booklet
from voucher.issuing.checks import CHECKS
from voucher.issuing.model import IssueBatch
from voucher.issuing.order import Ordered, order_vouchers
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import BASIS_POINTS
from voucher.kernel.refusals import Refused
from voucher.kernel.share_rounding import shares_of, shares_of_order, spread
from voucher.programme.model import Credit
from voucher.reporting.verify import verify


def credit_of(database: Database, agreement_id: object) -> dict[object, int]:
    with database.read() as session:
        rows = session.execute(
            select(Credit.funder_id, Credit.available_cents).where(Credit.agreement_id == agreement_id)
        )
        return {row[0]: row[1] for row in rows}


def violations(database: Database) -> list[object]:
    with database.read() as session:
        return [violation for check in CHECKS for violation in check(session)]


def test_two_orders_follow_each_other_without_a_gap_and_take_their_credit(database: Database) -> None:
    agreed = an_agreement(database, shares=(3500, 4500, 2000), committed_cents=1_000_000)
    first = order_vouchers(database, new_id(), agreed.agreement_id, 3, by=SOMEONE, now=NOW)
    second = order_vouchers(database, new_id(), agreed.agreement_id, 4, by=SOMEONE, now=NOW)
    assert second.first_serial == first.first_serial + 30
    assert second.first_booklet_number == first.first_booklet_number + 3
    left = credit_of(database, agreed.agreement_id)
    assert [left[funder_id] for funder_id in agreed.funder_ids] == [325_500, 418_500, 186_000]
    assert violations(database) == []


def test_the_same_order_sent_twice_is_taken_once(database: Database) -> None:
    agreed = an_agreement(database)
    order_id = new_id()
    first = order_vouchers(database, order_id, agreed.agreement_id, 3, by=SOMEONE, now=NOW)
    again = order_vouchers(database, order_id, agreed.agreement_id, 3, by=SOMEONE, now=NOW)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.first_serial == first.first_serial
    with pytest.raises(Refused, match="same_id_other_content"):
        order_vouchers(database, order_id, agreed.agreement_id, 4, by=SOMEONE, now=NOW)
    assert sum(credit_of(database, agreed.agreement_id).values()) == 10_000_000 - 30_000


def test_an_order_beyond_the_credit_is_refused_with_what_is_missing_and_takes_nothing(database: Database) -> None:
    agreed = an_agreement(database, shares=(4000, 6000), committed_cents=100_000)
    with pytest.raises(Refused) as refused:
        order_vouchers(database, new_id(), agreed.agreement_id, 11, by=SOMEONE, now=NOW)
    assert refused.value.code == "credit_short"
    assert "40,00\u00a0€" in refused.value.sentence
    assert "60,00\u00a0€" in refused.value.sentence
    assert sum(credit_of(database, agreed.agreement_id).values()) == 100_000
    assert order_vouchers(database, new_id(), agreed.agreement_id, 10, by=SOMEONE, now=NOW).first_serial == 1


@pytest.mark.parametrize(
    "booklet_count, day, code",
    [(0, date(2026, 3, 2), "nothing_ordered"), (500_001, date(2026, 3, 2), "order_too_big"), (1, date(2027, 1, 1), "agreement_ended")],
)  # fmt: skip
def test_an_order_that_makes_no_sense_is_refused(
    sqlite_database: Database, booklet_count: int, day: date, code: str
) -> None:
    agreed = an_agreement(sqlite_database)
    now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    with pytest.raises(Refused, match=code):
        order_vouchers(sqlite_database, new_id(), agreed.agreement_id, booklet_count, by=SOMEONE, now=now)


def test_another_issuers_agreement_does_not_exist(database: Database) -> None:
    agreed, other = an_agreement(database), an_agreement(database)
    with pytest.raises(Refused, match="agreement_unknown"):
        order_vouchers(database, new_id(), agreed.agreement_id, 1, by=SOMEONE, now=NOW, issuer_id=other.issuer_id)


@pytest.mark.race
def test_ten_orders_racing_on_one_agreement_never_pass_the_credit(database: Database) -> None:
    agreed = an_agreement(database, shares=(3500, 6500), committed_cents=100_000)

    def order(count: int) -> Ordered | None:
        try:
            return order_vouchers(database, new_id(), agreed.agreement_id, count, by=SOMEONE, now=NOW)
        except Refused as refused:
            if refused.code != "credit_short":
                raise
            return None

    with ThreadPoolExecutor(8) as pool:
        taken = [ordered for ordered in pool.map(order, [1, 2, 3] * 4) if ordered]
    ranges = sorted((ordered.first_serial, ordered.voucher_count) for ordered in taken)
    assert sum(count for _, count in ranges) <= 100
    expected = 1
    for first, count in ranges:
        assert first == expected
        expected += count
    assert sum(credit_of(database, agreed.agreement_id).values()) == 100_000 - 1000 * (expected - 1)
    assert violations(database) == []


@pytest.mark.race
def test_the_same_order_sent_ten_times_at_once_is_taken_once(database: Database) -> None:
    agreed = an_agreement(database)
    order_id = new_id()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: order_vouchers(database, order_id, agreed.agreement_id, 2, by=SOMEONE, now=NOW), range(10)
            )
        )
    assert sorted(answer.is_new for answer in answers) == [False] * 9 + [True]
    with database.read() as session:
        assert session.scalars(select(IssueBatch.voucher_count)).all() == [20]


def test_credit_given_back_can_be_ordered_again_to_the_last_booklet(database: Database) -> None:
    """A third each of 10 €: a booklet gives back 33,33 € of one funder, and no other booklet would cost it just that."""
    agreed = an_agreement(database, shares=(3333, 3333, 3334), committed_cents=60_000)
    issued = issued_booklets(database, 6, agreed=agreed)
    for number in (issued.first_booklet_number, issued.first_booklet_number + 3):
        stop_booklet(database, new_id(), number, "lost", by=SOMEONE, now=NOW)
    for _ in range(2):
        issued_booklets(database, 1, agreed=agreed)
    assert credit_of(database, agreed.agreement_id) == dict.fromkeys(agreed.funder_ids, 0)
    with pytest.raises(Refused, match="credit_short"):
        order_vouchers(database, new_id(), agreed.agreement_id, 1, by=SOMEONE, now=NOW)
    assert [violation for result in verify(database) for violation in result.violations] == []


@st.composite
def agreed_shares(draw: st.DrawFn) -> tuple[int, list[int]]:
    """A face value and shares in basis points, each worth a cent of a voucher at least."""
    face_value_cents = draw(st.integers(100, 3_000))
    count = draw(st.integers(1, 5))
    least = -(-BASIS_POINTS // face_value_cents)
    shares, left = [], BASIS_POINTS
    for rank in range(count - 1):
        shares.append(draw(st.integers(least, left - least * (count - 1 - rank))))
        left -= shares[-1]
    return face_value_cents, [*shares, left]


@given(terms=agreed_shares(), orders=st.lists(st.integers(1, 40), min_size=1, max_size=6), more=st.integers(0, 90))
def test_orders_are_exact_for_the_state_and_sum_to_the_cent(
    terms: tuple[int, list[int]], orders: list[int], more: int
) -> None:
    face_value_cents, shares = terms
    committed_cents = face_value_cents * (sum(orders) + more)
    available = list(shares_of(face_value_cents, shares, 0, sum(orders) + more))
    ordered_count, of_state = 0, 0
    for count in orders:
        amounts = shares_of_order(face_value_cents, shares, committed_cents, available, count)
        assert amounts == shares_of(face_value_cents, shares, ordered_count, count)
        assert sum(amounts) == face_value_cents * count
        available = [cents - taken for cents, taken in zip(available, amounts, strict=True)]
        ordered_count += count
        of_state += amounts[0]
        assert of_state == face_value_cents * ordered_count * shares[0] // BASIS_POINTS


@given(terms=agreed_shares(), data=st.data())
def test_whatever_is_given_back_only_the_total_can_lack(terms: tuple[int, list[int]], data: st.DataObject) -> None:
    """Commitments, orders and vouchers given back one by one, in any order: each funder always has its part of the next."""
    face_value_cents, shares = terms
    committed_count, available = 0, [0] * len(shares)
    live: list[tuple[int, ...]] = []  # what each funder pays of each voucher that is not given back
    for _ in range(data.draw(st.integers(1, 12))):
        act = data.draw(st.sampled_from(["commit", "order", "give back"]))
        ready_count = sum(available) // face_value_cents
        if act == "commit":
            count = data.draw(st.integers(1, 30))
            parts = shares_of(face_value_cents, shares, committed_count, count)
            available = [cents + part for cents, part in zip(available, parts, strict=True)]
            committed_count += count
        elif act == "order" and ready_count:
            count = data.draw(st.integers(1, ready_count))
            committed_cents = committed_count * face_value_cents
            amounts = shares_of_order(face_value_cents, shares, committed_cents, available, count)
            available = [cents - taken for cents, taken in zip(available, amounts, strict=True)]
            vouchers = [spread(amounts, count, rank) for rank in range(count)]
            assert tuple(map(sum, zip(*vouchers, strict=True))) == amounts == spread(amounts, count, 0, count)
            for voucher in vouchers:
                assert sum(voucher) == face_value_cents
                assert min(voucher) >= 0
                for reached, up_to in zip(accumulate(voucher), accumulate(shares), strict=True):
                    assert abs(reached * BASIS_POINTS - face_value_cents * up_to) < BASIS_POINTS
            live += vouchers
        elif act == "give back" and live:
            # Those that cost the first funder least: what its credit gets back lacks most.
            live.sort(reverse=data.draw(st.booleans()))
            for _ in range(data.draw(st.integers(1, len(live)))):
                available = [cents + part for cents, part in zip(available, live.pop(), strict=True)]
        assert min(available) >= 0
        assert sum(available) == (committed_count - len(live)) * face_value_cents
