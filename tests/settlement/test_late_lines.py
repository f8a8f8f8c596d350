"""What is late is counted line by line, each from the day its own period's money was due; every page says the same."""

from datetime import UTC, date, datetime

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import select, update

from tests.clients import app_for, signed_in_client
from tests.settlement.reports import status_report
from tests.settlement.town import APPROVER, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.migrations import alembic_config
from voucher.kernel.money import format_euros
from voucher.reporting.ageing import ageing
from voucher.reporting.timeline import timeline
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import Frozen, freeze_batch
from voucher.settlement.batches.freeze_urgent import freeze_urgent_batch
from voucher.settlement.batches.preview import preview_batch
from voucher.settlement.deadlines.deadlines_by_action import by_act
from voucher.settlement.deadlines.finance_calendar import calendar
from voucher.settlement.deadlines.payment_deadlines import Due, Stage, dues, late_now
from voucher.settlement.deadlines.read_payments import owing, waiting_payments
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.recoveries.dispute import NewDispute, decide_dispute, open_dispute

JUNE = datetime(2026, 6, 10, 9, tzinfo=UTC)
JULY = datetime(2026, 7, 2, 9, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 3, 9, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 2, 9, tzinfo=UTC)
DECEMBER_10 = datetime(2026, 12, 10, 9, tzinfo=UTC)
JANUARY = datetime(2027, 1, 4, 9, tzinfo=UTC)
JUNE_DUE, NOVEMBER_DUE = date(2026, 7, 30), date(2026, 12, 30)


def freeze(town: Town, now: datetime) -> Frozen:
    return freeze_batch(town.database, new_id(), town.agreement_id, by=PREPARER, now=now)


def held_in_june(database: Database) -> Town:
    """70 € of June that no RIB could receive, and 100 € of November."""
    town = a_town(database, structure_count=1, with_rib=0)
    town.redeem(0, 7, now=JUNE)
    freeze(town, JULY)
    town.redeem(0, 10, now=NOVEMBER)
    return town


def test_what_is_held_is_due_by_the_day_of_its_own_period(database: Database) -> None:
    town = held_in_june(database)
    freeze(town, DECEMBER)
    with database.read() as session:
        stored = session.execute(select(PaymentAdvice.amount_cents, PaymentAdvice.due_on)).all()
    assert {row.amount_cents: row.due_on for row in stored} == {7_000: JUNE_DUE, 10_000: NOVEMBER_DUE}
    assert [(one.amount_cents, one.days_left) for one in dues(database, JANUARY)] == [(7_000, -158), (10_000, -5)]
    assert late_now(database, DECEMBER_10).late_cents == 7_000
    assert wrong_books(database) == []


def test_a_payment_is_late_for_what_it_carries_over_and_not_for_the_rest(database: Database) -> None:
    town = held_in_june(database)
    give_rib(database, town.structure_ids[0], 1)
    frozen = freeze(town, DECEMBER)
    assert frozen.total_cents == 17_000
    assert late_now(database, DECEMBER_10).late_cents == 7_000
    assert timeline(database, now=DECEMBER_10).late == (), "its own period is not late yet"
    approve_batch(database, frozen.batch_id, by=APPROVER, now=DECEMBER)
    export_batch(database, frozen.batch_id, by=PREPARER, now=DECEMBER)
    whole = dues(database, JANUARY)
    assert [(one.stage, one.due_on, one.amount_cents) for one in whole] == [
        (Stage.LEFT, JUNE_DUE, 7_000),
        (Stage.LEFT, NOVEMBER_DUE, 10_000),
    ]
    (group,) = by_act(dues(database, DECEMBER_10, within_days=None))
    assert (group.amount_cents, group.late_cents, group.structure_count) == (17_000, 7_000, 1)
    with database.read() as session:
        reference = session.scalars(select(PaymentAdvice.reference).where(PaymentAdvice.batch_id == frozen.batch_id))
        report = status_report(frozen.batch_id, transfers={reference.one(): "AC04"})
    import_report(database, "rapport.xml", report, by=PREPARER, now=DECEMBER)
    assert late_now(database, DECEMBER_10).late_cents == 7_000, "it came back: each part keeps its day"
    give_rib(database, town.structure_ids[0], 2)
    town.redeem(0, 1, now=DECEMBER_10)
    again = freeze(town, datetime(2027, 1, 2, 9, tzinfo=UTC))
    assert again.total_cents == 18_000
    assert [(one.due_on, one.amount_cents) for one in dues(database, JANUARY, within_days=None)] == [
        (JUNE_DUE, 7_000),
        (NOVEMBER_DUE, 10_000),
        (date(2027, 1, 30), 1_000),
    ]
    assert sum(one.debt.amount_cents for one in ageing(database, now=JANUARY).debts if one.days > 30) == 17_000
    assert late_now(database, JANUARY).late_cents == 17_000
    assert wrong_books(database) == []


