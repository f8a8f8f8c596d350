"""Each promise about disputes and overpayments is kept by a busy town, and named when somebody breaks it in the database."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from tests.reporting.test_verify import let_everything_be_changed
from tests.settlement.test_disputes import claw_back, contest, decide, freeze, sent
from tests.settlement.test_overpayments import LATER, a_credit, claim, overpaid
from tests.settlement.town import APPROVER, NOW, PREPARER, a_town, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.reporting.verify import ROOMS
from voucher.settlement.match_other import match_with_overpayment
from voucher.settlement.model import PaymentAdvice
from voucher.settlement.recover import ask_write_off, write_off
from voucher.settlement.set_aside import set_aside

A_SUSPENDED = "(SELECT id FROM dispute WHERE outcome IS NULL AND is_suspending LIMIT 1)"
A_CLAW_BACK = "(SELECT id FROM entry WHERE event_type = 'redemption_clawed_back' ORDER BY posted_at, id LIMIT 1)"
A_NETTING = "(SELECT id FROM recovery WHERE kind = 'netted' AND cancelled_at IS NULL ORDER BY id LIMIT 1)"
AN_OVERPAYMENT = "(SELECT id FROM overpayment WHERE recovered_cents < amount_cents AND claimed_at IS NULL LIMIT 1)"

PLANTED = {
    "a suspended amount paid all the same": (
        f"UPDATE redemption SET state = 'confirmed' WHERE id = (SELECT redemption_id FROM dispute WHERE id = {A_SUSPENDED})",
        {"redemptions_are_what_disputes_say", "the_ledger_owes_what_settlement_owes"},
    ),
    "a dispute that vanishes": (
        f"DELETE FROM dispute WHERE id = {A_SUSPENDED}",
        {"redemptions_are_what_disputes_say", "the_ledger_knows_what_is_disputed_and_overpaid"},
    ),
    "a dispute of another amount": (
        f"UPDATE dispute SET amount_cents = amount_cents + 1000 WHERE id = {A_SUSPENDED}",
        {"redemptions_are_what_disputes_say", "disputes_and_recoveries_have_their_entries"},
    ),
    "a redemption reversed without a decision": (
        "UPDATE redemption SET state = 'reversed' WHERE state = 'confirmed'",
        {"redemptions_are_what_disputes_say", "lines_follow_their_redemption"},
    ),
    "an overpayment that is forgotten": (
        f"DELETE FROM overpayment WHERE id = {AN_OVERPAYMENT}",
        {
            "the_ledger_knows_what_is_disputed_and_overpaid",
            "redemptions_are_what_disputes_say",
            "disputes_and_recoveries_have_their_entries",
        },
    ),
    "an overpayment that says it came back": (
        f"UPDATE overpayment SET recovered_cents = amount_cents WHERE id = {AN_OVERPAYMENT}",
        {"recoveries_make_what_is_recovered", "the_ledger_knows_what_is_disputed_and_overpaid"},
    ),
    "a claw-back without its entry": (
        f"DELETE FROM movement WHERE entry_id = {A_CLAW_BACK}; DELETE FROM entry WHERE id = {A_CLAW_BACK}",
        {"disputes_and_recoveries_have_their_entries", "a_reversal_gives_each_funder_its_part_back"},
    ),
    "a claw-back that favours one funder": (
        (
            "UPDATE movement SET amount_cents = amount_cents + 100 WHERE rank IN (1, 2) AND entry_id = "
            f"{A_CLAW_BACK}; UPDATE movement SET amount_cents = amount_cents - 100 WHERE rank IN (3, 4) AND entry_id = "
            f"{A_CLAW_BACK}"
        ),
        {"a_reversal_gives_each_funder_its_part_back"},
    ),
    "a netting of another advice": (
        (
            f"UPDATE recovery SET advice_id = (SELECT id FROM payment_advice WHERE id <> recovery.advice_id LIMIT 1) "
            f"WHERE id = {A_NETTING}"
        ),
        {"what_is_netted_is_in_its_advice"},
    ),
    "a netting that nobody restored": (
        f"UPDATE recovery SET cancelled_at = recovered_at, cancelled_by = recovered_by WHERE id = {A_NETTING}",
        {"what_is_netted_is_in_its_advice", "recoveries_make_what_is_recovered"},
    ),
    "a freed amount paid for more": (
        "UPDATE advice_line SET amount_cents = amount_cents + 1000 WHERE nature = 'released'",
        {"what_was_freed_is_paid_once", "an_advice_is_its_lines"},
    ),
    "a repayment without its entry": (
        "UPDATE entry SET event_id = id WHERE event_type = 'overpayment_repaid'",
        {"disputes_and_recoveries_have_their_entries"},
    ),
    "a demand changed after it was signed": (
        "UPDATE revenue_order SET csv_sha256 = 'f' || substr(csv_sha256, 2, 62) || '0'",
        {"revenue_orders_are_whole"},
    ),
    "a gap in the numbers of demands": ("UPDATE revenue_order SET rank = rank + 1", {"revenue_orders_are_whole"}),
    "a claim without its demand": ("DELETE FROM revenue_order", {"revenue_orders_are_whole"}),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def busy_town(
    request: pytest.FixtureRequest, open_database: Callable[[str], AbstractContextManager[Database]]
) -> Iterator[Database]:
    with open_database(request.param) as database:
        town = a_town(database, structure_count=2)
        freed = contest(town, town.redeem(0, 2))
        decide(town, contest(town, town.redeem(0, 1)), "upheld")
        netted = town.redeem(0, 2)
        sent(town)
        decide(town, freed, "dismissed")
        claw_back(town, netted)
        town.redeem(0, 5)
        sent(town)
        claimed = overpaid(town, 3)
        claim(town, claimed)
        match_with_overpayment(database, new_id(), a_credit(town, 1_000), claimed, by=PREPARER, now=LATER)
        ask_write_off(database, claimed, "Structure liquidée", by=PREPARER, now=LATER)
        write_off(database, claimed, by=APPROVER, now=LATER)
        restored = town.redeem(1, 2)
        sent(town)
        claw_back(town, restored)
        town.redeem(1, 3)
        batch_id = freeze(town).batch_id
        with database.read() as session:
            advice_id = session.scalars(select(PaymentAdvice.id).where(PaymentAdvice.batch_id == batch_id)).one()
        set_aside(database, advice_id, "RIB à vérifier", by=PREPARER, now=NOW)
        contest(town, town.redeem(0, 4))
        yield database


def test_a_town_with_every_kind_of_dispute_keeps_every_promise(busy_town: Database) -> None:
    assert wrong_books(busy_town) == []


@pytest.mark.parametrize("fault", PLANTED)
def test_each_planted_fault_is_found_and_named(busy_town: Database, fault: str) -> None:
    statements, expected = PLANTED[fault]
    with Session(busy_town.engine) as session:
        if not busy_town.is_postgresql:
            session.execute(text("BEGIN IMMEDIATE"))
        let_everything_be_changed(session, busy_town)
        changed = sum(session.execute(text(statement)).rowcount for statement in statements.split(";"))  # type: ignore[attr-defined]
        assert changed > 0, "the plant must take"
        found = {violation.check for _, checks in ROOMS for check in checks for violation in check(session)}
        session.rollback()
    assert expected <= found
