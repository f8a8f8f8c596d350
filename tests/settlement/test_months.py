"""A month is a month: what is redeemed after its end is settled with the next one, whoever comes first and however late."""

import threading
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.builders import SOMEONE, a_counter, an_agreement, handed_over_booklets, scanned_codes
from tests.settlement.town import APPROVER, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.kernel.calendar import PARIS, end_of_month
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement
from voucher.redemption.answers import Redeemed
from voucher.redemption.model import Period, Redemption
from voucher.redemption.period import close_ended_periods, last_day
from voucher.redemption.redeem import redeem
from voucher.redemption.undo import undo
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import Frozen, freeze_batch
from voucher.settlement.batches.preview import preview_batch
from voucher.settlement.deadlines.payment_deadlines import dues
from voucher.settlement.model.batches import PaymentAdvice


def paris(*parts: int) -> datetime:
    """Return an instant said in Paris hours."""
    return datetime(*parts, tzinfo=PARIS).astimezone(UTC)  # type: ignore[misc, arg-type]


DECEMBER_LAST = paris(2026, 12, 31, 23, 59, 59)
JANUARY_FIRST = paris(2027, 1, 1)


def freeze(town: Town, now: datetime, **more: str) -> Frozen:
    return freeze_batch(town.database, new_id(), town.agreement_id, by=PREPARER, now=now, **more)


def set_terms(town: Town, **terms: object) -> None:
    with town.database.write() as session:
        session.execute(update(Agreement).where(Agreement.id == town.agreement_id).values(**terms))


def used_in_january(town: Town, voucher_count: int, now: datetime) -> UUID:
    """Redeem in the tolerance what was handed over in December; return the redemption."""
    issued = handed_over_booklets(town.database, agreed=town.agreed, now=paris(2026, 12, 20))
    codes = scanned_codes(town.database, issued.first_booklet_number)[:voucher_count]
    attempt_id = new_id()
    answer = redeem(
        town.database, attempt_id, codes, "everyday_digital_tools", town.counters[0], by=SOMEONE, now=now
    )  # fmt: skip
    assert isinstance(answer, Redeemed), answer
    return attempt_id


def periods(database: Database) -> list[Period]:
    with database.read() as session:
        found = list(session.scalars(select(Period).order_by(Period.agreement_id, Period.number)))
        session.expunge_all()
    return found


def period_of(database: Database, redemption_id: UUID) -> int:
    with database.read() as session:
        return session.execute(
            select(Period.number)
            .join(Redemption, Redemption.period_id == Period.id)
            .where(Redemption.id == redemption_id)
        ).scalar_one()


@pytest.mark.parametrize(
    "instant, end",
    [
        (paris(2026, 1, 31, 23, 59), paris(2026, 2, 1)),
        (paris(2026, 2, 1), paris(2026, 3, 1)),
        (paris(2028, 2, 29, 12), paris(2028, 3, 1)),
        (paris(2026, 3, 29, 1, 59), paris(2026, 4, 1)),  # summer time begins that night
        (paris(2026, 10, 25, 2, 30), paris(2026, 11, 1)),  # and ends that one
        (DECEMBER_LAST, JANUARY_FIRST),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), paris(2027, 2, 1)),  # already January in Paris
    ],
)
def test_a_month_ends_at_midnight_in_paris(instant: datetime, end: datetime) -> None:
    assert end_of_month(instant) == end


@pytest.mark.parametrize(
    "instant, cut_off_day, end",
    [
        (paris(2026, 12, 25, 23, 59), 25, paris(2026, 12, 26)),
        (paris(2026, 12, 26), 25, paris(2027, 1, 26)),
        (paris(2026, 2, 10), 30, paris(2026, 3, 1)),  # February has no 30th: its last day
        (paris(2026, 1, 31), 29, paris(2026, 3, 1)),
        (paris(2026, 1, 31), 30, paris(2026, 3, 1)),
        (paris(2026, 1, 1), 1, paris(2026, 1, 2)),
        (paris(2026, 1, 2), 1, paris(2026, 2, 2)),
    ],
)
def test_a_month_may_end_at_its_cut_off_day(instant: datetime, cut_off_day: int, end: datetime) -> None:
    assert end_of_month(instant, cut_off_day) == end


def test_what_is_used_after_the_cut_off_is_paid_with_the_next_month(database: Database) -> None:
    town = a_town(database)
    set_terms(town, cut_off_day=25)
    before = town.redeem(0, 1, now=paris(2026, 12, 25, 17))
    after = town.redeem(0, 2, now=paris(2026, 12, 26, 9))
    with database.read() as session:
        first, second = (session.get_one(Period, session.get_one(Redemption, one).period_id) for one in (before, after))
        assert (first.ends_at, second.ends_at) == (paris(2026, 12, 26), paris(2027, 1, 26))
        assert (first.number, second.number) == (1, 2)
    assert wrong_books(database) == []


