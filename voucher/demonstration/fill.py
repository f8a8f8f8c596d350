"""The story, from the envelope to the bank line: 5,000 vouchers of three agreements, at every stage of their life."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from voucher.access.model import StaffAccount
from voucher.access.rules import Role
from voucher.demonstration.agreements import Signed, sign_agreements
from voucher.demonstration.books import close_last_year, publish_and_letter, seal_journal
from voucher.demonstration.finance import (
    DemonstrationBank,
    Month,
    call_and_receive,
    close_funder,
    contest,
    correct_mistake,
    fund,
    last_at,
    mistake,
    receive_advance,
    send_back,
    settle,
)
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
from voucher.demonstration.people import add_second_of_programme, give_role, open_accounts
from voucher.demonstration.places import WITHOUT_BANK_DETAILS, give_a_new_rib, import_sixty_places, suspend_one
from voucher.demonstration.story import Story, next_month
from voucher.distribution.lapse import lapse
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.calendar import start_of_day
from voucher.kernel.database import Database
from voucher.redemption.answers import Counter, Redeemed

ADVANCE_CENTS = 900_000
LAST_YEAR_ADVANCE_CENTS = 200_000
MISTAKE_CENTS = 4_560
STATE_LATE_MONTH = 3  # of so many months ago: the State pays that call with the next


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
    # Every structure of the ended agreement could be paid: nothing keeps its accounts open.
    _last_year(
        story, region, [counter for counter in counters if counter.structure_id in structures[:-WITHOUT_BANK_DETAILS]]
    )
    # Each of the last two months a transfer came back, one of them paid again since; the accountant's last answer refuses one; the EPCI's last batch waits for its approval.
    stock = _this_year(
        story,
        department,
        counters,
        booklet_count=220,
        handed_over_count=136,
        odd={2: Month(returned_count=1), 1: Month(returned_count=1)},
    )
    _this_year(
        story,
        epci,
        counters,
        booklet_count=180,
        handed_over_count=100,
        odd={2: Month(rejected_count=1), 1: Month(is_approved=False)},
    )
    suspend_one(story, structures[-1])
    give_a_new_rib(story, counters[0].structure_id)
    _give_places(story, department, stock.prescribers[0], counters[0])
    add_second_of_programme(story)
    seal_journal(story)
    publish_and_letter(story)


def _this_year(
    story: Story,
    signed: Signed,
    counters: list[Counter],
    *,
    booklet_count: int,
    handed_over_count: int,
    odd: Mapping[int, Month],
) -> Stock:
    share = (booklet_count - 20) // 4
    stock = issue_and_entrust(story, signed, booklet_count, share * 4)
    plans = hand_over_and_plan(
        story, stock, handed_over_count, share, signed.signed_on + timedelta(days=20), story.days_ago(1)
    )
    visits = [visit for plan in plans.values() for visit in plan]
    bank = DemonstrationBank(story, signed)
    receive_advance(story, bank, signed.signed_on + timedelta(days=10), ADVANCE_CENTS)
    send_back(story, bank, signed.signed_on + timedelta(days=18), 45_000, "COMMUNE DE BELLEGARDE")
    fund(bank, signed.signed_on + timedelta(days=30), 12_345, "EXPEDITEUR INCONNU")
    receipts: list[Redeemed] = []
    for month in _months(signed.signed_on, story.today):
        contested_id = last_at(story, receipts, counters[0])
        following = next_month(month)
        receipts = redeem_visits(story, _between(visits, month, following), counters)
        if not receipts or following > story.days_ago(12):
            continue
        ago = _months_between(following, story.today)
        if ago == 1 and contested_id is not None:
            contest(story, contested_id, following - timedelta(days=5), "upheld")
            contest(story, receipts[-1].id, following)
        settle(story, bank, following, odd.get(ago, Month()))
        call_and_receive(
            story, bank, following + timedelta(days=9), is_paid=ago > 1, is_state_late=ago == STATE_LATE_MONTH
        )
    untouched = next(number for number, plan in plans.items() if not plan)
    with story.database.read() as session:
        code = stored_codes(session, untouched, 1)[0].vouchers[0].to_url(story.base_url)
    undo_one(story, [code], counters[0])
    stop_and_destroy(story, stock, untouched, 4)
    return stock


def _last_year(story: Story, signed: Signed, counters: list[Counter]) -> None:
    stock = issue_and_entrust(story, signed, 100, 88)
    last_day = signed.use_by - timedelta(days=1)
    plans = hand_over_and_plan(story, stock, 80, 22, signed.signed_on + timedelta(days=25), last_day)
    visits = [visit for plan in plans.values() for visit in plan]
    bank = DemonstrationBank(story, signed)
    receive_advance(story, bank, signed.signed_on + timedelta(days=10), LAST_YEAR_ADVANCE_CENTS)
    new_year = date(signed.use_by.year + 1, 1, 1)
    for month in _months(signed.signed_on, signed.use_by):
        if redeem_visits(story, _between(visits, month, next_month(month)), counters):
            if next_month(month) == new_year:
                mistake(bank, new_year - timedelta(days=1), MISTAKE_CENTS)
            settle(story, bank, next_month(month), Month())
            call_and_receive(story, bank, next_month(month) + timedelta(days=9))
    lapse(story.database, by=story.by[Role.ISSUER], now=start_of_day(new_year.replace(month=3, day=2)))
    close_funder(story, bank, new_year.replace(month=3, day=9))
    close_last_year(story, signed)
    correct_mistake(story, bank, new_year.replace(month=3, day=20), MISTAKE_CENTS)


def _months(first_on: date, last_on: date) -> Iterator[date]:
    """Give the first day of each month from a day's to another's."""
    month = first_on.replace(day=1)
    while month <= last_on:
        yield month
        month = next_month(month)


def _months_between(first: date, last: date) -> int:
    """Count the months begun from a first day of month to a day: 1 for the present month."""
    return (last.year - first.year) * 12 + last.month - first.month + 1


def _between(visits: list[Visit], after: date, until: date) -> list[Visit]:
    return [visit for visit in visits if after <= visit.on < until]


def _give_places(story: Story, signed: Signed, prescriber_id: UUID, counter: Counter) -> None:
    """Give the roles that are held for an organisation: the département's, its first prescriber's, a structure's."""
    for role, scope_id in (
        (Role.ISSUER, signed.issuer_id),
        (Role.PRESCRIBER, prescriber_id),
        (Role.MEDIATOR, counter.structure_id),
        (Role.PLACE_MANAGER, counter.structure_id),
    ):
        # Its agent is there for some time: the role says until when.
        until_on = date(story.today.year + 1, 12, 31) if role is Role.PRESCRIBER else None
        give_role(story, role, scope_id, until_on=until_on)
