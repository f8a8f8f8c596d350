"""What finance is warned of: accounts without a recent statement or below zero, calls overdue; and what closes next."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from tests.clients import app_for, signed_in_client
from tests.settlement.town import NOW, PREPARER, Town, a_town
from voucher.access.rules import Role
from voucher.demonstration.bank import BookedLine, statement
from voucher.funding.call import call_funds
from voucher.funding.model import FundsCall
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.programme.model import Agreement, PayingAccount
from voucher.reporting.closings import Close, closings
from voucher.reporting.finance_alerts import FinanceAlerts, finance_alerts, negative_accounts
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.reconciliation.daily_balances import BankDay

TODAY = paris_day(NOW)


def alerts(town: Town, *, days: int = 7, after: int = 0, issuer_id: UUID | None = None) -> FinanceAlerts:
    return finance_alerts(town.database, now=NOW + timedelta(days=after), statement_days=days, issuer_id=issuer_id)


def tell(town: Town, reference: str, day: date, opening_cents: int, moved_cents: int) -> None:
    with town.database.read() as session:
        account_id = session.get_one(Agreement, town.agreement_id).paying_account_id
        iban = session.get_one(PayingAccount, account_id).iban
    line = BookedLine(
        reference=reference, amount_cents=abs(moved_cents), is_credit=moved_cents > 0, counterparty="Région"
    )
    content = statement(reference, iban, day, opening_cents, [line])
    import_statement(town.database, f"{reference}.xml", content, by=PREPARER, now=NOW)


def test_an_account_is_silent_after_so_many_days_and_no_more_once_a_statement_comes(database: Database) -> None:
    town = a_town(database)
    tell(town, "R1", TODAY, 0, 5_000)
    assert alerts(town, after=7).silent == ()
    (silent,) = alerts(town, after=8).silent
    assert (silent.last_on, silent.days) == (TODAY, 8)
    assert alerts(town, after=8, days=8).silent == ()
    assert alerts(town, after=8, issuer_id=new_id()).silent == ()
    assert len(alerts(town, after=8, issuer_id=town.agreed.issuer_id).silent) == 1
    with database.write() as session:  # an agreement that pays no more
        session.execute(update(Agreement).values(use_by=TODAY, grace_until=TODAY, present_by=TODAY))
    assert alerts(town, after=8).silent == ()


def test_an_account_below_zero_says_since_when(database: Database) -> None:
    town = a_town(database)
    tell(town, "R1", TODAY - timedelta(days=3), 0, 5_000)
    tell(town, "R2", TODAY - timedelta(days=2), 5_000, -6_000)
    tell(town, "R3", TODAY - timedelta(days=1), -1_000, -500)
    (found,) = alerts(town).negative
    assert (found.balance_cents, found.since_on, found.last_on) == (
        -1_500,
        TODAY - timedelta(days=2),
        TODAY - timedelta(days=1),
    )
    app = app_for(database, NOW)
    page = signed_in_client(app, database, Role.FINANCE_PREPARER).get("/finances/").text
    assert "sous zéro depuis le" in page
    tell(town, "R4", TODAY, -1_500, 1_500)
    assert alerts(town).negative == ()


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=8))
def test_below_zero_since_the_first_day_of_the_last_run(closings_cents: list[int]) -> None:
    days = [
        BankDay(
            account_id=UUID(int=1), account_name="Compte", closed_on=TODAY + timedelta(days=rank), closing_cents=cents, ledger_cents=cents,
            is_following=True, announced_cents=0, follows_on=None, missing_cents=0, opened_on=TODAY, opening_cents=0,
        )
        for rank, cents in enumerate(closings_cents)
    ]  # fmt: skip
    found = negative_accounts(days)
    if closings_cents[-1] >= 0:
        assert found == []
        return
    since = found[0].since_on.toordinal() - TODAY.toordinal()
    assert all(cents < 0 for cents in closings_cents[since:])
    assert since == 0 or closings_cents[since - 1] >= 0


def test_a_call_is_overdue_from_the_day_after_its_day_until_it_is_paid(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 4)
    call_id = new_id()
    call_funds(database, call_id, town.agreement_id, town.agreed.funder_ids[0], by=PREPARER, now=NOW)
    with database.read() as session:
        call = session.execute(select(FundsCall.due_on, FundsCall.called_cents).where(FundsCall.id == call_id)).one()
    left = (call.due_on - TODAY).days
    assert alerts(town, after=left).calls is None
    found = alerts(town, after=left + 1).calls
    assert found is not None
    assert (found.count, found.cents, found.oldest_on) == (1, call.called_cents, call.due_on)
    assert alerts(town, after=left + 1, issuer_id=new_id()).calls is None


@pytest.mark.parametrize("role", [Role.FINANCE_PREPARER, Role.AUDITOR])
def test_what_closes_next_is_told_day_by_day(database: Database, role: Role) -> None:
    town = a_town(database)
    town.redeem(0, 1)
    with database.read() as session:
        agreement = session.get_one(Agreement, town.agreement_id)
        number, days = agreement.number, (agreement.use_by, agreement.grace_until, agreement.present_by)
    found = closings(database, now=NOW)
    assert [one.on for one in found] == sorted(one.on for one in found)
    by_kind = {one.what: one for one in found}
    assert by_kind[Close.MONTH].on == date(2026, 11, 30)
    assert tuple(by_kind[one].on for one in (Close.USE_BY, Close.GRACE, Close.PRESENT_BY)) == days
    assert (by_kind[Close.FISCAL_YEAR].on, by_kind[Close.FISCAL_YEAR].year) == (date(2026, 12, 31), 2026)
    assert all(one.agreements == (number,) for one in found if one.year is None)
    assert closings(database, now=NOW, issuer_id=new_id()) == [one for one in found if one.year is not None]
    client = signed_in_client(app_for(database, NOW), database, role)
    assert "Prochaines clôtures" in client.get("/finances/").text
    assert number in client.get("/finances/calendrier").text
