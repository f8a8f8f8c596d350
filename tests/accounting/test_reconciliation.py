"""The état de rapprochement of an account, at any day: each difference between the bank and the books has its name and its cents."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from tests.accounting.office import Office, an_office
from tests.accounting.year import closed
from tests.faults.world import planted
from tests.settlement.camt_files import Account, Booked, Transaction, camt
from tests.settlement.reports import status_report
from tests.settlement.town import PREPARER, wrong_books
from voucher.accounting.account_books import account_books
from voucher.accounting.checks_reconciliation import CHECKS
from voucher.accounting.reconciliation import (
    DifferenceKind,
    Reconciliation,
    reconciliation,
    untold_by_day,
)
from voucher.demonstration.bank import BookedLine
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.programme.model import PayingAccount
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.model.batches import BankLine
from voucher.settlement.reconciliation.undo_match import undo_match

NOVEMBER = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FEBRUARY = datetime(2027, 2, 10, 9, 0, tzinfo=UTC)
SENT, DEBITED, REFUSED = date(2026, 11, 23), date(2026, 11, 26), date(2026, 11, 27)


@pytest.fixture
def office(database: Database) -> Office:
    """100 000 € at the bank; 30 € and 40 € transmitted on 23 November."""
    office = an_office(database)
    office.bank_says(date(2026, 11, 20), NOVEMBER - timedelta(days=2))
    office.town.redeem(0, 3, now=NOVEMBER)
    office.town.redeem(1, 4, now=NOVEMBER)
    return office


def at(office: Office, on: date) -> Reconciliation:
    """Return the état of the office's account; the books hold nothing that it does not tell."""
    with office.database.read() as session:
        account_id = session.scalars(select(PayingAccount.id).where(PayingAccount.iban == office.iban)).one()
        for is_summed in (False, True):
            assert untold_by_day(account_books(session, account_id, is_summed=is_summed)) == {}
    found = reconciliation(office.database, account_id, on)
    assert found is not None
    return found


def named(found: Reconciliation) -> list[tuple[DifferenceKind, int]]:
    return sorted(((one.kind, one.cents) for one in found.differences), key=lambda one: (one[0], abs(one[1])))


def notice(office: Office, day: date, *cents: int) -> None:
    """Let the bank announce entries that no statement proves yet."""
    entries = [Booked(one, f"N{rank}", (Transaction(one),), day=day) for rank, one in enumerate(cents)]
    content = camt("054", "08", Account(office.iban, day, entries, "AVIS"), message=new_id().hex)
    import_statement(office.database, "avis.xml", content, by=PREPARER, now=NOVEMBER + timedelta(days=9))


def test_transfers_are_in_transit_from_the_day_they_leave_until_the_bank_debits_or_refuses_them(office: Office) -> None:
    batch_id = office.settle(NOVEMBER)
    (first, cents), (second, _) = office.references(batch_id)
    office.bank_says(
        DEBITED,
        NOVEMBER + timedelta(days=4),
        BookedLine(reference="D1", amount_cents=cents, is_credit=False, end_to_end_id=first),
    )
    report = status_report(batch_id, transfers={second: "AC04"})
    import_report(office.database, "rapport.xml", report, by=PREPARER, now=NOVEMBER + timedelta(days=4))
    assert named(at(office, SENT - timedelta(days=1))) == []
    both = at(office, SENT)
    assert named(both) == [(DifferenceKind.IN_TRANSIT, -3_000), (DifferenceKind.IN_TRANSIT, -4_000)]
    assert (both.statement_on, both.statement_cents, both.ledger_cents) == (date(2026, 11, 20), 10_000_000, 9_993_000)
    assert {one.label.split(",")[0] for one in both.differences} == {first, second}
    assert named(at(office, DEBITED)) == [(DifferenceKind.IN_TRANSIT, -4_000)]
    assert at(office, DEBITED).ledger_cents == 9_993_000
    assert (named(at(office, REFUSED)), at(office, REFUSED).ledger_cents) == ([], 9_997_000)
    assert {at(office, day).unexplained_cents for day in (SENT, DEBITED, REFUSED)} == {0}
    # Debited all the same: its rejection is withdrawn on that day, and it is paid.
    office.bank_says(
        date(2026, 11, 30),
        NOVEMBER + timedelta(days=8),
        BookedLine(reference="D2", amount_cents=4_000, is_credit=False, end_to_end_id=second),
    )
    assert named(at(office, date(2026, 11, 29))) == []
    assert (named(at(office, date(2026, 11, 30))), at(office, date(2026, 11, 30)).ledger_cents) == ([], 9_993_000)
    with office.database.read() as session:
        line_id = session.scalars(select(BankLine.id).where(BankLine.bank_reference == "D1")).one()
    undo_match(office.database, line_id, "Ce n’est pas lui.", by=PREPARER, now=NOVEMBER + timedelta(days=9))
    undone = at(office, DEBITED)
    assert (named(undone), undone.waiting_count, undone.waiting_cents) == (
        [(DifferenceKind.IN_TRANSIT, -3_000), (DifferenceKind.IN_TRANSIT, -4_000)],
        1,
        3_000,
    )
    assert undone.unexplained_cents == 0
    assert wrong_books(office.database) == []


