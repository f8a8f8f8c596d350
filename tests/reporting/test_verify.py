"""`voucher verify` finds the demonstration right, and names each fault planted in it, on both engines."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.clients import MASTER_KEY
from voucher.demonstration import fill
from voucher.kernel.database import Database
from voucher.reporting.verify import ROOMS, verify

NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)

A_PAID_ADVICE = "(SELECT id FROM payment_advice WHERE state = 'paid' ORDER BY reference LIMIT 1)"
A_USED_VOUCHER = "(SELECT min(serial) FROM voucher WHERE state = 'redeemed')"
A_HELD_VOUCHER = "(SELECT min(serial) FROM voucher WHERE state = 'handed_over')"
A_USE = "(SELECT id FROM redemption WHERE state = 'confirmed' ORDER BY redeemed_at LIMIT 1)"
ITS_ENTRY = f"(SELECT id FROM entry WHERE event_type = 'vouchers_redeemed' AND event_id = {A_USE})"
AN_UNDO = "(SELECT id FROM entry WHERE event_type = 'redemption_undone' ORDER BY posted_at, id LIMIT 1)"
A_HANDOVER = "(SELECT id FROM handover ORDER BY handed_over_at LIMIT 1)"
A_FILE = "(SELECT id FROM payment_file ORDER BY made_at, id LIMIT 1)"

PLANTED = {
    "a changed amount in the ledger": (
        f"UPDATE movement SET amount_cents = amount_cents + 1 WHERE rank = 1 AND entry_id = {ITS_ENTRY}",
        "entries_are_whole",
    ),
    "an amount changed with its entry": (
        (
            f"UPDATE movement SET amount_cents = amount_cents + 1 WHERE rank = 1 AND entry_id = {ITS_ENTRY}; "
            f"UPDATE entry SET total_cents = total_cents + 1 WHERE id = {ITS_ENTRY}"
        ),
        "each_redemption_has_its_entry",
    ),
    "a missing entry": (f"DELETE FROM entry WHERE id = {ITS_ENTRY}", "movements_have_their_entry"),
    "an entry gone with its movements": (
        f"DELETE FROM movement WHERE entry_id = {ITS_ENTRY}; DELETE FROM entry WHERE id = {ITS_ENTRY}",
        "each_redemption_has_its_entry",
    ),
    "an undo that gives back a part only": (
        (
            f"DELETE FROM movement WHERE entry_id = {AN_UNDO} AND rank > 1; UPDATE entry SET movement_count = 1, "
            f"total_cents = (SELECT sum(amount_cents) FROM movement WHERE entry_id = {AN_UNDO}) WHERE id = {AN_UNDO}"
        ),
        "reversals_are_contrary",
    ),
    "an undo that reverses nothing": (
        f"UPDATE entry SET reverses_id = NULL WHERE id = {AN_UNDO}",
        "reversals_are_contrary",
    ),
    "money moved to another account": (
        (
            "UPDATE movement SET debit_account_id = (SELECT min(id) FROM account WHERE code = '8020') "
            f"WHERE rank = 1 AND entry_id = {ITS_ENTRY}"
        ),
        "movements_follow_the_chart",
    ),
    "an account that says another key": (
        "UPDATE account SET key = 'x' || key WHERE id = (SELECT min(id) FROM account)",
        "accounts_are_well_made",
    ),
    "credit out of nothing": (
        (
            "UPDATE credit SET available_cents = available_cents + 1000 WHERE available_cents = "
            "(SELECT max(available_cents) FROM credit)"
        ),
        "credits_are_the_ledgers",
    ),
    "an agreement that says it committed more": (
        "UPDATE agreement SET committed_cents = committed_cents + face_value_cents",
        "commitments_stay_below_ceilings",
    ),
    "an envelope that forgets what it allocated": (
        "UPDATE envelope SET allocated_cents = allocated_cents - 1 WHERE allocated_cents > 0",
        "allocations_are_the_parts_of_ceilings",
    ),
    "a used voucher made usable again": (
        f"UPDATE voucher SET state = 'handed_over' WHERE serial = {A_USED_VOUCHER}",
        "states_and_redemptions_agree",
    ),
    "a voucher used without a redemption": (
        f"UPDATE voucher SET state = 'redeemed' WHERE serial = {A_HELD_VOUCHER}",
        "states_and_redemptions_agree",
    ),
    "a voucher that is gone": (f"DELETE FROM voucher WHERE serial = {A_HELD_VOUCHER}", "batches_are_whole"),
    "a voucher signed by nobody": (
        "UPDATE voucher SET tag = (tag + 1) % 16777216 WHERE serial = (SELECT min(serial) FROM voucher)",
        "signatures_are_good",
    ),
    "a booklet handed over by nobody": (
        f"DELETE FROM handover WHERE id = {A_HANDOVER}",
        "booklets_agree_with_their_slips",
    ),
    "a redemption that costs more than its vouchers": (
        f"UPDATE redemption SET amount_cents = amount_cents + 1000 WHERE id = {A_USE}",
        "amounts_are_face_values",
    ),
    "a redemption after the last day": (
        f"UPDATE redemption SET redeemed_at = '2031-01-01 10:00:00.000000' WHERE id = {A_USE}",
        "nothing_is_redeemed_after_grace",
    ),
    "a redemption taken out of a closed period": (
        f"UPDATE redemption SET state = 'undone', undone_at = '2031-01-01 10:00:00.000000' WHERE id = {A_USE}",
        "closed_periods_stay_closed",
    ),
    "money of a period said to be due before it ended": (
        "UPDATE payment_advice SET due_on = '2025-01-31'",
        "a_payment_is_due_after_its_period",
    ),
    "a redemption in a month that was over": (
        f"UPDATE period SET ends_at = opened_at WHERE id = (SELECT period_id FROM redemption WHERE id = {A_USE})",
        "a_month_takes_its_own",
    ),
    "an advice that pays more": (
        f"UPDATE payment_advice SET amount_cents = amount_cents + 500 WHERE id = {A_PAID_ADVICE}",
        "an_advice_is_its_lines",
    ),
    "a doubled payment": (
        (
            f"UPDATE payment_advice SET amount_cents = amount_cents * 2 WHERE id = {A_PAID_ADVICE}; "
            f"UPDATE advice_line SET amount_cents = amount_cents * 2 WHERE advice_id = {A_PAID_ADVICE}"
        ),
        "a_period_is_paid_in_full",
    ),
    "paid without a bank line": (
        f"DELETE FROM bank_match WHERE advice_id = {A_PAID_ADVICE}",
        "an_advice_says_what_the_bank_said",
    ),
    "a bank line that says another amount": (
        (
            "UPDATE bank_line SET amount_cents = amount_cents + 1 WHERE id IN "
            f"(SELECT line_id FROM bank_match WHERE advice_id = {A_PAID_ADVICE})"
        ),
        "a_line_is_booked_once",
    ),
    "a bank line of which the books say the other way": (
        "UPDATE bank_line SET is_credit = NOT is_credit WHERE matched_cents < amount_cents",
        "the_bank_account_is_the_banks",
    ),
    "a bank line that says it was used for more": (
        (
            "UPDATE bank_match SET amount_cents = amount_cents + 1 WHERE undone_at IS NULL "
            f"AND advice_id = {A_PAID_ADVICE}"
        ),
        "a_line_is_what_it_was_matched_with",
    ),
    "a match undone without its entry": (
        (
            "UPDATE bank_match SET undone_at = made_at, undone_by = made_by, undone_reason = 'x' "
            f"WHERE advice_id = {A_PAID_ADVICE}"
        ),
        "a_match_is_in_the_books",
    ),
    "a file changed after it left": (
        f"UPDATE payment_file SET sha256 = 'x' || substr(sha256, 2) WHERE id = {A_FILE}",
        "kept_files_are_whole",
    ),
    "a file that debits another account": (
        "UPDATE paying_account SET iban = 'X' || substr(iban, 2) WHERE channel = 'mandated_operator'",
        "a_file_debits_one_account",
    ),
    "a part of a batch that is gone": (
        "DELETE FROM payment_file WHERE kind LIKE 'pain%' AND made_at = (SELECT min(made_at) FROM payment_file WHERE kind LIKE 'pain%')",
        "files_fit_their_channel",
    ),
    "a payment that says it left in another file": (
        f"UPDATE payment_advice SET part = 2 WHERE id = {A_PAID_ADVICE}",
        "files_pay_their_batch",
    ),
    "a supporting list that supports nothing": (
        (
            "UPDATE payment_file SET content = (SELECT other.content FROM payment_file AS other WHERE other.kind = "
            "'liquidation_csv' AND other.batch_id = payment_file.batch_id) WHERE kind = 'supporting_csv'"
        ),
        "the_supporting_list_supports",
    ),
    "an accountant's word on a bank's statement": (
        "UPDATE bank_file SET kind = 'accountant_return' WHERE kind = 'statement'",
        "a_return_file_speaks_of_its_channel",
    ),
    "a batch that says another total": (
        "UPDATE settlement_batch SET total_cents = total_cents + 1 WHERE number = (SELECT min(number) FROM settlement_batch)",
        "a_batch_totals_its_advices",
    ),
    "a batch closed while the bank still has payments to book": (
        f"UPDATE payment_advice SET state = 'in_file', paid_on = NULL WHERE id = {A_PAID_ADVICE}",
        "a_batch_says_who_did_what",
    ),
    "a batch without its period": (
        (
            "UPDATE period SET closed_at = opened_at WHERE closed_at IS NULL; "
            "UPDATE period SET closed_at = NULL WHERE id = (SELECT period_id FROM settlement_batch ORDER BY number LIMIT 1)"
        ),
        "a_period_is_in_one_batch",
    ),
    "an order that one funder pays for another": (
        (
            "UPDATE batch_share SET amount_cents = amount_cents - 5000 WHERE rank = 1; "
            "UPDATE batch_share SET amount_cents = amount_cents + 5000 WHERE rank = 2"
        ),
        "orders_follow_the_shares",
    ),
    "an order counted twice": (
        (
            "UPDATE issue_batch SET voucher_count = voucher_count + booklet_size, booklet_count = booklet_count + 1 "
            "WHERE first_serial = (SELECT max(first_serial) FROM issue_batch)"
        ),
        "everything_issued_is_accounted_for",
    ),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def demonstration(
    request: pytest.FixtureRequest, open_database: Callable[[str], AbstractContextManager[Database]]
) -> Iterator[Database]:
    with open_database(request.param) as database:
        fill(database, master_secret=bytes.fromhex(MASTER_KEY), base_url="http://127.0.0.1:8000", now=NOW)
        yield database


def let_everything_be_changed(session: Session, database: Database) -> None:
    """Take the triggers and foreign keys away, as who owns the database could; the caller rolls all this back."""
    if database.is_postgresql:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        return
    session.execute(text("PRAGMA defer_foreign_keys = ON"))
    for name in session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
        session.execute(text(f"DROP TRIGGER {name}"))


def test_the_demonstration_is_right(demonstration: Database) -> None:
    results = list(verify(demonstration))
    assert [violation for result in results for violation in result.violations] == []
    assert len(results) == sum(len(checks) for _, checks in ROOMS)


def test_the_demonstration_shows_every_stage(demonstration: Database) -> None:
    with demonstration.read() as session:
        states = {row[0]: row[1] for row in session.execute(text("SELECT state, count(*) FROM voucher GROUP BY state"))}
        advices = set(session.scalars(text("SELECT DISTINCT state FROM payment_advice")))
        regions = session.execute(text("SELECT count(DISTINCT region_code) FROM place")).scalar_one()
    assert sum(states.values()) == 5000
    assert set(states) == {"issued", "handed_over", "redeemed", "stopped", "lapsed", "void"}
    assert {"paid", "returned"} <= advices
    assert regions >= 11


@pytest.mark.parametrize("fault", PLANTED)
def test_each_planted_fault_is_found_and_named(demonstration: Database, fault: str) -> None:
    statements, expected = PLANTED[fault]
    with Session(demonstration.engine) as session:
        if not demonstration.is_postgresql:
            session.execute(text("BEGIN IMMEDIATE"))
        let_everything_be_changed(session, demonstration)
        changed = sum(session.execute(text(statement)).rowcount for statement in statements.split(";"))  # type: ignore[attr-defined]
        assert changed > 0, "the plant must take"
        found = {violation.check for _, checks in ROOMS for check in checks for violation in check(session)}
        session.rollback()
    assert expected in found
