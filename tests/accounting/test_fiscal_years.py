"""A year is closed by two people, carries its balances over, and lets nothing in afterwards: what is late goes to the open year."""

import threading
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, insert, literal, select, text
from sqlalchemy.exc import DatabaseError

from tests.accounting.office import an_office
from tests.accounting.year import closed, proposed, reasons
from tests.builders import handed_over_booklets, scanned_codes
from tests.settlement.town import APPROVER, PREPARER, Town, a_town, wrong_books
from voucher.accounting.close_year import close_year, propose_close, withdraw_proposal
from voucher.demonstration.bank import BookedLine
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.close_year import years
from voucher.ledger.model import Entry, FiscalYear, Movement, OpeningBalance
from voucher.ledger.post import Event, post_event
from voucher.ledger.post_many import post_many
from voucher.ledger.read import balances
from voucher.redemption.answers import Redeemed
from voucher.redemption.redeem import redeem
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch

DECEMBER = datetime(2026, 12, 20, 9, 0, tzinfo=UTC)
NEW_YEAR = datetime(2027, 1, 4, 9, 0, tzinfo=UTC)
FEBRUARY = datetime(2027, 2, 10, 9, 0, tzinfo=UTC)


def used_in_january(town: Town) -> None:
    """Use, in its last days, a booklet handed over the year before."""
    issued = handed_over_booklets(town.database, agreed=town.agreed, now=DECEMBER)
    codes = scanned_codes(town.database, issued.first_booklet_number)[:4]
    answer = redeem(
        town.database, new_id(), codes, "everyday_digital_tools", town.counters[1], by=PREPARER, now=NEW_YEAR
    )
    assert isinstance(answer, Redeemed), answer


def code_of(refused: pytest.ExceptionInfo[Refused]) -> str:
    return refused.value.code


def an_envelope_event(event_id: UUID | None = None, *, at: datetime = FEBRUARY, on: date | None = None) -> Event:
    return Event(EventType.ENVELOPE_OPENED, event_id or new_id(), at, "Enveloppe tardive", PREPARER, on)


def test_two_people_close_a_year_that_is_over(database: Database) -> None:
    town = a_town(database)
    town.redeem(now=DECEMBER)
    with pytest.raises(Refused) as early:
        propose_close(database, 2026, {}, by=PREPARER, now=datetime(2026, 12, 31, 22, 59, tzinfo=UTC))
    assert code_of(early) == "not_over"
    with pytest.raises(Refused) as unproposed:
        close_year(database, 2026, {}, by=APPROVER, now=FEBRUARY)
    assert code_of(unproposed) == "not_proposed"
    proposed(database, 2026, now=datetime(2026, 12, 31, 23, 0, tzinfo=UTC))  # midnight in Paris
    with pytest.raises(Refused) as alone:
        close_year(database, 2026, {}, by=PREPARER, now=FEBRUARY)
    assert code_of(alone) == "same_person"
    carried = close_year(database, 2026, reasons(database, 2026), by=APPROVER, now=FEBRUARY)
    assert carried == close_year(database, 2026, {}, by=APPROVER, now=FEBRUARY) > 0
    with pytest.raises(Refused) as again:
        propose_close(database, 2026, {}, by=PREPARER, now=FEBRUARY)
    assert code_of(again) == "year_closed"
    assert [one.closed_by for one in years(database, now=FEBRUARY)] == [None, APPROVER]


def test_a_proposal_may_be_taken_back_until_it_is_confirmed(database: Database) -> None:
    a_town(database)
    proposed(database, 2026, now=FEBRUARY)
    withdraw_proposal(database, 2026, by=APPROVER, now=FEBRUARY)
    with pytest.raises(Refused) as unproposed:
        close_year(database, 2026, {}, by=APPROVER, now=FEBRUARY)
    assert code_of(unproposed) == "not_proposed"
    closed(database, now=FEBRUARY)
    with pytest.raises(Refused) as shut:
        withdraw_proposal(database, 2026, by=PREPARER, now=FEBRUARY)
    assert code_of(shut) == "year_closed"


def test_years_are_closed_in_their_order(database: Database) -> None:
    town = a_town(database)
    used_in_january(town)
    with pytest.raises(Refused) as skipped:
        propose_close(database, 2027, {}, by=PREPARER, now=datetime(2028, 1, 2, 9, 0, tzinfo=UTC))
    assert code_of(skipped) == "earlier_open"
    closed(database, 2026, now=FEBRUARY)
    closed(database, 2027, now=datetime(2028, 1, 2, 9, 0, tzinfo=UTC))
    assert wrong_books(database) == []


