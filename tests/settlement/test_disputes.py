"""A redemption is contested, decided by another person, taken out of what is paid or clawed back; and netted."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from tests.builders import SOMEONE
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.issuing.model import Voucher
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.read import balances
from voucher.mail.model import OutboxMessage
from voucher.redemption.model import RedeemedVoucher, Redemption
from voucher.redemption.rules import CounterRefusal, Refusal
from voucher.redemption.undo import undo
from voucher.settlement.batches import read
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import Frozen, freeze_batch
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.batches.read import ControlSum
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.recoveries.dispute import NewDispute, decide_dispute, open_dispute

FACTS = "Le service n’a pas eu lieu : la salle était fermée ce jour-là."


def contest(town: Town, redemption_id: UUID, *, by: UUID = PREPARER) -> UUID:
    dispute = NewDispute(new_id(), redemption_id, "not_rendered", FACTS)
    open_dispute(town.database, dispute, by=by, now=NOW)
    return dispute.id


def decide(town: Town, dispute_id: UUID, outcome: str, *, by: UUID = APPROVER) -> None:
    decide_dispute(town.database, dispute_id, outcome, "Le planning du lieu le montre.", by=by, now=NOW)


def claw_back(town: Town, redemption_id: UUID) -> None:
    decide(town, contest(town, redemption_id), "upheld")


def freeze(town: Town) -> Frozen:
    return freeze_batch(town.database, new_id(), town.agreement_id, by=PREPARER, now=NOW)


def sent(town: Town) -> Frozen:
    frozen = freeze(town)
    approve_batch(town.database, frozen.batch_id, by=APPROVER, now=NOW)
    export_batch(town.database, frozen.batch_id, by=PREPARER, now=NOW)
    return frozen


def balance(town: Town, code: str) -> int:
    """Return what an account class holds, in cents, positive on its normal side for debts."""
    return sum(abs(one.balance_cents) for one in balances(town.database) if one.code == code)


def state_of(town: Town, redemption_id: UUID) -> str:
    with town.database.read() as session:
        return session.execute(select(Redemption.state).where(Redemption.id == redemption_id)).scalar_one()


def voucher_states(town: Town, redemption_id: UUID) -> set[str]:
    with town.database.read() as session:
        serials = select(RedeemedVoucher.serial).where(RedeemedVoucher.redemption_id == redemption_id)
        return set(session.scalars(select(Voucher.state).where(Voucher.serial.in_(serials))))


def advice_states(town: Town, batch_id: UUID) -> list[tuple[str, int]]:
    with town.database.read() as session:
        rows = session.execute(
            select(PaymentAdvice.state, PaymentAdvice.amount_cents)
            .where(PaymentAdvice.batch_id == batch_id)
            .order_by(PaymentAdvice.state)
        )
        return [(row[0], row[1]) for row in rows]


def test_a_contested_redemption_of_the_open_period_is_not_paid_until_it_is_decided(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3)
    contested = town.redeem(0, 2)
    dispute_id = contest(town, contested)
    assert (state_of(town, contested), balance(town, "4678"), balance(town, "4670")) == ("disputed", 2_000, 3_000)
    assert wrong_books(database) == []
    decide(town, dispute_id, "dismissed")
    assert (state_of(town, contested), balance(town, "4678"), balance(town, "4670")) == ("confirmed", 0, 5_000)
    assert freeze(town).total_cents == 5_000
    assert wrong_books(database) == []


def test_upheld_before_any_batch_its_vouchers_can_be_used_again_and_funders_owe_nothing(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3)
    contested = town.redeem(0, 2)
    dispute_id = contest(town, contested)
    decide(town, dispute_id, "upheld")
    assert (state_of(town, contested), voucher_states(town, contested)) == ("reversed", {"handed_over"})
    assert (balance(town, "4678"), balance(town, "4671"), balance(town, "8050")) == (0, 0, 3_000)
    assert freeze(town).total_cents == 3_000
    assert wrong_books(database) == []


def test_dismissed_after_its_period_was_settled_it_is_a_line_of_the_next_batch_once(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3)
    contested = town.redeem(0, 2)
    dispute_id = contest(town, contested)
    assert freeze(town).total_cents == 3_000
    decide(town, dispute_id, "dismissed")
    assert wrong_books(database) == []
    second = freeze(town)
    assert (second.advice_count, second.total_cents) == (1, 2_000)
    with pytest.raises(Refused):
        freeze(town)
    assert wrong_books(database) == []


def test_upheld_once_paid_it_is_owed_back_and_netted_from_the_next_advice(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 1)
    contested = town.redeem(0, 2)
    sent(town)
    dispute_id = contest(town, contested)
    assert state_of(town, contested) == "confirmed", "the money is on its way: nothing is suspended"
    decide(town, dispute_id, "upheld")
    assert (balance(town, "4671"), voucher_states(town, contested)) == (2_000, {"handed_over"})
    assert wrong_books(database) == []
    town.redeem(0, 5)
    second = sent(town)
    assert second.total_cents == 3_000
    assert balance(town, "4671") == 0
    assert wrong_books(database) == []


def test_what_is_owed_back_can_pay_a_whole_advice_then_no_transfer_leaves(database: Database) -> None:
    town = a_town(database, structure_count=2)
    contested = town.redeem(0, 5)
    sent(town)
    claw_back(town, contested)
    town.redeem(0, 2)
    town.redeem(1, 1)
    second = sent(town)
    assert (second.advice_count, second.total_cents, second.held_count) == (1, 1_000, 0)
    assert advice_states(town, second.batch_id) == [("in_file", 1_000), ("settled", 0)]
    assert balance(town, "4671") == 3_000
    assert wrong_books(database) == []
    town.redeem(0, 1)
    third = freeze(town)
    assert (third.advice_count, third.total_cents) == (0, 0)
    assert freeze_batch(database, third.batch_id, town.agreement_id, by=PREPARER, now=NOW) == third
    assert balance(town, "4671") == 2_000
    with pytest.raises(Refused):
        approve_batch(database, third.batch_id, by=APPROVER, now=NOW)
    assert wrong_books(database) == []


def test_an_advice_set_aside_gives_back_what_it_netted(database: Database) -> None:
    town = a_town(database, structure_count=2)
    contested = town.redeem(0, 2)
    sent(town)
    claw_back(town, contested)
    town.redeem(0, 5)
    town.redeem(1, 1)
    second = freeze(town)
    assert (second.total_cents, balance(town, "4671")) == (4_000, 0)
    with database.read() as session:
        advice_id = session.scalars(
            select(PaymentAdvice.id).where(
                PaymentAdvice.batch_id == second.batch_id, PaymentAdvice.structure_id == town.structure_ids[0]
            )
        ).one()
    set_aside(database, advice_id, "RIB à vérifier", by=PREPARER, now=NOW)
    assert advice_states(town, second.batch_id) == [("due", 1_000), ("held", 5_000)]
    assert balance(town, "4671") == 2_000
    assert wrong_books(database) == []
    third = freeze(town)
    assert (third.total_cents, balance(town, "4671")) == (3_000, 0)
    assert wrong_books(database) == []


def test_the_control_sum_of_a_batch_that_nets_is_equal_at_each_step(database: Database) -> None:
    """The page offers to approve and to send only what is equal on every side: a netting must not stop the whole batch."""
    town = a_town(database, structure_count=3)
    contested = [town.redeem(0, 2), town.redeem(1, 4)]
    sent(town)
    for redemption_id in contested:
        claw_back(town, redemption_id)
    town.redeem(0, 5)
    town.redeem(1, 3)
    town.redeem(2, 1)
    frozen = freeze(town)
    assert control_of(town, frozen.batch_id) == ControlSum(4_000, None, 4_000)
    with database.read() as session:
        advice_id = session.scalars(
            select(PaymentAdvice.id).where(
                PaymentAdvice.batch_id == frozen.batch_id, PaymentAdvice.structure_id == town.structure_ids[0]
            )
        ).one()
    set_aside(database, advice_id, "RIB à vérifier", by=PREPARER, now=NOW)
    assert control_of(town, frozen.batch_id) == ControlSum(1_000, None, 1_000)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=NOW)
    export_batch(database, frozen.batch_id, by=PREPARER, now=NOW)
    assert control_of(town, frozen.batch_id) == ControlSum(1_000, 1_000, 1_000)


def control_of(town: Town, batch_id: UUID) -> ControlSum:
    page = read.batch(town.database, batch_id)
    assert page is not None
    return page.control


def test_a_redemption_of_a_held_advice_is_clawed_back_and_netted_when_it_is_taken_up(database: Database) -> None:
    town = a_town(database, structure_count=2, with_rib=1)
    town.redeem(0, 1)
    contested = town.redeem(1, 2)
    town.redeem(1, 1)
    freeze(town)
    claw_back(town, contested)
    assert (balance(town, "4670"), balance(town, "4671")) == (3_000, 2_000)
    assert wrong_books(database) == []
    give_rib(database, town.structure_ids[1], 9)
    assert freeze(town).total_cents == 1_000
    assert wrong_books(database) == []


def test_four_eyes_says_the_rule_and_says_the_database(database: Database) -> None:
    town = a_town(database, structure_count=1)
    dispute_id = contest(town, town.redeem(0, 2))
    with pytest.raises(Refused, match="Une autre personne doit décider"):
        decide(town, dispute_id, "upheld", by=PREPARER)
    with pytest.raises(IntegrityError, match="four_eyes"), database.write() as session:
        session.execute(
            text("UPDATE dispute SET outcome = 'dismissed', decided_at = opened_at, decided_by = opened_by")
        )
    decide(town, dispute_id, "dismissed")
    decide(town, dispute_id, "dismissed")
    with pytest.raises(Refused, match="a été décidée le"):
        decide(town, dispute_id, "upheld", by=SOMEONE)
    assert wrong_books(database) == []


def test_the_same_command_twice_opens_one_dispute_and_another_content_is_refused(database: Database) -> None:
    town = a_town(database, structure_count=1)
    redemption_id = town.redeem(0, 2)
    dispute = NewDispute(new_id(), redemption_id, "not_rendered", FACTS)
    for _ in range(2):
        assert open_dispute(database, dispute, by=PREPARER, now=NOW) is True
    with pytest.raises(Refused, match="déjà été envoyé avec d’autres réponses"):
        open_dispute(database, NewDispute(dispute.id, redemption_id, "other", FACTS), by=PREPARER, now=NOW)
    with pytest.raises(Refused, match="déjà contesté"):
        contest(town, redemption_id)
    assert balance(town, "4678") == 2_000
    assert wrong_books(database) == []


def test_what_is_contested_cannot_be_undone_and_what_was_undone_cannot_be_contested(database: Database) -> None:
    town = a_town(database, structure_count=1)
    contested, undone = town.redeem(0, 2), town.redeem(0, 1)
    undo(database, undone, town.counters[0], undo_minutes=30, by=SOMEONE, now=NOW)
    with pytest.raises(Refused, match="annulé au comptoir"):
        contest(town, undone)
    dispute_id = contest(town, contested)
    answer = undo(database, contested, town.counters[0], undo_minutes=30, by=SOMEONE, now=NOW)
    assert answer == Refusal(CounterRefusal.UNDO_DISPUTED)
    decide(town, dispute_id, "dismissed")
    later = NOW + timedelta(minutes=5)
    assert not isinstance(undo(database, contested, town.counters[0], undo_minutes=30, by=SOMEONE, now=later), Refusal)
    assert wrong_books(database) == []


def test_another_issuers_redemption_does_not_exist(database: Database) -> None:
    town = a_town(database, structure_count=1)
    redemption_id = town.redeem(0, 2)
    with pytest.raises(Refused, match="n’existe pas"):
        open_dispute(
            database, NewDispute(new_id(), redemption_id, "other", FACTS), by=PREPARER, now=NOW, issuer_id=new_id()
        )
    dispute_id = contest(town, redemption_id)
    with pytest.raises(Refused, match="n’existe pas"):
        decide_dispute(database, dispute_id, "upheld", "Oui.", by=APPROVER, now=NOW, issuer_id=new_id())


def test_each_step_is_told_to_the_structure_once(database: Database) -> None:
    town = a_town(database, structure_count=1)
    with database.write() as session:
        session.execute(text("UPDATE structure SET contact_email = 'bonjour@association.example'"))
    redemption_id = town.redeem(0, 2)
    dispute = NewDispute(new_id(), redemption_id, "not_rendered", FACTS)
    for _ in range(2):
        open_dispute(database, dispute, by=PREPARER, now=NOW)
    for _ in range(2):
        decide(town, dispute.id, "upheld")
    with database.read() as session:
        letters = session.execute(
            select(OutboxMessage.kind, OutboxMessage.subject, OutboxMessage.body, OutboxMessage.path).order_by(
                OutboxMessage.kind.desc()
            )
        ).all()
    assert [one.kind for one in letters] == ["dispute_opened", "dispute_decided"]
    assert "suspendu" in letters[0].body
    assert FACTS in letters[0].body
    assert letters[1].subject.endswith(" : encaissement repris, il n’est plus dû")
    assert "Il n’est pas payé, et rien n’est à rendre." in letters[1].body
    assert {one.path for one in letters} == {f"/comptoir/paiements/contestations/{dispute.id}"}
    assert wrong_books(database) == []
