"""Faults in what structures are paid, in what the bank says of it, in disputes and in what comes back."""

A_PAID_ADVICE = "(SELECT id FROM payment_advice WHERE state = 'paid' ORDER BY reference LIMIT 1)"
A_FILE = "(SELECT id FROM payment_file ORDER BY made_at, id LIMIT 1)"
A_SUSPENDED = (
    "(SELECT id FROM dispute WHERE outcome IS NULL AND is_suspending ORDER BY opened_at DESC, id DESC LIMIT 1)"
)
A_CLAW_BACK = "(SELECT id FROM entry WHERE event_type = 'redemption_clawed_back' ORDER BY posted_at, id LIMIT 1)"
A_NETTING = "(SELECT id FROM recovery WHERE kind = 'netted' AND cancelled_at IS NULL ORDER BY id LIMIT 1)"
AN_OVERPAYMENT = (
    "(SELECT id FROM overpayment WHERE recovered_cents < amount_cents AND claimed_at IS NULL ORDER BY id LIMIT 1)"
)

SETTLEMENT = {
    "money of a period said to be due before it ended": (
        "UPDATE payment_advice SET due_on = '2025-01-31'",
        {"a_payment_is_due_after_its_period"},
    ),
    "a payment to a RIB that was confirmed after it": (
        "UPDATE bank_details SET confirmed_at = '2031-01-01 10:00:00.000000' WHERE confirmed_at IS NOT NULL",
        {"payments_go_to_confirmed_ribs"},
    ),
    "a RIB that nobody confirmed": (
        (
            "DROP INDEX uq_bank_details_waiting; UPDATE bank_details SET confirmed_at = NULL, confirmed_by = NULL"
        ),
        {"payments_go_to_confirmed_ribs"},
    ),
    "a batch approved by who confirmed a RIB that it pays": (
        (
            "UPDATE bank_details SET confirmed_by = (SELECT approved_by FROM settlement_batch WHERE approved_by IS NOT NULL "
            "ORDER BY number LIMIT 1)"
        ),
        {"who_approves_confirmed_no_rib"},
    ),
    "an advice that pays more": (
        f"UPDATE payment_advice SET amount_cents = amount_cents + 500 WHERE id = {A_PAID_ADVICE}",
        {"an_advice_is_its_lines", "files_pay_their_batch"},
    ),
    "a doubled payment": (
        (
            f"UPDATE payment_advice SET amount_cents = amount_cents * 2 WHERE id = {A_PAID_ADVICE}; "
            f"UPDATE advice_line SET amount_cents = amount_cents * 2 WHERE advice_id = {A_PAID_ADVICE}"
        ),
        {"a_period_is_paid_in_full"},
    ),
    "a file changed after it left": (
        f"UPDATE payment_file SET sha256 = 'x' || substr(sha256, 2) WHERE id = {A_FILE}",
        {"kept_files_are_whole"},
    ),
    "a file that debits another account": (
        "UPDATE paying_account SET iban = 'X' || substr(iban, 2) WHERE channel = 'mandated_operator'",
        {"a_file_debits_one_account"},
    ),
    "a part of a batch that is gone": (
        "DELETE FROM payment_file WHERE kind LIKE 'pain%' AND made_at = (SELECT min(made_at) FROM payment_file WHERE kind LIKE 'pain%')",
        {"files_fit_their_channel"},
    ),
    "a payment that says it left in another file": (
        f"UPDATE payment_advice SET part = 2 WHERE id = {A_PAID_ADVICE}",
        {"files_pay_their_batch"},
    ),
    "a supporting list that supports nothing": (
        (
            "UPDATE payment_file SET content = (SELECT other.content FROM payment_file AS other WHERE other.kind = "
            "'liquidation_csv' AND other.batch_id = payment_file.batch_id) WHERE kind = 'supporting_csv'"
        ),
        {"the_supporting_list_supports"},
    ),
    "a batch that says another total": (
        "UPDATE settlement_batch SET total_cents = total_cents + 1 WHERE number = (SELECT min(number) FROM settlement_batch)",
        {"a_batch_totals_its_advices"},
    ),
    "a batch closed while the bank still has payments to book": (
        f"UPDATE payment_advice SET state = 'in_file', paid_on = NULL WHERE id = {A_PAID_ADVICE}",
        {"a_batch_says_who_did_what", "the_ledger_waits_for_what_left"},
    ),
    "a batch that one person froze and approved": (
        "UPDATE settlement_batch SET approved_by = frozen_by WHERE approved_by IS NOT NULL",
        {"a_batch_says_who_did_what"},
    ),
    "a batch without its period": (
        (
            "UPDATE period SET closed_at = opened_at WHERE closed_at IS NULL; "
            "UPDATE period SET closed_at = NULL WHERE id = (SELECT period_id FROM settlement_batch ORDER BY number LIMIT 1)"
        ),
        {"a_period_is_in_one_batch"},
    ),
    "a failed payment taken up for more": (
        "UPDATE advice_line SET amount_cents = amount_cents + 1 WHERE nature = 'carried_over'",
        {"what_failed_is_taken_up_once"},
    ),
    "a failed payment that no batch takes up": (
        "DELETE FROM advice_line WHERE nature = 'carried_over'",
        {"what_failed_is_taken_up_once"},
    ),
    "a returned payment that is forgotten": (
        "UPDATE payment_advice SET state = 'taken_up' WHERE state IN ('returned', 'rejected')",
        {"the_ledger_owes_what_settlement_owes", "what_failed_is_taken_up_once"},
    ),
}  # fmt: skip

