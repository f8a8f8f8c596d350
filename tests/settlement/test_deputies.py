"""A deputy: named by an approver for some days, accepted by a third person, approving what they did not prepare, then nothing."""

import threading
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from tests.settlement.stand_in import ALICE, CLAIRE, DOMINIQUE, TODAY, accepted, decide, end, name, standing
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.mail.model import OutboxMessage
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.deputies import DAYS_MAX, Person
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.batches.freeze_urgent import freeze_urgent_batch
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.batches.read import batch
from voucher.settlement.batches.read_deputies import DeputyState, deputyship, standing_in
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.deputies import ApproverDeputy


def frozen(town: Town, *, by: UUID = PREPARER) -> UUID:
    town.redeem(0, 3)
    batch_id = new_id()
    freeze_batch(town.database, batch_id, town.agreement_id, by=by, now=NOW)
    return batch_id


def approve(town: Town, batch_id: UUID, named: UUID, *, by: UUID = ALICE.id, now: datetime = NOW) -> None:
    approve_batch(town.database, batch_id, by=by, now=now, standing=standing(named))


def letters(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        rows = session.execute(select(OutboxMessage.kind, OutboxMessage.recipient).order_by(OutboxMessage.kind))
        return [(row.kind, row.recipient) for row in rows if row.kind.startswith("account_deputy")]


def test_three_people_make_a_deputy_who_approves_in_the_approvers_name(database: Database) -> None:
    town = a_town(database)
    batch_id = frozen(town)
    named = accepted(database)
    approve(town, batch_id, named)
    approve(town, batch_id, named)
    page = batch(database, batch_id)
    assert page is not None
    assert (page.approved_by, page.approved_for, page.state) == (ALICE.id, APPROVER, "approved")
    assert letters(database) == [
        ("account_deputy_approved", CLAIRE.email),
        ("account_deputy_decided", CLAIRE.email),
        ("account_deputy_decided_too", ALICE.email),
        ("account_deputy_named", ALICE.email),
        ("account_deputy_to_accept", DOMINIQUE.email),
    ]
    export_batch(database, batch_id, by=PREPARER, now=NOW)
    assert wrong_books(database) == []


def test_neither_of_the_two_accepts_and_what_is_refused_or_waits_opens_nothing(database: Database) -> None:
    town = a_town(database)
    batch_id, named = frozen(town), name(database)
    for one in (APPROVER, ALICE.id):
        with pytest.raises(Refused, match="four_eyes"):
            decide(database, named, by=one)
    with pytest.raises(Refused, match="not_deputy"):
        approve(town, batch_id, named)
    decide(database, named, is_accepted=False)
    decide(database, named, is_accepted=False)
    with pytest.raises(Refused, match="already_decided"):
        decide(database, named)
    with pytest.raises(Refused, match="not_deputy"):
        approve(town, batch_id, named)
    with pytest.raises(Refused, match="not_deputy"):
        approve(town, batch_id, new_id())
    with pytest.raises(Refused, match="unknown_deputy"):
        decide(database, new_id())


def test_a_deputy_approves_from_the_first_minute_of_the_first_day_to_the_last_of_the_last_in_paris(
    database: Database,
) -> None:
    town = a_town(database)
    batch_id = frozen(town)
    first, last = date(2026, 11, 25), date(2026, 11, 26)
    named = accepted(database, first, last)
    before, after = datetime(2026, 11, 24, 22, 59, tzinfo=UTC), datetime(2026, 11, 26, 23, 0, tzinfo=UTC)
    for moment in (before, after):
        assert standing_in(database, ALICE.id, now=moment) is None
        with pytest.raises(Refused, match="deputy_out_of_days"):
            approve(town, batch_id, named, now=moment)
    for moment in (before + timedelta(minutes=1), after - timedelta(seconds=1)):
        assert standing_in(database, ALICE.id, now=moment) is not None
    approve(town, batch_id, named, now=after - timedelta(seconds=1))
    assert wrong_books(database) == []


def test_who_prepared_a_batch_never_approves_it_and_a_deputy_prepares_none(database: Database) -> None:
    town = a_town(database, structure_count=2)
    own = frozen(town, by=ALICE.id)
    town.redeem(1, 2)
    touched = frozen(town)
    with database.read() as session:
        advice_id, last_id = session.scalars(
            select(PaymentAdvice.id).where(PaymentAdvice.batch_id == touched).order_by(PaymentAdvice.amount_cents)
        ).all()
    set_aside(database, advice_id, "RIB à vérifier", by=ALICE.id, now=NOW)
    named = accepted(database)
    for batch_id in (own, touched):
        with pytest.raises(Refused, match="four_eyes"):
            approve(town, batch_id, named)
    town.redeem(0, 1)
    of = {"by": ALICE.id, "now": NOW}
    acts = (
        lambda: freeze_batch(database, new_id(), town.agreement_id, **of),
        lambda: freeze_urgent_batch(database, new_id(), town.agreement_id, town.structure_ids, **of),
        lambda: set_aside(database, last_id, "Doute", **of),
    )
    for act in acts:
        with pytest.raises(Refused, match="deputy_prepares_nothing"):
            act()
    approve_batch(database, own, by=APPROVER, now=NOW)
    with pytest.raises(Refused, match="deputy_prepares_nothing"):
        export_batch(database, own, **of)
    export_batch(database, own, by=ALICE.id, now=NOW + timedelta(days=1))  # the days are over: prepares again
    theirs = frozen(town)
    approve(town, theirs, named)
    with pytest.raises(Refused, match="deputy_sends_nothing"):
        export_batch(database, theirs, by=ALICE.id, now=NOW + timedelta(days=1))


def test_a_set_aside_withdraws_what_a_deputy_approved(database: Database) -> None:
    town = a_town(database, structure_count=2)
    town.redeem(1, 2)
    batch_id, named = frozen(town), accepted(database)
    approve(town, batch_id, named)
    with database.read() as session:
        advice_id = session.scalars(select(PaymentAdvice.id).where(PaymentAdvice.batch_id == batch_id).limit(1)).one()
    set_aside(database, advice_id, "RIB à vérifier", by=PREPARER, now=NOW)
    page = batch(database, batch_id)
    assert page is not None
    assert (page.approved_by, page.approved_for) == (None, None)


def test_ended_early_a_deputy_approves_nothing_more(database: Database) -> None:
    town = a_town(database)
    batch_id, named = frozen(town), accepted(database)
    end(database, named)
    end(database, named)
    with pytest.raises(Refused, match="deputy_ended"):
        approve(town, batch_id, named)
    found = deputyship(database, named, now=NOW)
    assert found is not None
    assert (found.state, found.ended_by) == (DeputyState.ENDED, APPROVER)
    # Taken back before anybody decided: nothing is left to accept.
    taken_back = name(database)
    end(database, taken_back)
    with pytest.raises(Refused, match="deputy_withdrawn"):
        decide(database, taken_back)
    over = accepted(database)
    with pytest.raises(Refused, match="deputy_over"):
        end(database, over, now=NOW + timedelta(days=1))


def test_a_deputy_of_one_issuer_approves_no_batch_of_another(database: Database) -> None:
    town, other = a_town(database), a_town(database)
    batch_id = frozen(other)
    named = accepted(database, issuer_id=town.agreed.issuer_id)
    with pytest.raises(Refused, match="not_deputy"):
        approve(other, batch_id, named)


@pytest.mark.parametrize(
    ("days", "code"), [((-1, 3), "day_is_past"), ((2, 1), "days_out_of_order"), ((0, DAYS_MAX), "too_long")]
)
def test_days_that_cannot_be_are_refused(sqlite_database: Database, days: tuple[int, int], code: str) -> None:
    with pytest.raises(Refused, match=code):
        name(sqlite_database, *(TODAY + timedelta(days=one) for one in days))


def test_naming_again_changes_nothing_and_days_never_overlap(database: Database) -> None:
    named = name(database, until_on=TODAY + timedelta(days=9))
    name(database, until_on=TODAY + timedelta(days=9), deputyship_id=named)
    with pytest.raises(Refused, match="same_id_other_content"):
        name(database, until_on=TODAY + timedelta(days=8), deputyship_id=named)
    with pytest.raises(Refused, match="same_person"):
        name(database, deputy=CLAIRE)
    later = TODAY + timedelta(days=9)
    for people in ({"deputy": DOMINIQUE}, {"approver": DOMINIQUE}):
        with pytest.raises(Refused, match="deputy_overlaps"):
            name(database, later, later, **people)
    end(database, named)
    name(database, later, later, deputy=DOMINIQUE)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), min_size=2, max_size=5))
