"""Handing booklets over, stopping them, destroying them, and the end of their validity."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select

from tests.builders import (
    NOW,
    SOMEONE,
    Issued,
    a_prescriber,
    an_agreement,
    entrusted_booklets,
    handed_over_booklets,
    issued_booklets,
)
from voucher.distribution import checks
from voucher.distribution.entrust import StockMove, entrust
from voucher.distribution.hand_over import hand_over, look_up
from voucher.distribution.lapse import lapse
from voucher.distribution.model import Handover, StockSlip
from voucher.distribution.stop import stop_booklet
from voucher.distribution.void_stock import NewStockVoid, void_stock
from voucher.issuing.keys import revoke_key
from voucher.issuing.model import Voucher
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.model import Account, Movement
from voucher.programme.model import Credit

THREE_FUNDERS = (3333, 4667, 2000)


def balances(database: Database) -> dict[str, int]:
    """Return the balance of each account class, debits less credits."""
    with database.read() as session:
        sums = {}
        for column, sign in ((Movement.debit_account_id, 1), (Movement.credit_account_id, -1)):
            rows = session.execute(
                select(Account.code, func.sum(Movement.amount_cents))
                .join(Movement, column == Account.id)
                .group_by(Account.code)
            )
            for code, cents in rows:
                sums[code] = sums.get(code, 0) + sign * int(cents)
        return sums


def states(database: Database) -> dict[str, int]:
    with database.read() as session:
        return {row[0]: row[1] for row in session.execute(select(Voucher.state, func.count()).group_by(Voucher.state))}


def credit_cents(database: Database) -> int:
    with database.read() as session:
        return int(session.scalar(select(func.sum(Credit.available_cents))) or 0)


def assert_sound(database: Database) -> None:
    with database.read() as session:
        assert [violation for check in checks.CHECKS for violation in check(session)] == []


def three_funders(database: Database) -> Issued:
    return handed_over_booklets(database, 2, agreed=an_agreement(database, shares=THREE_FUNDERS, booklet_size=7))


def test_a_booklet_handed_over_moves_its_vouchers_and_its_money(database: Database) -> None:
    issued = three_funders(database)
    assert states(database) == {"handed_over": issued.voucher_count}
    assert {code: cents for code, cents in balances(database).items() if code in ("8040", "8045")} == {
        "8040": 0,
        "8045": 14_000,
    }
    assert_sound(database)


def test_the_same_hand_over_sent_again_gives_the_same_answer(database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(database, 1)
    handover_id = new_id()
    number = issued.first_booklet_number
    first = hand_over(database, handover_id, number, prescriber_id, by=SOMEONE, now=NOW)
    again = hand_over(database, handover_id, number, prescriber_id, by=SOMEONE, now=NOW)
    assert (first.is_new, again.is_new) == (True, False)
    assert (first.value_cents, first.voucher_count) == (again.value_cents, again.voucher_count) == (10_000, 10)


@pytest.mark.race
def test_a_booklet_handed_over_by_ten_people_at_once_is_handed_over_once(database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(database, 1)

    def try_it(_: int) -> str:
        try:
            hand_over(database, new_id(), issued.first_booklet_number, prescriber_id, by=SOMEONE, now=NOW)
        except Refused as refused:
            return refused.code
        return "done"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(try_it, range(10)))
    assert sorted(answers) == ["done"] + ["handed_over_before"] * 9
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Handover)) == 1
    assert_sound(database)


def test_a_second_hand_over_says_when_and_by_whom(database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(database, 1)
    other = a_prescriber(database, issued.agreed.issuer_id, name="Mission locale du Val")
    number = issued.first_booklet_number
    hand_over(database, new_id(), number, prescriber_id, by=SOMEONE, now=NOW)
    with pytest.raises(Refused, match="le 2\u00a0mars\u00a02026 à\u00a010\u00a0h\u00a000, par vos services"):
        hand_over(database, new_id(), number, prescriber_id, by=SOMEONE, now=NOW)
    with pytest.raises(Refused, match="par CCAS"):
        hand_over(database, new_id(), number, other, by=SOMEONE, now=NOW)


def _stopped(database: Database, issued: Issued) -> None:
    stop_booklet(database, new_id(), issued.first_booklet_number, "lost", by=SOMEONE, now=NOW)


def _void(database: Database, issued: Issued) -> None:
    void = NewStockVoid(new_id(), issued.agreed.issuer_id, issued.first_booklet_number, 1, "taché")
    void_stock(database, void, by=SOMEONE, now=NOW)


def _taken_back(database: Database, issued: Issued) -> None:
    with database.read() as session:
        giver = session.scalars(select(StockSlip.to_prescriber_id)).one()
    move = StockMove(new_id(), issued.agreed.issuer_id, issued.first_booklet_number, 1, None, giver)
    entrust(database, move, by=SOMEONE, now=NOW)


def _revoked(database: Database, issued: Issued) -> None:
    revoke_key(database, issued.agreed.key_id, by=SOMEONE, now=NOW)


@pytest.mark.parametrize(
    "what_happened, code",
    [
        (_stopped, "booklet_stopped"),
        (_void, "booklet_void"),
        (_taken_back, "not_in_stock"),
        (_revoked, "revoked_key"),
    ],
)
def test_a_booklet_that_may_not_be_handed_over_says_what_to_do(
    database: Database, what_happened: Callable[[Database, Issued], None], code: str
) -> None:
    issued, prescriber_id = entrusted_booklets(database, 1)
    what_happened(database, issued)
    with pytest.raises(Refused) as refused:
        hand_over(database, new_id(), issued.first_booklet_number, prescriber_id, by=SOMEONE, now=NOW)
    assert refused.value.code == code
    assert_sound(database)


def test_a_booklet_is_not_handed_over_after_its_last_day_of_use(sqlite_database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(sqlite_database, 1)
    last_evening = datetime(2026, 12, 31, 22, 59, tzinfo=UTC)
    new_year = datetime(2026, 12, 31, 23, 1, tzinfo=UTC)  # a minute past midnight in Paris
    with pytest.raises(Refused, match="use_by_passed"):
        hand_over(sqlite_database, new_id(), issued.first_booklet_number, prescriber_id, by=SOMEONE, now=new_year)
    hand_over(sqlite_database, new_id(), issued.first_booklet_number, prescriber_id, by=SOMEONE, now=last_evening)


def test_another_issuers_prescriber_does_not_even_learn_that_a_booklet_exists(sqlite_database: Database) -> None:
    issued = handed_over_booklets(sqlite_database, 1)
    stranger = a_prescriber(sqlite_database, an_agreement(sqlite_database).issuer_id)
    with sqlite_database.read() as session:
        cover = stored_codes(session, issued.first_booklet_number, 1)[0].cover.to_text()
    with pytest.raises(Refused, match="booklet_unknown"):
        look_up(sqlite_database, cover, stranger, now=NOW)


def test_a_voucher_scanned_in_place_of_the_cover_is_told_apart(sqlite_database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(sqlite_database, 1)
    with sqlite_database.read() as session:
        codes = stored_codes(session, issued.first_booklet_number, 1)[0]
    assert look_up(sqlite_database, codes.cover.to_text(), prescriber_id, now=NOW).value_cents == 10_000
    with pytest.raises(Refused, match="voucher_scanned"):
        look_up(sqlite_database, codes.vouchers[0].to_text(), prescriber_id, now=NOW)


def test_a_stopped_booklet_gives_its_unused_credit_back_whatever_its_stage(database: Database) -> None:
    before = 10_000_000
    issued = three_funders(database)
    stop_id = new_id()
    for _ in range(2):
        stopped = stop_booklet(database, stop_id, issued.first_booklet_number, "stolen", by=SOMEONE, now=NOW)
        assert (stopped.stopped_count, stopped.released_cents) == (7, 7_000)
    assert credit_cents(database) == before - 7_000
    with pytest.raises(Refused, match="already_ended"):
        stop_booklet(database, new_id(), issued.first_booklet_number, "lost", by=SOMEONE, now=NOW)
    stock = issued_booklets(database, 1, agreed=issued.agreed)
    stop_booklet(database, new_id(), stock.first_booklet_number, "misprinted", by=SOMEONE, now=NOW)
    assert states(database) == {"handed_over": 7, "stopped": 14}
    assert_sound(database)


def test_a_range_of_stock_is_destroyed_whole_or_not_at_all(database: Database) -> None:
    issued = handed_over_booklets(database, 1, agreed=an_agreement(database, shares=THREE_FUNDERS))
    stock = issued_booklets(database, 5, agreed=issued.agreed)
    owner = issued.agreed.issuer_id
    with pytest.raises(Refused, match="not_all_in_stock"):
        void_stock(database, NewStockVoid(new_id(), owner, 1, 3, "inventaire"), by=SOMEONE, now=NOW)
    assert states(database) == {"handed_over": 10, "issued": 50}
    void = NewStockVoid(new_id(), owner, stock.first_booklet_number, 3, "inventaire")
    for _ in range(2):
        assert void_stock(database, void, by=SOMEONE, now=NOW) == 30_000
    assert states(database) == {"handed_over": 10, "issued": 20, "void": 30}
    stranger = an_agreement(database).issuer_id
    other = NewStockVoid(new_id(), stranger, stock.first_booklet_number + 3, 1, "x")
    with pytest.raises(Refused, match="not_all_in_stock"):
        void_stock(database, other, by=SOMEONE, now=NOW)
    assert_sound(database)


def test_what_is_unused_after_the_last_day_lapses_once(database: Database) -> None:
    agreed = an_agreement(database, shares=THREE_FUNDERS, booklet_size=3)
    handed_over_booklets(database, 2, agreed=agreed)
    issued_booklets(database, 3, agreed=agreed)
    last_day = datetime(2027, 2, 28, 12, tzinfo=UTC)
    day_after = datetime(2027, 3, 1, 12, tzinfo=UTC)
    assert lapse(database, by=None, now=last_day) == []
    lapsed = lapse(database, by=None, now=day_after)
    assert sorted((batch.stock_count, batch.held_count, batch.released_cents) for batch in lapsed) == [
        (0, 6, 6_000),
        (9, 0, 9_000),
    ]
    assert lapse(database, by=None, now=day_after) == []
    assert states(database) == {"lapsed": 15}
    assert credit_cents(database) == 10_000_000
    assert balances(database)["8040"] == balances(database)["8045"] == 0
    assert_sound(database)


@pytest.mark.race
def test_two_nightly_jobs_lapse_a_batch_once(database: Database) -> None:
    handed_over_booklets(database, 2, agreed=an_agreement(database, present_by=date(2027, 2, 28)))
    now = datetime(2027, 3, 1, 3, tzinfo=UTC)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: lapse(database, by=None, now=now), range(4)))
    assert sum(len(run) for run in runs) == 1
    assert_sound(database)


@pytest.mark.race
def test_two_slips_on_one_range_move_it_once(database: Database) -> None:
    issued = issued_booklets(database, 6)
    owner = issued.agreed.issuer_id
    takers = [a_prescriber(database, owner, name=f"Association {rank}") for rank in range(4)]

    def try_it(taker: object) -> str:
        try:
            entrust(database, StockMove(new_id(), owner, 1, 6, taker), by=SOMEONE, now=NOW)  # type: ignore[arg-type]
        except Refused as refused:
            return refused.code
        return "done"

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(try_it, takers))
    assert sorted(answers) == ["done"] + ["not_all_in_stock"] * 3
