"""Faults in vouchers: how they were issued, handed over and used, and in the network that takes them."""

A_USED_VOUCHER = "(SELECT min(serial) FROM voucher WHERE state = 'redeemed')"
A_HELD_VOUCHER = "(SELECT min(serial) FROM voucher WHERE state = 'handed_over')"
A_USE = "(SELECT id FROM redemption WHERE state = 'confirmed' ORDER BY redeemed_at, id LIMIT 1)"
A_HANDOVER = "(SELECT id FROM handover ORDER BY handed_over_at, id LIMIT 1)"
THE_LAST_ORDER = "(SELECT max(first_serial) FROM issue_batch)"

ISSUING = {
    "an order that one funder pays for another": (
        (
            "UPDATE batch_share SET amount_cents = amount_cents - 5000 WHERE rank = 1; "
            "UPDATE batch_share SET amount_cents = amount_cents + 5000 WHERE rank = 2"
        ),
        {"orders_follow_the_shares", "orders_are_posted"},
    ),
    "an order of another value": ("UPDATE issue_batch SET face_value_cents = 1001", {"orders_follow_the_shares"}),
    "an order counted twice": (
        (
            "UPDATE issue_batch SET voucher_count = voucher_count + booklet_size, booklet_count = booklet_count + 1 "
            f"WHERE first_serial = {THE_LAST_ORDER}"
        ),
        {"everything_issued_is_accounted_for", "numbers_are_dense"},
    ),
    "a serial that nobody has": ("UPDATE serial_counter SET next_serial = next_serial + 1", {"numbers_are_dense"}),
    "an agreement that issued more": ("UPDATE agreement SET issued_count = issued_count + 1", {"numbers_are_dense"}),
    "a voucher that is gone": (f"DELETE FROM voucher WHERE serial = {A_HELD_VOUCHER}", {"batches_are_whole"}),
    "booklets that are not made": (
        f"UPDATE issue_batch SET made_booklet_count = 1 WHERE first_serial = {THE_LAST_ORDER}",
        {"batches_are_whole"},
    ),
    "a voucher signed by nobody": (
        "UPDATE voucher SET tag = (tag + 1) % 16777216 WHERE serial = (SELECT min(serial) FROM voucher)",
        {"signatures_are_good"},
    ),
}  # fmt: skip

# Not a cover's nor a first voucher's: those were read alone once.
SIGNATURES = {
    "a tag that is not the one signed": (
        "UPDATE voucher SET tag = (tag + 1) % 16777216 WHERE serial = 13",
        {"signatures_are_good"},
    ),
    "a signature of another voucher": (
        "UPDATE voucher SET signature = (SELECT signature FROM voucher AS other WHERE other.serial = 15) WHERE serial = 14",
        {"signatures_are_good"},
    ),
    "a cover that another booklet bears": (
        "UPDATE booklet SET signature = (SELECT signature FROM booklet AS other WHERE other.number = 4) WHERE number = 3",
        {"signatures_are_good"},
    ),
}  # fmt: skip

STOCK = {
    "a stock booklet moved without a slip": (
        (
            "UPDATE booklet SET prescriber_id = (SELECT id FROM prescriber ORDER BY id LIMIT 1) WHERE number = "
            "(SELECT max(number) FROM booklet WHERE state = 'issued')"
        ),
        {"booklets_are_where_slips_led_them"},
    ),
    "a slip that leaves from elsewhere": (
        "UPDATE stock_slip SET from_prescriber_id = to_prescriber_id WHERE to_prescriber_id IS NOT NULL",
        {"booklets_are_where_slips_led_them"},
    ),
    "a slip that is gone": ("DELETE FROM stock_slip", {"booklets_are_where_slips_led_them"}),
}  # fmt: skip

PLACES_AND_PERIODS = {
    "a redemption at a place of another structure": (
        (
            "UPDATE redemption SET place_id = (SELECT p.id FROM place AS p WHERE p.structure_id <> redemption.structure_id "
            f"ORDER BY p.id LIMIT 1) WHERE id = {A_USE}"
        ),
        {"redemptions_are_of_their_place"},
    ),
    "a service that is none of the nine": (
        f"UPDATE redemption SET service = 'hairdressing' WHERE id = {A_USE}",
        {"redemptions_are_of_their_place"},
    ),
    "a period opened later than it was": (
        f"UPDATE period SET opened_at = ends_at WHERE id = (SELECT period_id FROM redemption WHERE id = {A_USE})",
        {"periods_follow_each_other"},
    ),
    "a period that ends at noon": (
        (
            "UPDATE period SET ends_at = '2025-05-30 10:00:00.000000' WHERE id = "
            f"(SELECT period_id FROM redemption WHERE id = {A_USE})"
        ),
        {"periods_follow_each_other"},
    ),
    "a gap in the numbers of periods": (
        "UPDATE period SET number = number + 100 WHERE closed_at IS NULL",
        {"periods_follow_each_other"},
    ),
}  # fmt: skip

