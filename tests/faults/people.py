"""Faults in the trail, in accounts, in the roles that two people give and in the addresses that two people see."""

SOME_HASH = "(SELECT leaf_hash FROM seal WHERE leaf = 9)"

ACCESS = {
    "a role of finance that nobody confirmed": (
        (
            "UPDATE account_change SET outcome = NULL, decided_at = NULL, decided_from = NULL, decided_by = NULL "
            "WHERE role = 'finance_approver'"
        ),
        {"two_people_gave_roles"},
    ),
    "a role hung on what was confirmed for another role": (
        (
            "UPDATE role_grant SET change_id = (SELECT change_id FROM role_grant WHERE role = 'finance_preparer' "
            "ORDER BY id LIMIT 1) "
            "WHERE role = 'finance_approver'"
        ),
        {"two_people_gave_roles"},
    ),
    "a role held for more than what was confirmed": (
        "UPDATE role_grant SET scope_id = (SELECT id FROM issuer ORDER BY id LIMIT 1) WHERE role = 'finance_approver'",
        {"two_people_gave_roles"},
    ),
    "a role held for longer than what was confirmed": (
        "UPDATE role_grant SET until_on = '2031-12-31' WHERE role = 'finance_approver'",
        {"two_people_gave_roles"},
    ),
    "a role that went on after its last day": (
        "UPDATE role_grant SET until_on = '2026-01-31', revoked_at = '2031-01-01 10:00:00.000000' WHERE role = 'mediator'",
        {"roles_end_on_their_day"},
    ),
    "an address that two people did not see": (
        "UPDATE staff_account SET email = 'autre@pass.example' WHERE email = 'validation@pass.example'",
        {"addresses_seen_by_two"},
    ),
    "a closed account that waits for a second person": (
        (
            "UPDATE account_change SET outcome = NULL, decided_at = NULL, decided_from = NULL, decided_by = NULL;"
            "UPDATE staff_account SET closed_at = created_at WHERE email = 'validation@pass.example'"
        ),
        {"closed_accounts_open_nothing"},
    ),
    "a closed account whose passkey serves still": (
        "UPDATE staff_account SET closed_at = created_at WHERE email = 'marc@pass.example'",
        {"closed_accounts_open_nothing"},
    ),
    "a closed account whose browser is still known": (
        (
            "DELETE FROM staff_session;"
            "UPDATE staff_account SET closed_at = created_at WHERE id IN (SELECT account_id FROM staff_browser)"
        ),
        {"closed_accounts_open_nothing"},
    ),
    "a closed account whose link serves still": (
        (
            "UPDATE account_link SET ended_at = NULL, ended_how = NULL;"
            "UPDATE staff_account SET closed_at = created_at WHERE email = 'validation@pass.example'"
        ),
        {"closed_accounts_open_nothing"},
    ),
    "a closed account that ProConnect opens still": (
        "UPDATE staff_account SET closed_at = created_at WHERE id IN (SELECT account_id FROM provider_identity)",
        {"closed_accounts_open_nothing"},
    ),
    "an identity that a reset did not end": (
        (
            "UPDATE provider_identity SET linked_at = (SELECT min(created_at) FROM staff_account), "
            "account_id = (SELECT account_id FROM account_change WHERE kind = 'factors' AND outcome = 'confirmed' LIMIT 1)"
        ),
        {"resets_end_factors", "identities_come_from_links"},
    ),
    "an identity linked with somebody else's link": (
        "UPDATE provider_identity SET account_id = (SELECT id FROM staff_account WHERE email = 'validation@pass.example')",
        {"identities_come_from_links"},
    ),
    "an identity linked with a link that did not serve": (
        "UPDATE account_link SET ended_how = 'cancelled' WHERE id IN (SELECT link_id FROM provider_identity)",
        {"identities_come_from_links"},
    ),
    "an identity linked by who reads the mailbox alone": (
        "UPDATE account_link SET asked_from = 'person', asked_by = NULL WHERE id IN (SELECT link_id FROM provider_identity)",
        {"identities_come_from_links"},
    ),
}  # fmt: skip

A_LINE = "(SELECT line_id FROM trail_seal WHERE leaf = 4)"
LAST_SIZE = "(SELECT max(size) FROM trail_checkpoint)"
LONG_AGO = "'2020-01-02 10:00:00.000000'"