def test_the_last_day_of_a_period_is_its_months_or_the_day_it_was_closed_before() -> None:
    opened = paris(2026, 11, 3)
    assert last_day(opened, paris(2026, 12, 1), None) == date(2026, 11, 30)
    assert last_day(opened, paris(2026, 12, 1), paris(2026, 11, 12, 18)) == date(2026, 11, 12)
    assert last_day(opened, paris(2026, 12, 1), paris(2026, 12, 1, 0, 10)) == date(2026, 11, 30)
    assert last_day(opened, None, paris(2026, 12, 9)) == date(2026, 12, 9)
    assert last_day(opened, None, None) == date(2026, 11, 3), "nobody closes it, and that shows"


def test_a_second_before_midnight_and_midnight_are_in_two_months_even_when_no_worker_came(database: Database) -> None:
    town = a_town(database, structure_count=1)
    before, after = town.redeem(0, 1, now=DECEMBER_LAST), town.redeem(0, 2, now=JANUARY_FIRST)
    assert [period_of(database, one) for one in (before, after)] == [1, 2]
    december, january = periods(database)
    assert december.closed_at == JANUARY_FIRST - timedelta(microseconds=1), "dated at the end of its month"
    assert december.closed_by is None
    assert (january.closed_at, january.ends_at) == (None, paris(2027, 2, 1))
    assert wrong_books(database) == []


def test_the_worker_closes_a_month_that_is_over_once_and_no_other(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 1, now=DECEMBER_LAST)
    assert close_ended_periods(database, DECEMBER_LAST) == 0
    late = paris(2027, 1, 5, 9)
    assert close_ended_periods(database, late) == 1
    assert close_ended_periods(database, late) == 0
    assert periods(database)[0].closed_at == JANUARY_FIRST - timedelta(microseconds=1)
    assert wrong_books(database) == []


def test_what_is_undone_after_the_month_and_before_the_worker_dates_the_closing(database: Database) -> None:
    town = a_town(database, structure_count=1)
    undone = town.redeem(0, 3, now=DECEMBER_LAST)
    at = JANUARY_FIRST + timedelta(minutes=10)
    undo(database, undone, town.counters[0], undo_minutes=30, by=SOMEONE, now=at)
    close_ended_periods(database, paris(2027, 1, 5))
    assert periods(database)[0].closed_at == at
    used_in_january(town, 1, paris(2027, 1, 6))
    assert freeze(town, paris(2027, 2, 1)).number.endswith("/02"), "a month that owes nothing is passed over"
    assert wrong_books(database) == []


def test_a_counter_whose_clock_is_late_does_not_open_the_month_again(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 1, now=DECEMBER_LAST)
    close_ended_periods(database, JANUARY_FIRST)
    late = town.redeem(0, 1, now=DECEMBER_LAST)
    assert period_of(database, late) == 2
    assert periods(database)[1].ends_at == paris(2027, 2, 1)
    assert wrong_books(database) == []


def test_months_are_frozen_the_oldest_first_across_a_year_and_due_each_in_its_time(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 1, now=DECEMBER_LAST)
    town.redeem(0, 2, now=JANUARY_FIRST)
    now = paris(2027, 2, 3)
    close_ended_periods(database, now)
    preview = preview_batch(database, town.agreement_id, now=now)
    assert preview is not None
    assert (preview.total_cents, preview.is_early, preview.last_on) == (1_000, False, date(2026, 12, 31))
    december, january = freeze(town, now), freeze(town, now)
    assert (december.total_cents, january.total_cents) == (1_000, 2_000)
    with database.read() as session:
        due = session.scalars(select(PaymentAdvice.due_on).order_by(PaymentAdvice.due_on)).all()
    assert due == [date(2027, 1, 30), date(2027, 3, 2)]
    approve_batch(database, december.batch_id, by=APPROVER, now=now)
    export_batch(database, december.batch_id, by=PREPARER, now=now)
    assert wrong_books(database) == []


def test_a_month_frozen_before_its_end_goes_on_in_a_second_period(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 1, now=paris(2026, 12, 3))
    now = paris(2026, 12, 15)
    preview = preview_batch(database, town.agreement_id, now=now)
    assert preview is not None
    assert (preview.is_early, preview.last_on) == (True, date(2026, 12, 15))
    freeze(town, now)
    town.redeem(0, 2, now=now)
    assert periods(database)[1].ends_at == JANUARY_FIRST
    assert wrong_books(database) == []


def test_an_agreement_on_demand_has_no_month(database: Database) -> None:
    town = a_town(database, structure_count=1)
    set_terms(town, settlement_rhythm="on_demand")
    first, second = town.redeem(0, 1, now=DECEMBER_LAST), town.redeem(0, 1, now=JANUARY_FIRST)
    assert period_of(database, first) == period_of(database, second) == 1
    assert close_ended_periods(database, paris(2027, 6, 1)) == 0
    assert freeze(town, paris(2027, 1, 10)).total_cents == 2_000
    assert wrong_books(database) == []