PEOPLE = {
    "a batch approved by a deputy after the last day": (
        "UPDATE approver_deputy SET from_on = '2020-01-01', until_on = '2020-01-02'",
        {"deputies_approve_in_their_days"},
    ),
    "a deputy whom one of the two accepted": (
        "UPDATE approver_deputy SET decided_by = deputy_id",
        {"deputies_approve_in_their_days"},
    ),
    "a batch approved once the deputy had ended": (
        "UPDATE approver_deputy SET ended_at = '2020-01-01 10:00:00.000000', ended_by = approver_id",
        {"deputies_approve_in_their_days"},
    ),
    "a due advice of which the IBAN was changed": (
        (
            "UPDATE payment_advice SET iban = 'FR7630001007941234567890185' WHERE reference = "
            "(SELECT min(reference) FROM payment_advice WHERE state = 'due')"
        ),
        {"payments_go_to_confirmed_ribs"},
    ),
    "an advice of which the BIC was changed": (
        f"UPDATE payment_advice SET bic = 'AGRIFRPP' WHERE id = {A_PAID_ADVICE}",
        {"payments_go_to_confirmed_ribs"},
    ),
    "a dispute decided by its opener": (
        "UPDATE dispute SET decided_by = opened_by WHERE decided_by IS NOT NULL",
        {"two_people_decide"},
    ),
    "money given up by one person": (
        "UPDATE overpayment SET written_off_by = write_off_asked_by WHERE written_off_by IS NOT NULL",
        {"two_people_decide"},
    ),
}  # fmt: skip

