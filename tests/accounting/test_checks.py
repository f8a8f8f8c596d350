"""Each check of the books is silent over right books, and names the fault planted in them."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from tests.accounting.office import Office, an_office
from tests.accounting.year import closed
from tests.settlement.town import PREPARER
from voucher.accounting.checks import CHECKS
from voucher.accounting.produce import produce_account
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id

OCTOBER = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
APRIL = datetime(2027, 4, 2, 9, 0, tzinfo=UTC)
SPRING_2028 = datetime(2028, 4, 2, 9, 0, tzinfo=UTC)

ONE_CARRIED = "(SELECT min(account_id) FROM opening_balance WHERE year = 2027)"
PLANTED = {
    "an opening balance changed": (
        f"UPDATE opening_balance SET balance_cents = balance_cents + 1 WHERE year = 2027 AND account_id = {ONE_CARRIED}",
        {"opening_balances_are_sums", "opening_balances_balance"},
    ),
    "an opening balance gone": (
        f"DELETE FROM opening_balance WHERE year = 2028 AND account_id = {ONE_CARRIED}",
        {"opening_balances_are_sums", "opening_balances_balance"},
    ),
    "a movement changed after its year was summed": (
        (
            "UPDATE movement SET amount_cents = amount_cents + 1 WHERE entry_id = (SELECT id FROM entry WHERE event_type = "
            "'vouchers_redeemed' LIMIT 1) AND rank = 1"
        ),
        {"opening_balances_are_sums"},
    ),
    "an entry moved into a closed year": (
        "UPDATE entry SET posted_at = '2028-05-01 10:00:00.000000' WHERE event_type = 'vouchers_redeemed'",
        {"nothing_enters_a_closed_year"},
    ),
    "a year closed before the one that precedes it": (
        "UPDATE fiscal_year SET closed_at = '2026-01-01 10:00:00.000000' WHERE year = 2027",
        {"years_are_closed_in_order"},
    ),
    "a year that ends on another day": (
        "UPDATE fiscal_year SET following_on = '2027-01-02' WHERE year = 2026",
        {"years_are_closed_in_order"},
    ),
    "an annual account whose bytes changed": (
        "UPDATE annual_account SET sha256 = 'f' || substr(sha256, 2, 62) || 'g'",
        {"kept_accounts_are_whole"},
    ),
}


@pytest.fixture
def office(database: Database) -> Office:
    """Two closed years, an annual account."""
    office = an_office(database)
    office.town.redeem(0, 3, now=OCTOBER)
    produce_account(database, new_id(), office.town.agreement_id, 2026, by=PREPARER, now=APRIL)
    for year, now in ((2026, APRIL), (2027, SPRING_2028)):
        closed(database, year, now=now)
    return office


def found(office: Office) -> set[str]:
    with office.database.read() as session:
        return {one.check for check in CHECKS for one in check(session)}


def plant(database: Database, statement: str) -> None:
    """Change the books behind the back of their triggers, as a database administrator could."""
    with database.write() as session:
        if database.is_postgresql:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            for name in session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                session.execute(text(f"DROP TRIGGER {name}"))
        session.execute(text(statement))


def test_right_books_are_proven(office: Office) -> None:
    assert found(office) == set()


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_named(office: Office, fault: str) -> None:
    statement, checks = PLANTED[fault]
    plant(office.database, statement)
    assert checks <= found(office)
