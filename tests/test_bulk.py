"""Rows by the hundred thousand go in and come out on both engines, and an answer left early takes nothing with it."""

from sqlalchemy import func, select

from voucher.kernel.bulk import copy_rows, streamed_rows
from voucher.kernel.database import Database
from voucher.ledger.seal_model import SealNode

COUNT = 45_000


def test_rows_that_went_in_come_out_as_they_were_and_in_order(database: Database) -> None:
    rows = [(1, place, place.to_bytes(32, "big")) for place in range(COUNT)]
    with database.write() as session:
        copy_rows(session, SealNode, iter(rows))
        query = select(SealNode.generation, SealNode.place, SealNode.hash).order_by(SealNode.place)
        assert [tuple(row) for row in streamed_rows(session, query.where(SealNode.place < COUNT))] == rows
        copy_rows(session, SealNode, [])


def test_whoever_leaves_an_answer_early_goes_on_in_the_same_transaction(database: Database) -> None:
    with database.write() as session:
        copy_rows(session, SealNode, ((1, place, b"hash") for place in range(COUNT)))
        answer = streamed_rows(session, select(SealNode.place).order_by(SealNode.place))
        assert [next(answer)[0], next(answer)[0]] == [0, 1]
        answer.close()
        assert session.scalar(select(func.count()).select_from(SealNode)) == COUNT
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(SealNode)) == COUNT
