"""Faults in the ledger, its seals, its years and its letters."""

A_USE = "(SELECT id FROM redemption WHERE state = 'confirmed' ORDER BY redeemed_at, id LIMIT 1)"
ITS_ENTRY = f"(SELECT id FROM entry WHERE event_type = 'vouchers_redeemed' AND event_id = {A_USE})"
AN_UNDO = "(SELECT id FROM entry WHERE event_type = 'redemption_undone' ORDER BY posted_at, id LIMIT 1)"
ONE_CARRIED = "(SELECT min(account_id) FROM opening_balance)"
A_SEALED = "(SELECT entry_id FROM seal WHERE leaf = 4)"
SOME_HASH = "(SELECT leaf_hash FROM seal WHERE leaf = 9)"
LAST_SIZE = "(SELECT max(size) FROM checkpoint)"

LEDGER = {
    "a rule that spares what is still to be written": (
        "INSERT INTO rule_start (rule, written_until) VALUES ('bank_day', '2099-01-01 00:00:00.000000')",
        {"rules_start_where_the_books_were"},
    ),
    "a rule that spares closes to come": (
        "INSERT INTO rule_start (rule, written_until) VALUES ('close_checks', '2099-01-01 00:00:00.000000')",
        {"rules_start_where_the_books_were"},
    ),
    "a changed amount": (
        f"UPDATE movement SET amount_cents = amount_cents + 1 WHERE rank = 1 AND entry_id = {ITS_ENTRY}",
        {"entries_are_whole", "sealed_entries_stand"},
    ),
    "an amount changed with its entry": (
        (
            f"UPDATE movement SET amount_cents = amount_cents + 1 WHERE rank = 1 AND entry_id = {ITS_ENTRY}; "
            f"UPDATE entry SET total_cents = total_cents + 1 WHERE id = {ITS_ENTRY}"
        ),
        {"each_redemption_has_its_entry", "sealed_entries_stand"},
    ),
    "a missing entry": (
        f"DELETE FROM entry WHERE id = {ITS_ENTRY}",
        {"movements_have_their_entry", "sealed_entries_stand"},
    ),
    "an entry gone with its movements": (
        f"DELETE FROM movement WHERE entry_id = {ITS_ENTRY}; DELETE FROM entry WHERE id = {ITS_ENTRY}",
        {"each_redemption_has_its_entry", "sealed_entries_stand"},
    ),
    "an undo that gives back a part only": (
        (
            f"DELETE FROM movement WHERE entry_id = {AN_UNDO} AND rank > 1; UPDATE entry SET movement_count = 1, "
            f"total_cents = (SELECT sum(amount_cents) FROM movement WHERE entry_id = {AN_UNDO}) WHERE id = {AN_UNDO}"
        ),
        {"reversals_are_contrary"},
    ),
    "an undo that reverses nothing": (
        f"UPDATE entry SET reverses_id = NULL WHERE id = {AN_UNDO}",
        {"reversals_are_contrary"},
    ),
    "money moved to another account": (
        (
            "UPDATE movement SET debit_account_id = (SELECT min(id) FROM account WHERE code = '8020') "
            f"WHERE rank = 1 AND entry_id = {ITS_ENTRY}"
        ),
        {"movements_follow_the_chart"},
    ),
    "an entry in another journal": (
        f"UPDATE entry SET journal = 'BQ' WHERE id = {ITS_ENTRY}",
        {"movements_follow_the_chart"},
    ),
    "an account that says another key": (
        "UPDATE account SET key = 'x' || key WHERE id = (SELECT min(id) FROM account)",
        {"accounts_are_well_made"},
    ),
    "an account of another number": (
        "UPDATE account SET id = id + 1 WHERE id = (SELECT min(id) FROM account)",
        {"accounts_are_well_made"},
    ),
    "a batch that is paid more than its structures are owed": (
        (
            "UPDATE movement SET amount_cents = 1000000000 WHERE rank = 1 AND entry_id = "
            "(SELECT id FROM entry WHERE event_type = 'batch_frozen' ORDER BY posted_at, id LIMIT 1)"
        ),
        {"no_balance_is_on_the_wrong_side"},
    ),
    "a credit taken from one funder for another": (
        (
            "UPDATE movement SET credit_account_id = (SELECT other.id FROM account AS other JOIN account AS mine ON "
            "mine.id = movement.credit_account_id WHERE other.code = mine.code AND other.funder_id <> mine.funder_id "
            "ORDER BY other.id LIMIT 1) WHERE (entry_id, rank) = (SELECT m.entry_id, m.rank FROM movement AS m JOIN "
            "account AS a ON a.id = m.credit_account_id WHERE a.code = '8010' ORDER BY m.entry_id LIMIT 1)"
        ),
        {"budget_is_the_envelope"},
    ),
}  # fmt: skip

