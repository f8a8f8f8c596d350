"""What the whole demonstration teaches: bank and ledger agree, the journal is sealed often, a funder's account is closed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import func, select

from tests.demonstrated import NOW
from voucher.accounting.model import CloseCheck
from voucher.demonstration.finance import CHARGE_CENTS
from voucher.funding.model import FundingClose, FundsReceipt
from voucher.kernel.database import Database
from voucher.ledger.model import Entry
from voucher.ledger.seal_model import CheckpointRow
from voucher.programme.model import Agreement
from voucher.settlement.reconciliation.daily_balances import days


@pytest.fixture
def told(open_demonstration: Callable[[str], AbstractContextManager[Database]]) -> Iterator[Database]:
    with open_demonstration("sqlite") as database:
        yield database


def test_the_demonstration_is_one_that_we_would_show_to_an_accountant(told: Database) -> None:
    found = days(told)
    assert len({day.account_id for day in found}) == 3
    assert [(day.account_name, day.closed_on) for day in found if not day.is_equal or not day.is_following] == []
    # Nobody gives the bank's charges back: at its end the ended agreement's account lacks them, and nothing else.
    assert min(day.closing_cents for day in found) >= -12 * CHARGE_CENTS
    with told.read() as session:
        sealed = session.scalars(select(CheckpointRow.sealed_on).order_by(CheckpointRow.sealed_on)).all()
        last_at = session.scalar(select(func.max(CheckpointRow.sealed_at)))
        late = session.scalar(select(func.count()).where(Entry.posted_at > last_at))
        closes = session.scalar(select(func.count()).select_from(FundingClose))
        codes = session.scalars(select(Agreement.service_code).where(Agreement.service_code != "")).all()
        receipts = session.execute(
            select(FundsReceipt.booked_on, Entry.effective_on).join(Entry, Entry.event_id == FundsReceipt.id)
        ).all()
        accepted = session.scalars(select(CloseCheck.item).where(CloseCheck.reason != "")).all()
    assert len(receipts) > 25
    assert all(booked_on == effective_on for booked_on, effective_on in receipts)
    assert accepted == ["lines_to_identify"] * 2, "both people say why the bank's mistake may wait"
    assert len(sealed) > 18
    assert (sealed[-1], late) == (NOW.date(), 0)
    assert (closes, len(codes)) == (1, 1)
