"""A statement of thousands of lines, killed while it is read, between two writings, while it is posted, around its COMMIT."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.killing import Killer
from tests.settlement.camt_files import Account, Booked, Transaction, camt
from tests.settlement.test_import_statement import Paid
from tests.settlement.town import NOW, PREPARER, wrong_books
from voucher.kernel.database import Database
from voucher.ledger.model import Entry
from voucher.settlement.bank_in.import_statement import Imported, import_statement
from voucher.settlement.bank_in.store_entries import CHUNK

TODAY = NOW.date()
LATER = NOW + timedelta(days=7)


def a_large_file(paid: Paid) -> bytes:
    """Return three statements: more entries than a chunk holds, our payments and the return of one, the bank's charges."""
    unknown = [
        Booked(-100 - rank, f"D{rank}", (Transaction(-100 - rank, "NOTPROVIDED", "DIVERS"),)) for rank in range(CHUNK)
    ]
    ours = [
        Booked(-cents, f"P{cents}", (Transaction(-cents, reference),))
        for cents, reference in ((3_000, paid.first), (4_000, paid.second))
    ]
    back = Booked(3_000, "B1", (Transaction(3_000, paid.first, return_reason="AC04"),), code="PMNT-RRCT-RRTN")
    charges = [Booked(-rank, f"F{rank}", code="PMNT-MDOP-CHRG") for rank in range(1, 40)]
    accounts, opening_cents = [], 100_000_000
    for rank, entries in enumerate(
        ([*unknown, *ours], [back, *charges], [Booked(500 + n, f"C{n}") for n in range(60)])
    ):
        account = Account(paid.iban, TODAY + timedelta(days=rank), entries, f"R{rank}", opening_cents)
        opening_cents = account.closing_cents
        accounts.append(account)
    return camt("053", "08", *accounts)


@pytest.mark.kill
def test_a_large_import_killed_anywhere_and_run_again_gives_the_same_lines_and_books(
    database: Database, killer: Killer
) -> None:
    paid = Paid(database)
    command = ("releve.xml", a_large_file(paid))
    killer.outside(import_statement, *command, by=PREPARER, now=LATER, shares=(0.5, 0.9))
    done, again = killer.everywhere(import_statement, *command, by=PREPARER, now=LATER)
    assert (done.statement_count, done.new_count, done.paid_count, done.returned_count) == (3, CHUNK + 102, 2, 1)
    assert again == Imported(
        is_known=True, statement_count=0, line_count=0, new_count=0, paid_count=0, returned_count=0, unknown_count=0
    )
    assert paid.states() == ["returned", "paid"]
    with database.read() as session:
        told = Counter(session.scalars(select(Entry.event_type)))
    assert told["unknown_debit_booked"] + told["unknown_credit_booked"] == CHUNK + 60
    assert wrong_books(database) == []
