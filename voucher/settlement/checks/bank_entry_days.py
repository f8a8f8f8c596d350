"""What must be true of the days of the entries that bank lines cause: the bank's booking date, or the first open day (ADR 23)."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import Select, exists, not_, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.funding.model import AdvanceRefund, AdvanceReturn, FundsReceipt
from voucher.kernel.calendar import french_date
from voucher.kernel.checks import Check, Violation
from voucher.ledger.chart import EventType
from voucher.ledger.fiscal_years import takes_effect_of
from voucher.ledger.model import Entry
from voucher.ledger.rule_starts import BANK_DAY, written_under
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine
from voucher.settlement.model.recoveries import Recovery
from voucher.settlement.model.states import PaymentEvent
from voucher.settlement.reconciliation.line_entries import DIRECT, IDENTIFIED, WAITING
from voucher.settlement.words.states import AdviceState, MatchKind
from voucher.settlement.words.transitions import PaymentWhy

ROWS_MAX = 100
_OF_A_MATCH = (*DIRECT, *IDENTIFIED, EventType.FUNDS_IDENTIFIED, EventType.ADVANCE_REFUNDED, EventType.ADVANCE_RETURNED)


def check_a_line_counts_on_the_banks_day(session: Session) -> list[Violation]:
    """Chaque écriture d’une ligne de banque prend effet le jour de la banque, ou le premier jour ouvert ; ce qui l’annule, le même jour."""
    found = [
        Violation(
            "a_line_counts_on_the_banks_day",
            f"écriture {row.id}",
            f"du {french_date(row.effective_on)}, alors que la banque dit le {french_date(row.day)}",
        )
        for query in _queries_of_entries()
        for row in session.execute(query)
    ]
    return found + [
        Violation(
            "a_line_counts_on_the_banks_day",
            f"versement {row.id}",
            f"daté du {french_date(row.booked_on)}, alors que la banque dit le {french_date(row.day)}",
        )
        for query in _queries_of_receipts()
        for row in session.execute(query)
    ]


@cache
def _queries_of_entries() -> tuple[Select[*tuple[Any, ...]], ...]:
    rule = written_under(BANK_DAY, Entry.posted_at)
    return tuple(query.where(rule).limit(ROWS_MAX) for query in (*_entries(), _reversals(), *_withdrawals()))


@cache
def _queries_of_receipts() -> tuple[Select[*tuple[Any, ...]], ...]:
    tables: tuple[Any, ...] = (FundsReceipt, AdvanceRefund, AdvanceReturn)
    return tuple(
        select(table.id, table.booked_on, BankLine.booked_on.label("day"))
        .join(BankMatch, (BankMatch.id == table.id) & (BankMatch.part == 1))
        .join(BankLine, BankLine.id == BankMatch.line_id)
        .where(table.booked_on != BankLine.booked_on)
        .limit(ROWS_MAX)
        for table in tables
    )


def _entries() -> Iterator[Select[*tuple[Any, ...]]]:
    """Yield the entries of lines and of their matches that took effect on another day than the line's."""
    day = BankLine.booked_on.label("day")
    is_wrong = not_(takes_effect_of(Entry, BankLine.booked_on))
    of_match = select(Entry.id, Entry.effective_on, day).join(BankMatch, BankMatch.id == Entry.event_id)
    yield of_match.join(BankLine, BankLine.id == BankMatch.line_id).where(
        BankMatch.part == 1, Entry.event_type.in_(_OF_A_MATCH), is_wrong
    )
    of_recovery = select(Entry.id, Entry.effective_on, day).join(Recovery, Recovery.id == Entry.event_id)
    yield of_recovery.join(BankLine, BankLine.id == Recovery.bank_line_id).where(
        Entry.event_type == EventType.OVERPAYMENT_REPAID, is_wrong
    )
    of_line = select(Entry.id, Entry.effective_on, day).join(BankLine, BankLine.id == Entry.event_id)
    yield of_line.where(Entry.event_type.in_(WAITING), is_wrong)


def _reversals() -> Select[*tuple[Any, ...]]:
    """Return what took a match back on another day than it had taken effect. A rejection that is said again has its own day."""
    undone = aliased(Entry)
    # Before payments had histories, such an entry bore the payment's id.
    is_of_a_match = or_(
        exists().where(BankMatch.advice_id == Entry.event_id, BankMatch.undone_at == Entry.posted_at),
        exists().where(PaymentEvent.entry_id == Entry.id, PaymentEvent.why == PaymentWhy.REJECTED_AGAIN),
    )
    return (
        select(Entry.id, Entry.effective_on, undone.effective_on.label("day"))
        .join(undone, undone.id == Entry.reverses_id)
        .where(
            Entry.event_type == EventType.MATCH_UNDONE,
            (undone.event_type != EventType.REJECTION_WITHDRAWN) | is_of_a_match,
            not_(takes_effect_of(Entry, undone.effective_on)),
        )
    )


def _withdrawals() -> Iterator[Select[*tuple[Any, ...]]]:
    """Yield the withdrawals of rejections that a debit denied (its match was made at that instant), neither on its day nor on theirs."""
    before = aliased(PaymentEvent)
    is_on_its_day = exists().where(
        before.advice_id == PaymentEvent.advice_id,
        before.rank < PaymentEvent.rank,
        before.to_state == AdviceState.REJECTED,
        takes_effect_of(Entry, before.effective_on),
    )
    yield (
        select(Entry.id, Entry.effective_on, BankLine.booked_on.label("day"))
        .join(PaymentEvent, PaymentEvent.entry_id == Entry.id)
        .join(BankMatch, (BankMatch.advice_id == PaymentEvent.advice_id) & (BankMatch.made_at == Entry.posted_at))
        .join(BankLine, BankLine.id == BankMatch.line_id)
        .where(
            PaymentEvent.why == PaymentWhy.DEBITED_AFTER_ALL,
            BankMatch.kind == MatchKind.PAYMENT,
            not_(or_(takes_effect_of(Entry, BankLine.booked_on), is_on_its_day)),
        )
    )
    # Before payments had histories, the first withdrawal bore the payment's id.
    rejected = aliased(Entry)
    yield (
        select(Entry.id, Entry.effective_on, BankLine.booked_on.label("day"))
        .join(BankMatch, (BankMatch.advice_id == Entry.event_id) & (BankMatch.made_at == Entry.posted_at))
        .join(BankLine, BankLine.id == BankMatch.line_id)
        .join(rejected, rejected.event_id == Entry.event_id)
        .where(
            Entry.event_type == EventType.REJECTION_WITHDRAWN,
            BankMatch.kind == MatchKind.PAYMENT,
            rejected.event_type == EventType.TRANSFER_REJECTED,
            not_(or_(takes_effect_of(Entry, BankLine.booked_on), takes_effect_of(Entry, rejected.effective_on))),
        )
    )


CHECKS: tuple[Check, ...] = (check_a_line_counts_on_the_banks_day,)
