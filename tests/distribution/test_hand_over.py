"""Handing booklets over."""

from sqlalchemy import text

from tests.builders import handed_over_booklets
from voucher.kernel.database import Database


def test_a_booklet_handed_over_moves_its_vouchers_and_its_money(database: Database) -> None:
    issued = handed_over_booklets(database, 2)
    with database.read() as session:
        states = session.execute(text("SELECT state, count(*) FROM voucher GROUP BY state")).all()
        balances = session.execute(
            text(
                "SELECT code, sum(amount_cents) FROM movement JOIN account ON account.id = debit_account_id GROUP BY code"
            )
        ).all()
    assert states == [("handed_over", issued.voucher_count)]
    assert dict(balances)["8045"] == 20_000
