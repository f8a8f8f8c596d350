"""The annual account: every voucher in one column, at the end of a year, and the ledger agrees; produced once, kept whole."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from tests.accounting.office import Office, an_office
from tests.accounting.year import closed
from tests.builders import SOMEONE, handed_over_booklets, issued_booklets
from tests.settlement.test_disputes import claw_back
from tests.settlement.town import PREPARER, wrong_books
from voucher.accounting.annual_account import AgreementAccount, annual_account
from voucher.accounting.checks import check_kept_accounts_are_whole
from voucher.accounting.produce import accounts_due, kept_accounts, kept_content, produce_account
from voucher.accounting.uses_of_year import uses_of_year
from voucher.distribution.lapse import lapse
from voucher.distribution.stop import stop_booklet
from voucher.distribution.void_stock import NewStockVoid, void_stock
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.model import Entry
from voucher.programme.model import Agreement

OCTOBER = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 14, 9, 0, tzinfo=UTC)
APRIL = datetime(2027, 4, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def office(database: Database) -> Office:
    return an_office(database)


def account(office: Office, year: int = 2026) -> AgreementAccount:
    found = annual_account(office.database, office.town.agreement_id, year)
    assert found is not None
    assert found.is_proven, found.proofs
    return found


def figures(found: AgreementAccount) -> dict[str, int]:
    """Return how many vouchers stand in each column, those of nothing left out."""
    names = ("ordered", "paid", "to_pay", "rejected", "refunded", "remaining")
    return {name: found.total.amount(name).count for name in names if found.total.amount(name).count}


def test_every_voucher_is_in_one_column(office: Office) -> None:
    office.town.redeem(0, 3, now=OCTOBER)
    office.pay(office.settle(OCTOBER), date(2026, 10, 7), OCTOBER + timedelta(days=3))
    office.town.redeem(0, 4, now=DECEMBER)
    stopped = handed_over_booklets(office.database, agreed=office.town.agreed, now=OCTOBER)
    stop_booklet(office.database, new_id(), stopped.first_booklet_number, "lost", by=SOMEONE, now=DECEMBER)
    spare = issued_booklets(office.database, 2, agreed=office.town.agreed, now=OCTOBER)
    void = NewStockVoid(new_id(), office.town.agreed.issuer_id, spare.first_booklet_number, 1, "Mal imprimé")
    void_stock(office.database, void, by=SOMEONE, now=DECEMBER)
    assert figures(account(office)) == {"ordered": 50, "paid": 3, "to_pay": 4, "rejected": 20, "remaining": 23}
    assert list(account(office).vintages) == [2026]
    rows = uses_of_year(office.database, office.town.agreement_id, 2026)
    assert [(row.voucher_count, row.is_paid, bool(row.reference)) for row in rows] == [
        (3, True, True),
        (4, False, False),
    ]
    assert account(office).total.remaining.cents == 23_000
    lapse(office.database, by=None, now=datetime(2027, 3, 2, tzinfo=UTC))
    assert figures(account(office)) == {"ordered": 50, "paid": 3, "to_pay": 4, "rejected": 20, "remaining": 23}
    assert figures(account(office, 2027)) == {"ordered": 50, "paid": 3, "to_pay": 4, "rejected": 20, "refunded": 23}


def test_what_the_bank_books_in_january_was_to_be_paid_in_december(office: Office) -> None:
    office.town.redeem(0, 3, now=DECEMBER)
    office.pay(office.settle(DECEMBER), date(2027, 1, 4), datetime(2027, 1, 5, 9, 0, tzinfo=UTC))
    assert figures(account(office)) == {"ordered": 10, "to_pay": 3, "remaining": 7}
    assert figures(account(office, 2027)) == {"ordered": 10, "paid": 3, "remaining": 7}


def test_a_period_on_both_sides_of_the_new_year_is_one_batch_and_each_use_is_of_its_year(office: Office) -> None:
    """An agreement without months: its period goes on past midnight, and 2026 is closed before the batch is frozen."""
    with office.database.write() as session:
        session.execute(update(Agreement).values(settlement_rhythm="on_demand"))
    before, after = datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC), datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
    uses = [office.town.redeem(0, 3, now=before), office.town.redeem(0, 2, now=after)]
    january = datetime(2027, 1, 6, 9, 0, tzinfo=UTC)
    closed(office.database, 2026, now=january)
    batch_id = office.settle(january)
    assert [cents for _, cents in office.references(batch_id)] == [5_000]
    office.pay(batch_id, date(2027, 1, 8), january + timedelta(days=3))
    with office.database.read() as session:
        days = [session.scalars(select(Entry.effective_on).where(Entry.event_id == one)).one() for one in uses]
    assert days == [date(2026, 12, 31), date(2027, 1, 1)]
    assert figures(account(office)) == {"ordered": 20, "to_pay": 3, "remaining": 17}
    assert figures(account(office, 2027)) == {"ordered": 20, "paid": 5, "remaining": 15}
    assert wrong_books(office.database) == []


def test_what_was_not_ordered_yet_is_not_told(office: Office) -> None:
    office.town.redeem(0, 3, now=OCTOBER)
    assert figures(account(office, 2025)) == {}


def test_an_overpayment_netted_is_paid_by_what_it_compensates(office: Office) -> None:
    first = office.town.redeem(0, 3, now=OCTOBER)
    office.pay(office.settle(OCTOBER), date(2026, 10, 7), OCTOBER + timedelta(days=3))
    claw_back(office.town, first)
    assert figures(account(office)) == {"ordered": 10, "remaining": 10}
    office.town.redeem(0, 5, now=DECEMBER)
    office.settle(DECEMBER)
    found = account(office).total
    # 50 € used: 30 € of it compensate what was overpaid, 20 € are on their way.
    assert (found.to_pay.cents, found.paid.cents, found.to_pay.count) == (2_000, 3_000, 5)


def test_an_account_is_produced_once_its_year_is_over_and_kept_byte_for_byte(office: Office) -> None:
    office.town.redeem(0, 3, now=OCTOBER)
    account_id, agreement_id = new_id(), office.town.agreement_id
    with pytest.raises(Refused, match="n’est pas finie"):
        produce_account(office.database, account_id, agreement_id, 2026, by=PREPARER, now=DECEMBER)
    assert accounts_due(office.database, now=APRIL - timedelta(days=1)) == []
    assert [one.agreement_id for one in accounts_due(office.database, now=APRIL)] == [agreement_id]
    for _ in range(2):
        produce_account(office.database, account_id, agreement_id, 2026, by=PREPARER, now=APRIL)
    assert accounts_due(office.database, now=APRIL) == []
    (kept,) = kept_accounts(office.database, agreement_id, 2026)
    name, content = kept_content(office.database, kept.id) or ("", b"")
    assert name.endswith("-2026.pdf")
    assert content.startswith(b"%PDF")
    assert kept_content(office.database, kept.id, issuer_id=new_id()) is None
    assert annual_account(office.database, agreement_id, 2026, issuer_id=new_id()) is None
    with office.database.read() as session:
        assert check_kept_accounts_are_whole(session) == []
    assert wrong_books(office.database) == []


def test_sums_that_the_ledger_does_not_confirm_are_not_produced(office: Office) -> None:
    redemption_id = office.town.redeem(0, 3, now=OCTOBER)
    with office.database.write() as session:
        id_ = redemption_id if office.database.is_postgresql else redemption_id.hex
        session.execute(text("UPDATE redemption SET amount_cents = 2000 WHERE id = :id"), {"id": id_})
    with pytest.raises(Refused, match="dit d’autres sommes"):
        produce_account(office.database, new_id(), office.town.agreement_id, 2026, by=PREPARER, now=APRIL)
    assert kept_accounts(office.database, office.town.agreement_id, 2026) == []