def test_each_account_carries_over_what_it_holds(database: Database) -> None:
    town = a_town(database)
    town.redeem(now=DECEMBER)
    used_in_january(town)
    before = {one.id: one.balance_cents for one in balances(database) if one.balance_cents}
    closed(database, now=FEBRUARY)
    with database.read() as session:
        carried = dict(
            session.execute(
                select(OpeningBalance.account_id, OpeningBalance.balance_cents).where(OpeningBalance.year == 2027)
            ).all()
        )
        moved = session.execute(
            text(
                "SELECT a, sum(c) FROM (SELECT debit_account_id a, amount_cents c FROM movement m JOIN entry e ON e.id = "
                "m.entry_id WHERE e.effective_on >= '2027-01-01' UNION ALL SELECT credit_account_id, -amount_cents FROM "
                "movement m JOIN entry e ON e.id = m.entry_id WHERE e.effective_on >= '2027-01-01') x GROUP BY a"
            )
        )
        after = dict(carried)
        for account_id, cents in moved:
            after[account_id] = after.get(account_id, 0) + int(cents)
    assert {account_id: cents for account_id, cents in after.items() if cents} == before
    assert sum(carried.values()) == 0
    closed(database, 2027, now=datetime(2028, 1, 2, 9, 0, tzinfo=UTC))
    with database.read() as session:
        rows = session.execute(
            select(OpeningBalance.account_id, OpeningBalance.balance_cents).where(OpeningBalance.year == 2028)
        )
        assert dict(rows.all()) == before


def test_the_database_refuses_an_entry_in_a_closed_year(database: Database) -> None:
    a_town(database)
    closed(database, now=FEBRUARY)
    with pytest.raises(DatabaseError, match="fiscal year is closed"):
        _write_into(database, date(2026, 12, 31))
    _write_into(database, date(2027, 1, 1))


def _write_into(database: Database, day: date) -> None:
    """Write an entry as somebody would who goes round `ledger.post`."""
    entry_id = new_id()
    with database.write() as session:
        debit, credit = session.execute(text("SELECT id FROM account WHERE book = 'budget' LIMIT 2")).scalars().all()
        session.execute(
            insert(Movement).values(
                entry_id=entry_id,
                rank=1,
                book="budget",
                debit_account_id=debit,
                credit_account_id=credit,
                amount_cents=5,
            )
        )
        session.execute(
            insert(Entry).values(
                id=entry_id, event_type="envelope_opened", event_id=new_id(), journal="BU", posted_at=FEBRUARY,
                effective_on=day, narration="en douce", movement_count=1, total_cents=5,
            )
        )  # fmt: skip


def test_a_closed_year_never_changes(database: Database) -> None:
    a_town(database)
    closed(database, now=FEBRUARY)
    for statement in ("UPDATE fiscal_year SET closed_at = NULL, closed_by = NULL", "DELETE FROM fiscal_year"):
        with pytest.raises(DatabaseError), database.write() as session:
            session.execute(text(statement))
    with pytest.raises(DatabaseError), database.write() as session:
        session.execute(text("UPDATE opening_balance SET balance_cents = 1"))


def test_what_is_late_goes_to_the_open_year_and_says_its_day(database: Database) -> None:
    town = a_town(database)
    funder_id = town.agreed.funder_ids[0]
    closed(database, now=FEBRUARY)
    with database.write() as session:
        late = post_event(session, an_envelope_event(on=date(2026, 12, 30)), {}, {funder_id: 500})
        on_time = post_event(session, an_envelope_event(on=date(2027, 2, 9)), {}, {funder_id: 500})
    with database.read() as session:
        found = {row.id: row for row in session.execute(select(Entry.__table__))}
    assert found[late].effective_on == date(2027, 1, 1)
    assert found[late].narration == "Enveloppe tardive (fait du 30/12/2026)"
    assert (found[on_time].effective_on, found[on_time].narration) == (date(2027, 2, 9), "Enveloppe tardive")


def test_many_late_facts_go_there_too(database: Database) -> None:
    town = a_town(database)
    town.redeem(now=DECEMBER)
    batch_id = new_id()
    freeze_batch(database, batch_id, town.agreement_id, by=PREPARER, now=DECEMBER)
    approve_batch(database, batch_id, by=APPROVER, now=DECEMBER + timedelta(hours=1))
    export_batch(database, batch_id, by=PREPARER, now=DECEMBER + timedelta(hours=2))
    closed(database, now=FEBRUARY)
    with database.write() as session:
        for day, narration in ((date(2026, 12, 30), "x" * 200), (date(2027, 1, 5), "Virement de janvier")):
            fact = select(
                literal(new_id(), Entry.id.type).label("id"),
                literal(1000).label("amount_cents"),
                literal(day, Entry.effective_on.type).label("effective_on"),
                literal(narration).label("narration"),
                literal(town.agreement_id, Entry.id.type).label("agreement_id"),
                literal(town.structure_ids[0], Entry.id.type).label("structure_id"),
            )
            post_many(session, EventType.TRANSFER_REJECTED, fact, by=PREPARER, now=FEBRUARY)
    with database.read() as session:
        rows = session.execute(
            select(Entry.effective_on, Entry.narration).where(Entry.event_type == EventType.TRANSFER_REJECTED)
            .order_by(Entry.effective_on)
        ).all()  # fmt: skip
    assert rows[0] == (date(2027, 1, 1), "x" * 179 + " (fait du 30/12/2026)")
    assert rows[1] == (date(2027, 1, 5), "Virement de janvier")