TRAIL = {
    "a line taken out of the trail": (f"DELETE FROM audit_line WHERE id = {A_LINE}", {"sealed_lines_stand"}),
    "a line taken out with its seal": (
        f"DELETE FROM audit_line WHERE id = {A_LINE}; DELETE FROM trail_seal WHERE leaf = 4",
        {"sealed_lines_stand"},
    ),
    "the trail thinned, what remains numbered anew": (
        (f"DELETE FROM audit_line WHERE id = {A_LINE}; DELETE FROM trail_seal WHERE leaf = 4;"
        "UPDATE trail_seal SET leaf = -leaf WHERE leaf > 4; UPDATE trail_seal SET leaf = -leaf - 1 WHERE leaf < 0"),
        {"sealed_lines_stand"},
    ),
    "another person in the place of who acted": (
        f"UPDATE audit_line SET account_id = (SELECT id FROM funder ORDER BY id LIMIT 1) WHERE id = {A_LINE}",
        {"sealed_lines_stand"},
    ),
    "another subject": (f"UPDATE audit_line SET subject = 'x' WHERE id = {A_LINE}", {"sealed_lines_stand"}),
    "a line put in between": (
        ("UPDATE trail_seal SET leaf = -leaf WHERE leaf > 4; UPDATE trail_seal SET leaf = 1 - leaf WHERE leaf < 0;"
        f"INSERT INTO trail_seal (leaf, line_id, leaf_hash) SELECT 5, id, {SOME_HASH} FROM entry LIMIT 1"),
        {"sealed_lines_stand"},
    ),
    "a line put in afterwards, and sealed with later ones": (
        f"UPDATE audit_line SET at = {LONG_AGO} WHERE id = (SELECT line_id FROM trail_seal WHERE leaf = {LAST_SIZE} - 1)",
        {"sealed_lines_stand"},
    ),
    "a line put in afterwards, under an old date": (
        f"INSERT INTO audit_line (id, at, action, subject) SELECT id, {LONG_AGO}, 'Lecture d’un RIB', '' FROM entry LIMIT 1",
        {"old_lines_are_sealed"},
    ),
    "the trail's end cut off": ("DELETE FROM trail_seal WHERE leaf > 7", {"sealed_lines_stand"}),
    "the whole trail gone with its seals": (
        "DELETE FROM audit_line; DELETE FROM trail_seal; DELETE FROM trail_checkpoint",
        {"sealed_lines_stand"},
    ),
    "another root of the trail": (
        f"UPDATE trail_checkpoint SET root = {SOME_HASH} WHERE size = {LAST_SIZE}",
        {"sealed_lines_stand", "trail_is_signed"},
    ),
    "peaks of another tree": (
        f"UPDATE trail_checkpoint SET peaks = {SOME_HASH} WHERE size = {LAST_SIZE}",
        {"trail_is_signed"},
    ),
    "an unsigned note of the trail": (
        f"UPDATE trail_checkpoint SET note = substr(note, 1, 90) WHERE size = {LAST_SIZE}",
        {"trail_is_signed"},
    ),
    "no note over the trail's end": (
        f"DELETE FROM trail_checkpoint WHERE size = {LAST_SIZE}",
        {"trail_is_signed"},
    ),
}  # fmt: skip

_RESET = "kind = 'factors' AND outcome = 'confirmed'"
FACTORS = {
    "second factors reset by one person": (
        f"UPDATE account_change SET decided_by = asked_by WHERE {_RESET}",
        {"factors_reset_by_two"},
    ),
    "second factors reset by nobody else": (
        "UPDATE account_change SET outcome = 'alone' WHERE kind = 'factors'",
        {"factors_reset_by_two"},
    ),
    "second factors that their person has reset": (
        f"UPDATE account_change SET decided_by = account_id WHERE {_RESET}",
        {"factors_reset_by_two"},
    ),
    "an application of codes, recovery codes and a session that a reset did not end": (
        f"UPDATE account_change SET decided_at = (SELECT max(ends_at) FROM staff_session) WHERE {_RESET}",
        {"resets_end_factors"},
    ),
    "recovery codes of a person without a second factor": (
        "UPDATE totp_device SET removed_at = created_at",
        {"codes_stand_beside_a_factor"},
    ),
    "more recovery codes than are made": (
        (
            "INSERT INTO recovery_code (id, account_id, beginning, code_hash, made_at) "
            "SELECT id, (SELECT account_id FROM recovery_code LIMIT 1), 'ABCD', 'x', made_at FROM ("
            "SELECT entry.id AS id, (SELECT made_at FROM recovery_code LIMIT 1) AS made_at FROM entry LIMIT 1) AS one"
        ),
        {"codes_stand_beside_a_factor"},
    ),
}  # fmt: skip

FAULTS = ACCESS | TRAIL | FACTORS
