"""Who may do what: staff accounts, roles, passwords, sessions, the audit trail. Beneficiaries never sign in.

It stands on the kernel alone: issuers, prescribers and structures are known here by their ids.
"""
