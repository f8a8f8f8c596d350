"""What reads letters: which movements a letter holds now. A letter that was undone holds nothing any more."""

from datetime import date
from uuid import UUID

from sqlalchemy import Select, select

from voucher.accounting.model import LetteredPeriod, LetterUndone, MatchingLetter
from voucher.ledger.chart import EventType

USES = (EventType.VOUCHERS_REDEEMED, EventType.VOUCHERS_REDEEMED_FROM_STOCK, EventType.REDEMPTION_UNDONE)
"""Entries of a redemption: they are lettered with their period, never one by one. Their `event_id` is the redemption's."""


def undone_letters() -> Select[UUID]:
    """Return the ids of the letters that were undone."""
    return select(LetterUndone.letter_id)


def live_periods() -> Select[int, UUID, int, date]:
    """Return account, period, number and day of each letter that holds a period's redemptions."""
    return (
        select(LetteredPeriod.account_id, LetteredPeriod.period_id, MatchingLetter.number, MatchingLetter.lettered_on)
        .join(MatchingLetter, MatchingLetter.id == LetteredPeriod.letter_id)
        .where(MatchingLetter.id.not_in(undone_letters()))
    )
