"""Counters, prescribers, issuers and finance at the same vouchers at the same moment: the books are right when all is over."""

import random
from collections import Counter as Tally
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.builders import (
    NOW,
    SOMEONE,
    a_counter,
    a_prescriber,
    an_agreement,
    an_iban,
    entrusted_booklets,
    scanned_codes,
)
from voucher.distribution.entrust import StockMove, entrust
from voucher.distribution.hand_over import hand_over
from voucher.distribution.lapse import lapse
from voucher.distribution.stop import stop_booklet
from voucher.distribution.void_stock import NewStockVoid, void_stock
from voucher.issuing.order import order_vouchers
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network.structures import NewBankDetails, qualify_structure, record_bank_details, suspend_structure
from voucher.programme.commit import NewCommitment, commit
from voucher.redemption.answers import Redeemed
from voucher.redemption.redeem import redeem
from voucher.redemption.undo import undo
from voucher.reporting.verify import verify
from voucher.settlement.freeze import freeze_batch

BOOKLETS = 8
SIZE = 4
THREADS = 6
ACTS = 50  # of each thread
LAST_DAY = date(2026, 3, 2)


@pytest.mark.race
def test_whoever_meets_whom_the_books_are_right(database: Database) -> None:  # noqa: C901 - one act a line, all in one place
    agreed = an_agreement(
        database, shares=(3333, 3333, 3334), booklet_size=SIZE, is_handover_required=False, committed_cents=40_000,
        use_by=LAST_DAY, grace_until=LAST_DAY, present_by=LAST_DAY,
    )  # fmt: skip
    issued, prescriber_id = entrusted_booklets(database, BOOKLETS, agreed=agreed)
    other_id = a_prescriber(database, agreed.issuer_id)
    first, last = issued.first_booklet_number, issued.first_booklet_number + BOOKLETS - 1
    codes = {number: scanned_codes(database, number) for number in range(first, last + 1)}
    counters = [a_counter(database), a_counter(database)]
    for rank, counter in enumerate(counters):
        details = NewBankDetails(new_id(), counter.structure_id, f"STRUCTURE {rank}", an_iban(rank), an_iban(rank))
        record_bank_details(database, details, by=SOMEONE, now=NOW)
    receipts: list[tuple[UUID, Any]] = []
    done: Tally[str] = Tally()

    def live(seed: int) -> None:
        dice = random.Random(seed)
        by: dict[str, Any] = {"by": SOMEONE, "now": NOW}

        def use() -> None:
            number, counter = dice.randint(first, last), dice.choice(counters)
            tray = dice.sample(codes[number], dice.randint(1, SIZE))
            answer = redeem(database, new_id(), tray, "everyday_digital_tools", counter, **by)
            if isinstance(answer, Redeemed):
                receipts.append((answer.id, counter))

        def take_back() -> None:
            if receipts:
                redemption_id, counter = dice.choice(receipts)
                undo(database, redemption_id, counter, undo_minutes=30, **by)

        def suspend_for_a_moment() -> None:
            suspend_structure(database, counters[0].structure_id, "Contrôle", **by)
            qualify_structure(database, counters[0].structure_id, **by)

        def destroy() -> None:
            void_stock(
                database, NewStockVoid(new_id(), agreed.issuer_id, dice.randint(first, last), 1, "Mal imprimé"), **by
            )

        def move() -> None:
            slip = StockMove(new_id(), agreed.issuer_id, dice.randint(first, last), 1, other_id, prescriber_id)
            entrust(database, slip, **by)

        acts: list[tuple[int, Callable[[], object]]] = [
            (8, use),
            (6, take_back),
            (3, lambda: hand_over(database, new_id(), dice.randint(first, last), prescriber_id, **by)),
            (1, lambda: stop_booklet(database, new_id(), dice.randint(first, last), "lost", **by)),
            (1, destroy),
            (1, move),
            (1, lambda: freeze_batch(database, new_id(), agreed.agreement_id, **by)),
            (1, lambda: order_vouchers(database, new_id(), agreed.agreement_id, dice.randint(1, 3), **by)),
            (1, lambda: commit(database, NewCommitment(new_id(), agreed.agreement_id, 1_000, "D"), **by)),
            (1, suspend_for_a_moment),
        ]
        for turn in range(ACTS):
            # The night job comes while others still work, one of them with a late clock.
            act = acts[dice.choices(range(len(acts)), [weight for weight, _ in acts])[0]][1]
            if seed == 0 and turn == ACTS // 2:
                act = lambda: lapse(database, by=None, now=NOW + timedelta(days=1))  # noqa: E731
            try:
                act()
                done["done"] += 1
            except Refused as refused:
                done[refused.code] += 1

    with ThreadPoolExecutor(THREADS) as people:
        for one in [people.submit(live, seed) for seed in range(THREADS)]:
            one.result()
    assert done["done"] > ACTS
    assert [violation for result in verify(database) for violation in result.violations] == []
