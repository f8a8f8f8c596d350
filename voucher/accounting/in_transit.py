"""Transfers between the day they leave for the bank (5115) and the day it debits or refuses them, as entries tell."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from voucher.ledger.chart import Code, EventType
from voucher.ledger.model import Account, Entry, Movement
from voucher.network.model import Structure
from voucher.programme.model import Agreement
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.states import PaymentEvent
from voucher.settlement.words.states import MatchKind


@dataclass(frozen=True, slots=True)
class Spell:
    """A transfer in transit from a day until the bank debits or refuses it (None: it has not)."""

    advice_id: UUID
    reference: str
    structure_name: str
    amount_cents: int
    left_on: date
    ended_on: date | None


def spells_in_transit(session: Session, account_id: UUID) -> list[Spell]:
    """Return every spell of every transfer that an account pays, by day. A transfer has several when a rejection was withdrawn.

    They are read from the entries that move 5115: at each day their sum is what that account holds.
    """
    advices = {
        row.id: row
        for row in session.execute(
            select(
                PaymentAdvice.id,
                PaymentAdvice.reference,
                PaymentAdvice.amount_cents,
                PaymentAdvice.batch_id,
                PaymentAdvice.is_payable,
                Structure.name,
            )
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
            .join(Structure, Structure.id == PaymentAdvice.structure_id)
            .where(Agreement.paying_account_id == account_id)
        )
    }
    moves = _moves(session, account_id, advices)
    return sorted(
        (
            Spell(one, advices[one].reference, advices[one].name, advices[one].amount_cents, left_on, ended_on)
            for one, days in moves.items()
            for left_on, ended_on in _spells(days)
        ),
        key=lambda spell: (spell.left_on, spell.reference),
    )


def _spells(days: Mapping[date, int]) -> Iterable[tuple[date, date | None]]:
    """Yield the spells of a transfer, from how many times it enters transit less how many it leaves it, by day."""
    count, left_on = 0, date.min
    for day, delta in sorted(days.items()):
        before, count = count, count + delta
        if before == 0 and count == 1:
            left_on = day
        elif before == 1 and count == 0:
            yield left_on, day
    if count == 1:
        yield left_on, None


def _moves(
    session: Session, account_id: UUID, advices: Mapping[UUID, Row[*tuple[Any, ...]]]
) -> Mapping[UUID, Mapping[date, int]]:
    """Return how each transfer enters transit (1) and leaves it (-1), by day."""
    accounts = select(Account.id).join(Agreement, Agreement.id == Account.agreement_id)
    accounts = accounts.where(Account.code == Code.IN_TRANSIT, Agreement.paying_account_id == account_id)
    moving = select(Movement.entry_id).where(
        or_(Movement.debit_account_id.in_(accounts), Movement.credit_account_id.in_(accounts))
    )
    entries = {
        row.id: row
        for row in session.execute(
            select(Entry.id, Entry.event_type, Entry.event_id, Entry.effective_on, Entry.reverses_id).where(
                Entry.id.in_(moving)
            )
        )
    }
    matched: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for match_id, advice_id in session.execute(
        select(BankMatch.id, BankMatch.advice_id)
        .join(PaymentAdvice, PaymentAdvice.id == BankMatch.advice_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(BankMatch.kind == MatchKind.PAYMENT, Agreement.paying_account_id == account_id)
    ):
        if advice_id is not None:
            matched[match_id].append(advice_id)
    of_batch: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for advice in advices.values():
        if advice.is_payable:
            of_batch[advice.batch_id].append(advice.id)
    named = {
        row.entry_id: row.advice_id
        for row in session.execute(
            select(PaymentEvent.entry_id, PaymentEvent.advice_id).where(PaymentEvent.entry_id.in_(moving))
        )
    }
    moves: defaultdict[UUID, defaultdict[date, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries.values():
        fact, sign = (entries[entry.reverses_id], -1) if entry.reverses_id else (entry, 1)
        match fact.event_type:
            case EventType.BATCH_EXPORTED:
                moved, delta = of_batch[fact.event_id], 1
            case EventType.TRANSFER_BOOKED | EventType.DEBIT_IDENTIFIED:
                moved, delta = matched[fact.event_id], -1
            case EventType.REJECTION_WITHDRAWN:
                # Before payments had histories, the first withdrawal bore the payment's id.
                moved, delta = [named.get(fact.id, fact.event_id)], 1
            case _:
                moved, delta = [fact.event_id], -1
        for advice_id in moved:
            if advice_id in advices:
                moves[advice_id][entry.effective_on] += sign * delta
    return moves
