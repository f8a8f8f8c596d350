"""What brings movements together on an account: the payment, call, dispute or bank line that each entry tells of."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Row, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.accounting.letters import undone_letters
from voucher.accounting.model import LetteredPeriod
from voucher.funding.model import FundsReceipt
from voucher.ledger.chart import AccountKey, Code, EventType
from voucher.ledger.model import Entry
from voucher.redemption.model import Redemption, RedemptionState
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import AdviceLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.recoveries import Dispute, Recovery
from voucher.settlement.model.refunds import LineRefund
from voucher.settlement.model.states import PaymentEvent
from voucher.settlement.words.states import AdviceState, LineNature

_OF_BATCH = (EventType.BATCH_FROZEN, EventType.BATCH_EXPORTED)
_OF_ADVICE = (EventType.ADVICE_SET_ASIDE, EventType.TRANSFER_REJECTED, EventType.REJECTION_WITHDRAWN)
_OF_LINE_ITSELF = (EventType.UNKNOWN_DEBIT_BOOKED, EventType.UNKNOWN_CREDIT_BOOKED)
_OF_MATCH = (
    EventType.TRANSFER_BOOKED, EventType.TRANSFER_RETURNED, EventType.DEBIT_IDENTIFIED, EventType.CREDIT_IDENTIFIED,
)  # fmt: skip


class Sources:
    """The facts of settlement and funding that entries tell of, read once for a run."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._advices: dict[tuple[UUID, UUID], UUID] = {
            (row.batch_id, row.structure_id): row.id
            for row in session.execute(select(PaymentAdvice.id, PaymentAdvice.batch_id, PaymentAdvice.structure_id))
        }
        self._takers = self._by_source(LineNature.CARRIED_OVER)
        self._lines: dict[UUID, UUID] = {}
        self._opposites: dict[UUID, UUID] = {}
        self._paid: dict[UUID, UUID] = {}
        self._with: dict[UUID, UUID] = {}
        self._read_matches()
        self._withdrawn: set[UUID] = set()  # advices whose rejection does not stand
        self._withdrawals: dict[UUID, UUID] = {}  # the advice of each withdrawal that its history names
        self._read_withdrawals()
        self._calls: dict[UUID, UUID] = {
            row.id: row.call_id for row in session.execute(select(FundsReceipt.id, FundsReceipt.call_id))
        }
        self._ordered = self._advices_ordered()
        self._released = self._by_source(LineNature.RELEASED)
        self._periods = self._by_source(LineNature.PERIOD)

    def of(self, row: Row[*tuple[Any, ...]]) -> UUID | None:
        """Return what a side of an entry belongs to, None while nothing says it."""
        code, event_type = row.code, EventType(row.event_type)
        match code:
            case Code.UNIDENTIFIED:
                return self._line_of(event_type, row.event_id)
            case Code.SUSPENDED:
                return UUID(str(row.event_id))
            case Code.CALLED:
                found: UUID = self._calls.get(row.event_id, row.event_id)
                return found
        if code == Code.OWED and event_type in (EventType.REDEMPTION_DISPUTED, EventType.DISPUTE_DISMISSED):
            return self._of_dispute(event_type, row.event_id)
        advice_id = self._advice_of(event_type, row)
        if code == Code.IN_TRANSIT and advice_id is not None:
            return self._root(advice_id)
        if advice_id is None or code != Code.OWED or event_type in _OF_BATCH:
            return advice_id
        if advice_id in self._withdrawn and event_type in (EventType.TRANSFER_REJECTED, EventType.REJECTION_WITHDRAWN):
            return uuid5(advice_id, "rejection withdrawn")
        return self._takers.get((advice_id, row.structure_id))

    def uses(self, broken: Iterable[UUID]) -> Iterator[tuple[int, UUID, UUID, int]]:
        """Give account, period, source and cents of each structure's uses of a settled period that no letter holds."""
        held = select(LetteredPeriod.account_id, LetteredPeriod.period_id).where(
            LetteredPeriod.letter_id.not_in(undone_letters())
        )
        if gone := list(broken):
            held = held.where(LetteredPeriod.letter_id.not_in(gone))
        lettered = {(row.account_id, row.period_id) for row in self._session.execute(held)}
        ends = [
            row.period_id
            for row in self._session.execute(
                select(AdviceLine.source_id.label("period_id"), AdviceLine.structure_id, SettlementBatch.agreement_id)
                .join(PaymentAdvice, PaymentAdvice.id == AdviceLine.advice_id)
                .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
                .where(AdviceLine.nature == LineNature.PERIOD)
            )
            if (_owed(row.agreement_id, row.structure_id), row.period_id) not in lettered
        ]
        for period_id in sorted(set(ends)):
            yield from self._uses_of(period_id, lettered)

    def _uses_of(self, period_id: UUID, lettered: set[tuple[int, UUID]]) -> Iterator[tuple[int, UUID, UUID, int]]:
        rows = self._session.execute(
            select(Redemption.agreement_id, Redemption.structure_id, func.sum(Redemption.amount_cents).label("cents"))
            .where(Redemption.period_id == period_id, Redemption.state != RedemptionState.UNDONE)
            .group_by(Redemption.agreement_id, Redemption.structure_id)
        )
        for row in rows:
            account_id = _owed(row.agreement_id, row.structure_id)
            if (account_id, period_id) not in lettered:
                source_id = self._of_period(period_id, row.structure_id)
                if source_id is not None:
                    yield account_id, period_id, source_id, int(row.cents)

    def _of_period(self, period_id: UUID, structure_id: UUID) -> UUID | None:
        """Return the payment that orders a structure's uses of a period: its own, or the one that takes it up if it was held."""
        advice_id = self._periods.get((period_id, structure_id))
        if advice_id is None:
            return uuid5(period_id, str(structure_id))
        return advice_id if advice_id in self._ordered else self._takers.get((advice_id, structure_id))

    def _of_dispute(self, event_type: EventType, dispute_id: UUID) -> UUID | None:
        row = self._session.execute(
            select(Dispute.structure_id, Dispute.is_released, Redemption.period_id)
            .join(Redemption, Redemption.id == Dispute.redemption_id)
            .where(Dispute.id == dispute_id)
        ).one_or_none()
        if row is None:
            return None
        if event_type is EventType.DISPUTE_DISMISSED and row.is_released:
            return self._released.get((dispute_id, row.structure_id))
        return self._of_period(row.period_id, row.structure_id)

    def _line_of(self, event_type: EventType, event_id: UUID) -> UUID | None:
        """Return the bank line that an entry books (its id is the line's) or identifies (its id is the match's)."""
        line_id = event_id if event_type in _OF_LINE_ITSELF else self._lines.get(event_id)
        # Two lines that undo each other are lettered together.
        return None if line_id is None else self._opposites.get(line_id, line_id)

    def _advice_of(self, event_type: EventType, row: Row[*tuple[Any, ...]]) -> UUID | None:
        if event_type in _OF_BATCH:
            return self._advices.get((row.event_id, row.structure_id))
        if event_type in _OF_ADVICE:
            return self._withdrawals.get(row.event_id, UUID(str(row.event_id)))
        return self._paid.get(row.event_id) if event_type in _OF_MATCH else None

    def _read_matches(self) -> None:
        """Read which line and payments each match speaks of; payments that one line pays are lettered together."""
        rows = self._session.execute(
            select(BankMatch.id, BankMatch.line_id, BankMatch.advice_id, BankMatch.undone_at).order_by(
                BankMatch.id, BankMatch.part
            )
        )
        for row in rows:
            first_line = self._lines.setdefault(row.id, row.line_id)
            if row.undone_at is None and first_line != row.line_id:
                self._opposites[row.line_id] = first_line
            if row.advice_id is None:
                continue
            first = self._paid.setdefault(row.id, row.advice_id)
            if row.undone_at is None and self._root(first) != self._root(row.advice_id):
                self._with[self._root(row.advice_id)] = self._root(first)
        # A credit sent back and the debit that sends it undo each other.
        sent = select(LineRefund.id, LineRefund.debit_match_id).where(LineRefund.debit_match_id.is_not(None))
        for refund_id, debit_id in self._session.execute(sent):
            if debit_id is not None:
                self._opposites[self._lines[debit_id]] = self._lines[refund_id]
        repaid = select(Recovery.id, Recovery.bank_line_id).where(Recovery.bank_line_id.is_not(None))
        self._lines |= {row.id: row.bank_line_id for row in self._session.execute(repaid)}

    def _read_withdrawals(self) -> None:
        """Read which rejections were withdrawn, and not undone since."""
        reversal = aliased(Entry)
        rows = self._session.execute(
            select(PaymentEvent.advice_id, Entry.event_id, reversal.id.label("reversal_id"))
            .join(Entry, Entry.id == PaymentEvent.entry_id)
            .outerjoin(reversal, reversal.reverses_id == Entry.id)
            .where(Entry.event_type == EventType.REJECTION_WITHDRAWN)
        )
        for row in rows:
            self._withdrawals[row.event_id] = row.advice_id
            if row.reversal_id is None:
                self._withdrawn.add(row.advice_id)

    def _root(self, advice_id: UUID) -> UUID:
        """Return the payment that stands for all those that a bank line paid together with this one."""
        while (other := self._with.get(advice_id)) is not None:
            advice_id = other
        return advice_id

    def _by_source(self, nature: LineNature) -> dict[tuple[UUID, UUID], UUID]:
        """Return the advice that a source of this nature is paid by, by source and structure."""
        rows = self._session.execute(
            select(AdviceLine.source_id, AdviceLine.structure_id, AdviceLine.advice_id).where(
                AdviceLine.nature == nature
            )
        )
        return {(row.source_id, row.structure_id): row.advice_id for row in rows}

    def _advices_ordered(self) -> set[UUID]:
        """Return the advices that the entry of their batch ordered or netted: those that were not held when it was frozen."""
        was_set_aside = exists().where(
            Entry.event_type == EventType.ADVICE_SET_ASIDE, Entry.event_id == PaymentAdvice.id
        )
        is_ordered = or_(PaymentAdvice.is_payable, PaymentAdvice.state == AdviceState.SETTLED, was_set_aside)
        return set(self._session.scalars(select(PaymentAdvice.id).where(is_ordered)))


def _owed(agreement_id: UUID, structure_id: UUID) -> int:
    return AccountKey(Code.OWED, agreement_id=agreement_id, structure_id=structure_id).id
