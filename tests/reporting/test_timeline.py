"""The days that batches take, and the transfers that do not arrive."""

from datetime import date, timedelta

from tests.reporting.life import advices, book, export_period
from tests.settlement.reports import status_report
from tests.settlement.town import NOW, PREPARER, a_town, give_rib
from voucher.demonstration.bank import BookedLine
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.reporting import rejects
from voucher.reporting.timeline import Step, batch_life, timeline
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.batches.freeze import freeze_batch


def test_a_batch_tells_the_days_of_each_step_and_what_it_waits_for() -> None:
    day = date(2026, 3, 31)
    life = batch_life(
        new_id(), "L", "C", 1_000, period_closed_on=day, frozen_on=day + timedelta(days=2),
        approved_on=day + timedelta(days=5), exported_on=None, ended_on=None,
        due_day=day + timedelta(days=30), today=day + timedelta(days=31),
    )  # fmt: skip
    assert life.days == {Step.APPROVAL: 3}
    assert (life.waits, life.waited_days) == (Step.EXPORT, 26)
    assert life.is_late
    assert life.total_days is None


def test_batches_are_measured_and_the_late_ones_named(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3)
    batch_id = export_period(town, now=NOW)
    ((reference, cents),) = advices(database, batch_id)
    book(
        town,
        [BookedLine(reference="T1", amount_cents=cents, is_credit=False, end_to_end_id=reference)],
        now=NOW + timedelta(days=4),
    )
    town.redeem(0, 2, now=NOW + timedelta(days=5))
    waiting_id = new_id()
    freeze_batch(database, waiting_id, town.agreement_id, by=PREPARER, now=NOW + timedelta(days=6))
    found = timeline(database, now=NOW + timedelta(days=60))
    waiting, paid = found.batches
    assert (paid.id, paid.total_days, paid.waits, paid.is_late) == (batch_id, 4, None, False)
    assert (waiting.id, waiting.waits, waiting.waited_days) == (waiting_id, Step.APPROVAL, 54)
    assert [one.id for one in found.late] == [waiting_id]
    assert found.medians == {Step.APPROVAL: 0.0, Step.EXPORT: 0.0, Step.PAYMENT: 4.0}
    assert found.kept({"late": "oui"}) == (waiting,)
    assert found.kept({"step": "validation"}) == (waiting,)
    assert timeline(database, now=NOW, issuer_id=new_id()).batches == ()


def test_rejects_and_returns_are_told_by_reason_by_bank_and_by_month(database: Database) -> None:
    town = a_town(database, structure_count=3)
    for rank in range(3):
        town.redeem(rank, 2 + rank)
    batch_id = export_period(town, now=NOW)
    (first, first_cents), (second, second_cents), (third, third_cents) = advices(database, batch_id)
    report = status_report(batch_id, transfers={first: "AC01"})
    import_bank_file(database, "rapport.xml", report, by=PREPARER, now=NOW)
    book(
        town,
        [
            BookedLine(reference="T2", amount_cents=second_cents, is_credit=False, end_to_end_id=second),
            BookedLine(reference="T3", amount_cents=third_cents, is_credit=False, end_to_end_id=third),
        ],
        now=NOW + timedelta(days=1),
    )
    back = NOW + timedelta(days=20)
    book(
        town,
        [
            BookedLine(
                reference="T4", amount_cents=second_cents, is_credit=True, end_to_end_id=second, return_reason="AC04"
            )
        ],
        now=back,
    )
    found = rejects.failures(database, issuer_id=town.agreed.issuer_id)
    assert [(one.reference, one.is_return, one.reason.code, one.is_open) for one in found] == [
        (second, True, "AC04", True),
        (first, False, "AC01", True),
    ]
    assert {group.key: group.amount_cents for group in rejects.by_reason(found)} == {
        "AC01": first_cents,
        "AC04": second_cents,
    }
    assert [group.key for group in rejects.by_month(found)] == ["2026-11", "2026-12"]
    (bank,) = rejects.by_bank(found)
    assert (bank.key, bank.count, bank.open_cents) == ("BDFEFRPP", 2, first_cents + second_cents)
    assert rejects.kept(found, {"month": "2026-12"}) == found[:1]
    for rank, structure_id in enumerate(town.structure_ids):
        give_rib(database, structure_id, 90 + rank, now=back)
    freeze_batch(database, new_id(), town.agreement_id, by=PREPARER, now=back)
    assert all(not one.is_open for one in rejects.failures(database)), "the next batch took them up"
    assert rejects.failures(database, issuer_id=new_id()) == []


def test_a_rejection_that_the_bank_takes_back_is_none(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3)
    batch_id = export_period(town, now=NOW)
    ((reference, cents),) = advices(database, batch_id)
    import_bank_file(
        database, "rapport.xml", status_report(batch_id, transfers={reference: "AC01"}), by=PREPARER, now=NOW
    )
    assert len(rejects.failures(database)) == 1
    book(
        town,
        [BookedLine(reference="T1", amount_cents=cents, is_credit=False, end_to_end_id=reference)],
        now=NOW + timedelta(days=1),
    )
    assert rejects.failures(database) == []
