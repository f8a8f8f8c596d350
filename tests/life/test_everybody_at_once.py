"""Counters, prescribers, issuers and finance at the same vouchers at the same moment: the books are right when all is over."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from tests.builders import (
    CONFIRMER,
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
from voucher.network.confirm_rib import confirm_bank_details
from voucher.network.structures import NewBankDetails, qualify_structure, record_bank_details, suspend_structure
from voucher.programme.commit import NewCommitment, commit
from voucher.redemption.answers import Counter, Redeemed
from voucher.redemption.redeem import redeem
from voucher.redemption.undo import undo
from voucher.reporting.verify import verify
from voucher.settlement.batches.freeze import freeze_batch

BOOKLETS = 8
SIZE = 4
THREADS = 6
ACTS = 50  # of each thread
LAST_DAY = date(2026, 3, 2)
ACT: dict[str, Any] = {"by": SOMEONE, "now": NOW}


class Everybody:
    """One agreement with its stock, two counters, and what each thread does to them, drawn by its own dice."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.agreed = an_agreement(
            database, shares=(3333, 3333, 3334), booklet_size=SIZE, is_handover_required=False, committed_cents=40_000,
            use_by=LAST_DAY, grace_until=LAST_DAY, present_by=LAST_DAY,
        )  # fmt: skip
        issued, self.prescriber_id = entrusted_booklets(database, BOOKLETS, agreed=self.agreed)
        self.other_id = a_prescriber(database, self.agreed.issuer_id)
        self.numbers = range(issued.first_booklet_number, issued.first_booklet_number + BOOKLETS)
        self.codes = {number: scanned_codes(database, number) for number in self.numbers}
        self.counters = [a_counter(database), a_counter(database)]
        for rank, counter in enumerate(self.counters):
            details = NewBankDetails(new_id(), counter.structure_id, f"STRUCTURE {rank}", an_iban(rank), an_iban(rank))
            record_bank_details(database, details, **ACT)
            confirm_bank_details(database, details.id, by=CONFIRMER, now=ACT["now"])
        self.receipts: list[tuple[UUID, Counter]] = []
        self.done_count = 0

    def live(self, seed: int) -> None:
        """Do many things, one after the other; what is refused is refused."""
        dice = random.Random(seed)
        acts = self.acts(dice)
        for turn in range(ACTS):
            act = acts[dice.choices(range(len(acts)), [weight for weight, _ in acts])[0]][1]
            # The night job comes while others still work, whose clocks are late.
            if seed == 0 and turn == ACTS // 2:
                act = partial(lapse, self.database, by=None, now=NOW + timedelta(days=1))
            with suppress(Refused):
                act()
                self.done_count += 1

    def acts(self, dice: random.Random) -> list[tuple[int, Callable[[], object]]]:
        """Return everything that can be done, with how often it is."""
        database, agreement_id = self.database, self.agreed.agreement_id

        def number() -> int:
            return dice.choice(self.numbers)

        return [
            (8, lambda: self.use(number(), dice)),
            (6, lambda: self.take_back(dice)),
            (3, lambda: hand_over(database, new_id(), number(), self.prescriber_id, **ACT)),
            (1, lambda: stop_booklet(database, new_id(), number(), "lost", **ACT)),
            (1, lambda: void_stock(database, self.destruction(number()), **ACT)),
            (1, lambda: entrust(database, self.slip(number()), **ACT)),
            (1, lambda: freeze_batch(database, new_id(), agreement_id, **ACT)),
            (1, lambda: order_vouchers(database, new_id(), agreement_id, dice.randint(1, 3), **ACT)),
            (1, lambda: commit(database, NewCommitment(new_id(), agreement_id, 1_000, "D"), **ACT)),
            (1, self.suspend_for_a_moment),
        ]

    def use(self, number: int, dice: random.Random) -> None:
        counter = dice.choice(self.counters)
        tray = dice.sample(self.codes[number], dice.randint(1, SIZE))
        answer = redeem(self.database, new_id(), tray, "everyday_digital_tools", counter, **ACT)
        if isinstance(answer, Redeemed):
            self.receipts.append((answer.id, counter))

    def take_back(self, dice: random.Random) -> None:
        if self.receipts:
            redemption_id, counter = dice.choice(self.receipts)
            undo(self.database, redemption_id, counter, undo_minutes=30, **ACT)

    def destruction(self, number: int) -> NewStockVoid:
        return NewStockVoid(new_id(), self.agreed.issuer_id, number, 1, "Mal imprimé")

    def slip(self, number: int) -> StockMove:
        return StockMove(new_id(), self.agreed.issuer_id, number, 1, self.other_id, self.prescriber_id)

    def suspend_for_a_moment(self) -> None:
        suspend_structure(self.database, self.counters[0].structure_id, "Contrôle", **ACT)
        qualify_structure(self.database, self.counters[0].structure_id, **ACT)


@pytest.mark.race
def test_whoever_meets_whom_the_books_are_right(database: Database) -> None:
    everybody = Everybody(database)
    with ThreadPoolExecutor(THREADS) as people:
        for one in [people.submit(everybody.live, seed) for seed in range(THREADS)]:
            one.result()
    assert everybody.done_count > ACTS
    assert [violation for result in verify(database) for violation in result.violations] == []
