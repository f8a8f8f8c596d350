"""Faults in accounts, in the roles that two people give and in the addresses that two people see."""

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

FAULTS = ACCESS