def test_what_a_dispute_freed_is_due_by_the_day_of_its_own_period(database: Database) -> None:
    town = a_town(database, ribs_since=JUNE)
    contested = [town.redeem(0, 3, now=JUNE), town.redeem(1, 2, now=JUNE)]
    town.redeem(0, 1, now=JUNE)
    disputes = [NewDispute(new_id(), one, "not_rendered", "La salle était fermée.") for one in contested]
    for dispute in disputes:
        open_dispute(database, dispute, by=PREPARER, now=JUNE)
    freeze(town, JULY)
    town.redeem(0, 4, now=NOVEMBER)
    for dispute in disputes:
        decide_dispute(database, dispute.id, "dismissed", "Le planning le montre.", by=APPROVER, now=JULY)

    def freed() -> list[Due]:
        found = dues(database, DECEMBER_10, within_days=None, issuer_id=town.agreed.issuer_id)
        return [one for one in found if "contestation levée" in one.label]

    (one,) = freed()
    assert (one.stage, one.due_on, one.days_left) == (Stage.NOT_FROZEN, JUNE_DUE, -133)
    assert (one.amount_cents, one.structure_count, one.since_on) == (5_000, 2, JULY.date())
    assert late_now(database, DECEMBER_10).late_cents == 6_000
    assert dues(database, JULY, within_days=20, issuer_id=new_id()) == []
    first = town.structure_ids[0]
    waiting_cents = sum(one.due.amount_cents for one in waiting_payments(database, first, DECEMBER_10))
    owed = owing(database, first)
    assert waiting_cents == owed.open_cents + owed.on_the_way_cents + owed.waiting_cents == 8_000
    assert (owed.open_cents, next(iter(calendar(database, DECEMBER_10))).may_freeze) == (7_000, True)
    freeze(town, DECEMBER)
    assert freed() == []
    assert wrong_books(database) == []


def test_every_page_says_the_same_of_what_is_late(sqlite_database: Database) -> None:
    town = held_in_june(sqlite_database)
    freeze(town, DECEMBER)
    counts = late_now(sqlite_database, DECEMBER_10)
    assert (counts.late_since, counts.late_by_holder) == (JUNE_DUE, (("La structure", 7_000),))
    assert sum(one.late_cents for one in calendar(sqlite_database, DECEMBER_10)) == 7_000
    client = signed_in_client(app_for(sqlite_database, DECEMBER_10), sqlite_database, Role.AUDITOR)
    pages = ("calendrier", "delais", "tableau-de-bord/dettes", "tableau-de-bord/lots")
    said = {page: client.get(f"/finances/{page}").get_data(as_text=True) for page in ("", *pages)}
    for page in pages:
        assert f"{format_euros(7_000)} en retard, depuis le 30\u00a0juillet\u00a02026." in said[page], page
    assert f"{format_euros(7_000)}, depuis le 30\u00a0juillet\u00a02026." in said[""]


