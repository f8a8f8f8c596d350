"""A redemption of the last evening, where tolerance and presentation end together, and the lapse that comes at midnight."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from tests.builders import SOMEONE, Issued, a_counter, an_agreement, handed_over_booklets, scanned_codes
from tests.clients import app_for
from tests.redemption.test_races import together
from voucher.distribution.lapse import LapsedBatch, lapse
from voucher.distribution.model import Lapse
from voucher.issuing.model import Voucher
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.model import Entry
from voucher.redemption.answers import Counter, Redeemed, Undone
from voucher.redemption.redeem import redeem
from voucher.redemption.rules import CounterRefusal, Refusal
from voucher.redemption.undo import undo
from voucher.reporting.verify import verify

LAST_DAY = date(2026, 12, 31)
EVENING = datetime(2026, 12, 31, 22, 50, tzinfo=UTC)  # 23 h 50 in Paris
MIDNIGHT = datetime(2026, 12, 31, 23, 1, tzinfo=UTC)  # one minute after
AFTER = MIDNIGHT + timedelta(minutes=5)
UNDO_MINUTES = 30


class LastEvening:
    """A booklet of which two vouchers are used at ten to midnight, on the day that ends everything."""

    def __init__(self, database: Database) -> None:
        self.database = database
        agreed = an_agreement(database, use_by=LAST_DAY, grace_until=LAST_DAY, present_by=LAST_DAY)
        self.issued: Issued = handed_over_booklets(database, agreed=agreed)
        self.codes = scanned_codes(database, self.issued.first_booklet_number)
        self.counter: Counter = a_counter(database)
        answer = redeem(
            database, new_id(), self.codes[:2], "everyday_digital_tools", self.counter, by=SOMEONE, now=EVENING
        )
        assert isinstance(answer, Redeemed), answer
        self.redemption_id = answer.id

    def undo(self) -> Undone | Refusal:
        return undo(self.database, self.redemption_id, self.counter, undo_minutes=UNDO_MINUTES, by=SOMEONE, now=AFTER)

    def lapse(self) -> list[LapsedBatch]:
        return lapse(self.database, by=None, now=MIDNIGHT)

    def states(self) -> dict[str, int]:
        with self.database.read() as session:
            rows = session.execute(select(Voucher.state, func.count()).group_by(Voucher.state))
            return {row[0]: row[1] for row in rows}

    def events(self) -> list[str]:
        with self.database.read() as session:
            about = select(Entry.event_type).where(Entry.event_id == self.redemption_id)
            return sorted(session.scalars(about))

    def page(self, rank: int) -> str:
        client = app_for(self.database, AFTER).test_client()
        return client.get("/V/" + self.codes[rank].rpartition("/")[2]).text

    def wrong(self) -> list[str]:
        return [str(one) for result in verify(self.database) for one in result.violations]


def test_what_was_redeemed_the_last_evening_stays_redeemed_once_the_batch_has_lapsed(database: Database) -> None:
    last = LastEvening(database)
    (lapsed,) = last.lapse()
    assert (lapsed.held_count, lapsed.released_cents) == (8, 8_000)
    refused = last.undo()
    assert isinstance(refused, Refusal)
    assert refused.reason is CounterRefusal.UNDO_TOO_LATE
    assert "1er\u00a0janvier\u00a02027 à\u00a00\u00a0h\u00a001" in refused.sentence
    assert last.states() == {"redeemed": 2, "lapsed": 8}
    assert last.events() == ["vouchers_redeemed"]
    assert "Ce chèque est déjà utilisé." in last.page(0)
    assert "Le carnet est fini." in last.page(0)
    assert "Ce chèque n’est plus valable." in last.page(2)
    assert lapse(database, by=None, now=AFTER + timedelta(days=1)) == []
    assert last.wrong() == []


def test_what_is_undone_before_the_lapse_lapses_with_the_rest(database: Database) -> None:
    last = LastEvening(database)
    assert isinstance(last.undo(), Undone)
    assert last.states() == {"handed_over": 10}
    assert "Ce chèque n’est plus valable." in last.page(0)
    (lapsed,) = last.lapse()
    assert (lapsed.held_count, lapsed.released_cents) == (10, 10_000)
    assert last.states() == {"lapsed": 10}
    assert last.events() == ["redemption_undone", "vouchers_redeemed"]
    assert "Ce chèque n’est plus valable." in last.page(0)
    assert last.wrong() == []


@pytest.mark.race
def test_an_undo_and_the_lapse_at_one_moment_leave_no_voucher_between_them(database: Database) -> None:
    last = LastEvening(database)
    answer, _ = together(last.undo, last.lapse)
    is_undone = isinstance(answer, Undone)
    assert last.states() == ({"lapsed": 10} if is_undone else {"redeemed": 2, "lapsed": 8})
    with database.read() as session:
        assert session.scalar(select(Lapse.held_count)) == (10 if is_undone else 8)
    assert last.wrong() == []
