"""Ordering vouchers: numbers, credit, money, and everything at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.builders import NOW, SOMEONE, an_agreement
from voucher.issuing.checks import CHECKS
from voucher.issuing.model import IssueBatch
from voucher.issuing.order import Ordered, order_vouchers
from voucher.issuing.shares import FunderShares
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import BASIS_POINTS
from voucher.kernel.refusals import Refused
from voucher.programme.model import Credit


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
    with pytest.raises(Refused, match="order_changed"):
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


@given(
    face_value_cents=st.integers(100, 20_000),
    weights=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    orders=st.lists(st.integers(1, 40), min_size=1, max_size=6),
)
def test_shares_of_any_orders_are_exact_for_the_state_and_sum_to_the_cent(
    face_value_cents: int, weights: list[int], orders: list[int]
) -> None:
    parts = [weight * BASIS_POINTS // sum(weights) for weight in weights]
    parts[-1] += BASIS_POINTS - sum(parts)
    shares = FunderShares(new_id(), tuple(new_id() for _ in parts), tuple(parts))
    state, position, of_state = shares.funder_ids[0], 0, 0
    for count in orders:
        amounts = shares.amounts(face_value_cents, position, count)
        assert sum(amounts.values()) == face_value_cents * count
        assert amounts == shares.amounts_of(face_value_cents, range(position, position + count))
        position += count
        of_state += amounts[state]
        assert of_state == face_value_cents * position * parts[0] // BASIS_POINTS