def test_what_waits_is_gathered_by_structure_and_cause_the_newest_first(sqlite_database: Database) -> None:
    town = a_town(sqlite_database, with_rib=1)
    for month in (6, 7, 8):
        town.redeem(1, month, now=datetime(2026, month, 10, 9, tzinfo=UTC))
        town.redeem(0, 1, now=datetime(2026, month, 10, 9, tzinfo=UTC))
        freeze(town, datetime(2026, month + 1, 2, 9, tzinfo=UTC))
    found = dues(sqlite_database, DECEMBER)
    groups = by_act(found)
    assert [one.since_on for one in groups] == sorted((one.since_on for one in groups), reverse=True)
    (held,) = [one for one in groups if one.title == "RIB manquant"]
    assert (held.line_count, held.amount_cents, held.late_cents) == (3, 21_000, 21_000)
    client = signed_in_client(app_for(sqlite_database, DECEMBER), sqlite_database, Role.AUDITOR)
    page = client.get("/finances/delais").get_data(as_text=True)
    assert page.count("RIB manquant</span>") == 1
    assert "Règlements\u00a0: 3</span>" in page
    link = f"/finances/delais?structure={town.structure_ids[1]}&cause=RIB+manquant"
    lines = client.get(link).get_data(as_text=True)
    for month in (6, 7, 8):
        assert format_euros(month * 1_000) in lines
    assert client.get(f"{link}&format=csv").get_data(as_text=True).count("La structure;RIB manquant") == 3
    calendar_page = client.get("/finances/calendrier").get_data(as_text=True)
    assert "1\u00a0structure, 3\u00a0règlements" in calendar_page


def test_the_migration_gives_back_the_day_that_older_money_brought_forward(database: Database) -> None:
    town = held_in_june(database)
    give_rib(database, town.structure_ids[0], 1)
    freeze(town, DECEMBER)
    with database.write() as session:
        session.execute(update(PaymentAdvice).values(due_on=JUNE_DUE))
    assert any("a_payment_is_due_after_its_period" in one for one in wrong_books(database))
    migration = ScriptDirectory.from_config(alembic_config(database.url)).get_revision("0017")
    with database.engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        migration.module.upgrade()
    with database.read() as session:
        stored = session.execute(select(PaymentAdvice.amount_cents, PaymentAdvice.due_on)).all()
    assert {row.amount_cents: row.due_on for row in stored} == {7_000: JUNE_DUE, 17_000: NOVEMBER_DUE}
    assert wrong_books(database) == []


def carried_from_june_and_november(database: Database) -> Town:
    """70 € of June and 100 € of November that no RIB could receive, each in its own batch; the RIB came since."""
    town = held_in_june(database)
    freeze(town, DECEMBER)
    give_rib(database, town.structure_ids[0], 1)
    return town


def test_money_carried_from_two_months_keeps_the_first_months_day(database: Database) -> None:
    town = carried_from_june_and_november(database)
    (owed,) = preview_batch(database, town.agreement_id, now=JANUARY).owed  # type: ignore[union-attr]
    assert (owed.gross_cents, owed.due_on) == (17_000, JUNE_DUE)
    structures = town.structure_ids
    frozen = freeze_urgent_batch(database, new_id(), town.agreement_id, structures, by=PREPARER, now=DECEMBER_10)
    with database.read() as session:
        due_on = session.scalars(select(PaymentAdvice.due_on).where(PaymentAdvice.batch_id == frozen.batch_id)).one()
    assert due_on == JUNE_DUE
    assert [(one.due_on, one.amount_cents) for one in dues(database, JANUARY)] == [
        (JUNE_DUE, 7_000), (NOVEMBER_DUE, 10_000),
    ]  # fmt: skip
    assert late_now(database, DECEMBER_10).late_cents == 7_000
    assert wrong_books(database) == []