HISTORY = {
    "a payment whose state was changed by hand": (
        f"UPDATE payment_advice SET state = 'rejected' WHERE id = {A_PAID_ADVICE}",
        {"a_payment_is_where_its_history_leads"},
    ),
    "an event that is gone": (
        f"DELETE FROM payment_event WHERE rank = 2 AND advice_id = {A_PAID_ADVICE}",
        {"a_payment_is_where_its_history_leads", "a_history_is_a_chain_of_known_changes"},
    ),
    "a payment that was paid before it left": (
        f"UPDATE payment_event SET from_state = 'held' WHERE why = 'debited' AND advice_id = {A_PAID_ADVICE}",
        {"a_history_is_a_chain_of_known_changes"},
    ),
    "a payment said to be paid by the line of another": (
        (
            "UPDATE payment_event SET line_id = (SELECT line_id FROM bank_match WHERE advice_id <> payment_event.advice_id LIMIT 1) "
            f"WHERE why = 'debited' AND advice_id = {A_PAID_ADVICE}"
        ),
        {"an_event_names_what_made_it"},
    ),
    "a rejection without its entry": (
        "UPDATE payment_event SET entry_id = NULL WHERE why = 'never_came'",
        {"an_event_names_what_made_it"},
    ),
    "a payment said to have left by a batch that does not exist": (
        f"UPDATE payment_event SET batch_id = advice_id WHERE why = 'exported' AND advice_id = {A_PAID_ADVICE}",
        {"an_event_names_what_made_it"},
    ),
}

STATEMENTS = {
    "a statement's closing balance": (
        "UPDATE bank_statement SET closing_cents = closing_cents + 1 WHERE reference = (SELECT min(reference) FROM bank_statement)",
        {"statements_are_what_the_bank_said"},
    ),
    "a statement that is gone": (
        (
            "UPDATE bank_line SET statement_id = NULL; DELETE FROM bank_statement WHERE reference = "
            "(SELECT max(reference) FROM bank_statement)"
        ),
        {"statements_are_what_the_bank_said"},
    ),
}  # fmt: skip

