"""What pages read: a structure's redemptions, and what became of one."""

from datetime import timedelta

from tests.builders import NOW, SOMEONE, a_counter, handed_over_booklets, scanned_codes
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.redemption import read
from voucher.redemption.redeem import redeem

WORKSHOP = "everyday_digital_tools"
SEEN = {"undo_minutes": 30, "now": NOW}


def test_a_structure_s_redemptions_are_listed_sorted_and_filtered(database: Database) -> None:
    issued = handed_over_booklets(database)
    codes = scanned_codes(database, issued.first_booklet_number)
    first = a_counter(database)
    second = a_counter(database, structure_id=first.structure_id)
    for rank, counter in enumerate((first, first, second)):
        redeem(
            database, new_id(), codes[3 * rank : 3 * rank + rank + 1], WORKSHOP, counter, by=SOMEONE,
            now=NOW + timedelta(days=rank),
        )  # fmt: skip

    def listed(sort: str = "at", descending: bool = True, **filters: str) -> list[int]:
        asked = Asked(sort=sort, descending=descending, filters=filters)
        page = read.redemptions(database, asked, structure_id=first.structure_id, **SEEN)
        assert page.count == len(page.rows)
        return [row.voucher_count for row in page.rows]

    assert listed() == [3, 2, 1]
    assert listed("amount", False) == [1, 2, 3]
    assert listed(place=str(second.place_id)) == [3]
    assert listed(since="2026-03-03", until="2026-03-03") == [2]
    assert listed(booklet="0001") == [3, 2, 1]
    assert listed(state="undone") == []
    assert listed(place="nonsense", since="hier") == [3, 2, 1]
