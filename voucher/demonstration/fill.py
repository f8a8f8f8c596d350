"""The story, from the envelope to the bank line: 5,000 vouchers of three agreements, at every stage of their life."""

from datetime import date, datetime, timedelta

from sqlalchemy import select

from voucher.access.accounts import grant_role
from voucher.access.model import StaffAccount
from voucher.access.rules import Role
from voucher.demonstration.agreements import Signed, sign_agreements
from voucher.demonstration.finance import DemonstrationBank, fund, settle
from voucher.demonstration.life import (
    Stock,
    Visit,
    hand_over_and_plan,
    issue_and_entrust,
    open_counters,
    redeem_visits,
    stop_and_destroy,
    undo_one,
)
from voucher.demonstration.people import open_accounts
from voucher.demonstration.places import import_sixty_places, suspend_one
from voucher.demonstration.story import Story
from voucher.distribution.lapse import lapse
from voucher.issuing.codes import stored_codes
from voucher.kernel.calendar import start_of_day
from voucher.kernel.database import Database
from voucher.redemption.answers import Counter

FIRST_CLOSE, SECOND_CLOSE = 75, 40  # days before the end


def is_filled(database: Database) -> bool:
    """Say whether a demonstration, or anything else, stands in the database already."""
    with database.read() as session:
        return session.scalar(select(StaffAccount.id).limit(1)) is not None


def fill(database: Database, *, master_secret: bytes, base_url: str, now: datetime) -> None:
    """Tell the whole story into an empty database."""
    story = Story(database, now, master_secret, base_url)
    open_accounts(story)
    department, epci, region = sign_agreements(story)
    structures = import_sixty_places(story)
    counters = open_counters(database)
    _last_year(story, region, counters)
    _this_year(story, department, counters, booklet_count=220, handed_over_count=136, returned_count=1)
    _this_year(story, epci, counters, booklet_count=180, handed_over_count=100, returned_count=0)
    suspend_one(story, structures[-1])


def _this_year(
    story: Story,
    signed: Signed,
    counters: list[Counter],
    *,
    booklet_count: int,
    handed_over_count: int,
    returned_count: int,
) -> None:
    share = (booklet_count - 20) // 4
    stock = issue_and_entrust(story, signed, booklet_count, share * 4)
    if returned_count:
        _give_places(story, signed, stock, counters[0])
    plans = hand_over_and_plan(
        story, stock, handed_over_count, share, signed.signed_on + timedelta(days=20), story.days_ago(1)
    )
    visits = [visit for plan in plans.values() for visit in plan]
    bank = DemonstrationBank(story, signed)
    fund(bank, signed.signed_on + timedelta(days=30), 3_000_000, "DIRECTION GENERALE DES ENTREPRISES")
    first, second = story.days_ago(FIRST_CLOSE), story.days_ago(SECOND_CLOSE)
    redeem_visits(story, _between(visits, date.min, first), counters)
    settle(story, bank, first)
    redeem_visits(story, _between(visits, first, second), counters)
    settle(story, bank, second, returned_count)
    redeem_visits(story, _between(visits, second, date.max), counters)
    untouched = next(number for number, plan in plans.items() if not plan)
    with story.database.read() as session:
        code = stored_codes(session, untouched, 1)[0].vouchers[0].to_url(story.base_url)
    undo_one(story, [code], counters[0])
    stop_and_destroy(story, stock, untouched, 4)


def _last_year(story: Story, signed: Signed, counters: list[Counter]) -> None:
    stock = issue_and_entrust(story, signed, 100, 88)
    last_day = signed.use_by - timedelta(days=1)
    plans = hand_over_and_plan(story, stock, 80, 22, signed.signed_on + timedelta(days=25), last_day)
    visits = [visit for plan in plans.values() for visit in plan]
    bank = DemonstrationBank(story, signed)
    fund(bank, signed.signed_on + timedelta(days=40), 900_000, "REGION GRAND LITTORAL")
    middle = signed.use_by - timedelta(days=92)
    redeem_visits(story, _between(visits, date.min, middle), counters)
    settle(story, bank, middle)
    redeem_visits(story, _between(visits, middle, date.max), counters)
    settle(story, bank, signed.use_by + timedelta(days=10))
    lapse(story.database, by=story.by[Role.ISSUER], now=start_of_day(date(signed.use_by.year + 1, 3, 2)))


def _between(visits: list[Visit], after: date, until: date) -> list[Visit]:
    return [visit for visit in visits if after <= visit.on < until]


def _give_places(story: Story, signed: Signed, stock: Stock, counter: Counter) -> None:
    """Give the roles that are held for an organisation: the département's, its first prescriber's, a structure's."""
    for role, scope_id in (
        (Role.ISSUER, signed.issuer_id),
        (Role.PRESCRIBER, stock.prescribers[0]),
        (Role.MEDIATOR, counter.structure_id),
        (Role.PLACE_MANAGER, counter.structure_id),
    ):
        grant_role(story.database, story.by[role], role, scope_id, by=None, now=story.now)
