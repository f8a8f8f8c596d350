"""The journal is searched as people read it: a booklet by its number, with or without spaces."""

import pytest

from tests.ledger.test_post import DIMENSIONS, NOW, STATE
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.number_labels import booklet_label
from voucher.ledger import read
from voucher.ledger.chart import EventType
from voucher.ledger.post import Event, post_event


@pytest.mark.parametrize("text", ["12345", "0001 2345", "0001\u00a02345", "du carnet 0001 2345", "CARNET 0001"])
def test_a_booklet_is_found_by_its_number_however_it_is_typed(database: Database, text: str) -> None:
    with database.write() as session:
        for number in (12_345, 67_890):
            event = Event(EventType.BOOKLET_HANDED_OVER, new_id(), NOW, f"Remise du carnet {booklet_label(number)}")
            post_event(session, event, DIMENSIONS, {STATE: 1_000})
    page = read.entries(database, Asked(sort="posted_at", filters={"text": text}))
    assert [row.narration for row in page.rows] == [f"Remise du carnet {booklet_label(12_345)}"]
    assert page.count == 1