BANK = {
    "paid without a bank line": (
        f"DELETE FROM bank_match WHERE advice_id = {A_PAID_ADVICE}",
        {"an_advice_says_what_the_bank_said", "a_line_is_what_it_was_matched_with"},
    ),
    "a bank line that says another amount": (
        (
            "UPDATE bank_line SET amount_cents = amount_cents + 1 WHERE id IN "
            f"(SELECT line_id FROM bank_match WHERE advice_id = {A_PAID_ADVICE})"
        ),
        {"a_line_is_booked_once", "the_bank_account_is_the_banks"},
    ),
    "a bank line of which the books say the other way": (
        "UPDATE bank_line SET is_credit = NOT is_credit WHERE matched_cents < amount_cents",
        {"the_bank_account_is_the_banks"},
    ),
    "a bank line that says it was used for more": (
        (
            "UPDATE bank_match SET amount_cents = amount_cents + 1 WHERE undone_at IS NULL "
            f"AND advice_id = {A_PAID_ADVICE}"
        ),
        {"a_line_is_what_it_was_matched_with"},
    ),
    "a part of a line that the books do not know": (
        "UPDATE bank_match SET amount_cents = amount_cents - 1 WHERE kind = 'funds' AND undone_at IS NULL",
        {"parts_and_rest_make_the_line", "parts_make_what_a_call_received", "a_line_is_what_it_was_matched_with"},
    ),
    "a part of a line to another call": (
        (
            "UPDATE bank_match SET target_id = (SELECT id FROM funds_call WHERE id <> bank_match.target_id ORDER BY reference LIMIT 1) "
            "WHERE kind = 'funds' AND undone_at IS NULL"
        ),
        {"parts_make_what_a_call_received"},
    ),
    "a debit that pays a call": (
        "UPDATE bank_match SET kind = 'advance_refund' WHERE kind = 'funds'",
        {"parts_and_rest_make_the_line", "parts_make_what_a_call_received"},
    ),
    "a part of a line that one person proposed and confirmed": (
        "UPDATE line_proposal SET confirmed_by = proposed_by WHERE confirmed_by IS NOT NULL",
        {"two_people_did_what_was_proposed"},
    ),
    "a refund that the bank debited for more": (
        "UPDATE line_refund SET amount_cents = amount_cents + 1 WHERE state = 'paid'",
        {"a_refund_is_what_the_bank_said"},
    ),
    "a file of a refund changed after it left": (
        "UPDATE line_refund SET file_sha256 = 'f' || substr(file_sha256, 2, 62) || '0'",
        {"a_refund_is_what_the_bank_said"},
    ),
    "a refund that one line pays no more": (
        (
            "UPDATE bank_match SET undone_at = made_at, undone_by = made_by, undone_reason = 'x' WHERE kind = 'refund_debit'"
        ),
        {"a_refund_is_what_the_bank_said", "a_line_is_what_it_was_matched_with"},
    ),
    "an advance given back that nobody proposed": (
        "UPDATE line_proposal SET id = line_id WHERE code = '4432' AND amount_cents = 6000",
        {"two_people_did_what_was_proposed"},
    ),
    "what two people did, undone by one": (
        "UPDATE line_proposal SET confirmed_at = NULL, confirmed_by = NULL WHERE kind = 'undo'",
        {"two_people_did_what_was_proposed"},
    ),
    "an advance given back for more than its line says": (
        "UPDATE advance_return SET amount_cents = amount_cents + 1",
        {"receipts_are_posted", "called_is_what_funders_owe", "a_match_is_in_the_books", "the_bank_account_is_the_banks"},
    ),
    "a part of a line that says it repays another overpayment": (
        "UPDATE bank_match SET target_id = line_id WHERE kind = 'overpayment' AND undone_at IS NULL",
        {"a_match_is_in_the_books"},
    ),
    "a match undone without its entry": (
        (
            "UPDATE bank_match SET undone_at = made_at, undone_by = made_by, undone_reason = 'x' "
            f"WHERE advice_id = {A_PAID_ADVICE}"
        ),
        {"a_match_is_in_the_books"},
    ),
    "a bank line of a day to come": (
        "UPDATE bank_file SET imported_at = '2025-01-01 10:00:00.000000' WHERE kind = 'statement'",
        {"no_line_is_of_a_day_to_come"},
    ),
    "a duplicate offered again by one person": (
        "DELETE FROM duplicate_answer WHERE answered_by = (SELECT answered_by FROM duplicate_answer ORDER BY id LIMIT 1)",
        {"a_duplicate_is_offered_again_by_two_people"},
    ),
    "a duplicate that one person answered twice": (
        (
            "DROP INDEX uq_duplicate_answer_live; "
            "UPDATE duplicate_answer SET answered_by = (SELECT answered_by FROM duplicate_answer ORDER BY id LIMIT 1)"
        ),
        {"a_duplicate_is_answered_by_different_people", "a_duplicate_is_offered_again_by_two_people"},
    ),
    "answers to a question that no bank asked": (
        "DELETE FROM transfer_report",
        {"a_duplicate_is_answered_by_different_people"},
    ),
    "a bank line that counts on another day than the bank's": (
        "UPDATE entry SET effective_on = '2026-06-30' WHERE event_type = 'transfer_booked' AND effective_on > '2026-07-31'",
        {"a_line_counts_on_the_banks_day"},
    ),
    "money received on another day than the bank's": (
        "UPDATE funds_receipt SET booked_on = '2026-06-30'",
        {"a_line_counts_on_the_banks_day"},
    ),
    "an accountant's word on a bank's statement": (
        "UPDATE bank_file SET kind = 'accountant_return' WHERE kind = 'statement'",
        {"a_return_file_speaks_of_its_channel"},
    ),
}  # fmt: skip

DISPUTES = {
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
            "UPDATE recovery SET advice_id = (SELECT id FROM payment_advice WHERE id <> recovery.advice_id LIMIT 1) "
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
        "UPDATE revenue_order SET csv_sha256 = 'x' || substr(csv_sha256, 2)",
        {"revenue_orders_are_whole"},
    ),
    "a gap in the numbers of demands": ("UPDATE revenue_order SET rank = rank + 1", {"revenue_orders_are_whole"}),
    "a claim without its demand": ("DELETE FROM revenue_order", {"revenue_orders_are_whole"}),
}  # fmt: skip

FAULTS = SETTLEMENT | PEOPLE | HISTORY | STATEMENTS | BANK | DISPUTES