DISTRIBUTION = {
    "a booklet handed over by nobody": (
        f"DELETE FROM handover WHERE id = {A_HANDOVER}",
        {"booklets_agree_with_their_slips"},
    ),
    "a booklet that says it was handed over": (
        "UPDATE booklet SET state = 'handed_over' WHERE number = (SELECT max(number) FROM booklet)",
        {"booklets_agree_with_their_slips"},
    ),
    "a voucher handed over without its booklet": (
        "UPDATE voucher SET state = 'handed_over' WHERE serial = (SELECT max(serial) FROM voucher)",
        {"vouchers_agree_with_their_booklet", "stages_hold_their_vouchers"},
    ),
    "credit that came from nowhere": (
        "UPDATE credit SET available_cents = available_cents + 1",
        {"stages_hold_their_vouchers", "credits_are_the_ledgers"},
    ),
}  # fmt: skip

REDEMPTION = {
    "a used voucher made usable again": (
        f"UPDATE voucher SET state = 'handed_over' WHERE serial = {A_USED_VOUCHER}",
        {"states_and_redemptions_agree", "stages_hold_their_vouchers"},
    ),
    "a voucher used without a redemption": (
        f"UPDATE voucher SET state = 'redeemed' WHERE serial = {A_HELD_VOUCHER}",
        {"states_and_redemptions_agree"},
    ),
    "a voucher live twice": (
        (
            "DROP INDEX uq_redeemed_voucher_live; UPDATE redeemed_voucher SET serial = (SELECT min(serial) FROM "
            "redeemed_voucher WHERE is_live), is_live = (1 = 1) WHERE serial = (SELECT max(serial) FROM redeemed_voucher)"
        ),
        {"a_voucher_is_used_once", "lines_follow_their_redemption"},
    ),
    "a line of a redemption that is gone": (
        f"DELETE FROM redeemed_voucher WHERE serial = {A_USED_VOUCHER}",
        {"lines_follow_their_redemption", "states_and_redemptions_agree"},
    ),
    "a redemption that costs more than its vouchers": (
        f"UPDATE redemption SET amount_cents = amount_cents + 1000 WHERE id = {A_USE}",
        {"amounts_are_face_values", "each_redemption_has_its_entry"},
    ),
    "an undo that nobody posted": (
        f"UPDATE redemption SET state = 'undone', undone_at = redeemed_at WHERE id = {A_USE}",
        {"each_redemption_has_its_entry", "lines_follow_their_redemption"},
    ),
    "a redemption after the last day": (
        f"UPDATE redemption SET redeemed_at = '2031-01-01 10:00:00.000000' WHERE id = {A_USE}",
        {"nothing_is_redeemed_after_grace", "a_month_takes_its_own"},
    ),
    "a redemption after its key was revoked": (
        "UPDATE issuer_key SET state = 'revoked', revoked_at = '2025-01-01 10:00:00.000000'",
        {"revoked_keys_redeem_nothing"},
    ),
    "a redemption taken out of a closed period": (
        f"UPDATE redemption SET state = 'undone', undone_at = '2031-01-01 10:00:00.000000' WHERE id = {A_USE}",
        {"closed_periods_stay_closed"},
    ),
    "a redemption in a month that was over": (
        f"UPDATE period SET ends_at = opened_at WHERE id = (SELECT period_id FROM redemption WHERE id = {A_USE})",
        {"a_month_takes_its_own"},
    ),
    "a request both accepted and refused": (
        f"UPDATE refused_attempt SET id = {A_USE}",
        {"an_attempt_has_one_answer"},
    ),
}  # fmt: skip

NETWORK = {
    "a structure that cannot exist": (
        "UPDATE structure SET pivot = '43493312300028' WHERE pivot = (SELECT min(pivot) FROM structure)",
        {"structures_can_be_named"},
    ),
    "a structure suspended for no reason": (
        "UPDATE structure SET state = 'suspended' WHERE state <> 'suspended'",
        {"structures_can_be_named"},
    ),
    "an IBAN whose key is wrong": (
        "UPDATE bank_details SET iban = 'FR7600000000000000000000000'",
        {"structures_have_one_rib_at_a_time"},
    ),
    "two RIB at once": (
        (
            "DROP INDEX uq_bank_details_current; UPDATE bank_details SET structure_id = (SELECT structure_id FROM "
            "bank_details WHERE ended_at IS NULL ORDER BY recorded_at, id LIMIT 1)"
        ),
        {"structures_have_one_rib_at_a_time"},
    ),
    "a RIB confirmed by who recorded it": (
        "UPDATE bank_details SET confirmed_by = recorded_by WHERE confirmed_by IS NOT NULL",
        {"ribs_are_confirmed_by_another"},
    ),
    "a place in another region": ("UPDATE place SET region_code = '75'", {"places_are_located_and_useful"}),
    "a place that offers what nobody knows": (
        "UPDATE place SET services = 'magic'",
        {"places_are_located_and_useful"},
    ),
    "an import that counts other lines": (
        "UPDATE places_import SET taken_count = taken_count + 1",
        {"imports_count_their_lines"},
    ),
}  # fmt: skip

FAULTS = ISSUING | SIGNATURES | STOCK | PLACES_AND_PERIODS | DISTRIBUTION | REDEMPTION | NETWORK
