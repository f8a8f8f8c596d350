"""Avant de clôturer: what is left of a year, in figures. Open periods and missing statements block; two people may accept the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select, union_all
from sqlalchemy.orm import Session

from voucher.accounting.close_items import BLOCKING, CloseItem
from voucher.funding.model import FundsCallUse
from voucher.kernel.calendar import end_of_day, french_date
from voucher.kernel.database import Database
from voucher.ledger.chart import Code, Journal
from voucher.ledger.model import Account, Entry, Movement
from voucher.programme.model import Agreement, Funder, PayingAccount
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.settlement.model.batches import BankLine, BankStatement, PaymentAdvice, SettlementBatch
from voucher.settlement.reconciliation.daily_balances import days_of
from voucher.settlement.reconciliation.missing_pages import pages_missing
from voucher.settlement.reconciliation.to_identify import LEFT, WAITS
from voucher.settlement.words.states import AdviceState


@dataclass(frozen=True, slots=True)
class Left:
    """One thing that is left: what it is, in French, how many of them it stands for, for how many cents; `id` leads to it."""

    label: str
    count: int
    cents: int
    id: UUID
    on: date | None = None


@dataclass(frozen=True, slots=True)
class CloseLine:
    """An item of the list with all that is left of it; nothing, when it is clear."""

    item: CloseItem
    rows: tuple[Left, ...]

    @property
    def count(self) -> int:
        """How many are left."""
        return sum(row.count for row in self.rows)

    @property
    def cents(self) -> int:
        """For how much, in cents."""
        return sum(row.cents for row in self.rows)

    @property
    def is_of_funding(self) -> bool:
        """Whether its rows are read in the funding pages, and not in those of finance."""
        return self.item is CloseItem.USES_NOT_CALLED

    @property
    def is_blocking(self) -> bool:
        """Whether nobody may accept it."""
        return self.item in BLOCKING and self.count > 0

    @property
    def figures(self) -> tuple[int, int]:
        """What a person saw and accepts: the count and the cents."""
        return self.count, self.cents


def before_closing(database: Database, year: int) -> list[CloseLine]:
    """Return the list of a year, as it stands now."""
    with database.read() as session:
        return year_end(session, year)


def year_end(session: Session, year: int) -> list[CloseLine]:
    """Return every item in its order, with what is left of it of the year and those before."""
    found: Mapping[CloseItem, list[Left]] = {
        CloseItem.OPEN_PERIODS: _open_periods(session, year),
        CloseItem.STATEMENT_GAPS: _statement_gaps(session, year),
        CloseItem.NO_RECENT_STATEMENT: _without_statement(session, year),
        CloseItem.LINES_TO_IDENTIFY: _lines_to_identify(session, year),
        CloseItem.USES_NOT_CALLED: _uses_not_called(session, year),
        CloseItem.IN_TRANSIT: _in_transit(session, year),
    }
    return [CloseLine(item, tuple(found[item])) for item in CloseItem]


def _open_periods(session: Session, year: int) -> list[Left]:
    """Periods that still take redemptions, and hold some of the year: what is used in it is not all known."""
    rows = session.execute(
        select(
            Agreement.id,
            Agreement.number,
            Period.number.label("period"),
            func.count(Redemption.id).label("found"),
            func.sum(Redemption.amount_cents).label("cents"),
        )
        .join(Period, Period.agreement_id == Agreement.id)
        .join(Redemption, Redemption.period_id == Period.id)
        .where(
            Period.closed_at.is_(None),
            Redemption.redeemed_at < end_of_day(_last_day(year)),
            Redemption.state != RedemptionState.UNDONE,
        )
        .group_by(Agreement.id, Agreement.number, Period.number)
        .order_by(Agreement.number)
    )
    return [
        Left(f"Convention {row.number}, période {row.period} : {row.found} encaissements", 1, int(row.cents), row.id)
        for row in rows
    ]


def _statement_gaps(session: Session, year: int) -> list[Left]:
    """Days between two statements that the second does not follow, and pages that lack: nobody knows what they say."""
    first, last = date(year, 1, 1), _last_day(year)
    days = [
        Left(
            f"{day.account_name} : entre le relevé du {french_date(day.follows_on)} et celui du {french_date(day.closed_on)}",
            1,
            0,
            day.account_id,
            day.closed_on,
        )
        for day in sorted(days_of(session), key=lambda one: (one.account_name, one.closed_on))
        if not day.is_following and day.follows_on and day.closed_on >= first and day.follows_on <= last
    ]
    pages = [
        Left(
            f"{page.account_name} : page {page.page} du relevé {page.statement_name}",
            1,
            0,
            page.account_id,
            page.closed_on,
        )
        for page in pages_missing(session)
        if first <= page.closed_on <= last
    ]
    return days + pages


def _without_statement(session: Session, year: int) -> list[Left]:
    """Accounts of agreements signed by then that no statement tells up to the last day of the year."""
    last = _last_day(year)
    pays = exists().where(Agreement.paying_account_id == PayingAccount.id, Agreement.signed_on <= last)
    closed_on = func.max(BankStatement.closed_on)
    rows = session.execute(
        select(PayingAccount.id, PayingAccount.name, closed_on.label("closed_on"))
        .outerjoin(BankStatement, BankStatement.paying_account_id == PayingAccount.id)
        .where(pays)
        .group_by(PayingAccount.id, PayingAccount.name)
        .having((closed_on < last) | closed_on.is_(None))
        .order_by(PayingAccount.name)
    )
    return [
        Left(
            f"{row.name} : dernier relevé du {french_date(row.closed_on)}"
            if row.closed_on
            else f"{row.name} : aucun relevé",
            1,
            0,
            row.id,
        )
        for row in rows
    ]


def _lines_to_identify(session: Session, year: int) -> list[Left]:
    """Lines of the bank, by account, of which some cents wait in 4711."""
    rows = session.execute(
        select(
            PayingAccount.id,
            PayingAccount.name,
            BankLine.is_credit,
            func.count().label("found"),
            func.sum(LEFT).label("cents"),
        )
        .join(BankLine, BankLine.paying_account_id == PayingAccount.id)
        .where(WAITS, BankLine.booked_on <= _last_day(year))
        .group_by(PayingAccount.id, PayingAccount.name, BankLine.is_credit)
        .order_by(PayingAccount.name, BankLine.is_credit)
    )
    return [
        Left(f"{row.name}, {'reçu' if row.is_credit else 'sorti'}", int(row.found), int(row.cents), row.id)
        for row in rows
    ]


def _uses_not_called(session: Session, year: int) -> list[Left]:
    """What was used by the end of the year and no call asked of its funder yet: the uses behind 4430."""
    sides: Any = union_all(
        *(
            select(column.label("account_id"), Movement.entry_id, (Movement.amount_cents * sign).label("cents"))
            for column, sign in ((Movement.debit_account_id, 1), (Movement.credit_account_id, -1))
        )
    ).subquery()
    is_called = exists().where(FundsCallUse.account_id == sides.c.account_id, FundsCallUse.entry_id == sides.c.entry_id)
    cents = func.sum(sides.c.cents)
    rows = session.execute(
        select(Agreement.id, Agreement.number, Funder.name, cents.label("cents"))
        .join(Account, Account.agreement_id == Agreement.id)
        .join(Funder, Funder.id == Account.funder_id)
        .join(sides, sides.c.account_id == Account.id)
        .join(Entry, Entry.id == sides.c.entry_id)
        # What funding itself posts on the account are the calls.
        .where(
            Account.code == Code.TO_CALL,
            Entry.journal != Journal.FUNDING,
            Entry.effective_on <= _last_day(year),
            ~is_called,
        )
        .group_by(Agreement.id, Agreement.number, Funder.name)
        .having(cents != 0)
        .order_by(Agreement.number, Funder.name)
    )
    return [Left(f"Convention {row.number}, {row.name}", 1, int(row.cents), row.id) for row in rows]


def _in_transit(session: Session, year: int) -> list[Left]:
    """Transfers transmitted by the end of the year that the bank has neither debited nor refused to this day, by batch."""
    rows = session.execute(
        select(
            SettlementBatch.id,
            SettlementBatch.number,
            func.count().label("found"),
            func.sum(PaymentAdvice.amount_cents).label("cents"),
        )
        .join(PaymentAdvice, PaymentAdvice.batch_id == SettlementBatch.id)
        .where(
            PaymentAdvice.state == AdviceState.IN_FILE,
            SettlementBatch.exported_at < end_of_day(_last_day(year)),
        )
        .group_by(SettlementBatch.id, SettlementBatch.number)
        .order_by(SettlementBatch.number)
    )
    return [Left(f"Lot {row.number}", int(row.found), int(row.cents), row.id) for row in rows]


def _last_day(year: int) -> date:
    return date(year, 12, 31)