def test_whatever_is_asked_nobody_has_two_deputies_on_a_day(
    sqlite_database: Database, spans: list[tuple[int, int]]
) -> None:
    taken: set[int] = set()
    approver, deputy = (Person(new_id(), "Camille Exemple", "camille@lieu.example") for _ in range(2))
    for start, length in spans:
        days = set(range(start, start + length + 1))
        first, last = TODAY + timedelta(days=start), TODAY + timedelta(days=start + length)
        if days & taken:
            with pytest.raises(Refused, match="deputy_overlaps"):
                name(sqlite_database, first, last, approver=approver, deputy=deputy)
        else:
            name(sqlite_database, first, last, approver=approver, deputy=deputy)
            taken |= days


@pytest.mark.parametrize(
    "change", [{"deputy_id": APPROVER}, {"until_on": TODAY - timedelta(days=1)}, {"decided_by": ALICE.id}]
)
def test_the_database_holds_three_people_and_days_in_order(database: Database, change: dict[str, object]) -> None:
    row = {
        "id": new_id(), "issuer_id": None, "approver_id": APPROVER, "deputy_id": ALICE.id, "from_on": TODAY, "until_on": TODAY,
        "named_at": NOW, "is_accepted": True, "decided_at": NOW, "decided_by": DOMINIQUE.id,
    }  # fmt: skip
    with pytest.raises(IntegrityError), database.write() as session:
        session.execute(insert(ApproverDeputy).values(**{**row, **change}))


def test_a_deputy_ended_at_the_moment_of_an_approval_comes_before_or_after_it(database: Database) -> None:
    town = a_town(database)
    batch_id, named = frozen(town), accepted(database)
    start, said = threading.Barrier(2), []

    def approving() -> None:
        start.wait()
        try:
            approve(town, batch_id, named, now=NOW + timedelta(seconds=2))  # this clock is ahead
        except Refused as refused:
            said.append(refused.code)

    def ending() -> None:
        start.wait()
        end(database, named)

    threads = [threading.Thread(target=one) for one in (approving, ending)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with database.read() as session:
        approved_by = session.scalar(select(SettlementBatch.approved_by).where(SettlementBatch.id == batch_id))
    assert (approved_by, said) in ((ALICE.id, []), (None, ["deputy_ended"]))
    assert wrong_books(database) == []
