"""Whatever happens, in whatever order, the books are right after each step: hypothesis lives the life of a programme.

The suite lives the same lives each time; a build server (CI=true) as many new ones, whose seed it prints: PASS_LIFE_SEED lives them again.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from tests.builders import (
    MASTER_SECRET,
    NOW,
    SOMEONE,
    a_counter,
    a_prescriber,
    an_agreement,
    an_iban,
    record_rib,
    scanned_codes,
)
from tests.kinds import SEED_VARIABLE
from tests.settlement.reports import status_report
from voucher.demonstration.bank import BookedLine, statement
from voucher.distribution.entrust import StockMove, entrust
from voucher.distribution.hand_over import hand_over
from voucher.distribution.lapse import lapse
from voucher.distribution.stop import stop_booklet
from voucher.distribution.void_stock import NewStockVoid, void_stock
from voucher.issuing.make_batch import make_batch
from voucher.issuing.order import order_vouchers
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network.structures import NewBankDetails
from voucher.programme.model import Agreement, PayingAccount
from voucher.redemption.answers import Redeemed, Undone
from voucher.redemption.redeem import redeem
from voucher.redemption.rules import Refusal
from voucher.redemption.undo import undo
from voucher.reporting.verify import verify
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.reconciliation.match_other_money import match_with_overpayment
from voucher.settlement.reconciliation.undo_match import undo_match
from voucher.settlement.recoveries.dispute import NewDispute, decide_dispute, open_dispute
from voucher.settlement.recoveries.repay_or_write_off import ask_write_off, open_claims, write_off
from voucher.settlement.recoveries.revenue_order import claim_overpayment

PREPARER, APPROVER = UUID(int=11), UUID(int=12)
UNDO_MINUTES = 30
BOOKLET_SIZE = 4
GRACE_UNTIL = date(2027, 1, 31)
SUITE_EXAMPLES_MAX = 100
LIVES = 6


class Life(RuleBasedStateMachine):
    """One agreement with three funders, one prescriber, two counters, one bank; the days go by."""

    open_database: Callable[[str], AbstractContextManager[Database]]
    engine: str

    def __init__(self) -> None:
        super().__init__()
        self.opened = self.open_database(self.engine)
        self.database = self.opened.__enter__()
        self.now: datetime = NOW
        self.states: dict[int, str] = {}  # of each voucher, by serial
        self.booklets: dict[int, list[int]] = {}  # serials of each booklet
        self.codes: dict[int, str] = {}
        self.receipts: list[tuple[UUID, list[str], object, Redeemed]] = []
        self.batches: list[tuple[UUID, str]] = []
        self.in_transit: list[tuple[str, int]] = []
        self.paid: list[tuple[str, int]] = []
        self.used: dict[UUID, list[int]] = {}  # serials of each redemption that counts
        self.disputes: dict[UUID, UUID] = {}  # the open ones, and their redemptions
        self.stopped: set[int] = set()  # serials of the booklets that were stopped
        self.has_lapsed = False
        self.bank_cents = 0
        self.statement_count = 0

    @initialize()
    def begin(self) -> None:
        self.agreed = an_agreement(self.database, shares=(3500, 1401, 5099), booklet_size=BOOKLET_SIZE)
        self.prescriber_id = a_prescriber(self.database, self.agreed.issuer_id)
        self.counters = [a_counter(self.database), a_counter(self.database)]
        for rank, counter in enumerate(self.counters):
            iban = an_iban(7000 + rank)
            details = NewBankDetails(new_id(), counter.structure_id, f"STRUCTURE {rank}", iban, iban)
            record_rib(self.database, details, now=self.now)
        with self.database.read() as session:
            account = select(PayingAccount.iban).join(Agreement, Agreement.paying_account_id == PayingAccount.id)
            self.iban = session.scalars(account.where(Agreement.id == self.agreed.agreement_id)).one()

    @property
    def today(self) -> date:
        return paris_day(self.now)

    def usable(self) -> list[int]:
        return [serial for serial, state in self.states.items() if state == "handed_over"]

    def in_stock(self) -> list[int]:
        return [
            number
            for number, serials in self.booklets.items()
            if all(self.states[serial] == "issued" for serial in serials)
        ]

    @precondition(lambda self: len(self.booklets) < 12)
    @rule(booklet_count=st.integers(1, 3))
    def order_and_entrust(self, booklet_count: int) -> None:
        act = {"by": SOMEONE, "now": self.now}
        if self.today > date(2026, 12, 31):
            with pytest.raises(Refused):
                order_vouchers(self.database, new_id(), self.agreed.agreement_id, booklet_count, **act)
            return
        order = order_vouchers(self.database, new_id(), self.agreed.agreement_id, booklet_count, **act)
        make_batch(self.database, order.batch_id, master_secret=MASTER_SECRET, now=self.now, processes=1)
        first = order.first_booklet_number
        move = StockMove(new_id(), self.agreed.issuer_id, first, booklet_count, self.prescriber_id)
        entrust(self.database, move, **act)
        for rank in range(booklet_count):
            start = order.first_serial + rank * BOOKLET_SIZE
            self.booklets[first + rank] = list(range(start, start + BOOKLET_SIZE))
            codes = scanned_codes(self.database, first + rank)
            for serial, code in zip(self.booklets[first + rank], codes, strict=True):
                self.states[serial] = "issued"
                self.codes[serial] = code

    @precondition(lambda self: self.in_stock())
    @rule(data=st.data())
    def hand_a_booklet_over(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.in_stock()))
        if self.today > date(2026, 12, 31):
            with pytest.raises(Refused):
                hand_over(self.database, new_id(), number, self.prescriber_id, by=SOMEONE, now=self.now)
            return
        hand_over(self.database, new_id(), number, self.prescriber_id, by=SOMEONE, now=self.now)
        for serial in self.booklets[number]:
            self.states[serial] = "handed_over"

    @precondition(lambda self: self.booklets)
    @rule(data=st.data(), count=st.integers(1, BOOKLET_SIZE))
    def redeem_some(self, data: st.DataObject, count: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.booklets)))
        serials = self.booklets[number][:count] if data.draw(st.booleans()) else self.booklets[number][-count:]
        codes, counter, attempt_id = (
            [self.codes[serial] for serial in serials],
            data.draw(st.sampled_from(self.counters)),
            new_id(),
        )
        service = "everyday_digital_tools"
        answer = redeem(self.database, attempt_id, codes, service, counter, by=SOMEONE, now=self.now)
        may_be_used = all(self.states[serial] == "handed_over" for serial in serials) and self.today <= GRACE_UNTIL
        assert isinstance(answer, Redeemed) == may_be_used
        again = redeem(self.database, attempt_id, codes, service, counter, by=SOMEONE, now=self.now)
        assert again == answer, "a retry hears the same answer"
        if isinstance(answer, Redeemed):
            assert answer.amount_cents == 1000 * count
            self.receipts.append((attempt_id, codes, counter, answer))
            self.used[attempt_id] = serials
            for serial in serials:
                self.states[serial] = "redeemed"

    @precondition(lambda self: self.receipts)
    @rule()
    def undo_the_last(self) -> None:
        attempt_id, _, counter, receipt = self.receipts.pop()
        answer = undo(
            self.database,
            attempt_id,
            counter,
            undo_minutes=UNDO_MINUTES,
            by=SOMEONE,
            now=self.now,  # type: ignore[arg-type]
        )
        if isinstance(answer, Refusal):
            return
        assert isinstance(answer, Undone)
        assert self.now - receipt.redeemed_at <= timedelta(minutes=UNDO_MINUTES)
        del self.used[attempt_id]
        for serial in receipt.serials:
            self.states[serial] = "handed_over"

    @precondition(lambda self: self.booklets)
    @rule(data=st.data())
    def stop_a_booklet(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.booklets)))
        left = [serial for serial in self.booklets[number] if self.states[serial] in ("issued", "handed_over")]
        try:
            stopped = stop_booklet(self.database, new_id(), number, "lost", by=SOMEONE, now=self.now)
        except Refused:
            return
        assert stopped.stopped_count == len(left)
        self.stopped.update(self.booklets[number])
        for serial in left:
            self.states[serial] = "stopped"

    @precondition(lambda self: self.in_stock())
    @rule(data=st.data())
    def destroy_a_booklet(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.in_stock()))
        void = NewStockVoid(new_id(), self.agreed.issuer_id, number, 1, "Mal imprimé")
        void_stock(self.database, void, by=SOMEONE, now=self.now)
        for serial in self.booklets.pop(number):
            self.states[serial] = "void"

    @rule(days=st.sampled_from([0, 0, 1, 12, 40, 150]), minutes=st.integers(1, 90))
    def let_time_pass(self, days: int, minutes: int) -> None:
        self.now += timedelta(days=days, minutes=minutes)

    @rule()
    def declare_lapsed(self) -> None:
        lapse(self.database, by=None, now=self.now)
        if self.today > date(2027, 2, 28):
            self.has_lapsed = True
            for serial, state in self.states.items():
                if state in ("issued", "handed_over"):
                    self.states[serial] = "lapsed"

    @rule()
    def freeze(self) -> None:
        batch_id = new_id()
        try:
            frozen = freeze_batch(self.database, batch_id, self.agreed.agreement_id, by=PREPARER, now=self.now)
        except Refused:
            return
        assert (frozen.total_cents > 0) == (frozen.advice_count > 0)
        again = freeze_batch(self.database, batch_id, self.agreed.agreement_id, by=PREPARER, now=self.now)
        assert again == frozen
        # What structures owe back may pay all that they are owed: then no transfer leaves.
        self.batches.append((batch_id, "frozen" if frozen.advice_count else "closed"))

    @precondition(lambda self: self.used)
    @rule(data=st.data())
    def contest_a_redemption(self, data: st.DataObject) -> None:
        redemption_id = data.draw(st.sampled_from(sorted(self.used)))
        new = NewDispute(new_id(), redemption_id, "control", "La feuille du jour dit autre chose.")
        try:
            is_suspending = open_dispute(self.database, new, by=PREPARER, now=self.now)
        except Refused:
            assert redemption_id in self.disputes.values()
            return
        assert open_dispute(self.database, new, by=PREPARER, now=self.now) == is_suspending
        self.disputes[new.id] = redemption_id

    @precondition(lambda self: self.disputes)
    @rule(data=st.data(), outcome=st.sampled_from(["dismissed", "upheld", "upheld"]))
    def decide_a_dispute(self, data: st.DataObject, outcome: str) -> None:
        dispute_id = data.draw(st.sampled_from(sorted(self.disputes)))
        with pytest.raises(Refused, match="four_eyes"):
            decide_dispute(self.database, dispute_id, outcome, "Vu.", by=PREPARER, now=self.now)
        for _ in range(2):
            decide_dispute(self.database, dispute_id, outcome, "Vu.", by=APPROVER, now=self.now)
        redemption_id = self.disputes.pop(dispute_id)
        if outcome == "upheld":
            for serial in self.used.pop(redemption_id):
                ended = "stopped" if serial in self.stopped else "lapsed" if self.has_lapsed else "handed_over"
                self.states[serial] = ended

    def overpayments(self, *, is_claimed: bool) -> list[UUID]:
        with self.database.read() as session:
            claims = open_claims(session)
        return [one.overpayment_id for one in claims if one.is_claimed == is_claimed]

    @precondition(lambda self: self.overpayments(is_claimed=False))
    @rule()
    def claim_an_overpayment(self) -> None:
        overpayment_id, claim_id = self.overpayments(is_claimed=False)[0], new_id()
        try:
            claimed = claim_overpayment(self.database, claim_id, overpayment_id, days=30, by=PREPARER, now=self.now)
        except Refused:
            return
        again = claim_overpayment(self.database, claim_id, overpayment_id, days=30, by=PREPARER, now=self.now)
        assert again == claimed

    @precondition(lambda self: self.overpayments(is_claimed=True))
    @rule()
    def give_a_claim_up(self) -> None:
        overpayment_id = self.overpayments(is_claimed=True)[0]
        ask_write_off(self.database, overpayment_id, "Structure dissoute", by=PREPARER, now=self.now)
        write_off(self.database, overpayment_id, by=APPROVER, now=self.now)

    @precondition(lambda self: self.overpayments(is_claimed=True) or self.overpayments(is_claimed=False))
    @rule(cents=st.integers(1, 2500), is_undone=st.booleans())
    def a_structure_repays(self, cents: int, is_undone: bool) -> None:
        overpayment_id = [*self.overpayments(is_claimed=True), *self.overpayments(is_claimed=False)][0]
        self.bank_books([self.booked("R", cents, is_credit=True)])
        with self.database.read() as session:
            line_id = session.scalars(select(BankLine.id).order_by(BankLine.id.desc()).limit(1)).one()
        match_id = new_id()
        match_with_overpayment(self.database, match_id, line_id, overpayment_id, by=PREPARER, now=self.now)
        if is_undone:
            undo_match(self.database, match_id, "Pas celle-là", by=PREPARER, now=self.now)

    @precondition(lambda self: any(state == "frozen" for _, state in self.batches))
    @rule()
    def set_an_advice_aside(self) -> None:
        with self.database.read() as session:
            advice_id = session.scalars(
                select(PaymentAdvice.id).where(PaymentAdvice.state == "due").order_by(PaymentAdvice.reference).limit(1)
            ).one_or_none()
            batch_id = session.scalar(select(PaymentAdvice.batch_id).where(PaymentAdvice.id == advice_id))
        if advice_id is None:
            return
        set_aside(self.database, advice_id, "À vérifier", by=PREPARER, now=self.now)
        with self.database.read() as session:
            state = session.execute(select(SettlementBatch.state).where(SettlementBatch.id == batch_id)).scalar_one()
        self.batches = [(one, state if one == batch_id else before) for one, before in self.batches]

    @precondition(lambda self: any(state == "frozen" for _, state in self.batches))
    @rule()
    def approve_and_export(self) -> None:
        rank = next(rank for rank, (_, state) in enumerate(self.batches) if state == "frozen")
        batch_id = self.batches[rank][0]
        with pytest.raises(Refused, match="four_eyes"):
            approve_batch(self.database, batch_id, by=PREPARER, now=self.now)
        approve_batch(self.database, batch_id, by=APPROVER, now=self.now)
        files = export_batch(self.database, batch_id, by=PREPARER, now=self.now)
        later = self.now + timedelta(minutes=7)
        assert export_batch(self.database, batch_id, by=PREPARER, now=later) == files, "exported twice, the same bytes"
        self.batches[rank] = (batch_id, "exported")
        with self.database.read() as session:
            advices = session.execute(
                select(PaymentAdvice.reference, PaymentAdvice.amount_cents).where(
                    PaymentAdvice.batch_id == batch_id, PaymentAdvice.state == "in_file"
                )
            ).all()
        self.in_transit += [(row.reference, row.amount_cents) for row in advices]

    def booked(self, initial: str, cents: int, *, is_credit: bool, **said: str) -> BookedLine:
        reference, known = f"{initial}{self.statement_count}", {"counterparty": "Structure"} | said
        return BookedLine(reference=reference, amount_cents=cents, is_credit=is_credit, **known)

    def bank_books(self, lines: list[BookedLine]) -> None:
        self.statement_count += 1
        content = statement(f"R-{self.statement_count}", self.iban, self.today, self.bank_cents, lines)
        self.bank_cents += sum(line.amount_cents if line.is_credit else -line.amount_cents for line in lines)
        import_statement(self.database, "releve.xml", content, by=PREPARER, now=self.now)
        assert import_statement(self.database, "releve.xml", content, by=PREPARER, now=self.now).is_known

    @precondition(lambda self: self.in_transit)
    @rule()
    def the_bank_pays(self) -> None:
        lines = [
            self.booked(f"D{rank}-", cents, is_credit=False, end_to_end_id=reference)
            for rank, (reference, cents) in enumerate(self.in_transit)
        ]
        self.bank_books(lines)
        self.paid += self.in_transit
        self.in_transit = []

    @precondition(lambda self: self.in_transit)
    @rule(data=st.data(), is_debited=st.booleans())
    def the_bank_rejects_one(self, data: st.DataObject, is_debited: bool) -> None:
        """The bank refuses a transfer; sometimes it debits it all the same."""
        reference, cents = data.draw(st.sampled_from(self.in_transit))
        with self.database.read() as session:
            batch_id = session.scalars(select(PaymentAdvice.batch_id).where(PaymentAdvice.reference == reference)).one()
        content = status_report(batch_id, transfers={reference: "AB05"})
        assert import_report(self.database, "r.xml", content, by=PREPARER, now=self.now).rejected_count == 1
        self.in_transit.remove((reference, cents))
        if is_debited:
            self.bank_books([self.booked("Z", cents, is_credit=False, end_to_end_id=reference)])
            self.paid.append((reference, cents))

    @precondition(lambda self: self.paid)
    @rule()
    def a_payment_comes_back(self) -> None:
        reference, cents = self.paid.pop()
        back = self.booked("B", cents, is_credit=True, end_to_end_id=reference, return_reason="MS03")
        self.bank_books([back])

    @rule(cents=st.integers(1, 10**7), is_credit=st.booleans())
    def the_bank_books_something_unknown(self, cents: int, is_credit: bool) -> None:
        self.bank_books([self.booked("X", cents, is_credit=is_credit, counterparty="Inconnu")])

    @invariant()
    def the_books_are_right(self) -> None:
        violations = [violation for result in verify(self.database) for violation in result.violations]
        assert violations == []

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)


@pytest.mark.long
@pytest.mark.hypothesis
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_books_are_right_after_each_step_of_any_life(
    engine: str, open_database: Callable[[str], AbstractContextManager[Database]]
) -> None:
    class LifeHere(Life):
        pass

    LifeHere.open_database = staticmethod(open_database)  # type: ignore[assignment]
    LifeHere.engine = engine
    # A whole life is dear: a few in the suite, as many as wanted with `make simulate`.
    examples = settings.default.max_examples if settings.default.max_examples > SUITE_EXAMPLES_MAX else LIVES
    if drawn := os.environ.get(SEED_VARIABLE):
        seed(int(drawn))(LifeHere)
    run_state_machine_as_test(LifeHere, settings=settings(settings.default, max_examples=examples))
