"""Faults in what funders promise, are asked for and pay, in what is published of it, and in what is told by e-mail."""

A_CALL = "(SELECT subject_id FROM funding_document WHERE kind = 'uses_csv')"
AN_ADVANCE = "(SELECT id FROM funds_call WHERE kind = 'advance' AND state = 'paid' ORDER BY reference LIMIT 1)"
A_USE_OF_IT = f"(SELECT entry_id FROM funds_call_use WHERE call_id = {A_CALL} ORDER BY entry_id LIMIT 1)"
AN_ENVELOPE = "(SELECT id FROM envelope WHERE allocated_cents > 0 ORDER BY opened_at, id LIMIT 1)"

PROGRAMME = {
    "credit out of nothing": (
        (
            "UPDATE credit SET available_cents = available_cents + 1000 WHERE available_cents = "
            "(SELECT max(available_cents) FROM credit)"
        ),
        {"credits_are_the_ledgers"},
    ),
    "an agreement that says it committed more": (
        "UPDATE agreement SET committed_cents = committed_cents + face_value_cents",
        {"commitments_stay_below_ceilings"},
    ),
    "a ceiling that is no number of vouchers": (
        "UPDATE agreement SET ceiling_cents = ceiling_cents + 500",
        {"commitments_stay_below_ceilings"},
    ),
    "an envelope that forgets what it allocated": (
        "UPDATE envelope SET allocated_cents = allocated_cents - 1 WHERE allocated_cents > 0",
        {"allocations_are_the_parts_of_ceilings"},
    ),
    "a commitment of another sum": (
        "UPDATE commitment SET amount_cents = amount_cents + 1000",
        {"commitments_have_their_entry", "commitments_stay_below_ceilings"},
    ),
    "a commitment that is gone": ("DELETE FROM commitment", {"commitments_have_their_entry"}),
    "an envelope of another sum": (
        "UPDATE envelope SET amount_cents = amount_cents + 1",
        {"envelopes_have_their_entry"},
    ),
    "shares that make less than a whole": (
        "UPDATE agreement_share SET share_basis_points = share_basis_points - 1",
        {"shares_make_a_whole"},
    ),
    "shares that were exchanged": (
        (
            "UPDATE agreement_share SET share_basis_points = CASE rank WHEN 1 THEN share_basis_points + 100 "
            "ELSE share_basis_points - 100 END WHERE rank IN (1, 2)"
        ),
        {"commitments_are_shared_by_position"},
    ),
    "a share out of another funder's envelope": (
        f"UPDATE agreement_share SET envelope_id = {AN_ENVELOPE}",
        {"shares_make_a_whole"},
    ),
    "a part kept from a share that ended": (
        "UPDATE kept_part SET amount_cents = amount_cents + 1",
        {"what_ended_is_kept"},
    ),
    "a credit given back without its entry": (
        "UPDATE credit_release SET amount_cents = amount_cents + 1",
        {"what_ended_is_kept"},
    ),
}  # fmt: skip

FUNDING = {
    "a call that asks for more": (
        f"UPDATE funds_call SET called_cents = called_cents + 1, used_cents = used_cents + 1 WHERE id = {A_CALL}",
        {"called_is_what_funders_owe", "a_call_is_its_uses"},
    ),
    "an advance that grew": (
        f"UPDATE funds_call SET called_cents = called_cents + 1, state = 'partly_paid' WHERE id = {AN_ADVANCE}",
        {"called_is_what_funders_owe"},
    ),
    "a use that a call forgets": (
        f"DELETE FROM funds_call_use WHERE call_id = {A_CALL} AND entry_id = {A_USE_OF_IT}",
        {"a_call_is_its_uses"},
    ),
    "a use charged to another funder": (
        (
            "UPDATE movement SET debit_account_id = (SELECT other.id FROM account AS other JOIN account AS mine ON mine.id = "
            "movement.debit_account_id WHERE other.code = mine.code AND other.agreement_id = mine.agreement_id AND "
            "other.funder_id <> mine.funder_id ORDER BY other.id LIMIT 1) WHERE (entry_id, rank) = (SELECT m.entry_id, m.rank "
            "FROM movement AS m JOIN account AS a ON a.id = m.debit_account_id WHERE a.code = '4430' ORDER BY m.entry_id LIMIT 1)"
        ),
        {"what_is_used_is_owed_by_funders"},
    ),
    "a number that is skipped": (
        f"UPDATE funds_call SET number = 99 WHERE id = {AN_ADVANCE}",
        {"calls_are_numbered_without_a_gap"},
    ),
    "money received of nobody": (
        f"UPDATE funds_receipt SET undone_at = received_at WHERE call_id = {AN_ADVANCE}",
        {"receipts_are_posted"},
    ),
    "a final balance that says it received more": (
        "UPDATE funding_close SET received_cents = received_cents + 100, due_cents = due_cents - 100",
        {"receipts_are_posted"},
    ),
    "a final balance that says it gave more back": (
        "UPDATE funding_close SET refunded_cents = refunded_cents + 1, refund_cents = refund_cents + 1",
        {"receipts_are_posted"},
    ),
    "a receipt that is gone": ("DELETE FROM funds_receipt", {"receipts_are_posted"}),
    "a document that was changed": (
        "UPDATE funding_document SET content = (SELECT leaf_hash FROM seal WHERE leaf = 0) WHERE kind = 'call_pdf'",
        {"documents_are_whole"},
    ),
    "a list that says less than its call": (
        f"UPDATE funds_call SET used_cents = used_cents - 1, called_cents = called_cents - 1 WHERE id = {A_CALL}",
        {"documents_are_whole"},
    ),
    "a published figure that was embellished": (
        "UPDATE backing_figure SET text = replace(text, 'held=', 'held=1')",
        {"published_figures_are_the_ledgers"},
    ),
    "a published sum that the text does not say": (
        "UPDATE backing_figure SET held_cents = held_cents + 1",
        {"published_figures_are_the_ledgers"},
    ),
    "free credit that was counted": (
        "UPDATE backing_figure SET covered_cents = covered_cents + free_cents",
        {"published_figures_are_the_ledgers"},
    ),
    "a published rate of a day that passes for an older one": (
        "UPDATE backing_figure SET covered_cents = NULL",
        {"published_figures_are_the_ledgers"},
    ),
    "an entry that came before the figure, dated after": (
        (
            "UPDATE entry SET posted_at = '2026-11-21 10:00:00.000000' WHERE event_type = 'vouchers_redeemed' AND "
            "posted_at > '2026-11-17 00:00:00'"
        ),
        {"published_figures_are_the_ledgers"},
    ),
}  # fmt: skip

MAIL = {
    "a message sent that nobody tried": (
        "UPDATE outbox_message SET sent_at = created_at, try_count = 0, given_up_at = NULL",
        {"messages_can_be_sent"},
    ),
}  # fmt: skip

FAULTS = PROGRAMME | FUNDING | MAIL
