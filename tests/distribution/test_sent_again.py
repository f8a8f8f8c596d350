"""The same command sent again changes nothing and hears the same answer; its id with another content is refused."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import pytest

from tests.builders import (
    NOW,
    SOMEONE,
    a_counter,
    a_prescriber,
    an_agreement,
    entrusted_booklets,
    issued_booklets,
    scanned_codes,
)
from voucher.distribution.entrust import StockMove, entrust
from voucher.distribution.hand_over import hand_over
from voucher.distribution.stop import stop_booklet
from voucher.distribution.void_stock import NewStockVoid, void_stock
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.redemption.answers import Redeemed
from voucher.redemption.redeem import redeem
from voucher.reporting.verify import verify

ACT: dict[str, Any] = {"by": SOMEONE, "now": NOW}
Answer = TypeVar("Answer")


def four_times_at_once(act: Callable[[], Answer]) -> list[Answer]:
    start = Barrier(4)

    def run(_: int) -> Answer:
        start.wait()
        return act()

    with ThreadPoolExecutor(4) as people:
        return list(people.map(run, range(4)))


def assert_right(database: Database) -> None:
    assert [violation for result in verify(database) for violation in result.violations] == []


def test_a_stop_order_with_the_id_of_another_is_refused_and_stops_nothing(database: Database) -> None:
    first = issued_booklets(database, 2).first_booklet_number
    stop_id = new_id()
    stopped = stop_booklet(database, stop_id, first, "lost", **ACT)
    assert stop_booklet(database, stop_id, first, "lost", **ACT) == stopped
    for number, reason in ((first + 1, "lost"), (first, "stolen")):
        with pytest.raises(Refused, match="same_id_other_content"):
            stop_booklet(database, stop_id, number, reason, **ACT)
    assert_right(database)


def test_a_destruction_with_the_id_of_another_is_refused_and_destroys_nothing(database: Database) -> None:
    issued = issued_booklets(database, 3)
    first, void_id = issued.first_booklet_number, new_id()
    void = NewStockVoid(void_id, issued.agreed.issuer_id, first, 1, "Mal imprimé")
    assert void_stock(database, void, **ACT) == void_stock(database, void, **ACT) == 10_000
    for number, count, reason in ((first, 2, "Mal imprimé"), (first + 1, 1, "Mal imprimé"), (first, 1, "Déchiré")):
        with pytest.raises(Refused, match="same_id_other_content"):
            void_stock(database, NewStockVoid(void_id, void.issuer_id, number, count, reason), **ACT)
    assert_right(database)


@pytest.mark.race
def test_a_command_sent_four_times_at_once_is_done_once_and_answered_four_times(database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(database, 4)
    first, issuer_id = issued.first_booklet_number, issued.agreed.issuer_id
    other_id = a_prescriber(database, issuer_id, name="Mission locale de Bellerive")
    handover_id, stop_id = new_id(), new_id()
    void = NewStockVoid(new_id(), issuer_id, first + 1, 1, "Mal imprimé")
    move = StockMove(new_id(), issuer_id, first + 2, 1, other_id, prescriber_id)
    given = four_times_at_once(lambda: hand_over(database, handover_id, first, prescriber_id, **ACT))
    assert sorted(one.is_new for one in given) == [False, False, False, True]
    assert four_times_at_once(lambda: void_stock(database, void, **ACT)) == [10_000] * 4
    assert four_times_at_once(lambda: entrust(database, move, **ACT)) == [move.id] * 4
    stops = four_times_at_once(lambda: stop_booklet(database, stop_id, first + 3, "lost", **ACT))
    assert [one.released_cents for one in stops] == [10_000] * 4
    assert_right(database)


def test_a_hand_over_asked_again_counts_the_vouchers_that_were_not_used_before_it(database: Database) -> None:
    agreed = an_agreement(database, is_handover_required=False)
    issued, prescriber_id = entrusted_booklets(database, 1, agreed=agreed)
    number, handover_id = issued.first_booklet_number, new_id()
    codes = scanned_codes(database, number)[:3]
    used = redeem(database, new_id(), codes, "everyday_digital_tools", a_counter(database), **ACT)
    assert isinstance(used, Redeemed)
    given = hand_over(database, handover_id, number, prescriber_id, **ACT)
    again = hand_over(database, handover_id, number, prescriber_id, **ACT)
    assert (given.voucher_count, given.value_cents) == (again.voucher_count, again.value_cents) == (7, 7_000)
    assert_right(database)
