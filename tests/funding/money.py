"""Money of funders for tests: an agreement whose vouchers were used, and a bank line that waits to be identified."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from tests.builders import SOMEONE, a_counter, an_agreement
from tests.reporting.life import advices, book, export_period
from tests.settlement.town import NOW, Town, give_rib
from voucher.demonstration.bank import BookedLine
from voucher.distribution.lapse import lapse
from voucher.funding.accounts import account, balance_cents
from voucher.funding.checks import CHECKS as FUNDING
from voucher.funding.receive import BookedMoney, receive_funds
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.checks import CHECKS as LEDGER
from voucher.ledger.post import Event, post_event
from voucher.programme.checks import CHECKS as PROGRAMME
from voucher.programme.model import Agreement
from voucher.reporting.checks import check_what_is_used_is_owed_by_funders

PERSON = UUID("01890000-0000-7000-8000-00000000000c")


def a_funded_town(database: Database, *, shares: tuple[int, ...] = (5000, 5000), **terms: object) -> Town:
    """Sign an agreement of some shares and open a counter with bank details."""
    agreed = an_agreement(database, shares=shares, **terms)  # type: ignore[arg-type]
    counter = a_counter(database)
    give_rib(database, counter.structure_id, 1)
    return Town(database, agreed, (counter,))


def balance(town: Town, code: str, rank: int = 0) -> int:
    """Return the balance (debit less credit) of the account of the rank-th funder of a town's agreement."""
    with town.database.read() as session:
        return balance_cents(session, account(code, town.agreement_id, town.agreed.funder_ids[rank]))


def booked(town: Town, amount_cents: int, *, is_credit: bool = True, now: datetime = NOW) -> BookedMoney:
    """Book money of nobody knows whom on the agreement's account, as an import of a statement does."""
    with town.database.write() as session:
        account_id = session.execute(
            select(Agreement.paying_account_id).where(Agreement.id == town.agreement_id)
        ).scalar_one()
        event_type = EventType.UNKNOWN_CREDIT_BOOKED if is_credit else EventType.UNKNOWN_DEBIT_BOOKED
        event = Event(event_type, new_id(), now, "Ligne de banque", SOMEONE)
        post_event(session, event, {Dimension.BANK_ACCOUNT: account_id}, {account_id: amount_cents})
    return BookedMoney(account_id, amount_cents, paris_day(now))


def received(town: Town, call_id: UUID, amount_cents: int, *, now: datetime = NOW + timedelta(days=3)) -> UUID:
    """Let a bank line of an amount pay a call; return the match."""
    match_id, line = new_id(), booked(town, amount_cents, now=now)
    with town.database.write() as session:
        receive_funds(session, match_id, call_id, line, by=PERSON, now=now)
    return match_id


def wrong_funds(database: Database) -> list[str]:
    """Return every violation that the ledger, the programme and funding find, and that of what is used and owed."""
    checks = (*LEDGER, *PROGRAMME, *FUNDING, check_what_is_used_is_owed_by_funders)
    with database.read() as session:
        return [str(violation) for check in checks for violation in check(session)]


def settled(town: Town, now: datetime) -> None:
    """Pay the structures what they are owed, let the bank book it, and let what was not used lapse."""
    batch_id = export_period(town, now=now)
    book(
        town,
        [
            BookedLine(reference=f"T{rank}", amount_cents=cents, is_credit=False, end_to_end_id=ref)
            for rank, (ref, cents) in enumerate(advices(town.database, batch_id))
        ],
        now=now,
    )
    lapse(town.database, by=SOMEONE, now=now)