def test_the_batch_that_was_seen_is_frozen_or_none(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 1, now=DECEMBER_LAST)
    town.redeem(0, 2, now=JANUARY_FIRST)
    now = paris(2027, 1, 10)
    preview = preview_batch(database, town.agreement_id, now=now)
    assert preview is not None
    freeze(town, now, seen_number=preview.number)
    with pytest.raises(Refused, match="vient d’arrêter le lot"):
        freeze(town, now, seen_number=preview.number)
    assert [one.closed_at is None for one in periods(database)] == [False, True], "January stays open"


@pytest.mark.race
def test_midnight_comes_while_everybody_redeems(database: Database) -> None:
    agreed = an_agreement(database)
    counters = [a_counter(database) for _ in range(4)]
    codes = [
        scanned_codes(database, handed_over_booklets(database, agreed=agreed).first_booklet_number) for _ in range(4)
    ]
    give_rib(database, counters[0].structure_id, 1)
    redeem(
        database, new_id(), codes[0][:1], "everyday_digital_tools", counters[0], by=SOMEONE, now=DECEMBER_LAST
    )  # fmt: skip
    answers: list[object] = []

    def use(rank: int) -> None:
        for turn in range(1, 10):
            at = DECEMBER_LAST if turn < 4 else JANUARY_FIRST + timedelta(seconds=turn)
            answers.append(
                redeem(
                    database, new_id(), [codes[rank][turn]], "everyday_digital_tools", counters[rank],
                    by=SOMEONE, now=at,
                )
            )  # fmt: skip

    def close() -> None:
        for _ in range(10):
            close_ended_periods(database, JANUARY_FIRST)

    threads = [*(threading.Thread(target=use, args=(rank,)) for rank in range(4)), threading.Thread(target=close)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 36
    assert all(isinstance(one, Redeemed) for one in answers)
    assert [one.ends_at for one in periods(database)] == [JANUARY_FIRST, paris(2027, 2, 1)]
    assert wrong_books(database) == []


def test_small_sums_wait_until_they_reach_the_minimum(database: Database) -> None:
    town = a_town(database)
    set_terms(town, minimum_payment_cents=2_500)
    town.redeem(0, 2, now=paris(2026, 11, 10))
    town.redeem(1, 3, now=paris(2026, 11, 10))
    november = freeze(town, paris(2026, 12, 2))
    assert (november.advice_count, november.total_cents, november.held_count) == (1, 3_000, 1)
    preview = preview_batch(database, town.agreement_id, now=paris(2026, 12, 2))
    assert preview is not None
    assert not preview.may_freeze
    assert "Sous le minimum de 25,00" in preview.owed[0].why_held
    town.redeem(0, 1, now=paris(2026, 12, 10))
    december = freeze(town, paris(2027, 1, 2))
    assert (december.advice_count, december.total_cents) == (1, 3_000)
    with database.read() as session:
        taken = session.execute(
            select(PaymentAdvice.due_on).where(PaymentAdvice.batch_id == december.batch_id)
        ).scalar_one()
    assert taken == date(2027, 1, 30), "its own month's; what it carries over keeps its day"
    late = [one for one in dues(database, paris(2027, 1, 3)) if one.batch_id == december.batch_id and one.is_late]
    assert [(one.due_on, one.amount_cents) for one in late] == [(date(2026, 12, 30), 2_000)]
    assert wrong_books(database) == []


def test_a_month_in_which_nobody_can_be_paid_makes_way_for_the_next(database: Database) -> None:
    town = a_town(database, structure_count=1)
    set_terms(town, minimum_payment_cents=2_500)
    town.redeem(0, 2, now=DECEMBER_LAST)
    with pytest.raises(Refused) as early:
        freeze(town, DECEMBER_LAST)
    assert early.value.code == "nothing_payable"
    noted = freeze(town, JANUARY_FIRST)
    assert (noted.advice_count, noted.total_cents, noted.held_count) == (0, 0, 1)
    assert freeze_batch(database, noted.batch_id, town.agreement_id, by=PREPARER, now=JANUARY_FIRST) == noted
    town.redeem(0, 1, now=JANUARY_FIRST)
    assert freeze(town, paris(2027, 2, 1)).total_cents == 3_000
    assert wrong_books(database) == []


def test_after_the_last_day_to_present_even_small_sums_are_paid(database: Database) -> None:
    town = a_town(database, structure_count=1)
    set_terms(town, minimum_payment_cents=2_500)
    used_in_january(town, 1, paris(2027, 1, 20))
    with pytest.raises(Refused):
        freeze(town, paris(2027, 1, 28))
    noted = freeze(town, paris(2027, 2, 28, 23, 59))
    assert noted.total_cents == 0
    assert freeze(town, paris(2027, 3, 1)).total_cents == 1_000
    assert wrong_books(database) == []
