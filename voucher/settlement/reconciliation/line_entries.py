"""Which entries tell a bank line: the one made as it came in (its event is the line), or the one of a match made later."""

from sqlalchemy import ColumnElement, exists

from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.settlement.model.batches import BankLine

DIRECT = (
    EventType.TRANSFER_BOOKED,
    EventType.TRANSFER_RETURNED,
    EventType.BANK_CHARGED,
    EventType.BANK_CHARGE_REFUNDED,
)
"""Of a line that was matched as it came in."""

WAITING = (EventType.UNKNOWN_DEBIT_BOOKED, EventType.UNKNOWN_CREDIT_BOOKED)
"""Of a line that waits: as it came in, or once the match that it came with is undone."""

IDENTIFIED = (
    EventType.DEBIT_IDENTIFIED,
    EventType.CREDIT_IDENTIFIED,
    EventType.CHARGE_IDENTIFIED,
    EventType.CHARGE_REFUND_IDENTIFIED,
)
"""Of a line that waited, then was matched: their event is the match."""


def is_posted() -> ColumnElement[bool]:
    """Return the condition that a bank line has its entry, matched or waiting."""
    return exists().where(Entry.event_id == BankLine.id, Entry.event_type.in_((*DIRECT, *WAITING)))
