"""Vouchers at every stage: ordered, entrusted, handed over, used, undone, stopped, destroyed, lapsed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select

from voucher.access.rules import Role
from voucher.demonstration.agreements import Signed
from voucher.demonstration.story import Story
from voucher.distribution.entrust import StockMove, entrust
from voucher.distribution.hand_over import hand_over
from voucher.distribution.prescribers import NewPrescriber, register_prescriber
from voucher.distribution.stop import stop_booklet
from voucher.distribution.void_stock import NewStockVoid, void_stock
from voucher.issuing.make_batch import make_batch
from voucher.issuing.order import order_vouchers
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.calendar import start_of_day
from voucher.kernel.database import Database
from voucher.network.model import Place
from voucher.network.services import Service
from voucher.redemption.answers import Counter, Redeemed
from voucher.redemption.redeem import redeem
from voucher.redemption.undo import undo

SOLE_VISIT_MAX = 4  # vouchers used in one visit
USED_AT_ALL = 0.72  # of the booklets handed over


@dataclass(frozen=True, slots=True)
class Stock:
    """Booklets of one agreement with the prescriber that holds each."""

    signed: Signed
    first_number: int
    booklet_count: int
    prescribers: tuple[UUID, ...]

    def prescriber_of(self, rank: int, share: int) -> UUID:
        """Return who holds the rank-th booklet when each prescriber was entrusted `share` of them."""
        return self.prescribers[rank // share]


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody comes to a counter with vouchers of one booklet."""

    on: date
    codes: tuple[str, ...]


PRESCRIBERS = (
    ("CCAS de Villeneuve-l’Essai", "ccas"),
    ("France Services de Bellerive", "france_services"),
    ("Mission locale du Val d’Orme", "mission_locale"),
    ("Association Le Fil", "association"),
)


def open_counters(database: Database) -> list[Counter]:
    """Return every open place as a counter."""
    with database.read() as session:
        rows = session.execute(
            select(Place.id, Place.structure_id).where(Place.is_open).order_by(Place.external_id)
        ).all()
    return [Counter(row.id, row.structure_id) for row in rows]


def issue_and_entrust(story: Story, signed: Signed, booklet_count: int, entrusted_count: int) -> Stock:
    """Order booklets, make them, register four prescribers and entrust to each an equal part of `entrusted_count`."""
    database, by = story.database, story.by[Role.ISSUER]
    now = start_of_day(signed.signed_on + timedelta(days=7))
    order = order_vouchers(database, story.some_id(), signed.agreement_id, booklet_count, by=by, now=now)
    make_batch(database, order.batch_id, master_secret=story.master_secret, now=now, processes=1)
    prescribers, share = [], entrusted_count // len(PRESCRIBERS)
    for rank, (name, kind) in enumerate(PRESCRIBERS):
        prescriber = NewPrescriber(
            id=story.some_id(),
            issuer_id=signed.issuer_id,
            name=name,
            kind=kind,
            postcode="51000",
            city="Villeneuve-l’Essai",
            address=f"{rank + 1} place des Essais",
        )
        register_prescriber(database, prescriber, by=by, now=now)
        prescribers.append(prescriber.id)
        first = order.first_booklet_number + rank * share
        move = StockMove(story.some_id(), signed.issuer_id, first, share, prescriber.id)
        entrust(database, move, by=by, now=now + timedelta(days=3))
    return Stock(signed, order.first_booklet_number, booklet_count, tuple(prescribers))


def hand_over_and_plan(
    story: Story, stock: Stock, count: int, share: int, first_on: date, last_on: date
) -> dict[int, list[Visit]]:
    """Hand `count` booklets over, evenly over the days and the prescribers; return the visits that follow, by booklet."""
    days = (last_on - first_on).days
    plans = {}
    with story.database.read() as session:
        codes = {one.number: one.vouchers for one in stored_codes(session, stock.first_number, stock.booklet_count)}
    for turn in range(count):
        rank = turn % len(stock.prescribers) * share + turn // len(stock.prescribers)
        number, on = stock.first_number + rank, first_on + timedelta(days=turn * days * 2 // (count * 3))
        now = story.hour_of(on)
        hand_over(
            story.database,
            story.some_id(),
            number,
            stock.prescriber_of(rank, share),
            by=story.by[Role.PRESCRIBER],
            now=now,
        )
        texts = tuple(code.to_url(story.base_url) for code in codes[number])
        plans[number] = _visits(story, texts, on, last_on) if story.dice.random() < USED_AT_ALL else []
    return plans


def _visits(story: Story, codes: Sequence[str], handed_over_on: date, last_on: date) -> list[Visit]:
    visits, on, used = [], handed_over_on, 0
    while used < len(codes):
        on += timedelta(days=story.dice.randrange(3, 30))
        if on > last_on:
            break
        count = min(story.dice.randrange(1, SOLE_VISIT_MAX + 1), len(codes) - used)
        visits.append(Visit(on, tuple(codes[used : used + count])))
        used += count
    return visits


def redeem_visits(story: Story, visits: Sequence[Visit], counters: Sequence[Counter]) -> list[Redeemed]:
    """Redeem these visits in the order of their days, at counters drawn by the dice; a refusal would be a bug of the story."""
    services = list(Service)
    receipts = []
    for visit in sorted(visits, key=lambda one: one.on):
        counter = story.dice.choice(counters)
        answer = redeem(
            story.database,
            story.some_id(),
            visit.codes,
            story.dice.choice(services),
            counter,
            by=story.by[Role.MEDIATOR],
            now=story.hour_of(visit.on),
        )
        if not isinstance(answer, Redeemed):
            raise TypeError(f"the story was refused: {answer}")
        receipts.append(answer)
    return receipts


def undo_one(story: Story, codes: Sequence[str], counter: Counter) -> None:
    """Use a voucher by mistake and undo it two minutes later."""
    now = story.hour_of(story.days_ago(2))
    by, attempt_id = story.by[Role.MEDIATOR], story.some_id()
    redeem(story.database, attempt_id, codes, Service.EVERYDAY_DIGITAL_TOOLS, counter, by=by, now=now)
    undo(story.database, attempt_id, counter, undo_minutes=30, by=by, now=now + timedelta(minutes=2))


def stop_and_destroy(story: Story, stock: Stock, stopped_number: int, destroyed_count: int) -> None:
    """Stop a booklet that was lost, and destroy the last ones of the batch, which came misprinted."""
    database, by, issuer_id = story.database, story.by[Role.ISSUER], stock.signed.issuer_id
    now = start_of_day(story.days_ago(5))
    stop_booklet(database, story.some_id(), stopped_number, "lost", by=by, now=now, issuer_id=issuer_id)
    first = stock.first_number + stock.booklet_count - destroyed_count
    void = NewStockVoid(story.some_id(), issuer_id, first, destroyed_count, "Mal imprimés : le code est coupé.")
    void_stock(database, void, by=by, now=now)
