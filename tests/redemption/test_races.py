"""Two mediators on one voucher, two sendings of one request, a period that closes meanwhile: real threads and connections."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import func, select

from tests.builders import NOW, SOMEONE, a_counter, handed_over_booklets, scanned_codes
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.checks import CHECKS as LEDGER_CHECKS
from voucher.redemption.answers import Redeemed, Undone
from voucher.redemption.checks import CHECKS
from voucher.redemption.model import Period, Redemption
from voucher.redemption.period import close_period
from voucher.redemption.redeem import redeem
from voucher.redemption.rules import CounterRefusal, Refusal
from voucher.redemption.undo import undo

pytestmark = pytest.mark.race
WORKSHOP = "everyday_digital_tools"
ACT = {"by": SOMEONE, "now": NOW}
Answer = TypeVar("Answer")


def together(*acts: Callable[[], Answer]) -> list[Answer]:
    """Run these at the same moment, each in its own thread."""
    start = Barrier(len(acts))

    def run(act: Callable[[], Answer]) -> Answer:
        start.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def assert_clean(database: Database) -> None:
    with database.read() as session:
        assert [found for one in (*LEDGER_CHECKS, *CHECKS) for found in one(session)] == []


def test_a_voucher_scanned_twice_at_the_same_moment_is_redeemed_once(database: Database) -> None:
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    counters = [a_counter(database) for _ in range(2)]
    for code in codes:
        answers = together(
            *(
                lambda counter=counter, code=code: redeem(database, new_id(), [code], WORKSHOP, counter, **ACT)
                for counter in counters
            )
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["Redeemed", "Refusal"]
        loser = next(answer for answer in answers if isinstance(answer, Refusal))
        assert loser.reason is CounterRefusal.REDEEMED_ELSEWHERE
        assert "le 2\u00a0mars\u00a02026 à\u00a010\u00a0h\u00a000, dans un autre lieu" in loser.sentence
        assert "Comptoir" not in loser.sentence
    assert_clean(database)


def test_overlapping_trays_never_share_a_voucher(database: Database) -> None:
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    counter = a_counter(database)
    trays = [codes[0:4], codes[3:7], codes[6:10], codes[2:8]]
    answers = together(
        *(lambda tray=tray: redeem(database, new_id(), tray, WORKSHOP, counter, **ACT) for tray in trays)
    )
    taken = [serial for answer in answers if isinstance(answer, Redeemed) for serial in answer.serials]
    assert taken
    assert len(taken) == len(set(taken))
    assert_clean(database)


def test_two_sendings_of_one_request_hear_one_answer(database: Database) -> None:
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    counter = a_counter(database)
    for code in codes[:5]:
        attempt = new_id()
        answers = together(
            *(lambda: redeem(database, attempt, [code], WORKSHOP, counter, **ACT) for _ in range(3))  # noqa: B023 - run before the next turn
        )
        assert isinstance(answers[0], Redeemed)
        assert answers == [answers[0]] * 3
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Redemption)) == 5
    assert_clean(database)


def test_closing_a_period_leaves_no_redemption_between_two(database: Database) -> None:
    issued = handed_over_booklets(database, 6)
    counter = a_counter(database)
    agreement_id = issued.agreed.agreement_id
    booklets = [scanned_codes(database, issued.first_booklet_number + rank) for rank in range(6)]
    sums_at_closing = {}

    def redeem_all(codes: list[str]) -> int:
        done = 0
        for rank, code in enumerate(codes):
            at = NOW + timedelta(seconds=rank)
            answer = redeem(database, new_id(), [code], WORKSHOP, counter, by=SOMEONE, now=at)
            assert isinstance(answer, Redeemed)
            if rank % 3 == 2:
                undone = undo(database, answer.id, counter, undo_minutes=30, by=SOMEONE, now=at)
                assert isinstance(undone, Undone | Refusal)
            done += 1
        return done

    def close_often(_codes: list[str]) -> int:
        for turn in range(8):
            with database.write() as session:
                period_id = close_period(session, agreement_id, SOMEONE, NOW + timedelta(seconds=turn))
                if period_id is not None:
                    sums_at_closing[period_id] = live_sum(session, period_id)
        return 0

    def live_sum(session, period_id) -> int:  # type: ignore[no-untyped-def]
        return session.scalar(
            select(func.coalesce(func.sum(Redemption.amount_cents), 0)).where(
                Redemption.period_id == period_id, Redemption.state == "confirmed"
            )
        )

    together(*(lambda codes=codes: redeem_all(codes) for codes in booklets), lambda: close_often([]))
    with database.read() as session:
        assert {period_id: live_sum(session, period_id) for period_id in sums_at_closing} == sums_at_closing
        assert session.scalar(select(func.count()).select_from(Redemption)) == 60
        numbers = session.scalars(select(Period.number).order_by(Period.number)).all()
        assert list(numbers) == list(range(1, len(numbers) + 1))
    assert_clean(database)


def test_an_undo_and_a_new_redemption_of_the_same_voucher_never_both_count(database: Database) -> None:
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    here, there = a_counter(database), a_counter(database)
    for code in codes[:5]:
        first = redeem(database, new_id(), [code], WORKSHOP, here, **ACT)
        assert isinstance(first, Redeemed)
        together(
            lambda: undo(database, first.id, here, undo_minutes=30, **ACT),  # noqa: B023 - run before the next turn
            lambda: redeem(database, new_id(), [code], WORKSHOP, there, **ACT),  # noqa: B023
        )
    assert_clean(database)
