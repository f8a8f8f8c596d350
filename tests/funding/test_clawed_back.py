"""What is clawed back after it was called: less on the next call, or given back at the final balance."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from tests.builders import SOMEONE
from tests.funding.money import PERSON, a_funded_town, balance, booked, received, wrong_funds
from tests.reporting.life import advices, book, export_period
from tests.settlement.town import APPROVER, NOW, PREPARER, Town
from voucher.demonstration.bank import BookedLine
from voucher.distribution.lapse import lapse
from voucher.funding import close as closing
from voucher.funding.call import Called, call_funds
from voucher.funding.close import Closed, close_funding
from voucher.funding.receive import refund_advance
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.settlement.recoveries.dispute import NewDispute, decide_dispute, open_dispute

OVER = datetime(2027, 3, 10, 9, 0, tzinfo=UTC)


def call(town: Town, *, now: datetime = NOW) -> Called:
    return call_funds(town.database, new_id(), town.agreement_id, town.agreed.funder_ids[0], by=PERSON, now=now)


def pay(town: Town, *, now: datetime) -> None:
    batch_id = export_period(town, now=now)
    lines = [
        BookedLine(reference=f"T{rank}", amount_cents=cents, is_credit=False, end_to_end_id=ref)
        for rank, (ref, cents) in enumerate(advices(town.database, batch_id))
    ]
    book(town, lines, now=now)


def claw_back(town: Town, redemption_id: UUID, *, now: datetime) -> None:
    dispute_id = new_id()
    new = NewDispute(dispute_id, redemption_id, "not_rendered", "L’atelier n’a pas eu lieu.")
    open_dispute(town.database, new, by=PREPARER, now=now)
    decide_dispute(town.database, dispute_id, "upheld", "La structure le confirme.", by=APPROVER, now=now)


def test_a_claw_back_comes_off_the_next_call(database: Database) -> None:
    town = a_funded_town(database)
    redemption_id = town.redeem(voucher_count=6)
    call(town)
    pay(town, now=NOW + timedelta(days=1))
    claw_back(town, redemption_id, now=NOW + timedelta(days=2))
    assert balance(town, "4430") == -3_000
    with pytest.raises(Refused, match="credit_for_funder"):
        call(town, now=NOW + timedelta(days=3))
    town.redeem(voucher_count=10, now=NOW + timedelta(days=3))
    assert call(town, now=NOW + timedelta(days=4)).used_cents == 2_000
    assert wrong_funds(database) == []


def test_what_was_called_too_much_is_given_back_at_the_end(database: Database) -> None:
    town = a_funded_town(database)
    redemption_id = town.redeem(voucher_count=6)
    received(town, call(town).call_id, 3_000)
    pay(town, now=OVER)
    claw_back(town, redemption_id, now=OVER)
    lapse(database, by=SOMEONE, now=OVER + timedelta(days=1))
    now = OVER + timedelta(days=2)
    done = close_funding(database, new_id(), town.agreement_id, town.agreed.funder_ids[0], by=PERSON, now=now)
    assert (done.last_call_id, done.used_cents, done.received_cents, done.refund_cents) == (None, 0, 3_000, 3_000)
    line = booked(town, 3_000, is_credit=False, now=now)
    with database.write() as session:
        assert refund_advance(session, new_id(), done.close_id, line, by=PERSON, now=now) == 3_000
    assert (balance(town, "4430"), balance(town, "4431"), balance(town, "4432")) == (0, 0, 0)
    assert wrong_funds(database) == []


def test_what_is_clawed_back_after_the_final_balance_is_given_back_by_another(database: Database) -> None:
    town = a_funded_town(database)
    first_id, second_id = town.redeem(voucher_count=6), town.redeem(voucher_count=4)
    received(town, call(town).call_id, 5_000)
    pay(town, now=OVER)
    lapse(database, by=SOMEONE, now=OVER)
    now = OVER + timedelta(days=1)

    def close(close_id: UUID) -> Closed:
        return close_funding(database, close_id, town.agreement_id, town.agreed.funder_ids[0], by=PERSON, now=now)

    assert close(new_id()).refund_cents == 0
    with pytest.raises(Refused, match="funding_closed"):
        close(new_id())

    claw_back(town, first_id, now=now)
    lapse(database, by=SOMEONE, now=now)
    again_id = new_id()
    again = close(again_id)
    assert close(again_id) == again
    assert (again.used_cents, again.received_cents, again.due_cents, again.refund_cents) == (2_000, 5_000, 0, 3_000)

    # A second claw-back before the first was given back: each balance gives back its own.
    claw_back(town, second_id, now=now)
    lapse(database, by=SOMEONE, now=now)
    third = close(new_id())
    assert (third.used_cents, third.received_cents, third.refund_cents) == (0, 2_000, 2_000)
    for balance_id, cents in ((again_id, 3_000), (third.close_id, 2_000)):
        line = booked(town, cents, is_credit=False, now=now)
        with database.write() as session:
            assert refund_advance(session, new_id(), balance_id, line, by=PERSON, now=now) == cents
    assert (balance(town, "4430"), balance(town, "4431"), balance(town, "4432")) == (0, 0, 0)
    assert wrong_funds(database) == []


def test_a_complementary_balance_waits_for_what_the_funder_still_owes(database: Database) -> None:
    town = a_funded_town(database)
    redemption_id = town.redeem(voucher_count=6)
    last_call = call(town)
    pay(town, now=OVER)
    lapse(database, by=SOMEONE, now=OVER)
    now = OVER + timedelta(days=1)

    def close() -> Closed:
        return close_funding(database, new_id(), town.agreement_id, town.agreed.funder_ids[0], by=PERSON, now=now)

    assert close().due_cents == 3_000
    claw_back(town, redemption_id, now=now)
    lapse(database, by=SOMEONE, now=now)
    with pytest.raises(Refused, match=r"advance_awaited.*Attendez son versement"):
        close()
    received(town, last_call.call_id, 3_000, now=now)
    assert close().refund_cents == 3_000
    assert wrong_funds(database) == []


@pytest.mark.parametrize("rank", [1, 2, 3, 5, 7])
def test_a_final_balance_is_of_one_moment_whatever_is_clawed_back_meanwhile(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    town = a_funded_town(postgresql_database)
    redemption_id = town.redeem(voucher_count=6)
    received(town, call(town).call_id, 3_000)
    pay(town, now=OVER)
    lapse(postgresql_database, by=SOMEONE, now=OVER)
    settle_uses, statements_left = closing._settle_uses, 0

    def settle_uses_then_count(*arguments: Any, **more: Any) -> tuple[UUID | None, int]:
        nonlocal statements_left
        done = settle_uses(*arguments, **more)
        statements_left = rank
        return done

    def claw_back_meanwhile(*_: object) -> None:
        nonlocal statements_left
        statements_left -= 1
        if statements_left == 0:
            claw_back(town, redemption_id, now=OVER + timedelta(hours=1))

    monkeypatch.setattr(closing, "_settle_uses", settle_uses_then_count)
    event.listen(postgresql_database.engine, "before_cursor_execute", claw_back_meanwhile)

    def close() -> Closed:
        return close_funding(
            postgresql_database, new_id(), town.agreement_id, town.agreed.funder_ids[0], by=PERSON, now=OVER
        )

    found: Closed | str
    try:
        found = close()
    except Refused as refused:
        found = refused.code
    event.remove(postgresql_database.engine, "before_cursor_execute", claw_back_meanwhile)
    monkeypatch.undo()
    if isinstance(found, Closed):
        assert (found.used_cents, found.received_cents, found.refund_cents) == (3_000, 3_000, 0)
    else:
        assert found == "figure_changed"
    if balance(town, "4430"):
        lapse(postgresql_database, by=SOMEONE, now=OVER + timedelta(hours=2))
        assert close().refund_cents == 3_000
    assert wrong_funds(postgresql_database) == []


def test_a_final_balance_is_refused_while_something_is_left_to_call(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = a_funded_town(database)
    town.redeem(voucher_count=6)
    pay(town, now=OVER)
    lapse(database, by=SOMEONE, now=OVER)
    monkeypatch.setattr(closing, "_settle_uses", lambda *_, **__: (None, 0))
    with pytest.raises(Refused, match="figure_changed"):
        close_funding(database, new_id(), town.agreement_id, town.agreed.funder_ids[0], by=PERSON, now=OVER)
