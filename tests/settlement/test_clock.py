"""What is due, by when and who holds it; who may block a payment."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.builders import SOMEONE, an_iban
from tests.settlement.bank import Bank
from tests.settlement.town import APPROVER, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network.model import Structure
from voucher.network.structures import suspend_structure
from voucher.programme.change_payment_terms import PaymentTerms, change_payment_terms
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import Frozen, freeze_batch
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.batches.preview import preview_batch
from voucher.settlement.deadlines.finance_calendar import calendar
from voucher.settlement.deadlines.payment_deadlines import Due, Stage, clock_counts, dues, structure_dues
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.payable.hold_by_hand import NewHold, lift_hold, payment_holds, place_hold

NOVEMBER_3 = datetime(2026, 11, 3, 9, tzinfo=UTC)
DECEMBER_2 = datetime(2026, 12, 2, 9, tzinfo=UTC)
DUE_ON = date(2026, 12, 30)
ON_TIME = datetime(2026, 12, 28, 9, tzinfo=UTC)
LATE = datetime(2027, 1, 4, 9, tzinfo=UTC)


def freeze(town: Town, now: datetime = DECEMBER_2) -> Frozen:
    return freeze_batch(town.database, new_id(), town.agreement_id, by=PREPARER, now=now)


def sent(town: Town, now: datetime = DECEMBER_2) -> tuple[Frozen, bytes]:
    frozen = freeze(town, now)
    approve_batch(town.database, frozen.batch_id, by=APPROVER, now=now)
    return frozen, export_batch(town.database, frozen.batch_id, by=PREPARER, now=now)[0].content


def pivot_of(town: Town, rank: int) -> str:
    with town.database.read() as session:
        return session.execute(select(Structure.pivot).where(Structure.id == town.structure_ids[rank])).scalar_one()


def hold(town: Town, rank: int = 0, *, everywhere: bool = False, **more: Any) -> UUID:
    command = NewHold(new_id(), pivot_of(town, rank), None if everywhere else town.agreement_id, "RIB à vérifier")
    place_hold(town.database, command, by=PREPARER, now=DECEMBER_2, **more)
    return command.id


def only(found: list[Due]) -> Due:
    (one,) = found
    return one


def test_the_clock_says_who_holds_the_money_at_each_step_and_for_how_many_days(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3, now=NOVEMBER_3)
    assert dues(database, DECEMBER_2) == [], "due in four weeks"
    waiting = only(dues(database, ON_TIME))
    assert (waiting.stage, waiting.due_on, waiting.days_left, waiting.is_late) == (Stage.NOT_FROZEN, DUE_ON, 2, False)
    assert (waiting.since_on, waiting.holder) == (date(2026, 11, 30), "La personne qui prépare les lots")
    frozen = freeze(town)
    unapproved = only(dues(database, LATE))
    assert (unapproved.stage, unapproved.days_left) == (Stage.NOT_APPROVED, -5)
    assert (unapproved.holder, unapproved.since_on) == ("La personne qui valide les lots", date(2026, 12, 2))
    approve_batch(database, frozen.batch_id, by=APPROVER, now=DECEMBER_2)
    assert only(dues(database, LATE)).stage is Stage.NOT_SENT
    export_batch(database, frozen.batch_id, by=PREPARER, now=DECEMBER_2)
    left = only(dues(database, LATE))
    assert (left.stage, left.holder) == (Stage.LEFT, "La banque")
    counts = clock_counts(dues(database, LATE))
    assert (counts.late_count, counts.late_cents, counts.soon_count) == (1, 3_000, 0)
    assert dues(database, LATE, issuer_id=new_id()) == []
    assert dues(database, LATE, issuer_id=town.agreed.issuer_id) == [left]


def test_what_was_paid_is_not_on_the_clock_and_what_was_refused_waits_for_the_structure(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3, now=NOVEMBER_3)
    town.redeem(1, 4, now=NOVEMBER_3)
    _, content = sent(town)
    with database.read() as session:
        iban = session.execute(select(PayingAccount.iban)).scalar_one()
    with Bank(today=DECEMBER_2.date(), iban=iban) as bank:
        bank.close_account(an_iban(7002))
        answers = [one.content for one in bank.send(content) if one.type.startswith("pain.002")]
        bank.advance_to(DECEMBER_2.date() + timedelta(days=2))
        for file in [*answers, *bank.statements()]:
            import_bank_file(database, "banque.xml", file, by=PREPARER, now=DECEMBER_2 + timedelta(days=2))
    refused = only(dues(database, LATE))
    assert (refused.stage, refused.holder, refused.amount_cents) == (Stage.FAILED, "La structure", 4_000)
    assert refused.act == "Compte fermé : demandez un nouveau RIB à la structure."
    assert only(structure_dues(database, town.structure_ids[1], LATE)).advice_id == refused.advice_id
    assert structure_dues(database, town.structure_ids[0], LATE) == []


def test_a_held_payment_says_why_and_who_can_lift_it(database: Database) -> None:
    town = a_town(database, structure_count=5, with_rib=4)
    for rank in range(5):
        town.redeem(rank, 3 if rank < 4 else 1, now=NOVEMBER_3)
    hold(town, 1)
    suspend_structure(database, town.structure_ids[2], "Contrôle en cours", by=SOMEONE, now=DECEMBER_2)
    with database.write() as session:
        session.execute(update(Agreement).values(minimum_payment_cents=3_000))
    town.redeem(3, 1, now=NOVEMBER_3)
    give_rib(database, town.structure_ids[4], 50)
    freeze(town)
    who = {one.amount_cents: one.holder for one in dues(database, LATE) if one.stage is Stage.HELD}
    held = [one.act for one in dues(database, LATE) if one.stage is Stage.HELD]
    assert len(held) == 3
    assert any(act.startswith("Paiement bloqué : RIB à vérifier") for act in held)
    assert any(act.startswith("Structure suspendue : Contrôle en cours") for act in held)
    assert who[1_000] == "Personne", "below the minimum: a later batch pays it"


def test_an_on_demand_agreement_that_nobody_settles_shows_late(database: Database) -> None:
    town = a_town(database, structure_count=1)
    change_payment_terms(database, town.agreement_id, PaymentTerms("on_demand", 0, 30), by=SOMEONE, now=NOVEMBER_3)
    town.redeem(0, 1, now=NOVEMBER_3)
    late = only(dues(database, DECEMBER_2 + timedelta(days=7)))
    assert (late.stage, late.due_on, late.is_late) == (Stage.NOT_FROZEN, date(2026, 12, 3), True)


def test_the_calendar_shows_each_agreement_the_late_ones_first(database: Database) -> None:
    quiet, late = a_town(database, structure_count=1), a_town(database, structure_count=1)
    late.redeem(0, 3, now=NOVEMBER_3)
    late.redeem(0, 2, now=DECEMBER_2)
    first, second = calendar(database, DECEMBER_2)
    assert (first.agreement_id, second.agreement_id) == (late.agreement_id, quiet.agreement_id)
    assert [one.stage for one in first.steps] == [Stage.NOT_FROZEN, Stage.RUNNING]
    assert (first.cut_off_on, first.next_due_on, first.may_freeze) == (date(2026, 12, 31), DUE_ON, True)
    assert (second.cut_off_on, second.steps, second.next_due_on) == (None, (), None)
    assert calendar(database, LATE)[0].late_cents == 3_000
    assert calendar(database, LATE, issuer_id=new_id()) == []


def test_payment_terms_change_within_bounds(database: Database) -> None:
    town = a_town(database, structure_count=1)
    for _ in range(2):
        change_payment_terms(
            database, town.agreement_id, PaymentTerms("monthly", 2_000, 45), by=SOMEONE, now=NOVEMBER_3
        )
    town.redeem(0, 3, now=NOVEMBER_3)
    freeze(town)
    with database.read() as session:
        assert session.execute(select(PaymentAdvice.due_on)).scalar_one() == date(2027, 1, 14)
    for terms, field in (
        (PaymentTerms("weekly", 0, 30), "settlement_rhythm"),
        (PaymentTerms("monthly", -1, 30), "minimum_payment_cents"),
        (PaymentTerms("monthly", 200_000, 30), "minimum_payment_cents"),
        (PaymentTerms("monthly", 0, 0), "payment_days"),
        (PaymentTerms("monthly", 0, 61), "payment_days"),
        (PaymentTerms("monthly", 0, 30, 0), "cut_off_day"),
        (PaymentTerms("monthly", 0, 30, 32), "cut_off_day"),
    ):
        with pytest.raises(Refused) as refused:
            change_payment_terms(database, town.agreement_id, terms, by=SOMEONE, now=NOVEMBER_3)
        assert refused.value.field == field
    with pytest.raises(Refused, match="n’existe pas"):
        change_payment_terms(database, new_id(), PaymentTerms("monthly", 0, 30), by=SOMEONE, now=NOVEMBER_3)


def test_a_blocked_structure_is_not_paid_until_it_is_unblocked_and_is_owed_all_the_while(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3, now=NOVEMBER_3)
    town.redeem(1, 4, now=NOVEMBER_3)
    hold_id = hold(town)
    preview = preview_batch(database, town.agreement_id, now=DECEMBER_2)
    assert preview is not None
    assert [one.why_held for one in preview.owed if one.why_held] == ["Paiement bloqué : RIB à vérifier"]
    assert freeze(town).total_cents == 4_000
    assert [(row.id, row.waiting_cents) for row in payment_holds(database, is_live=True)] == [(hold_id, 3_000)]
    assert wrong_books(database) == []
    for _ in range(2):
        lift_hold(database, hold_id, "RIB confirmé", by=PREPARER, now=DECEMBER_2)
    with pytest.raises(Refused, match="déjà été levé"):
        lift_hold(database, hold_id, "RIB confirmé", by=SOMEONE, now=DECEMBER_2)
    assert payment_holds(database, is_live=True) == []
    assert freeze(town).total_cents == 3_000
    assert wrong_books(database) == []


def test_a_block_after_the_freeze_keeps_the_payment_from_leaving(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3, now=NOVEMBER_3)
    town.redeem(1, 4, now=NOVEMBER_3)
    frozen = freeze(town)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=DECEMBER_2)
    hold(town, everywhere=True)
    with pytest.raises(Refused, match="Rien n’est parti"):
        export_batch(database, frozen.batch_id, by=PREPARER, now=DECEMBER_2)
    with database.read() as session:
        advice_id = session.execute(
            select(PaymentAdvice.id).where(PaymentAdvice.structure_id == town.structure_ids[0])
        ).scalar_one()
    set_aside(database, advice_id, "Paiement bloqué", by=PREPARER, now=DECEMBER_2)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=DECEMBER_2)
    export_batch(database, frozen.batch_id, by=PREPARER, now=DECEMBER_2)
    assert wrong_books(database) == []


def test_a_block_is_placed_once_by_whom_it_concerns_and_in_its_scope(database: Database) -> None:
    town = a_town(database, structure_count=1)
    own, stranger = town.agreed.issuer_id, new_id()
    command = NewHold(new_id(), pivot_of(town, 0), town.agreement_id, "Doute")
    for _ in range(2):
        place_hold(database, command, by=PREPARER, now=DECEMBER_2, issuer_id=own)
    cases: list[tuple[NewHold, UUID | None, str]] = [
        (NewHold(new_id(), pivot_of(town, 0), town.agreement_id, "Doute"), own, "already_held"),
        (NewHold(command.id, pivot_of(town, 0), town.agreement_id, "Autre raison"), own, "same_id_other_content"),
        (NewHold(new_id(), "W000000000", town.agreement_id, "Doute"), own, "unknown_structure"),
        (NewHold(new_id(), pivot_of(town, 0), town.agreement_id, "Doute"), stranger, "unknown_agreement"),
        (NewHold(new_id(), pivot_of(town, 0), None, "Doute"), own, "agreement_missing"),
        (NewHold(new_id(), pivot_of(town, 0), town.agreement_id, " "), own, "missing"),
    ]
    for wrong, issuer_id, code in cases:
        with pytest.raises(Refused) as refused:
            place_hold(database, wrong, by=PREPARER, now=DECEMBER_2, issuer_id=issuer_id)
        assert refused.value.code == code
    everywhere = hold(town, everywhere=True)
    with pytest.raises(Refused, match="est du programme"):
        lift_hold(database, everywhere, "Fini", by=PREPARER, now=DECEMBER_2, issuer_id=own)
    assert [row.id for row in payment_holds(database, is_live=True, issuer_id=own)] == [command.id]
    assert payment_holds(database, is_live=True, issuer_id=stranger) == []