SEALS = {
    "changed words": (f"UPDATE entry SET narration = 'x' WHERE id = {A_SEALED}", {"sealed_entries_stand"}),
    "an entry gone with its seal": (
        f"DELETE FROM entry WHERE id = {A_SEALED}; DELETE FROM seal WHERE leaf = 4",
        {"sealed_entries_stand", "kept_proofs_hold"},
    ),
    "a leaf changed with its entry": (
        f"UPDATE seal SET leaf_hash = {SOME_HASH} WHERE leaf = 4",
        {"sealed_entries_stand", "kept_proofs_hold"},
    ),
    "the end cut off": ("DELETE FROM seal WHERE leaf > 7", {"sealed_entries_stand"}),
    "a node of the tree": (f"UPDATE seal_node SET hash = {SOME_HASH}", {"sealed_entries_stand"}),
    "a node too many": (
        f"INSERT INTO seal_node (generation, place, hash) SELECT 1, 99, root FROM checkpoint WHERE size = {LAST_SIZE}",
        {"sealed_entries_stand"},
    ),
    "another root": (
        f"UPDATE checkpoint SET root = {SOME_HASH} WHERE size = {LAST_SIZE}",
        {"sealed_entries_stand", "checkpoints_are_signed"},
    ),
    "an unsigned checkpoint": (
        f"UPDATE checkpoint SET note = substr(note, 1, 90) WHERE size = {LAST_SIZE}",
        {"checkpoints_are_signed"},
    ),
    "a note that says another size": (
        f"UPDATE checkpoint SET note = replace(note, CAST(size AS text), CAST(size + 1 AS text)) WHERE size = {LAST_SIZE}",
        {"checkpoints_are_signed"},
    ),
    "a checkpoint signed with another key": (
        f"UPDATE checkpoint SET public_key = {SOME_HASH} WHERE size = {LAST_SIZE}",
        {"checkpoints_are_signed"},
    ),
    "no checkpoint over the end": (f"DELETE FROM checkpoint WHERE size = {LAST_SIZE}", {"checkpoints_are_signed"}),
    "an old entry left out": (
        (
            "DELETE FROM seal WHERE leaf = 300; UPDATE entry SET posted_at = '2026-01-02 10:00:00.000000' "
            "WHERE id NOT IN (SELECT entry_id FROM seal)"
        ),
        {"old_entries_are_sealed"},
    ),
}  # fmt: skip

YEARS = {
    "an opening balance changed": (
        f"UPDATE opening_balance SET balance_cents = balance_cents + 1 WHERE account_id = {ONE_CARRIED}",
        {"opening_balances_are_sums", "opening_balances_balance"},
    ),
    "an opening balance gone": (
        f"DELETE FROM opening_balance WHERE account_id = {ONE_CARRIED}",
        {"opening_balances_are_sums", "opening_balances_balance"},
    ),
    "a movement changed after its year was summed": (
        f"UPDATE movement SET amount_cents = amount_cents + 1 WHERE rank = 1 AND entry_id = {ITS_ENTRY}",
        {"opening_balances_are_sums"},
    ),
    "an entry slipped into a closed year": (
        f"UPDATE entry SET posted_at = '2028-05-01 10:00:00.000000' WHERE id = {ITS_ENTRY}",
        {"nothing_enters_a_closed_year"},
    ),
    "a year closed before the one that precedes it": (
        (
            "INSERT INTO fiscal_year (year, following_on, proposed_at, proposed_by, closed_at, closed_by) SELECT year + 1, "
            "'2027-01-01', proposed_at, proposed_by, '2025-01-01 10:00:00.000000', closed_by FROM fiscal_year"
        ),
        {"years_are_closed_in_order"},
    ),
    "a year that ends on another day": (
        "UPDATE fiscal_year SET following_on = '2026-01-02'",
        {"years_are_closed_in_order"},
    ),
    "five cents more at the bank than its line": (
        (
            "UPDATE movement SET amount_cents = amount_cents + 5 WHERE entry_id = "
            "(SELECT id FROM entry WHERE event_type = 'bank_charged' ORDER BY posted_at, id LIMIT 1)"
        ),
        {"reconciliations_tell_every_cent"},
    ),
    "a year closed without the list of one of them": (
        "DELETE FROM close_check WHERE item = 'in_transit' AND said_by IN (SELECT closed_by FROM fiscal_year)",
        {"two_people_looked_before_a_close"},
    ),
    "what the two of them accepted, changed": (
        "UPDATE close_check SET found_cents = found_cents + 1 WHERE reason <> '' AND said_by IN (SELECT closed_by FROM fiscal_year)",
        {"two_people_looked_before_a_close"},
    ),
    "a year that one person closed alone": (
        "UPDATE fiscal_year SET closed_by = proposed_by",
        {"years_are_closed_in_order"},
    ),
    "an annual account whose bytes changed": (
        "UPDATE annual_account SET sha256 = 'f' || substr(sha256, 2, 62) || 'g'",
        {"kept_accounts_are_whole"},
    ),
    "a letter of another sum": ("UPDATE matching_letter SET amount_cents = amount_cents + 1", {"letters_balance"}),
    "a letter that lost its debits": ("DELETE FROM lettered_movement WHERE side = 'debit'", {"letters_balance"}),
    "a letter that lost its period": ("DELETE FROM lettered_period", {"letters_balance"}),
    "a letter of another account": (
        "UPDATE matching_letter SET account_id = (SELECT max(id) FROM account WHERE code = '8010')",
        {"letters_balance"},
    ),
    "movements under two letters": (
        (
            "INSERT INTO lettered_movement (entry_id, rank, side, letter_id) SELECT l.entry_id, l.rank, l.side, m.id FROM "
            "lettered_movement l JOIN matching_letter m ON m.id <> l.letter_id AND m.number = 1 AND m.code = '4711'"
        ),
        {"a_movement_has_one_letter"},
    ),
    "a period under two letters": (
        (
            "INSERT INTO lettered_period (account_id, period_id, letter_id) SELECT l.account_id, l.period_id, m.id FROM "
            "lettered_period l JOIN matching_letter m ON m.id <> l.letter_id AND m.number = 1 AND m.code = '4711'"
        ),
        {"a_movement_has_one_letter"},
    ),
    "a count signed by who counted": (
        "UPDATE stock_count SET signed_by = recorded_by WHERE signed_by IS NOT NULL",
        {"counts_add_up"},
    ),
    "a count of another number of booklets": (
        "UPDATE stock_count SET counted_count = counted_count + 1",
        {"counts_add_up"},
    ),
}  # fmt: skip

FAULTS = LEDGER | SEALS | YEARS
