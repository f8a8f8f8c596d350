"""The books of the demonstration: the year before closed by two people, accounts produced, figures published, all sealed."""

from datetime import date, timedelta

from sqlalchemy import func, select

from voucher.access.rules import Role
from voucher.accounting.close_items import CloseItem
from voucher.accounting.close_year import close_year, propose_close
from voucher.accounting.match_up import match_up
from voucher.accounting.produce import produce_account
from voucher.accounting.year_end import before_closing
from voucher.demonstration.agreements import Signed
from voucher.demonstration.story import Story, next_month
from voucher.funding.publish import publish_day
from voucher.kernel.calendar import paris_day
from voucher.ledger.chart import Code
from voucher.ledger.checkpoint import origin_of
from voucher.ledger.model import Entry
from voucher.programme.programme_key import programme_key
from voucher.trail.seal import seal

PUBLISHED_DAYS = 10

_PREPARER_ACCEPTS = {
    CloseItem.NO_RECENT_STATEMENT: "Aucun mouvement depuis le dernier relevé : la banque n’en envoie pas d’autre.",
    CloseItem.LINES_TO_IDENTIFY: "La banque cherche qui a envoyé cet argent. Elle répond sous un mois.",
    CloseItem.USES_NOT_CALLED: "Le financeur demande un seul appel, au printemps.",
    CloseItem.IN_TRANSIT: "Virement de fin décembre : la banque le cherche.",
}
_APPROVER_ACCEPTS = {
    CloseItem.NO_RECENT_STATEMENT: "Solde confirmé par la banque, par écrit.",
    CloseItem.LINES_TO_IDENTIFY: f"Vu : l’argent attend en {Code.UNIDENTIFIED}, il n’est à personne d’autre.",
    CloseItem.USES_NOT_CALLED: "Vu avec le financeur.",
    CloseItem.IN_TRANSIT: "Vu : la structure est prévenue.",
}


def close_last_year(story: Story, ended: Signed) -> None:
    """Close the year of the ended agreement, and produce its annual account."""
    database, year = story.database, ended.use_by.year
    preparer, approver = story.by[Role.FINANCE_PREPARER], story.by[Role.FINANCE_APPROVER]
    day = date(year + 1, 3, 10)
    left = {line.item for line in before_closing(database, year) if line.count}
    for sign, by, words, hour in (
        (propose_close, preparer, _PREPARER_ACCEPTS, story.hour_of(day)),
        (close_year, approver, _APPROVER_ACCEPTS, story.hour_of(day + timedelta(days=1))),
    ):
        sign(database, year, {item: words[item] for item in left}, by=by, now=hour)
    produce_account(
        database, story.some_id(), ended.agreement_id, year, by=preparer, now=story.hour_of(day + timedelta(days=30))
    )


def seal_journal(story: Story) -> None:
    """Seal what was posted, on the last evening of each month and on the story's last day, as the job `seal` would have each day."""
    key, origin = programme_key(story.master_secret), origin_of(story.base_url)
    with story.database.read() as session:
        first_at = session.execute(select(func.min(Entry.posted_at))).scalar_one()
    month = next_month(paris_day(first_at))
    while month <= story.today:
        seal(story.database, origin=origin, key=key, now=story.evening_of(month - timedelta(days=1)))
        month = next_month(month)
    seal(story.database, origin=origin, key=key, now=story.evening_of(story.today))


def publish_and_letter(story: Story) -> None:
    """Publish the figure of the last days, as the job `backing` would have each night; give its letters to what belongs together."""
    key = programme_key(story.master_secret)
    for ago in range(PUBLISHED_DAYS, 0, -1):
        day = story.days_ago(ago)
        publish_day(story.database, day, key, origin=story.base_url, now=story.now)
    match_up(story.database, now=story.now)