def test_a_line_is_a_difference_until_the_close_of_the_statement_that_proves_it(office: Office) -> None:
    day = date(2026, 11, 24)
    notice(office, day, 500, -120)
    before = at(office, day)
    assert named(before) == [(DifferenceKind.ANNOUNCED, -120), (DifferenceKind.ANNOUNCED, 500)]
    assert (before.ledger_cents, before.unexplained_cents) == (10_000_380, 0)
    entries = [Booked(500, "N0", (Transaction(500),), day=day), Booked(-120, "N1", (Transaction(-120),), day=day)]
    statement = Account(office.iban, DEBITED, entries, "S2", office.balance_cents, first_day=SENT)
    import_statement(
        office.database, "s2.xml", camt("053", "08", statement), by=PREPARER, now=NOVEMBER + timedelta(days=10)
    )
    assert {kind for kind, _ in named(at(office, day))} == {DifferenceKind.LATER_STATEMENT}
    assert (named(at(office, DEBITED)), at(office, DEBITED).unexplained_cents) == ([], 0)
    assert wrong_books(office.database) == []


def test_a_longer_statement_that_came_first_does_not_hide_the_shorter_ones_inside_it(office: Office) -> None:
    monthly = [Booked(700, "M1", (Transaction(700),), day=date(2026, 11, 24))]
    long = Account(office.iban, date(2026, 11, 30), monthly, "MOIS", office.balance_cents, first_day=date(2026, 11, 21))
    short = Account(
        office.iban, date(2026, 11, 24), monthly, "JOUR", office.balance_cents, first_day=date(2026, 11, 24)
    )
    for name, account in (("mois", long), ("jour", short)):
        content = camt("053", "08", account, message=name)
        import_statement(office.database, f"{name}.xml", content, by=PREPARER, now=NOVEMBER + timedelta(days=10))
    for day in (date(2026, 11, 24), date(2026, 11, 30)):
        assert (named(at(office, day)), at(office, day).unexplained_cents) == ([], 0)
    assert wrong_books(office.database) == []


def test_what_the_bank_booked_in_a_closed_year_is_a_difference_of_time(office: Office) -> None:
    batch_id = office.settle(NOVEMBER)
    office.bank_says(date(2026, 12, 28), FEBRUARY - timedelta(days=9))
    closed(office.database, 2026, now=FEBRUARY)
    (reference, cents), _ = office.references(batch_id)
    late = BookedLine(reference="D1", amount_cents=cents, is_credit=False, end_to_end_id=reference)
    office.bank_says(date(2026, 12, 31), FEBRUARY + timedelta(days=3), late)
    end = at(office, date(2026, 12, 31))
    assert named(end) == [
        (DifferenceKind.CLOSED_YEAR, 3_000),
        (DifferenceKind.IN_TRANSIT, -3_000),
        (DifferenceKind.IN_TRANSIT, -4_000),
    ]
    assert (end.statement_cents, end.ledger_cents, end.unexplained_cents) == (9_997_000, 9_993_000, 0)
    assert named(at(office, date(2027, 1, 1))) == [(DifferenceKind.IN_TRANSIT, -4_000)]
    assert wrong_books(office.database) == []


def test_a_missing_statement_is_named_with_what_it_moved_until_it_comes(office: Office) -> None:
    opening_cents = office.balance_cents
    office.balance_cents += 900
    office.bank_says(DEBITED, NOVEMBER + timedelta(days=4))
    gap = at(office, DEBITED)
    assert named(gap) == [(DifferenceKind.MISSING_STATEMENT, -900)]
    assert (gap.statement_cents, gap.ledger_cents, gap.unexplained_cents) == (10_000_900, 10_000_000, 0)
    office.balance_cents = opening_cents
    office.bank_says(SENT, NOVEMBER + timedelta(days=5), BookedLine(reference="C1", amount_cents=900, is_credit=True))
    assert (named(at(office, DEBITED)), at(office, DEBITED).ledger_cents) == ([], 10_000_900)


def test_an_account_that_no_statement_tells_reconciles_with_what_is_announced(database: Database) -> None:
    office = an_office(database)
    notice(office, date(2026, 11, 24), 500)
    found = at(office, date(2026, 11, 30))
    assert (found.statement_on, found.statement_cents, named(found), found.unexplained_cents) == (
        None,
        0,
        [(DifferenceKind.ANNOUNCED, 500)],
        0,
    )


def test_cents_that_nothing_explains_are_said(office: Office) -> None:
    """Two statements of a day with the same balances and other lines: the bank contradicts itself."""
    for rank in (1, 2):
        office.bank_says(
            DEBITED,
            NOVEMBER + timedelta(days=4, hours=rank),
            BookedLine(reference=f"C{rank}", amount_cents=900, is_credit=True),
        )
        office.balance_cents = 10_000_000
    found = at(office, DEBITED)
    assert (found.statement_cents, found.ledger_cents, found.unexplained_cents) == (10_000_900, 10_001_800, 900)


def test_cents_that_no_line_tells_are_found(office: Office) -> None:
    office.bank_says(
        DEBITED, NOVEMBER + timedelta(days=4), BookedLine(reference="C1", amount_cents=900, is_credit=True)
    )
    wrong = "UPDATE movement SET amount_cents = amount_cents + 5 WHERE amount_cents = 900"
    with planted(office.database, wrong) as session:
        (violation,) = [one for check in CHECKS for one in check(session)]
    assert "26\xa0novembre\xa02026" in violation.subject
    assert ("9,05" in violation.detail, "9,00" in violation.detail) == (True, True)
