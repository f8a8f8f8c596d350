"""The funnel: every voucher counted at every stage it reached, and the ledger says the same."""

from datetime import timedelta

from sqlalchemy import func, select

from tests.builders import (
    MASTER_SECRET,
    SOMEONE,
    Agreed,
    a_counter,
    an_agreement,
    entrusted_booklets,
    handed_over_booklets,
    issued_booklets,
    scanned_codes,
)
from tests.reporting.life import export_period, pay_first_advice
from tests.settlement.town import NOW, Town, a_town, wrong_books
from voucher.distribution.lapse import lapse
from voucher.distribution.stop import stop_booklet
from voucher.distribution.void_stock import NewStockVoid, void_stock
from voucher.issuing.make_batch import make_batch
from voucher.issuing.model import Voucher
from voucher.issuing.order import order_vouchers
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.redemption.answers import Redeemed
from voucher.redemption.redeem import redeem
from voucher.redemption.undo import undo
from voucher.reporting.funnel import Funnel, Part, Step, funnel
from voucher.reporting.stages import money


def counts(found: Funnel) -> dict[str, int]:
    return {step.value: part.voucher_count for step, part in found.parts.items()}


def a_whole_life(database: Database) -> Town:
    """Two booklets used (one paid), then one at every other stage of its life."""
    town = a_town(database)
    town.redeem(0)
    town.redeem(1, 6)
    pay_first_advice(town, export_period(town, now=NOW), now=NOW + timedelta(days=2))
    issued_booklets(database, agreed=town.agreed)  # three booklets stay with the issuer
    entrusted_booklets(database, 2, agreed=town.agreed)
    handed_over_booklets(database, agreed=town.agreed)
    lost = handed_over_booklets(database, agreed=town.agreed)
    stop_booklet(database, new_id(), lost.first_booklet_number, "lost", by=SOMEONE, now=NOW)
    torn, _ = entrusted_booklets(database, agreed=town.agreed, booklet_count=2)
    void = NewStockVoid(new_id(), town.agreed.issuer_id, torn.first_booklet_number, 2, "Mal imprimés")
    void_stock(database, void, by=SOMEONE, now=NOW)
    order_vouchers(database, new_id(), town.agreement_id, 4, by=SOMEONE, now=NOW)
    return town


def test_every_stage_counts_the_vouchers_that_reached_it(database: Database) -> None:
    a_whole_life(database)
    found = funnel(database, now=NOW)
    assert found.read_at == NOW
    assert counts(found) == {
        "ordered": 150,
        "made": 110,
        "entrusted": 80,
        "handed_over": 40,
        "used": 16,
        "paid": found[Step.PAID].voucher_count,
        "stopped": 10,
        "destroyed": 20,
        "lapsed": 0,
    }
    assert found[Step.PAID].voucher_count in (6, 10)
    assert all(part.amount_cents == part.voucher_count * 1000 for part in found.parts.values())


def test_the_funnel_agrees_with_the_ledger_and_with_the_vouchers(database: Database) -> None:
    town = a_whole_life(database)
    for agreement_id in (None, town.agreement_id):
        found, books = funnel(database, now=NOW, agreement_id=agreement_id), money(database, agreement_id=agreement_id)
        assert found.outstanding.amount_cents == books.outstanding_cents
        assert found[Step.USED].amount_cents == books.used_cents
        assert found[Step.PAID].amount_cents == books.paid_cents
        assert found.owed.amount_cents == books.owed_cents
        handed_over = found[Step.HANDED_OVER].amount_cents - found[Step.USED].amount_cents
        assert handed_over - found[Step.STOPPED].amount_cents == books.totals[3]
    with database.read() as session:
        rows = session.execute(select(Voucher.state, func.count()).group_by(Voucher.state))
        states: dict[str, int] = {row[0]: row[1] for row in rows}
    found = funnel(database, now=NOW)
    assert states["redeemed"] == found[Step.USED].voucher_count
    assert states["stopped"] == found[Step.STOPPED].voucher_count
    assert states["void"] == found[Step.DESTROYED].voucher_count
    assert sum(states.values()) == found[Step.MADE].voucher_count
    assert wrong_books(database) == []


def test_a_funnel_of_one_agreement_leaves_the_others_out(database: Database) -> None:
    one, other = a_whole_life(database), a_town(database)
    other.redeem(0, 3)
    whole = funnel(database, now=NOW)
    apart = [funnel(database, now=NOW, agreement_id=town.agreement_id) for town in (one, other)]
    assert counts(apart[1])["used"] == 3
    assert all(apart[0][step] + apart[1][step] == whole[step] for step in Step)


def test_a_voucher_used_without_a_handover_counts_as_handed_over(database: Database) -> None:
    agreed = an_agreement(database, is_handover_required=False)
    use_one(database, agreed, issued_booklets(database, 1, agreed=agreed).first_booklet_number)
    use_one(database, agreed, entrusted_booklets(database, 1, agreed=agreed)[0].first_booklet_number)
    found = funnel(database, now=NOW)
    assert (found[Step.HANDED_OVER].voucher_count, found[Step.USED].voucher_count) == (2, 2)
    assert found[Step.ENTRUSTED].voucher_count == 11
    assert found.outstanding.amount_cents == money(database).outstanding_cents


def test_an_undone_redemption_is_no_use(database: Database) -> None:
    town = a_town(database)
    attempt_id = town.redeem(0, 2)
    undo(database, attempt_id, town.counters[0], undo_minutes=30, by=SOMEONE, now=NOW + timedelta(minutes=1))
    assert funnel(database, now=NOW)[Step.USED] == Part(0, 0)


def test_what_lapsed_is_an_end(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 4)
    lapse(database, by=None, now=NOW + timedelta(days=200))
    found = funnel(database, now=NOW)
    assert (found[Step.LAPSED], found.outstanding) == (Part(6, 6000), Part(0, 0))
    assert money(database).outstanding_cents == 0


def test_each_rate_says_its_denominator(database: Database) -> None:
    a_whole_life(database)
    found = funnel(database, now=NOW)
    used, handed_over = found.usage_rate, found.handover_rate
    assert (used.part, used.whole, used.part_count, used.whole_count) == (Step.USED, Step.HANDED_OVER, 16, 40)
    assert (handed_over.whole, handed_over.part_count, handed_over.whole_count) == (Step.MADE, 40, 110)


def test_an_order_half_made_shows_what_is_made(database: Database) -> None:
    agreed = an_agreement(database)
    order = order_vouchers(database, new_id(), agreed.agreement_id, 2, by=SOMEONE, now=NOW)
    assert counts(funnel(database, now=NOW))["made"] == 0
    make_batch(database, order.batch_id, master_secret=MASTER_SECRET, now=NOW)
    assert counts(funnel(database, now=NOW))["made"] == 20


def use_one(database: Database, agreed: Agreed, booklet_number: int) -> None:
    codes = scanned_codes(database, booklet_number)[:1]
    counter = a_counter(database)
    answer = redeem(database, new_id(), codes, "everyday_digital_tools", counter, by=SOMEONE, now=NOW)
    assert isinstance(answer, Redeemed)
