"""What happens in a month of the simulation: booklets handed over, vouchers used, a mistake undone."""

from datetime import date, datetime, timedelta
from uuid import UUID

from tests.simulation.world import Agreed, World
from voucher.access.rules import Role
from voucher.demonstration.story import Story
from voucher.distribution.hand_over import hand_over
from voucher.kernel.calendar import start_of_day
from voucher.network.services import Service
from voucher.redemption.answers import Redeemed
from voucher.redemption.redeem import redeem
from voucher.redemption.undo import undo


def hour_of(story: Story, day: date) -> datetime:
    """Return some opening hour of a day."""
    return start_of_day(day) + timedelta(hours=9, seconds=story.dice.randrange(8 * 3600))


def last_day_of(month: date) -> date:
    """Return the last day of the month that this day opens."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def live(world: World, agreed: Agreed, month: date, visit_count: int) -> list[UUID]:
    """Let a month of one agreement pass; return the redemptions that stand at its end, in their order."""
    story = world.story
    last = min(last_day_of(month), agreed.plan.use_by)
    if last < month:
        return []
    days = sorted(month + timedelta(days=story.dice.randrange((last - month).days + 1)) for _ in range(visit_count))
    held = [number for number in agreed.codes if number not in agreed.waiting and agreed.codes[number]]
    done = []
    for day in days:
        if agreed.waiting and (len(held) < 3 or story.dice.random() < 0.3):
            number = agreed.waiting.pop(0)
            held.append(number)
            hand_over(
                story.database,
                story.some_id(),
                number,
                agreed.prescriber_id,
                by=story.by[Role.PRESCRIBER],
                now=start_of_day(day) + timedelta(hours=8),
            )
        held = [number for number in held if agreed.codes[number]]
        if not held:
            break
        redemption_id = _use(world, agreed, story.dice.choice(held), day)
        if redemption_id is not None:
            done.append(redemption_id)
    return done


def _use(world: World, agreed: Agreed, number: int, day: date) -> UUID | None:
    """Use one to three vouchers of a booklet; now and then it was a mistake, undone at once: then None."""
    story = world.story
    count = min(story.dice.randrange(1, 4), len(agreed.codes[number]))
    codes, counter = agreed.codes[number][:count], story.dice.choice(world.counters)
    now, redemption_id = hour_of(story, day), story.some_id()
    answer = redeem(
        story.database,
        redemption_id,
        codes,
        story.dice.choice(list(Service)),
        counter,
        by=story.by[Role.MEDIATOR],
        now=now,
    )
    assert isinstance(answer, Redeemed), answer
    if story.dice.random() < 0.05:
        undo(
            story.database,
            redemption_id,
            counter,
            undo_minutes=30,
            by=story.by[Role.MEDIATOR],
            now=now + timedelta(minutes=2),
        )
        return None
    agreed.codes[number] = agreed.codes[number][count:]
    return redemption_id