def test_a_batch_may_span_two_years(database: Database) -> None:
    """Frozen in December, sent in January, after December's books are closed."""
    town = a_town(database)
    town.redeem(now=DECEMBER)
    batch_id = new_id()
    freeze_batch(database, batch_id, town.agreement_id, by=PREPARER, now=DECEMBER)
    approve_batch(database, batch_id, by=APPROVER, now=NEW_YEAR)
    closed(database, now=NEW_YEAR)
    export_batch(database, batch_id, by=PREPARER, now=NEW_YEAR + timedelta(hours=1))
    assert wrong_books(database) == []
    with database.read() as session:
        days = session.execute(
            select(Entry.event_type, Entry.effective_on).where(Entry.event_id == batch_id).order_by(Entry.posted_at)
        ).all()
    assert days == [("batch_frozen", date(2026, 12, 20)), ("batch_exported", date(2027, 1, 4))]


@pytest.mark.race
def test_no_entry_slips_into_a_year_while_it_closes(database: Database) -> None:
    """Threads post facts of 2026 while two people close it: each entry is carried over, or stands in 2027."""
    town: Town = a_town(database)
    funder_id = town.agreed.funder_ids[0]
    proposed(database, 2026, now=FEBRUARY)
    accepted = reasons(database, 2026)
    started, stop, failures = threading.Event(), threading.Event(), []

    def go_on() -> None:
        while not stop.is_set():
            try:
                with database.write() as session:
                    post_event(session, an_envelope_event(on=date(2026, 12, 31)), {}, {funder_id: 7})
            except Exception as error:  # noqa: BLE001 - a thread must tell
                failures.append(error)
                return
            started.set()

    threads = [threading.Thread(target=go_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert started.wait(20)
    close_year(database, 2026, accepted, by=APPROVER, now=FEBRUARY)
    threading.Event().wait(0.3)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert failures == []
    with database.read() as session:
        by_year = dict(
            session.execute(
                select(Entry.effective_on, func.count()).where(Entry.narration.like("Enveloppe tardive%"))
                .group_by(Entry.effective_on)
            ).all()
        )  # fmt: skip
        assert set(by_year) == {date(2026, 12, 31), date(2027, 1, 1)}
        assert session.scalar(select(func.sum(OpeningBalance.balance_cents))) == 0
        assert session.scalar(select(func.count()).select_from(FiscalYear)) == 1
        carried = session.scalar(
            text(
                "SELECT sum(balance_cents) FROM opening_balance o JOIN account a ON a.id = o.account_id WHERE code = '8010'"
            )
        )
        written = session.scalar(
            text(
                "SELECT sum(amount_cents) FROM movement m JOIN entry e ON e.id = m.entry_id JOIN account a ON a.id = "
                "m.credit_account_id WHERE a.code = '8010' AND e.effective_on <= '2026-12-31'"
            )
        )
        assert -int(carried) == int(written)


def test_a_late_event_keeps_its_dimensions(database: Database) -> None:
    town = a_town(database)
    closed(database, now=FEBRUARY)
    with database.write() as session:
        event = Event(EventType.CREDITS_COMMITTED, new_id(), FEBRUARY, "Engagement", PREPARER, date(2026, 12, 30))
        dimensions = {Dimension.AGREEMENT: town.agreement_id}
        entry_id = post_event(session, event, dimensions, dict.fromkeys(town.agreed.funder_ids, 100))
    with database.read() as session:
        assert session.scalar(select(Entry.movement_count).where(Entry.id == entry_id)) == 2


def test_a_line_of_december_imported_after_the_close_is_in_the_open_year(database: Database) -> None:
    office = an_office(database)
    office.town.redeem(0, 3, now=DECEMBER)
    office.town.redeem(1, 4, now=DECEMBER)
    batch_id = office.settle(DECEMBER)
    (first, cents), (second, second_cents) = office.references(batch_id)
    office.bank_says(
        date(2026, 12, 29),
        datetime(2026, 12, 30, 9, tzinfo=UTC),
        BookedLine(reference="P1", amount_cents=cents, is_credit=False, end_to_end_id=first),
    )
    closed(database, now=FEBRUARY)
    office.bank_says(
        date(2026, 12, 30),
        FEBRUARY,
        BookedLine(reference="P2", amount_cents=second_cents, is_credit=False, end_to_end_id=second),
        BookedLine(reference="B1", amount_cents=cents, is_credit=True, end_to_end_id=first, return_reason="AC04"),
    )
    with database.read() as session:
        booked = session.execute(
            select(Entry.event_type, Entry.effective_on, Entry.narration)
            .where(Entry.event_type.in_((EventType.TRANSFER_BOOKED, EventType.TRANSFER_RETURNED)))
            .order_by(Entry.posted_at, Entry.event_type)
        ).all()
    assert [(row.event_type, row.effective_on) for row in booked] == [
        ("transfer_booked", date(2026, 12, 29)),
        ("transfer_booked", date(2027, 1, 1)),
        ("transfer_returned", date(2027, 1, 1)),
    ]
    assert [row.narration.endswith("(fait du 30/12/2026)") for row in booked] == [False, True, True]
    assert wrong_books(database) == []
