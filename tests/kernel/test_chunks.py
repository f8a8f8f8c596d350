"""Long lists in pieces that both engines take."""

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import bindparam, literal, select

from voucher.kernel.chunks import IDS_AT_ONCE, chunks
from voucher.kernel.database import Database


@given(st.lists(st.integers()), st.integers(1, 7))
def test_pieces_hold_every_item_once_in_order_and_only_the_last_is_short(items: list[int], size: int) -> None:
    pieces = list(chunks(iter(items), size))
    assert [item for piece in pieces for item in piece] == items
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(pieces)


def test_a_statement_may_use_a_piece_thirty_times_on_both_engines(database: Database) -> None:
    piece = next(chunks(range(1, 5_000)))
    assert len(piece) == IDS_AT_ONCE
    found = [literal(1).in_(bindparam(f"ids_{rank}", piece, expanding=True)) for rank in range(30)]
    with database.read() as session:
        assert all(session.execute(select(*found)).one())
